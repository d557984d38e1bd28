//! The open-loop load engine: arrival schedule, client, recorder.
//!
//! One thread sends for everybody. A [`Run`] is the traffic of one stage: [`Line`]s with a common origin of time, sent over
//! HTTP/1.1, HTTP/2 or gRPC to the proxies of the calling instances, one [`CallRecord`](squall_model::CallRecord) a call.
//!
//! **Honest to the schedule.** When a call is due is arithmetic from the origin ([`Schedule`]); a slow answer delays no other
//! call, for each has a connection, or a stream, of its own while it is in flight; latency counts from the *intended* send, so what a stall did
//! to the calls that were due in it is in their records (no coordinated omission: Tene, "How NOT to Measure Latency"; wrk2).
//! Where the engine itself was late, [`ScheduleHealth`] says by how much, and whoever judges decides what that is worth.
//!
//! **Nothing is retried.** A call is sent once, and ends as its client saw it ([`ClientEnd`](squall_model::ClientEnd)).
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use squall_traffic::{Arrivals, Endpoint, Line, LoadThread, Request, Shape, Start};
//! use std::time::Duration;
//!
//! let load = LoadThread::start()?;
//! let shape = Shape::Open { rate_hz: 300.0, length: Duration::from_secs(3), arrivals: Arrivals::Even };
//! let line = Line::new(0, vec![Endpoint::Unix("/run/web/out.sock".into())], Request::new("GET", "reviews", "/")?, shape);
//! let run = load.begin(vec![line], Start::default())?;
//! let summary = run.finish(Duration::from_secs(10)).await?;
//! let mut calls = Vec::new();
//! run.drain_into(&mut calls);
//! assert_eq!(summary.sent, 900);
//! # Ok(())
//! # }
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail"))]

mod agenda;
mod alarm;
mod books;
mod call;
mod client;
mod clock;
mod dial;
mod health;
mod http1;
mod http2;
mod line;
mod looks;
mod looped;
mod mix;
mod pattern;
mod redirect;
mod request;
mod rest;
mod run;
mod schedule;
mod socket;
mod stamped;
mod tcp;
mod thread;
mod tls;
mod turns;
mod websocket;

pub use books::{Phase, Progress, Summary};
pub use clock::now;
pub use health::{ScheduleBound, ScheduleHealth, ScheduleMiss};
pub use line::{Endpoint, Line, LineError, Messages, Shape, Share, Start};
pub use looks::Look;
pub use mix::Mix;
pub use pattern::{Context, Pattern, PatternError, Table};
pub use request::{Request, RequestError};
pub use run::Run;
pub use schedule::{Arrivals, Piece, Schedule};
pub use tcp::Until;
pub use thread::{LoadError, LoadThread};
pub use tls::{OwnCertificate, Peer, SpiffeError, SpiffeId, Tls, TlsError, Trust, Unsecured};
pub use websocket::Reply;
