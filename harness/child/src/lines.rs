//! What a child writes down: lines of JSON, each a record or a marker.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    borrow::Cow,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::Path,
};
use thiserror::Error;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line<Record> {
    /// Something that the child did, or that was done to it.
    Record(Record),
    /// A marker: what the child did before it was asked for it is on an earlier line.
    Marker(String),
}

/// A line that is neither.
#[derive(Debug, Error)]
#[error("`{line}` is no record and no marker: {source}")]
pub struct LineError {
    /// The line.
    pub line: String,
    /// Why it is no record.
    pub source: serde_json::Error,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MarkerLine<'a> {
    #[serde(borrow)]
    marker: Cow<'a, str>,
}

/// Reads one line, with or without its line feed.
///
/// Each line was appended by one `write`; a line without its line feed at the end of the file is being written, or was
/// when the process was killed.
///
/// # Errors
/// If it is neither a record nor `{"marker": TEXT}`.
pub fn parse_line<Record: DeserializeOwned>(line: &str) -> Result<Line<Record>, LineError> {
    serde_json::from_str(line).map(Line::Record).or_else(|source| {
        serde_json::from_str(line)
            .map(|MarkerLine { marker }| Line::Marker(marker.into_owned()))
            .map_err(|_| LineError { line: line.to_owned(), source })
    })
}

/// Appends lines, all of a batch in one `write`, unbuffered: what was written is in the file whatever becomes of the process.
#[derive(Debug)]
pub struct Appender {
    file: File,
    scratch: Vec<u8>,
}

impl Appender {
    /// Appends to this file, which need not be there yet.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Appender> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Appender { file, scratch: Vec::new() })
    }

    /// Appends these records, and behind them a marker if there is one.
    ///
    /// # Errors
    /// Where it cannot be written, or not whole.
    pub fn append<Record: Serialize>(&mut self, records: &[Record], marker: Option<&str>) -> io::Result<()> {
        self.scratch.clear();
        for record in records {
            line(&mut self.scratch, record)?;
        }
        if let Some(text) = marker {
            line(&mut self.scratch, &MarkerLine { marker: text.into() })?;
        }
        match self.file.write(&self.scratch)? {
            n if n == self.scratch.len() => Ok(()),
            _ => Err(io::Error::new(io::ErrorKind::WriteZero, "a line was cut")),
        }
    }
}

fn line(lines: &mut Vec<u8>, what: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *lines, what)?;
    lines.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Record {
        id: String,
        number: u64,
    }

    fn records() -> impl Strategy<Value = Vec<Record>> {
        prop::collection::vec((".*", any::<u64>()).prop_map(|(id, number)| Record { id, number }), 0..4)
    }

    proptest! {
        #[test]
        fn records_and_markers_survive_their_lines(records in records(), text in ".*") {
            let file = tempfile::NamedTempFile::new().unwrap();
            let mut appender = Appender::open(file.path()).unwrap();
            appender.append(&records, Some(&text)).unwrap();
            appender.append(&records, None).unwrap();
            let written = std::fs::read_to_string(file.path()).unwrap();
            let read: Vec<Line<Record>> = written.lines().map(|line| parse_line(line).unwrap()).collect();
            let all = records.iter().cloned().map(Line::Record);
            prop_assert_eq!(read, all.clone().chain([Line::Marker(text)]).chain(all).collect::<Vec<_>>());
        }

        #[test]
        fn a_torn_line_is_no_line(id in ".*", number: u64, cut in 0.0f64..1.0) {
            let line = serde_json::to_string(&Record { id, number }).unwrap();
            let at = (0..line.len()).rev().find(|&i| i <= (line.len() as f64 * cut) as usize && line.is_char_boundary(i));
            prop_assert!(parse_line::<Record>(&line[..at.unwrap_or(0)]).is_err());
        }
    }

    #[test]
    fn other_json_is_refused() {
        for line in ["", "{}", "[]", r#"{"marker":1}"#, r#"{"marker":"a","number":200}"#] {
            assert!(parse_line::<Record>(line).is_err(), "{line}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_an_error() {
        let full = Appender::open(Path::new("/dev/full")).unwrap().append::<Record>(&[], Some("a"));
        assert_eq!(full.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
