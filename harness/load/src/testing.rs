//! Calls and reports for tests.

use crate::{
    generator::Generator,
    recorder::Recorder,
    report::{About, Mode, Report},
};
use squall_model::{CallRecord, ClientEnd, Course, Leg, Stamp};
use std::time::Duration;

/// A call that was meant for this moment and took so long; it was set about, and sent at once.
pub(crate) fn call(at_ms: u64, took_us: u64, end: ClientEnd) -> CallRecord {
    let intended = Stamp(at_ms * 1_000_000);
    let done = Stamp(intended.0 + took_us * 1_000);
    let course = Course { leg: Leg::Waiting, ..Course::default() };
    CallRecord { seq: 0, line: 0, caller: 1, user: 0, intended, sent: Stamp(intended.0 + 500), done, end, course }
}

/// What is told of these calls.
pub(crate) fn report<T>(calls: &[CallRecord], told: impl FnOnce(&Report<'_>) -> T) -> T {
    let mut recorder = Recorder::new(Stamp(0));
    calls.iter().for_each(|call| recorder.record(call));
    told(&Report {
        about: About {
            url: "http://a/".into(),
            address: "127.0.0.1:80".into(),
            protocol: "HTTP/1.1",
            tls: None,
            terms: Vec::new(),
            mode: Mode::Open,
            schedule: "100/s for 3 s, evenly".into(),
            rate: Some(100.0),
            length: Duration::from_secs(3),
            meant: Some(calls.len() as u64),
            users: None,
            seed: None,
            timeout: Duration::from_secs(10),
            requests: Vec::new(),
            started: "2026-01-01T00:00:00Z".into(),
            began: Duration::from_secs(1_767_225_600),
            version: "0.1.0",
        },
        calls: &recorder,
        took: Duration::from_secs(3),
        generator: Generator::default(),
        judged: Vec::new(),
        interrupted: None,
        agents: None,
    })
}
