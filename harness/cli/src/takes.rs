//! How long a scenario is expected to take, from its traffic lines.

use crate::{args::GroundKind, mesh};
use squall_model::{ControlRule, Latency, Plan, Shape, TrafficLine, controls, duration};
use std::{fmt, time::Duration};

/// What comes around the traffic of a stage: faults armed and ended, the last answers, the barrier through the logs.
const AROUND: Duration = Duration::from_millis(300);
/// What a call takes beside the work of the instance.
const PROXIES: Duration = Duration::from_millis(2);

/// How long something takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expected {
    time: Duration,
    /// The answers decide, and may take longer.
    or_more: bool,
    /// It ends as soon as all is decided.
    or_less: bool,
}

impl Expected {
    pub fn time(self) -> Duration {
        self.time
    }

    /// One after the other.
    pub fn and(self, other: Expected) -> Expected {
        Expected {
            time: self.time + other.time,
            or_more: self.or_more | other.or_more,
            or_less: self.or_less | other.or_less,
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match (self.or_less, self.or_more) {
            (true, false) => "at most",
            (false, true) => "at least",
            _ => "about",
        };
        write!(f, "{word} {}", rounded(self.time))
    }
}

/// A scenario's main run, and all of its control runs, each of which ends as soon as a line is violated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Takes {
    pub main: Expected,
    pub control_runs: usize,
    /// All of them together.
    pub controls: Duration,
}

impl Takes {
    /// One scenario after the other.
    pub fn and(self, other: Takes) -> Takes {
        Takes {
            main: self.main.and(other.main),
            control_runs: self.control_runs + other.control_runs,
            controls: self.controls + other.controls,
        }
    }
}

/// How long a scenario takes on these meshes together; what cannot be run takes no time.
pub fn expected(plan: &Plan, on: &[GroundKind]) -> Takes {
    on.iter().map(|mesh| on_one(plan, *mesh)).fold(Takes::default(), Takes::and)
}

fn on_one(plan: &Plan, on: GroundKind) -> Takes {
    if !mesh::unsupported(plan, &[on]).is_empty() {
        return Takes::default();
    }
    let stages = plan.timeline.stages.iter().map(|stage| {
        let lines = stage.lines.iter().map(|line| of_line(plan, line));
        let longest = lines.max_by_key(|expected| expected.time).unwrap_or_default();
        Expected { time: longest.time + AROUND, ..longest }
    });
    let main = stages.fold(Expected::default(), Expected::and);
    let control_runs = match plan.control {
        ControlRule::None(_) => 0,
        _ => controls(plan).len(),
    };
    Takes { main, control_runs, controls: main.time * u32::try_from(control_runs).unwrap_or(u32::MAX) }
}

fn of_line(plan: &Plan, line: &TrafficLine) -> Expected {
    match line.shape {
        Shape::Open { length, .. } | Shape::Closed { length, .. } | Shape::Ramp { length, .. } => {
            Expected { time: length, ..Expected::default() }
        }
        Shape::Decide { cap, .. } => Expected { time: cap, or_less: true, or_more: false },
        Shape::Serial { calls } => {
            let work = match plan.topology.service(&line.to.service).map(|service| service.latency) {
                Some(Latency::Fixed(time) | Latency::Exponential { mean: time }) => time,
                Some(Latency::Uniform { from, to }) => (from + to) / 2,
                Some(Latency::LogNormal { median, .. }) => median,
                None => Duration::ZERO,
            };
            Expected { time: (work + PROXIES) * calls, or_more: true, or_less: false }
        }
    }
}

/// Upwards, to a tenth of a second; from a minute on to a second.
pub fn rounded(time: Duration) -> String {
    let tenths = time.as_millis().div_ceil(100);
    if tenths < 600 {
        let tenths = u64::try_from(tenths).unwrap_or(u64::MAX);
        return duration(Duration::from_millis(tenths * 100));
    }
    let seconds = time.as_millis().div_ceil(1000);
    match seconds % 60 {
        0 => format!("{} min", seconds / 60),
        rest => format!("{} min {rest} s", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_for_people() {
        let told = [0, 40, 2_300, 59_940, 60_000, 83_000].map(|ms| rounded(Duration::from_millis(ms)));
        assert_eq!(told, ["0 ms", "100 ms", "2.3 s", "1 min", "1 min", "1 min 23 s"]);
    }

    #[test]
    fn what_the_answers_decide_takes_at_least_so_long() {
        let of = |ms, or_more, or_less| Expected { time: Duration::from_millis(ms), or_more, or_less };
        assert_eq!(of(500, false, false).and(of(700, true, false)).to_string(), "at least 1.2 s");
        assert_eq!(of(30_300, false, true).to_string(), "at most 30.3 s");
        assert_eq!(of(30_300, true, true).to_string(), "about 30.3 s");
    }
}
