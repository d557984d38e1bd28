//! A file of JSON lines that a killed process leaves whole.

use serde::Serialize;
use std::{
    cell::RefCell,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::Path,
};
use tokio::sync::Notify;

/// Appends one line in one `write`, unbuffered: what was written is in the file whatever becomes of the process.
///
/// A failure cannot be answered where it happens (a line may be due while a try is dropped), so it is kept for
/// [`failed`](LineFile::failed): a workload that cannot write down what it does must not go on doing it.
#[derive(Debug)]
pub(crate) struct LineFile {
    file: File,
    scratch: RefCell<Vec<u8>>,
    failure: RefCell<Option<io::Error>>,
    alarm: Notify,
}

impl LineFile {
    pub(crate) fn open(path: &Path) -> io::Result<LineFile> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(LineFile { file, scratch: RefCell::default(), failure: RefCell::default(), alarm: Notify::new() })
    }

    /// Appends `line`.
    pub(crate) fn append(&self, line: &impl Serialize) {
        if let Err(error) = self.write(line) {
            *self.failure.borrow_mut() = Some(error);
            self.alarm.notify_one();
        }
    }

    fn write(&self, line: &impl Serialize) -> io::Result<()> {
        let mut scratch = self.scratch.borrow_mut();
        scratch.clear();
        serde_json::to_writer(&mut *scratch, line)?;
        scratch.push(b'\n');
        match (&self.file).write(&scratch)? {
            n if n == scratch.len() => Ok(()),
            _ => Err(io::Error::new(io::ErrorKind::WriteZero, "a line was cut")),
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
    async fn lines_are_appended_and_failures_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines");
        for n in 1..=2 {
            LineFile::open(&path).unwrap().append(&n);
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n2\n");

        let full = LineFile::open(Path::new("/dev/full")).unwrap();
        full.append(&1);
        assert_eq!(full.failed().await.kind(), io::ErrorKind::StorageFull);
    }
}
