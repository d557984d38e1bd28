//! The nouns of Squall: topology, policy, fault, timeline, claim, verdict, event.
//!
//! Pure data: no async, no I/O, no clock. Every other room speaks in these types; none of them knows how a mesh is
//! configured, how a process is started or how a number is judged.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail"))]

mod behaviour;
mod quantity;
mod record;
mod stamp;

pub use behaviour::{Answer, Behaviour, Capacity};
pub use quantity::{
    Fraction, Latency, QuantityError, Rate, duration, duration_text, duration_text_option, parse_duration,
};
pub use record::{CallRecord, ClientEnd, LedgerRecord};
pub use stamp::Stamp;
