//! Rendering, as people read it and by its laws, down to the messages that a proxy is sent.

mod laws;
mod nouns;
mod scenes;
mod snapshots;
mod splits;
