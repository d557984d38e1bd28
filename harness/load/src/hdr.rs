//! An interval log of HDR histograms, as HdrHistogram's own tools write and read it (`HistogramLogWriter`, format 1.3; V2, deflated).

use crate::{
    latencies::Latencies,
    outcome::{Class, Outcome},
    report::Report,
    windows::Window,
};
use hdrhistogram::serialization::{
    V2DeflateSerializer,
    interval_log::{IntervalLogWriter, IntervalLogWriterBuilder, Tag},
};
use std::{io, time::UNIX_EPOCH};

/// The greatest value of each interval is said in milliseconds, as those tools expect; the histograms have nanoseconds.
const NANOS_PER_MILLI: f64 = 1e6;

/// A run as an interval log: for each second of intended starts the latencies of the answered calls, from the intended start,
/// without a tag; their service times with the tag `service`; and what ended otherwise with its class for a tag, by the time
/// until it ended.
///
/// # Errors
/// None that a string would cause: those of the writer, which could write anywhere.
pub fn hdr(report: &Report<'_>) -> io::Result<String> {
    let mut bytes = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let began = UNIX_EPOCH + report.about.began;
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment(&format!("squall {} · {} · {}", report.about.version, report.about.url, report.about.schedule))
        .with_start_time(began)
        .with_base_time(began)
        .with_max_value_divisor(NANOS_PER_MILLI)
        .begin_log_with(&mut bytes, &mut serializer)?;
    for (begin, window) in report.calls.windows() {
        for (tag, times) in intervals(window) {
            write(&mut log, begin, report, tag, &times)?;
        }
    }
    drop(log);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

type Log<'a, 'b> = IntervalLogWriter<'a, 'b, Vec<u8>, V2DeflateSerializer>;

fn write(
    log: &mut Log<'_, '_>,
    begin: std::time::Duration,
    report: &Report<'_>,
    tag: Option<&str>,
    times: &Latencies,
) -> io::Result<()> {
    let failed = |error: hdrhistogram::serialization::interval_log::IntervalLogWriterError<_>| {
        io::Error::other(format!("{error:?}"))
    };
    log.write_histogram(times.histogram(), begin, report.calls.width(), tag.and_then(Tag::new)).map_err(failed)
}

/// What there is to say of a second, each under its tag.
fn intervals(window: &Window) -> Vec<(Option<&'static str>, Latencies)> {
    let failed = Class::ALL.into_iter().filter(|class| *class != Class::Answered);
    let answered = [(None, window.latency()), (Some("service"), window.service())];
    let ended = |class: Class| (Some(class.word()), window.ended(|outcome: Outcome| outcome.class() == class));
    answered.into_iter().chain(failed.map(ended)).filter(|(_, times)| !times.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{call, report};
    use hdrhistogram::{
        Histogram,
        serialization::{
            Deserializer,
            interval_log::{IntervalLogIterator, LogEntry},
        },
    };
    use squall_model::ClientEnd;
    use std::collections::BTreeMap;

    /// Read by the library as any tool reads it: all calls are there, each in its second.
    #[test]
    fn a_log_is_read_back_whole() {
        let mut calls: Vec<_> = (0..300).map(|k| call(k * 10, 1_000 + k, ClientEnd::Answered(200))).collect();
        calls.push(call(2_500, 4_000, ClientEnd::Refused));
        let log = report(&calls, hdr).unwrap();
        let mut found: BTreeMap<(String, u64), Histogram<u64>> = BTreeMap::new();
        for entry in IntervalLogIterator::new(log.as_bytes()) {
            let Ok(LogEntry::Interval(interval)) = entry else { continue };
            let bytes = base64(interval.encoded_histogram());
            let histogram = Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
            let tag = interval.tag().map_or(String::new(), |tag| tag.as_str().to_owned());
            found.insert((tag, interval.start_timestamp().as_secs()), histogram);
        }
        let counts: Vec<_> = found.iter().map(|((tag, second), h)| (tag.as_str(), *second, h.len())).collect();
        let expected = [
            ("", 0, 100),
            ("", 1, 100),
            ("", 2, 100),
            ("refused", 2, 1),
            ("service", 0, 100),
            ("service", 1, 100),
            ("service", 2, 100),
        ];
        assert_eq!(counts, expected);
        let last = found[&(String::new(), 2)].max() as f64;
        assert!((last / 1.299e6 - 1.0).abs() < 0.001, "{last}");
    }

    /// By hand, so that the test does not read with what has written.
    fn base64(text: &str) -> Vec<u8> {
        const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let digits = text.bytes().filter_map(|b| DIGITS.iter().position(|d| *d == b));
        let (mut bytes, mut kept, mut bits) = (Vec::new(), 0_u32, 0);
        for digit in digits {
            kept = (kept << 6) | digit as u32;
            bits += 6;
            if bits >= 8 {
                bits -= 8;
                bytes.push((kept >> bits) as u8);
                kept &= (1 << bits) - 1;
            }
        }
        bytes
    }
}
