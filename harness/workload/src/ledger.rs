//! The ledger: one line for each try that ended, one for each marker.

use crate::{clock, ending::Answered, head::Head, lines::LineFile};
use serde::{Deserialize, Serialize};
use squall_model::{LedgerRecord, Stamp};
use std::{cell::Cell, io, path::Path};
use thiserror::Error;

/// One line of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerLine {
    /// A try that ended.
    Try(LedgerRecord),
    /// A marker: every try that ended before it was read is on an earlier line. A try in flight then is not.
    Marker(String),
}

/// A line that is no line of a ledger.
#[derive(Debug, Error)]
#[error("`{line}` is no line of a ledger: {source}")]
pub struct LedgerError {
    /// The line.
    pub line: String,
    /// Why.
    pub source: serde_json::Error,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MarkerLine<'a> {
    #[serde(borrow)]
    marker: std::borrow::Cow<'a, str>,
}

/// Reads one line of a ledger, with or without its line feed.
///
/// Each line was appended by one `write`; a line without its line feed at the end of the file is being written, or was
/// when the process was killed.
///
/// # Errors
/// If it is neither a [`LedgerRecord`] nor `{"marker": TEXT}`.
pub fn parse_line(line: &str) -> Result<LedgerLine, LedgerError> {
    serde_json::from_str(line).map(LedgerLine::Try).or_else(|source| {
        serde_json::from_str(line)
            .map(|MarkerLine { marker }| LedgerLine::Marker(marker.into_owned()))
            .map_err(|_| LedgerError { line: line.to_owned(), source })
    })
}

/// The ledger as the workload writes it.
#[derive(Debug)]
pub(crate) struct Ledger {
    lines: LineFile,
    tries: Cell<u64>,
}

impl Ledger {
    pub(crate) fn open(path: &Path) -> io::Result<Ledger> {
        Ok(Ledger { lines: LineFile::open(path)?, tries: Cell::new(0) })
    }

    /// Tries written down so far.
    pub(crate) fn tries(&self) -> u64 {
        self.tries.get()
    }

    pub(crate) fn mark(&self, text: &str) {
        self.lines.append(&MarkerLine { marker: text.into() });
    }

    /// Opens the record of a try whose head was read at `began`.
    pub(crate) fn begin(&self, head: &Head, began: Stamp) -> OpenTry<'_> {
        let record = (!head.is_check).then(|| LedgerRecord {
            id: head.id.clone(),
            attempt: head.attempt,
            caller: head.caller.clone(),
            copy: head.is_copy,
            began,
            ended: Stamp::default(),
            status: 0,
            grpc: None,
        });
        OpenTry { ledger: self, record }
    }

    /// Waits until a line could not be written.
    pub(crate) async fn failed(&self) -> io::Error {
        self.lines.failed().await
    }
}

/// A try that has not ended. However it ends, dropped at the end of the process included, its line is written: with
/// status 0 unless it was [closed](OpenTry::close).
#[derive(Debug)]
pub(crate) struct OpenTry<'a> {
    ledger: &'a Ledger,
    /// `None` for a health check, and once the line is written.
    record: Option<LedgerRecord>,
}

impl OpenTry<'_> {
    /// It ended with this answer.
    pub(crate) fn close(mut self, with: Answered) {
        self.write(with);
    }

    fn write(&mut self, Answered { status, grpc }: Answered) {
        if let Some(record) = self.record.take() {
            self.ledger.lines.append(&LedgerRecord { ended: clock::now(), status, grpc, ..record });
            self.ledger.tries.set(self.ledger.tries.get() + 1);
        }
    }
}

impl Drop for OpenTry<'_> {
    fn drop(&mut self) {
        self.write(Answered::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use squall_model::GrpcStatus;

    prop_compose! {
        fn record()(
            id in ".*", attempt: u32, caller in "[a-z-]{0,12}", copy: bool, began: u64, ended: u64, status: u16,
            grpc in proptest::option::of(0u64..17),
        ) -> LedgerRecord {
            let grpc = grpc.and_then(GrpcStatus::from_number);
            LedgerRecord { id, attempt, caller, copy, began: Stamp(began), ended: Stamp(ended), status, grpc }
        }
    }

    proptest! {
        #[test]
        fn a_record_survives_its_line(record in record()) {
            let line = serde_json::to_string(&record).unwrap();
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(parse_line(&line).unwrap(), LedgerLine::Try(record));
        }

        #[test]
        fn a_marker_survives_its_line(text in ".*") {
            let line = serde_json::to_string(&MarkerLine { marker: text.as_str().into() }).unwrap();
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(parse_line(&format!("{line}\n")).unwrap(), LedgerLine::Marker(text));
        }

        #[test]
        fn a_torn_line_is_no_line(record in record(), cut in 0.0f64..1.0) {
            let line = serde_json::to_string(&record).unwrap();
            let at = (0..line.len()).rev().find(|&i| i <= (line.len() as f64 * cut) as usize && line.is_char_boundary(i));
            prop_assert!(parse_line(&line[..at.unwrap_or(0)]).is_err());
        }
    }

    #[test]
    fn other_json_is_refused() {
        for line in ["", "{}", "[]", r#"{"marker":1}"#, r#"{"marker":"a","status":200}"#] {
            assert!(parse_line(line).is_err(), "{line}");
        }
    }
}
