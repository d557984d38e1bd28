//! The records: one line for each connection that ended, one for each that was open at a marker, one for the marker.

use crate::LinkError;
use squall_child::{Appender, Line, LineError};
use squall_model::WireRecord;
use std::path::{Path, PathBuf};

/// One line of a link's records: a connection, or a marker. Every connection that ended before a marker was asked for, or was open
/// then, is on an earlier line. One that was [`Open`](squall_model::WireEnd::Open) has another line later, with the same wire and
/// the same moment of opening: the last line says most.
pub type LinkLine = Line<WireRecord>;

/// Reads one line of a link's records, with or without its line feed.
///
/// # Errors
/// If it is neither a [`WireRecord`] nor `{"marker": TEXT}`.
pub fn parse_line(line: &str) -> Result<LinkLine, LineError> {
    squall_child::parse_line(line)
}

/// The records as the link writes them.
#[derive(Debug)]
pub(crate) struct Records {
    path: PathBuf,
    appender: Appender,
}

impl Records {
    pub(crate) fn open(path: &Path) -> Result<Records, LinkError> {
        let appender = Appender::open(path).map_err(|source| LinkError::Records { path: path.to_owned(), source })?;
        Ok(Records { path: path.to_owned(), appender })
    }

    /// A connection ended.
    pub(crate) fn write(&mut self, record: &WireRecord) -> Result<(), LinkError> {
        self.mark(std::slice::from_ref(record), None)
    }

    /// These are open; and then a marker, if there is one. One `write` for all: there may be thousands.
    pub(crate) fn mark(&mut self, open: &[WireRecord], text: Option<&str>) -> Result<(), LinkError> {
        let written = self.appender.append(open, text);
        written.map_err(|source| LinkError::Records { path: self.path.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use squall_model::{Damage, Hurt, InstanceId, Rated, Stamp, Wire, WireEnd};
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
            answered: u64, hurt in proptest::collection::vec((damage(), any::<u64>(), any::<u64>()), 0..4),
            rated in proptest::collection::vec(any::<(u64, u64)>(), 0..3)
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
                rated: rated.into_iter().map(|(sent, from)| Rated {
                    bytes_per_second: 1, from: Stamp(from), to: Stamp(from), sent, answered: 0
                }).collect(),
            }
        }
    }

    proptest! {
        #[test]
        fn a_connection_survives_its_line(record in record()) {
            let line = serde_json::to_string(&record).unwrap();
            prop_assert_eq!(parse_line(&line).unwrap(), Line::Record(record));
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_an_error() {
        let error = Records::open(Path::new("/dev/full")).unwrap().mark(&[], Some("a")).unwrap_err();
        assert!(error.to_string().starts_with("write /dev/full: "), "{error}");
    }
}
