//! Quantities with their units: shares, rates, durations as people write them, latencies.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr, time::Duration};
use thiserror::Error;

/// Why a text is no quantity.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QuantityError {
    /// No number where one is due.
    #[error("`{0}` does not begin with a number")]
    NoNumber(String),
    /// A unit that is not known here.
    #[error("`{0}` is no unit of time: use ms, s or min")]
    Unit(String),
    /// A share beyond the whole.
    #[error("{0} is more than 100%")]
    BeyondWhole(String),
    /// A share finer than a proxy can draw.
    #[error("{0} is finer than a millionth, the finest share that a proxy can draw")]
    TooFine(String),
    /// No percent sign.
    #[error("`{0}` has no % sign")]
    NoPercent(String),
    /// A number that does not fit.
    #[error("{0} is out of range")]
    Range(String),
}

/// A share of a whole in parts per million: the finest that Envoy's `FractionalPercent` (type/v3/percent.proto) draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Fraction(u32);

impl Fraction {
    /// Nothing of it.
    pub const ZERO: Fraction = Fraction(0);
    /// All of it.
    pub const ALL: Fraction = Fraction(1_000_000);

    /// From parts per million; `None` beyond the whole.
    #[must_use]
    pub fn from_ppm(ppm: u32) -> Option<Fraction> {
        (ppm <= 1_000_000).then_some(Fraction(ppm))
    }

    /// From whole per cent, at most 100.
    #[must_use]
    pub const fn percent(percent: u32) -> Fraction {
        Fraction(if percent > 100 { 1_000_000 } else { percent * 10_000 })
    }

    /// Parts per million.
    #[must_use]
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// As a number from 0 to 1.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 1e6
    }

    /// The rest of the whole.
    #[must_use]
    pub const fn rest(self) -> Fraction {
        Fraction(1_000_000 - self.0)
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 10_000, self.0 % 10_000);
        if rest == 0 {
            return write!(f, "{whole}%");
        }
        let digits = format!("{rest:04}");
        write!(f, "{whole}.{}%", digits.trim_end_matches('0'))
    }
}

impl FromStr for Fraction {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.trim().strip_suffix('%').ok_or_else(|| QuantityError::NoPercent(text.into()))?.trim();
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let digits_only = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits_only(whole) || !digits_only(part) {
            return Err(QuantityError::NoNumber(text.into()));
        }
        if part.trim_end_matches('0').len() > 4 {
            return Err(QuantityError::TooFine(text.into()));
        }
        let whole: u32 = whole.parse().map_err(|_| QuantityError::BeyondWhole(text.into()))?;
        let part: u32 = format!("{part:0<4}")[..4].parse().map_err(|_| QuantityError::Range(text.into()))?;
        whole
            .checked_mul(10_000)
            .and_then(|ppm| ppm.checked_add(part))
            .and_then(Fraction::from_ppm)
            .ok_or_else(|| QuantityError::BeyondWhole(text.into()))
    }
}

impl Serialize for Fraction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fraction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Calls per unit of time, kept as people wrote them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// In how long: a second or a minute.
    #[serde(with = "duration_text")]
    pub per: Duration,
}

impl Rate {
    /// So many calls each second.
    #[must_use]
    pub const fn per_second(count: u32) -> Rate {
        Rate { count, per: Duration::from_secs(1) }
    }

    /// Calls each second.
    #[must_use]
    pub fn hertz(self) -> f64 {
        f64::from(self.count) / self.per.as_secs_f64()
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.per == Duration::from_secs(60) { "minute" } else { "second" };
        write!(f, "{} calls per {unit}", self.count)
    }
}

/// Reads `200 ms`, `1.5 s`, `5 seconds`, `2 min`.
///
/// # Errors
/// Where no number leads, the unit is unknown, or the number does not fit into nanoseconds.
pub fn parse_duration(text: &str) -> Result<Duration, QuantityError> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().map_err(|_| QuantityError::NoNumber(text.into()))?;
    let seconds = match text[end..].trim() {
        "ns" => number / 1e9,
        "us" | "µs" => number / 1e6,
        "ms" | "millisecond" | "milliseconds" => number / 1e3,
        "s" | "second" | "seconds" => number,
        "min" | "minute" | "minutes" => number * 60.0,
        other => return Err(QuantityError::Unit(other.into())),
    };
    // Rounded to a microsecond: a decimal fraction of a second is seldom a whole number of nanoseconds in binary.
    let micros = (seconds * 1e6).round();
    if micros > 1e15 {
        return Err(QuantityError::Range(text.into()));
    }
    Ok(Duration::from_micros(micros as u64))
}

