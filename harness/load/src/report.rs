//! What is told of a run: what was asked, what came of it, and how far it is to be trusted.

use crate::{recorder::Recorder, threshold::Judged};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How calls follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// By schedule, whatever becomes of the calls before.
    Open,
    /// Each user waits for its answer.
    Closed,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// As it was given.
    pub url: String,
    /// Where that is: an address, or the path of a socket.
    pub address: String,
    /// `HTTP/1.1`, `HTTP/2`, `gRPC`, `WebSocket`, `TCP`.
    pub protocol: &'static str,
    /// How connections are secured, in words; `None`: not at all.
    pub tls: Option<String>,
    /// What else was asked of how calls are made, each with its name and in words.
    pub terms: Vec<(&'static str, String)>,
    /// Open or closed loop.
    pub mode: Mode,
    /// The schedule in words: `2,000/s for 10 s, evenly`.
    pub schedule: String,
    /// The mean rate asked for, calls per second; `None` where it follows from the answers.
    pub rate: Option<f64>,
    /// Until when calls are due.
    pub length: Duration,
    /// Calls that the schedule has; `None` where their number follows from the answers.
    pub meant: Option<u64>,
    /// Users of a closed loop.
    pub users: Option<u32>,
    /// What the moments were drawn from, where any were.
    pub seed: Option<u64>,
    /// How long a call may take.
    pub timeout: Duration,
    /// What each of several requests is called, in order; empty of one.
    pub requests: Vec<String>,
    /// When it began, by the calendar: RFC 3339.
    pub started: String,
    /// The same moment as the time since 1970.
    pub began: Duration,
    /// Of the program.
    pub version: &'static str,
}

/// How well the generator itself did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Generator {
    /// Half of the sends were at most so late.
    pub late_p50: Duration,
    /// 99 of 100 sends were at most so late.
    pub late_p99: Duration,
    /// The latest send.
    pub late_max: Duration,
    /// What is allowed of the 99th percentile.
    pub bound: Duration,
    /// Sends due within so long are made together; zero: each in its own time.
    pub tick: Duration,
    /// Most connections.
    pub cap: usize,
    /// Calls that the cap held back.
    pub held: u64,
    /// The longest that it did so.
    pub held_max: Duration,
    /// Calls for which the machine had no socket.
    pub starved: u64,
    /// Processor time of the whole program during the run.
    pub cpu: Duration,
}

impl Generator {
    /// True where the schedule was not kept: the figures then speak of the generator as well.
    #[must_use]
    pub fn is_saturated(&self) -> bool {
        self.late_p99 > self.bound || self.starved > 0
    }

    /// Two parts of one run: its schedule was kept as well as by the worse of them.
    #[must_use]
    pub fn with(self, other: Generator) -> Generator {
        Generator {
            late_p50: self.late_p50.max(other.late_p50),
            late_p99: self.late_p99.max(other.late_p99),
            late_max: self.late_max.max(other.late_max),
            bound: self.bound,
            tick: self.tick,
            cap: self.cap + other.cap,
            held: self.held + other.held,
            held_max: self.held_max.max(other.held_max),
            starved: self.starved + other.starved,
            cpu: self.cpu + other.cpu,
        }
    }
}

/// A run, to be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Report<'a> {
    /// What was asked for.
    pub about: About,
    /// What became of the calls.
    pub calls: &'a Recorder,
    /// How long calls were sent: the length asked for, unless it was stopped.
    pub took: Duration,
    /// How the generator did.
    pub generator: Generator,
    /// What was promised, judged.
    pub judged: Vec<Judged>,
    /// What stopped the run before its time.
    pub interrupted: Option<&'static str>,
}

impl Report<'_> {
    /// Calls made per second of sending.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let seconds = self.took.as_secs_f64();
        if seconds > 0.0 { self.calls.counts().calls as f64 / seconds } else { 0.0 }
    }
}
