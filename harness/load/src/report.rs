//! What is told of a run: what was asked, what came of it, and how far it is to be trusted.

use crate::{agents::Agents, generator::Generator, recorder::Recorder, threshold::Judged};
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
    /// Who sent it, where it was not this program alone.
    pub agents: Option<Agents>,
}

impl Report<'_> {
    /// True where what became of every call is known: no agent was lost.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.agents.as_ref().is_none_or(Agents::are_whole)
    }

    /// Calls made per second of sending.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let seconds = self.took.as_secs_f64();
        if seconds > 0.0 { self.calls.counts().calls as f64 / seconds } else { 0.0 }
    }
}
