//! The open-loop load engine: arrival schedule, client, recorder.
