//! What a load run came to: recorder, thresholds, reports. Pure: records in, words out; no I/O, no clock.
//!
//! The traffic room sends and leaves one [`CallRecord`](squall_model::CallRecord) a call. Here they are counted as they come
//! ([`Recorder`], in bounded memory), judged against what somebody promised ([`Threshold`]), and told ([`Report`]: as text, as
//! fortio's JSON, as CSV).
//!
//! **Latency counts from the intended start**, so that what a stall did to the calls that were due in it is in the figures.
//! Service time, from the actual send, stands beside it. **A call without an answer is later than any answer**: leaving it out
//! would make a server look the faster the more it loses.
//!
//! ```
//! use squall_load::{Recorder, Threshold};
//! use squall_model::{CallRecord, ClientEnd, Course, Stamp};
//!
//! let mut recorder = Recorder::new(Stamp(0));
//! for k in 0..1_000 {
//!     let at = Stamp(k * 1_000_000);
//!     let done = Stamp(at.0 + 2_000_000);
//!     let end = ClientEnd::Answered(200);
//!     let course = Course::default();
//!     recorder.record(&CallRecord { seq: k, line: 0, caller: 1, user: 0, intended: at, sent: at, done, end, course });
//! }
//! let threshold: Threshold = "p99 > 250ms".parse()?;
//! assert!(threshold.judge(&recorder, false).verdict.is_fine());
//! # Ok::<(), squall_load::ThresholdError>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail"))]

mod agents;
mod calls;
mod counts;
mod csv;
mod fortio;
mod generator;
mod hdr;
mod health;
mod latencies;
mod outcome;
mod packed;
mod parts;
mod recorder;
mod report;
mod search;
mod sparse;
#[cfg(test)]
mod testing;
mod text;
mod threshold;
mod told;
mod windows;
mod words;

pub use agents::{Agent, Agents, Merged, Own, Part, Sent, lost, part};
pub use calls::{CallLogError, CallReader, CallWriter, head as call_log_head};
pub use counts::Counts;
pub use csv::csv;
pub use fortio::json;
pub use generator::{Generator, Saturation};
pub use hdr::hdr;
pub use health::{Health, Look};
pub use latencies::{Bucket, Latencies};
pub use outcome::{Class, Outcome};
pub use parts::Parts;
pub use recorder::{OfRequest, Recorder, Tally};
pub use report::{About, Mode, Report};
pub use search::{Found, Held, Search};
pub use sparse::Sparse;
pub use text::{live, measured, saturation, text, told};
pub use threshold::{Judged, Threshold, ThresholdError, Undecided, Verdict};
pub use windows::Window;

/// How often a bound that is shown, or a threshold that is judged, may be wrong on either side: once in so many runs, calls
/// being independent of each other.
pub const ERROR: f64 = 1e-3;
