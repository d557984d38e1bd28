//! The records: one line for each connection that ended, one for each that was open at a marker, one for the marker.

use crate::LinkError;
use serde::{Deserialize, Serialize};
use squall_model::WireRecord;
use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};
use thiserror::Error;

/// One line of a link's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkLine {
    /// A connection. One that was [`Open`](squall_model::WireEnd::Open) has another line later, with the same wire and the
    /// same moment of opening: the last line says most.
    Connection(WireRecord),
    /// A marker: every connection that ended before it, or was open then, is on an earlier line.
    Marker(String),
}

/// A line that is no line of a link's records.
#[derive(Debug, Error)]
#[error("`{line}` is no line of a link's records: {source}")]
pub struct RecordsError {
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

/// Reads one line of a link's records, with or without its line feed.
///
/// A line without its line feed at the end of the file is being written, or was when the process was killed.
///
/// # Errors
/// If it is neither a [`WireRecord`] nor `{"marker": TEXT}`.
pub fn parse_line(line: &str) -> Result<LinkLine, RecordsError> {
    serde_json::from_str(line).map(LinkLine::Connection).or_else(|source| {
        serde_json::from_str(line)
            .map(|MarkerLine { marker }| LinkLine::Marker(marker.into_owned()))
            .map_err(|_| RecordsError { line: line.to_owned(), source })
    })
}

/// The records as the link writes them: each line by one `write`, unbuffered, so that what was written is in the file whatever
/// becomes of the process.
#[derive(Debug)]
pub(crate) struct Records {
    path: PathBuf,
    file: File,
    scratch: Vec<u8>,
}

impl Records {
    pub(crate) fn open(path: &Path) -> Result<Records, LinkError> {
        let file = OpenOptions::new().append(true).create(true).open(path);
        let file = file.map_err(|source| LinkError::Records { path: path.to_owned(), source })?;
        Ok(Records { path: path.to_owned(), file, scratch: Vec::new() })
    }

    /// A connection ended.
    pub(crate) fn write(&mut self, record: &WireRecord) -> Result<(), LinkError> {
        self.append(|lines| line(lines, record))
    }

    /// These are open; and then a marker, if there is one. One `write` for all: there may be thousands.
    pub(crate) fn mark(&mut self, open: &[WireRecord], text: Option<&str>) -> Result<(), LinkError> {
        self.append(|lines| {
            open.iter().try_for_each(|record| line(lines, record))?;
            text.map_or(Ok(()), |text| line(lines, &MarkerLine { marker: text.into() }))
        })
    }

    fn append(&mut self, fill: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> Result<(), LinkError> {
        self.scratch.clear();
        let written = fill(&mut self.scratch).and_then(|()| (&self.file).write(&self.scratch));
        let whole = written.and_then(|n| match n == self.scratch.len() {
            true => Ok(()),
            false => Err(io::Error::new(io::ErrorKind::WriteZero, "a line was cut")),
        });
        whole.map_err(|source| LinkError::Records { path: self.path.clone(), source })
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
    use squall_model::{Damage, Hurt, InstanceId, Stamp, Wire, WireEnd};
    use std::time::Duration;

    fn id(service: &str, number: u32) -> InstanceId {
        InstanceId { service: service.into(), number }
    }

    fn damage() -> impl Strategy<Value = Damage> {
        prop_oneof![
            Just(Damage::Cut),
            Just(Damage::HalfOpen),
            (1u64..).prop_map(|bytes_per_second| Damage::Rate { bytes_per_second }),
            (0u64..10_000, 0u64..10_000).prop_map(|(by, jitter)| Damage::Slow {
                by: Duration::from_millis(by),
                jitter: Duration::from_millis(jitter)
            }),
        ]
    }

    prop_compose! {
        fn record()(
            from in "[a-z-]{1,12}", to in 1u32..9, opened: u64, ended in proptest::option::of(any::<u64>()), sent: u64,
            answered: u64, hurt in proptest::collection::vec((damage(), any::<u64>(), any::<u64>()), 0..4)
        ) -> WireRecord {
            let hurt = hurt.into_iter().map(|(by, first, last)| Hurt { by, first: Stamp(first), last: Stamp(last) });
            WireRecord {
                wire: Wire { from: id(&from, 1), to: id("reviews", to) },
                opened: Stamp(opened),
                ended: ended.map(Stamp),
                end: if ended.is_some() { WireEnd::Caller } else { WireEnd::Open },
                sent,
                answered,
                hurt: hurt.collect(),
            }
        }
    }

    proptest! {
        #[test]
        fn records_and_markers_survive_their_lines(records in proptest::collection::vec(record(), 0..4), text in ".*") {
            let file = tempfile::NamedTempFile::new().unwrap();
            let mut writer = Records::open(file.path()).unwrap();
            writer.mark(&records, Some(&text)).unwrap();
            records.iter().for_each(|record| writer.write(record).unwrap());
            let read: Vec<LinkLine> =
                std::fs::read_to_string(file.path()).unwrap().lines().map(|line| parse_line(line).unwrap()).collect();
            let connections = records.iter().cloned().map(LinkLine::Connection);
            let written: Vec<LinkLine> =
                connections.clone().chain([LinkLine::Marker(text)]).chain(connections).collect();
            prop_assert_eq!(read, written);
        }

        #[test]
        fn a_torn_line_is_no_line(record in record(), cut in 0.0f64..1.0) {
            let line = serde_json::to_string(&record).unwrap();
            prop_assert!(parse_line(&line[..(line.len() as f64 * cut) as usize]).is_err());
        }
    }

    #[test]
    fn other_json_is_refused() {
        for line in ["", "{}", "[]", r#"{"marker":1}"#, r#"{"marker":"a","end":"open"}"#] {
            assert!(parse_line(line).is_err(), "{line}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_an_error() {
        let error = Records::open(Path::new("/dev/full")).unwrap().mark(&[], Some("a")).unwrap_err();
        assert!(error.to_string().starts_with("write /dev/full: "), "{error}");
    }
}
