//! How a stand-in workload behaves: the words of the control protocol between engine and workload.

use crate::{GrpcStatus, Latency};
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
    /// With this HTTP status and a short body; on gRPC: below 400 it is OK with one message, from 400 on an answer that has no
    /// status of gRPC.
    Status(u16),
    /// With this status of gRPC, after so many messages: 0 makes an answer that is nothing but trailers.
    Grpc {
        /// Which.
        status: GrpcStatus,
        /// How many messages before.
        after: u32,
    },
    /// Never: it reads the try and keeps the connection open.
    Hang,
    /// It closes the connection without a byte; over HTTP/2 without GOAWAY, and with all other tries that are on it.
    Close,
    /// It resets the connection without a byte; over HTTP/2 the try's stream alone, with INTERNAL_ERROR.
    Reset,
    /// It sends a head and half of the body, then closes; over HTTP/2 it resets the try's stream.
    CutBody,
    /// It sends bytes that are not HTTP, and closes the connection.
    Garbage,
}

/// A workload's own limit: `workers` tries at a time, `queue` more waiting; beyond that it answers 503 at once, or
/// RESOURCE_EXHAUSTED on gRPC.
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
