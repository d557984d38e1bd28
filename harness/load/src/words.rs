//! Numbers as people read them.

use crate::latencies::Bucket;
use squall_stats::bounds::Position;
use std::time::Duration;

/// With three digits that count and a unit: `214 µs`, `9.81 ms`, `1.2 s`.
pub(crate) fn span(time: Duration) -> String {
    let nanos = time.as_nanos() as f64;
    let (value, unit) = match nanos {
        n if n < 999.5e3 => (n / 1e3, "µs"),
        n if n < 999.5e6 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    format!("{} {unit}", digits(value))
}

/// Three digits that count, and none of what follows them.
pub(crate) fn digits(value: f64) -> String {
    let text = match value {
        v if v >= 99.95 => return format!("{v:.0}"),
        v if v >= 9.995 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `20,000`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `2,000/s`, `0.5/s`.
pub(crate) fn rate(hz: f64) -> String {
    if hz >= 99.95 { format!("{}/s", count(hz.round() as u64)) } else { format!("{}/s", digits(hz)) }
}

/// `100%` only of all, `0%` only of none; between them as many digits as tell it apart from either.
pub(crate) fn share(share: f64) -> String {
    let percent = share * 100.0;
    let edge = percent.min(100.0 - percent);
    let text = match edge {
        e if e <= 0.0 => return format!("{percent:.0}%"),
        e if e >= 1.0 => format!("{percent:.1}"),
        e if e >= 0.01 => format!("{percent:.2}"),
        _ => format!("{percent:.4}"),
    };
    format!("{text}%")
}

/// An end of a range, or a value in it.
pub(crate) fn position(at: Position<Bucket>, side: impl Fn(Bucket) -> Duration) -> String {
    match at {
        Position::At(bucket) => span(side(bucket)),
        Position::Unanswered => "no answer".to_owned(),
        Position::Open => "?".to_owned(),
    }
}

/// A line of blocks, one a value, as high as its part of the greatest; `None` is beyond all.
pub(crate) fn spark(values: &[Option<f64>]) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = values.iter().flatten().copied().fold(0.0, f64::max);
    let block = |value: &Option<f64>| match value {
        None => '×',
        Some(_) if most <= 0.0 => BLOCKS[0],
        Some(value) => BLOCKS[((value / most * 7.0).round() as usize).min(7)],
    };
    values.iter().map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_read_them() {
        for (nanos, text) in [
            (0, "0 µs"),
            (1_234, "1.23 µs"),
            (214_000, "214 µs"),
            (999_600, "1 ms"),
            (9_810_000, "9.81 ms"),
            (58_000_000, "58 ms"),
            (1_200_000_000, "1.2 s"),
            (250_000_000_000, "250 s"),
        ] {
            assert_eq!(span(Duration::from_nanos(nanos)), text);
        }
        assert_eq!([1, 999, 1_000, 20_000, 1_234_567].map(count), ["1", "999", "1,000", "20,000", "1,234,567"]);
        assert_eq!([2_000.0, 0.5, 99.96].map(rate), ["2,000/s", "0.5/s", "100/s"]);
        assert_eq!([1.0, 0.0, 0.5, 0.999, 0.999_999].map(share), ["100%", "0%", "50.0%", "99.90%", "99.9999%"]);
        assert_eq!(spark(&[Some(0.0), Some(7.0), None, Some(3.0)]), "▁█×▄");
    }
}
