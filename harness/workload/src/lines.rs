//! A file of JSON lines that a killed process leaves whole.

use squall_child::Appender;
use squall_model::LedgerRecord;
use std::{cell::RefCell, io, path::Path};
use tokio::sync::Notify;

/// Appends lines, each in one `write` ([`Appender`]).
///
/// A failure cannot be answered where it happens (a line may be due while a try is dropped), so it is kept for
/// [`failed`](LineFile::failed): a workload that cannot write down what it does must not go on doing it.
#[derive(Debug)]
pub(crate) struct LineFile {
    appender: RefCell<Appender>,
    failure: RefCell<Option<io::Error>>,
    alarm: Notify,
}

impl LineFile {
    pub(crate) fn open(path: &Path) -> io::Result<LineFile> {
        let appender = RefCell::new(Appender::open(path)?);
        Ok(LineFile { appender, failure: RefCell::default(), alarm: Notify::new() })
    }

    /// Appends `record`.
    pub(crate) fn append(&self, record: &LedgerRecord) {
        self.keep(self.appender.borrow_mut().append(std::slice::from_ref(record), None));
    }

    /// Appends a marker.
    pub(crate) fn mark(&self, text: &str) {
        self.keep(self.appender.borrow_mut().append::<LedgerRecord>(&[], Some(text)));
    }

    fn keep(&self, written: io::Result<()>) {
        if let Err(error) = written {
            *self.failure.borrow_mut() = Some(error);
            self.alarm.notify_one();
        }
    }

    /// Waits until a line could not be written.
    pub(crate) async fn failed(&self) -> io::Error {
        loop {
            self.alarm.notified().await;
            if let Some(error) = self.failure.take() {
                return error;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn failures_are_kept() {
        let full = LineFile::open(Path::new("/dev/full")).unwrap();
        full.mark("here");
        assert_eq!(full.failed().await.kind(), io::ErrorKind::StorageFull);
    }
}
