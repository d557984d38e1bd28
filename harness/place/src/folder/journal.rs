//! The journal of a run: which processes it started, so that somebody else can end them.

use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

pub(crate) const FILE: &str = "journal";

/// What a journalled process is to the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Keeper,
    Init,
    Process,
}

/// One process: pid and start time together name a process for as long as the machine is up; a pid alone is reused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) pid: u32,
    /// Field 22 of `/proc/<pid>/stat`: clock ticks after the boot.
    pub(crate) start_time: u64,
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// The journal, open for appending by the keeper and, between fork and exec, by its children.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
}

impl Journal {
    pub(crate) fn open(folder: &Path) -> io::Result<Journal> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(folder.join(FILE))?;
        Ok(Journal { file })
    }

    /// Appends one line by one write, so that lines of two writers never mix.
    pub(crate) fn append(&self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        (&self.file).write_all(&line)
    }
}

/// All whole lines of a folder's journal; a line torn by a crash belongs to a process that never got as far as exec.
pub(crate) fn read(folder: &Path) -> io::Result<Vec<Entry>> {
    match std::fs::read_to_string(folder.join(FILE)) {
        Ok(text) => Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_last_line_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        let entry = Entry { pid: 7, start_time: 42, name: "web 1".into(), kind: Kind::Process };
        journal.append(&entry).unwrap();
        (&journal.file).write_all(br#"{"pid":8,"start"#).unwrap();
        assert_eq!(read(dir.path()).unwrap(), [entry]);
    }

    #[test]
    fn a_line_is_what_the_documentation_says() {
        let entry = Entry { pid: 7, start_time: 42, name: "web 1".into(), kind: Kind::Process };
        insta::assert_snapshot!(
            serde_json::to_string(&entry).unwrap(),
            @r#"{"pid":7,"start_time":42,"name":"web 1","kind":"process"}"#
        );
    }

    #[test]
    fn no_journal_means_no_processes() {
        assert_eq!(read(tempfile::tempdir().unwrap().path()).unwrap(), []);
    }
}
