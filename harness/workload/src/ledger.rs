//! The ledger: one line for each try that ended, one for each marker.

use crate::{clock, ending::Answered, head::Head, lines::LineFile};
use squall_child::{Line, LineError};
use squall_model::{LedgerRecord, Stamp};
use std::{cell::Cell, io, path::Path};

/// One line of a ledger: a try that ended, or a marker. Every try that ended before a marker was asked for is on an earlier line;
/// one in flight then is not.
pub type LedgerLine = Line<LedgerRecord>;

/// Reads one line of a ledger, with or without its line feed.
///
/// # Errors
/// If it is neither a [`LedgerRecord`] nor `{"marker": TEXT}`.
pub fn parse_line(line: &str) -> Result<LedgerLine, LineError> {
    squall_child::parse_line(line)
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
        self.lines.mark(text);
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
            prop_assert_eq!(parse_line(&line).unwrap(), Line::Record(record));
        }
    }
}
