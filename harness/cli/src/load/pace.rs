//! When calls are due: what was typed, as a shape of the load engine, and in words.

use super::args::{LoadArgs, Spread};
use crate::outcome::Failure;
use squall_model::{duration, parse_duration, within_a_second};
use squall_traffic::{Arrivals, Piece, Shape};
use std::{path::Path, str::FromStr, sync::Arc, time::Duration};

/// How long calls are sent unless it is said.
const LENGTH: Duration = Duration::from_secs(10);
/// No more than anybody could mean, so that arithmetic stays exact: calls per second.
const MAX_RATE: f64 = 1e7;

/// A rate, or from one to another: `2000`, `30/min`, `100..2000`. Calls per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateRange {
    from_hz: f64,
    to_hz: f64,
}

impl FromStr for RateRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once("..") {
            Some((from, to)) => Ok(RateRange { from_hz: hertz(from)?, to_hz: hertz(to)? }),
            None => hertz(text).map(|hz| RateRange { from_hz: hz, to_hz: hz }),
        }
    }
}

impl RateRange {
    fn words(self) -> String {
        let hz = |hz: f64| if hz == hz.round() { format!("{hz:.0}") } else { format!("{hz}") };
        match self.from_hz == self.to_hz {
            true => format!("{}/s", hz(self.from_hz)),
            false => format!("{} to {}/s", hz(self.from_hz), hz(self.to_hz)),
        }
    }
}

/// Calls per second.
pub fn hertz(text: &str) -> Result<f64, String> {
    let (number, per) = text.trim().split_once('/').unwrap_or((text.trim(), "s"));
    let unit = match per.trim() {
        "s" | "second" => 1.0,
        "min" | "minute" => 60.0,
        other => return Err(format!("`{other}` is no unit of a rate: use s or min")),
    };
    let hz = number.trim().parse::<f64>().map_err(|_| format!("`{number}` is no rate"))? / unit;
    if !(0.0..=MAX_RATE).contains(&hz) {
        return Err(format!("{number} is no rate: use one from 0 to {MAX_RATE:.0} calls per second"));
    }
    Ok(hz)
}

/// Rates, each with its time.
#[derive(Debug, Clone, PartialEq)]
pub struct Steps(Vec<(RateRange, Duration)>);

impl FromStr for Steps {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let step = |text: &str| {
            let (rate, time) = text.split_once(':').ok_or_else(|| format!("`{text}` is no step: write RATE:TIME"))?;
            Ok((rate.parse()?, parse_duration(time).map_err(|e| e.to_string())?))
        };
        text.split(',').map(step).collect::<Result<_, String>>().map(Steps)
    }
}

/// So many calls at one moment, and how long until the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bursts {
    size: u32,
    every: Duration,
}

impl FromStr for Bursts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (size, every) =
            text.split_once("every").ok_or_else(|| format!("`{text}` is no burst: write `50 every 1s`"))?;
        let size = size.trim().parse().map_err(|_| format!("`{}` is no number of calls", size.trim()))?;
        Ok(Bursts { size, every: parse_duration(every).map_err(|e| e.to_string())? })
    }
}

/// When calls are due.
#[derive(Debug, Clone, PartialEq)]
pub struct Pace {
    /// As the load engine takes it.
    pub shape: Shape,
    /// In words.
    pub words: String,
    /// Until when calls are due.
    pub length: Duration,
    /// The mean rate in calls per second; `None` where it follows from the answers.
    pub rate: Option<f64>,
    /// Most calls due in any second; `None` where it follows from the answers.
    pub peak: Option<f64>,
    /// What the moments are drawn from, where they are.
    pub seed: Option<u64>,
}

impl Pace {
    /// From what was typed; `seed` is one to draw from if none was given.
    ///
    /// # Errors
    /// Exit 2 where there would be no call, or a recording cannot be read.
    pub fn of(args: &LoadArgs, seed: u64) -> Result<Pace, Failure> {
        let length = args.duration.unwrap_or(LENGTH);
        if length.is_zero() {
            return Err(Failure::usage("a duration of 0 has no calls"));
        }
        let seed = args.seed.unwrap_or(seed);
        if let Some(users) = args.users {
            return closed(users, args.thinking.unwrap_or_default(), length);
        }
        if let Some(bursts) = args.bursts {
            return self::bursts(bursts, length);
        }
        if let Some(file) = &args.replay {
            return replay(file, args.duration);
        }
        if args.search_rate.is_some() {
            return Pace::level(args, args.search_to, length, seed);
        }
        let steps = match (&args.steps, args.rate) {
            (Some(steps), _) => steps.0.clone(),
            (None, Some(rate)) => vec![(rate, length)],
            (None, None) => Vec::new(),
        };
        profile(&steps, args.arrivals, seed)
    }

