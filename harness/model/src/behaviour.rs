//! How a stand-in workload behaves: the words of the control protocol between engine and workload.

use crate::Latency;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a workload does with a try. The whole of it is sent at each change: there are no increments to lose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Behaviour {
    /// How long it works on each try.
    pub latency: Latency,
    /// How it answers.
    pub answer: Answer,
    /// How many tries it works on at a time, and how many more may wait in line; `None`: no limit.
    pub capacity: Option<Capacity>,
}

/// How a workload answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// With this HTTP status and a short body.
    Status(u16),
    /// Never: it reads the try and keeps the connection open.
    Hang,
    /// It closes the connection without a byte.
    Close,
    /// It resets the connection without a byte.
    Reset,
    /// It sends a head and half of the body, then closes.
    CutBody,
    /// It sends bytes that are not HTTP.
    Garbage,
}

/// A workload's own limit: `workers` tries at a time, `queue` more waiting; beyond that it answers 503 at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    /// Tries worked on at a time, at least 1.
    pub workers: u32,
    /// Tries that may wait in line; `None`: any number.
    pub queue: Option<u32>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Behaviour { latency: Latency::Fixed(Duration::ZERO), answer: Answer::Status(200), capacity: None }
    }
}