/// Writes a duration as people do: `250 ms`, `1.5 s`, `2 min`, `80 µs`.
#[must_use]
pub fn duration(d: Duration) -> String {
    let trim = |number: String| match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => number,
    };
    let micros = d.as_micros();
    match micros {
        0 => "0 ms".to_owned(),
        1..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", trim(format!("{:.3}", micros as f64 / 1e3))),
        _ if micros.is_multiple_of(60_000_000) => format!("{} min", micros / 60_000_000),
        _ => format!("{} s", trim(format!("{:.3}", micros as f64 / 1e6))),
    }
}

/// Serde for a [`Duration`] as text: `250 ms`.
pub mod duration_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
    use std::time::Duration;

    /// Writes `250 ms`.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(d: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&super::duration(*d))
    }

    /// Reads `250 ms`.
    ///
    /// # Errors
    /// Where the text is no duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        super::parse_duration(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Serde for an optional [`Duration`] as text.
pub mod duration_text_option {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
    use std::time::Duration;

    /// Writes `250 ms` or nothing.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(d: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match d {
            Some(d) => serializer.collect_str(&super::duration(*d)),
            None => serializer.serialize_none(),
        }
    }

    /// Reads `250 ms` or nothing.
    ///
    /// # Errors
    /// Where the text is no duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|t| super::parse_duration(&t).map_err(D::Error::custom)).transpose()
    }
}

/// How long a workload works on a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Latency {
    /// Always so long.
    Fixed(#[serde(with = "duration_text")] Duration),
    /// Anything between two bounds, each as likely.
    Uniform {
        /// The shortest.
        #[serde(with = "duration_text")]
        from: Duration,
        /// The longest.
        #[serde(with = "duration_text")]
        to: Duration,
    },
    /// Exponential: many short, few long.
    Exponential {
        /// Its mean.
        #[serde(with = "duration_text")]
        mean: Duration,
    },
    /// Log-normal, by the two figures that people know of a service.
    LogNormal {
        /// Half of the answers are faster.
        #[serde(with = "duration_text")]
        median: Duration,
        /// 99 of 100 answers are faster; longer than the median.
        #[serde(with = "duration_text")]
        p99: Duration,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fractions_are_read_as_written() {
        assert_eq!("30%".parse(), Ok(Fraction::percent(30)));
        assert_eq!("0.5%".parse(), Ok(Fraction(5_000)));
        assert_eq!("99.99 %".parse(), Ok(Fraction(999_900)));
        assert_eq!("101%".parse::<Fraction>(), Err(QuantityError::BeyondWhole("101%".into())));
        assert_eq!("0.00001%".parse::<Fraction>(), Err(QuantityError::TooFine("0.00001%".into())));
        assert_eq!("30".parse::<Fraction>(), Err(QuantityError::NoPercent("30".into())));
        assert_eq!("-3%".parse::<Fraction>(), Err(QuantityError::NoNumber("-3%".into())));
    }

    #[test]
    fn durations_are_read_and_written() {
        for (text, micros, shown) in [
            ("200 ms", 200_000, "200 ms"),
            ("1.5s", 1_500_000, "1.5 s"),
            ("5 seconds", 5_000_000, "5 s"),
            ("2 min", 120_000_000, "2 min"),
            ("80us", 80, "80 µs"),
            ("1500 ms", 1_500_000, "1.5 s"),
            ("0 ms", 0, "0 ms"),
        ] {
            let read = parse_duration(text).unwrap();
            assert_eq!(read, Duration::from_micros(micros), "{text}");
            assert_eq!(duration(read), shown);
        }
        assert_eq!(parse_duration("5 parsecs"), Err(QuantityError::Unit("parsecs".into())));
        assert_eq!(parse_duration("soon"), Err(QuantityError::NoNumber("soon".into())));
    }

    proptest! {
        #[test]
        fn fraction_round_trips(ppm in 0u32..=1_000_000) {
            let fraction = Fraction::from_ppm(ppm).unwrap();
            prop_assert_eq!(fraction.to_string().parse::<Fraction>().unwrap(), fraction);
        }

        #[test]
        fn duration_round_trips(ms in 0u64..10_000_000) {
            let d = Duration::from_millis(ms);
            prop_assert_eq!(parse_duration(&duration(d)).unwrap(), d);
        }
    }
}
