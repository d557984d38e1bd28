//! `events.jsonl`: one event a line, append-only, so that a killed run still has its record.

use squall_model::{Body, EVENT_VERSION, RunEvent, Stamp};
use thiserror::Error;

/// Why a record cannot be read.
#[derive(Debug, Error)]
pub enum RecordError {
    /// A line that is no event.
    #[error("line {line} is no event: {source}")]
    Line {
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It was written by a later Squall.
    #[error("line {line} has version {found}, and this Squall reads up to {EVENT_VERSION}")]
    Version {
        /// Number of the line, from 1.
        line: usize,
        /// What it says.
        found: u16,
    },
}

/// One event as a line, with its end.
///
/// # Errors
/// Only those of the serializer.
pub fn write_event(event: &RunEvent) -> Result<String, serde_json::Error> {
    serde_json::to_string(event).map(|line| line + "\n")
}

/// Reads a record. A last line without an end is what a killed run left: it is left out. Kinds that are not known are kept as such.
///
/// # Errors
/// Where a whole line is no event, or of a later version.
pub fn read_events(text: &str) -> Result<Vec<RunEvent>, RecordError> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().enumerate().map(|(n, line)| read_line(n + 1, line)).collect()
}

/// Reads one event, as [`write_event`] writes it.
///
/// # Errors
/// As [`read_events`].
pub fn read_event(line: &str) -> Result<RunEvent, RecordError> {
    read_line(1, line)
}

fn read_line(number: usize, line: &str) -> Result<RunEvent, RecordError> {
    #[derive(serde::Deserialize)]
    struct Head {
        v: u16,
        seq: u64,
        at: Stamp,
        of: Option<squall_model::RunOf>,
    }
    match serde_json::from_str::<RunEvent>(line) {
        Ok(event) => Ok(event),
        Err(source) => match serde_json::from_str::<Head>(line) {
            Ok(head) if head.v > EVENT_VERSION => Err(RecordError::Version { line: number, found: head.v }),
            // A kind that came later within the same version: additive, so it is kept, and means nothing to us.
            Ok(head) => Ok(RunEvent { v: head.v, seq: head.seq, at: head.at, of: head.of, body: Body::Unknown }),
            Err(_) => Err(RecordError::Line { line: number, source }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(body: Body) -> RunEvent {
        RunEvent { v: EVENT_VERSION, seq: 7, at: Stamp(12), of: None, body }
    }

    #[test]
    fn what_is_written_is_read() {
        let events = vec![event(Body::Started), event(Body::Interrupted { why: "SIGINT".into() })];
        let text: String = events.iter().map(|e| write_event(e).unwrap()).collect();
        assert_eq!(read_events(&text).unwrap(), events);
    }

    #[test]
    fn a_torn_last_line_is_left_out() {
        let text = write_event(&event(Body::Started)).unwrap() + "{\"v\":1,\"seq\":8,\"a";
        assert_eq!(read_events(&text).unwrap().len(), 1);
    }

    #[test]
    fn a_recorded_run_is_read_whole() {
        let events = read_events(include_str!("../../../fixtures/events/v1.jsonl")).unwrap();
        assert!(events.iter().all(|e| e.body != Body::Unknown));
        assert!(matches!(events.last().unwrap().body, Body::RunFinished(_)));
    }

    #[test]
    fn an_absence_that_was_not_over_is_read() {
        let line = r#"{"v":1,"seq":1,"at":5,"of":null,"body":{"absence":{"by":{"service":"web","number":1},"of":{"service":"reviews","number":2},"what":"ejected","nth":1,"at":7,"in_flight":0,"late_tries":0}}}"#;
        let events = read_events(&format!("{line}\n")).unwrap();
        let Body::Absence(absence) = &events[0].body else { panic!("{events:?}") };
        assert_eq!((absence.at, absence.lasted, absence.last_late), (7, None, None));
        assert_eq!(write_event(&events[0]).unwrap(), format!("{line}\n"));
    }

    #[test]
    fn a_finding_without_its_explanation_is_read() {
        let finding = r#"{"claim":0,"verdict":"violated","measured":{"every":{"against":1,"n":2}},"exemplars":[]}"#;
        let judged = format!(
            r#"{{"text":"x","origin":{{"file":"a.feature","line":1,"column":1,"length":1}},"finding":{finding},"counters":[],"log":[]}}"#
        );
        let line = format!("{{\"v\":1,\"seq\":1,\"at\":5,\"of\":null,\"body\":{{\"judged\":{judged}}}}}\n");
        let events = read_events(&line).unwrap();
        let Body::Judged(judged) = &events[0].body else { panic!("{events:?}") };
        assert!(judged.finding.explanation.is_empty());
        assert_eq!(write_event(&events[0]).unwrap(), line, "what is not there is not written");
    }

    #[test]
    fn unknown_kinds_are_kept_and_later_versions_refused() {
        let unknown = "{\"v\":1,\"seq\":1,\"at\":5,\"of\":null,\"body\":{\"comet\":{\"tail\":3}}}\n";
        assert_eq!(read_events(unknown).unwrap()[0].body, Body::Unknown);
        let later = "{\"v\":9,\"seq\":1,\"at\":5,\"of\":null,\"body\":{\"comet\":{}}}\n";
        assert!(matches!(read_events(later), Err(RecordError::Version { found: 9, .. })));
        assert!(matches!(read_events("{}\n"), Err(RecordError::Line { line: 1, .. })));
    }
}
