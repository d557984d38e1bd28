//! What is left of a caller's deadline, for those whom a service calls on its behalf. Pure.

use std::time::Duration;

/// Request header of Envoy: how long its router waits for the answer, in milliseconds (router_filter,
/// "x-envoy-expected-rq-timeout-ms").
const EXPECTED: &str = "x-envoy-expected-rq-timeout-ms";
/// Request header of gRPC: at most eight digits and a unit (grpc/grpc, doc/PROTOCOL-HTTP2.md, "Timeout").
const GRPC: &str = "grpc-timeout";
/// Nobody is told that nothing is left: whoever has no time at all would read a zero as all the time there is.
const LEAST: Duration = Duration::from_millis(1);
const MOST_DIGITS: usize = 8;
/// The units of `grpc-timeout`, finest first, in nanoseconds.
const UNITS: [(char, u64); 6] =
    [('n', 1), ('u', 1_000), ('m', 1_000_000), ('S', 1_000_000_000), ('M', 60_000_000_000), ('H', 3_600_000_000_000)];

/// How long the caller of a try waits for its answer, where it says so: the shortest of what its headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Deadline(Option<Duration>);

impl Deadline {
    /// From the headers of a request. What is malformed, or zero, is no deadline.
    pub(crate) fn read<'a>(field: impl Fn(&'static str) -> Option<&'a [u8]>) -> Deadline {
        let text = |name| std::str::from_utf8(field(name)?).ok();
        let expected = text(EXPECTED).and_then(|text| number(text, usize::MAX)).map(Duration::from_millis);
        let grpc = text(GRPC).and_then(parse);
        Deadline([expected, grpc].into_iter().flatten().filter(|limit| !limit.is_zero()).min())
    }

    /// What is left of it after so long, and never less than a millisecond.
    pub(crate) fn after(self, spent: Duration) -> Deadline {
        Deadline(self.0.map(|limit| limit.saturating_sub(spent).max(LEAST)))
    }

    /// As the header that tells a callee of it, rounded down: the one that says so in any protocol.
    pub(crate) fn header(self) -> Option<(&'static str, String)> {
        self.0.map(|left| (GRPC, render(left)))
    }
}

/// `250m`, `1S`.
fn parse(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let (_, nanos) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let count = number(&text[..text.len() - 1], MOST_DIGITS)?;
    // Eight digits of hours are no more than a duration can hold.
    Some(
        Duration::from_secs(nanos / 1_000_000_000) * u32::try_from(count).ok()?
            + Duration::from_nanos(nanos % 1_000_000_000 * count),
    )
}

fn number(text: &str, most_digits: usize) -> Option<u64> {
    let digits = text.len() <= most_digits && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// In the finest unit, from microseconds on, that eight digits are enough for.
fn render(left: Duration) -> String {
    let most = 10u128.pow(MOST_DIGITS as u32);
    let count = |nanos: u64| left.as_nanos() / u128::from(nanos);
    let fits = UNITS[1..].iter().find(|(_, nanos)| count(*nanos) < most);
    match fits {
        Some((unit, nanos)) => format!("{}{unit}", count(*nanos)),
        None => format!("{}H", most - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(expected: Option<&'static str>, grpc: Option<&'static str>) -> Deadline {
        Deadline::read(|name| if name == GRPC { grpc } else { expected }.map(str::as_bytes))
    }

    fn passed_on(expected: Option<&'static str>, grpc: Option<&'static str>, spent_us: u64) -> Option<String> {
        Some(read(expected, grpc).after(Duration::from_micros(spent_us)).header()?.1)
    }

    #[test]
    fn what_was_spent_is_taken_off_the_shortest() {
        assert_eq!(passed_on(Some("250"), Some("1S"), 20_300).as_deref(), Some("229700u"));
        assert_eq!(passed_on(Some("2500"), Some("1S"), 20_300).as_deref(), Some("979700u"));
        assert_eq!(passed_on(Some("250"), None, 20_300).as_deref(), Some("229700u"));
        assert_eq!(passed_on(None, Some("100m"), 0).as_deref(), Some("100000u"));
        assert_eq!(passed_on(None, None, 20_300), None);
    }

    #[test]
    fn there_is_always_a_millisecond_left() {
        assert_eq!(passed_on(Some("250"), Some("250m"), 249_500).as_deref(), Some("1000u"));
        assert_eq!(passed_on(Some("250"), Some("250m"), 9_000_000).as_deref(), Some("1000u"));
        assert_eq!(passed_on(None, Some("5n"), 0).as_deref(), Some("1000u"));
    }

    #[test]
    fn units() {
        for (text, same) in [
            ("1500000n", "1500u"),
            ("2500u", "2500u"),
            ("2500m", "2500000u"),
            ("90S", "90000000u"),
            ("100S", "100000m"),
            ("2M", "120000m"),
            ("27H", "97200000m"),
            ("28H", "100800S"),
            ("99999999S", "99999999S"),
            ("99999999M", "99999999M"),
            ("99999999H", "99999999H"),
        ] {
            assert_eq!(render(parse(text).unwrap()), same, "{text}");
        }
    }

    #[test]
    fn what_is_malformed_or_zero_is_no_deadline() {
        for text in ["", "S", "5", "5s", "5 S", "+5S", "-5S", "1.5S", "123456789m", "5Sü", "ü", "0S", "00000000n"] {
            assert_eq!(read(None, Some(text)).0, None, "{text}");
        }
        for text in ["", "0", "-5", "+5", "5.5", "5ms", "99999999999999999999999"] {
            assert_eq!(read(Some(text), None).0, None, "{text}");
        }
    }

    proptest! {
        /// Never more than was left, and hardly less.
        #[test]
        fn what_is_rendered_is_what_is_left(nanos in 1_000_000u64..) {
            let left = Duration::from_nanos(nanos);
            let text = render(left);
            prop_assert!(text.len() <= MOST_DIGITS + 1);
            let told = parse(&text).unwrap();
            prop_assert!(told <= left && told.as_secs_f64() >= left.as_secs_f64() * 0.999, "{text}");
        }
    }
}