    /// One rate, for so long.
    ///
    /// # Errors
    /// Exit 2 where there would be no call.
    pub fn level(args: &LoadArgs, hz: f64, length: Duration, seed: u64) -> Result<Pace, Failure> {
        profile(&[(RateRange { from_hz: hz, to_hz: hz }, length)], args.arrivals, seed)
    }
}

fn profile(steps: &[(RateRange, Duration)], spread: Spread, seed: u64) -> Result<Pace, Failure> {
    let piece =
        |(rate, length): &(RateRange, Duration)| Piece { from_hz: rate.from_hz, to_hz: rate.to_hz, length: *length };
    let pieces: Arc<[Piece]> = steps.iter().map(piece).collect();
    let calls: f64 = pieces.iter().map(Piece::calls).sum();
    let length: Duration = pieces.iter().map(|piece| piece.length).sum();
    if calls <= 0.0 {
        return Err(Failure::usage("a rate of 0 has no calls"));
    }
    let (arrivals, how) = match spread {
        Spread::Even => (Arrivals::Even, "evenly"),
        Spread::Jitter => (Arrivals::Jitter { seed }, "each somewhere in its own slot"),
        Spread::Poisson => (Arrivals::Random { seed }, "at random (Poisson)"),
    };
    let told: Vec<String> =
        steps.iter().map(|(rate, time)| format!("{} for {}", rate.words(), duration(*time))).collect();
    Ok(Pace {
        words: format!("{}, {how}", told.join(", then ")),
        length,
        rate: Some(calls / length.as_secs_f64()),
        peak: Some(pieces.iter().map(|piece| piece.from_hz.max(piece.to_hz)).fold(0.0, f64::max)),
        seed: (spread != Spread::Even).then_some(seed),
        shape: Shape::Profile { pieces, arrivals },
    })
}

fn bursts(Bursts { size, every }: Bursts, length: Duration) -> Result<Pace, Failure> {
    if size == 0 || every.is_zero() {
        return Err(Failure::usage("a burst has at least one call, and some time until the next"));
    }
    Ok(Pace {
        words: format!("{size} at once every {} for {}", duration(every), duration(length)),
        shape: Shape::Bursts { size, every, length },
        length,
        rate: Some(f64::from(size) / every.as_secs_f64()),
        peak: Some(f64::from(size) * within_a_second(every)),
        seed: None,
    })
}

fn closed(users: u32, thinking: Duration, length: Duration) -> Result<Pace, Failure> {
    if users == 0 {
        return Err(Failure::usage("0 users make no calls"));
    }
    let pause =
        if thinking.is_zero() { "at once".to_owned() } else { format!("{} after each answer", duration(thinking)) };
    Ok(Pace {
        words: format!(
            "{users} user{} for {}, calling again {pause}",
            if users == 1 { "" } else { "s" },
            duration(length)
        ),
        shape: Shape::Closed { users, length, thinking },
        length,
        rate: None,
        // Nobody calls again before he has thought.
        peak: (!thinking.is_zero()).then(|| f64::from(users) * within_a_second(thinking)),
        seed: None,
    })
}

/// A recording: an offset a line; blank lines and what stands behind # are not looked at.
fn replay(file: &Path, length: Option<Duration>) -> Result<Pace, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| Failure::usage(format!("failed to read the moments from {}: {e}", file.display())))?;
    let offsets = moments(&text).map_err(|(line, why)| Failure::usage(format!("{}:{line}: {why}", file.display())))?;
    let last = *offsets.last().ok_or_else(|| Failure::usage(format!("{} has no moments", file.display())))?;
    // The last moment is in its length.
    let length = length.unwrap_or(last + Duration::from_nanos(1));
    let calls = offsets.partition_point(|at| *at < length);
    if calls == 0 {
        return Err(Failure::usage(format!("{} has no moments before {}", file.display(), duration(length))));
    }
    Ok(Pace {
        words: format!("{calls} calls at the moments of {}", file.display()),
        rate: Some(calls as f64 / length.as_secs_f64().max(1e-3)),
        peak: Some(busiest_second(&offsets[..calls]) as f64),
        seed: None,
        shape: Shape::Replay { offsets: offsets.into(), length },
        length,
    })
}

/// The moments, or the first line that is none and why.
fn moments(text: &str) -> Result<Vec<Duration>, (usize, String)> {
    let mut offsets: Vec<Duration> = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.split('#').next().unwrap_or_default().trim();
        if text.is_empty() {
            continue;
        }
        let seconds = text.parse::<f64>().ok().map(Duration::try_from_secs_f64);
        let at = match seconds {
            Some(at) => at.map_err(|_| (line, format!("`{text}` is no moment: it is negative, or too far away")))?,
            None => parse_duration(text).map_err(|e| (line, e.to_string()))?,
        };
        if offsets.last().is_some_and(|before| *before > at) {
            return Err((line, format!("`{text}` is before the moment of the line above; they have to ascend")));
        }
        offsets.push(at);
    }
    Ok(offsets)
}

/// Most moments within one second.
fn busiest_second(offsets: &[Duration]) -> usize {
    let until = |from: Duration| offsets.partition_point(|at| *at < from + Duration::from_secs(1));
    offsets.iter().enumerate().map(|(first, from)| until(*from) - first).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_steps_and_bursts() {
        let level = |hz| RateRange { from_hz: hz, to_hz: hz };
        assert_eq!("2000".parse(), Ok(level(2_000.0)));
        assert_eq!("30/min".parse(), Ok(level(0.5)));
        assert_eq!("100 .. 2000/s".parse(), Ok(RateRange { from_hz: 100.0, to_hz: 2_000.0 }));
        let second = Duration::from_secs(1);
        let ramp = RateRange { from_hz: 5.0, to_hz: 10.0 };
        assert_eq!("5..10:2s,0:1 s".parse(), Ok(Steps(vec![(ramp, second * 2), (level(0.0), second)])));
        assert_eq!("50 every 1s".parse(), Ok(Bursts { size: 50, every: second }));
        for bad in ["", "fast", "-1", "1/h", "inf", "NaN", "1e9"] {
            assert!(bad.parse::<RateRange>().is_err(), "{bad}");
        }
        assert!("5".parse::<Steps>().is_err() && "5:1".parse::<Steps>().is_err());
        assert!("5".parse::<Bursts>().is_err() && "x every 1s".parse::<Bursts>().is_err());
    }

    #[test]
    fn recordings() {
        let ms = Duration::from_millis;
        assert_eq!(
            moments("# begun\n0\n\n0.25 # a quarter\n250 ms\n1.5 s\n"),
            Ok([0, 250, 250, 1_500].map(ms).to_vec())
        );
        assert_eq!(moments("0.5\n0.25\n").unwrap_err().0, 2);
        assert_eq!(moments("0\n\nsoon\n").unwrap_err().0, 3);
        assert_eq!(moments("-1\n").unwrap_err().0, 1);
        assert_eq!(busiest_second(&[0, 500, 999, 1_000, 1_400].map(ms)), 4);
    }

    #[test]
    fn nothing_to_send_is_a_mistake() {
        let level = |hz| RateRange { from_hz: hz, to_hz: hz };
        let second = Duration::from_secs(1);
        assert!(profile(&[(level(0.0), second)], Spread::Even, 1).is_err());
        let pace =
            profile(&[(level(0.0), second), (RateRange { from_hz: 0.0, to_hz: 10.0 }, second)], Spread::Jitter, 1)
                .unwrap();
        assert_eq!((pace.rate, pace.peak, pace.seed), (Some(2.5), Some(10.0), Some(1)));
        assert_eq!(pace.words, "0/s for 1 s, then 0 to 10/s for 1 s, each somewhere in its own slot");
        let peaks = |ms| {
            let apart = Duration::from_millis(ms);
            let burst = bursts(Bursts { size: 100, every: apart }, second * 10).unwrap();
            (burst.peak, closed(100, apart, second * 10).unwrap().peak)
        };
        for (ms, most) in [(2_000, 100.0), (1_000, 100.0), (900, 200.0), (500, 200.0), (300, 400.0)] {
            assert_eq!(peaks(ms), (Some(most), Some(most)), "{ms} ms");
        }
        assert_eq!(closed(5, Duration::ZERO, second).unwrap().peak, None);
        assert!(closed(0, second, second).is_err());
        assert!(bursts(Bursts { size: 5, every: Duration::ZERO }, second).is_err());
    }
}
