//! How well the generator itself did, and whether its figures are those of what it called.

use crate::health::Health;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How well the generator itself did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Generator {
    /// Half of the sends were at most so late.
    pub late_p50: Duration,
    /// 99 of 100 sends were at most so late.
    pub late_p99: Duration,
    /// The latest send.
    pub late_max: Duration,
    /// What is allowed of the 99th percentile.
    pub bound: Duration,
    /// Sends due within so long are made together; zero: each in its own time.
    pub tick: Duration,
    /// Most connections.
    pub cap: usize,
    /// Calls that the cap held back.
    pub held: u64,
    /// The longest that it did so.
    pub held_max: Duration,
    /// Calls for which the machine had no socket.
    pub starved: u64,
    /// Processor time of the whole program during the run.
    pub cpu: Duration,
    /// What it saw of itself, by the tenth of a second.
    pub health: Health,
}

/// Why the figures speak of the generator as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saturation {
    /// More than 1% of the sends were late.
    Late,
    /// The machine had no socket for a call.
    NoSockets,
    /// In more than 1% of the looks its thread had no processor for more than half of the time.
    Starved,
    /// In more than 1% of the looks its thread woke late.
    HeldUp,
    /// The machine was asleep meanwhile.
    Asleep,
}

impl Saturation {
    /// In one word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Saturation::Late => "late",
            Saturation::NoSockets => "no_sockets",
            Saturation::Starved => "starved",
            Saturation::HeldUp => "held_up",
            Saturation::Asleep => "asleep",
        }
    }
}

impl Generator {
    /// Why the figures speak of the generator as well; of nothing where its schedule was kept and nothing kept it from its work.
    pub fn saturation(&self) -> impl Iterator<Item = Saturation> {
        let often = |looks: u64| looks * 100 > self.health.looks;
        [
            (Saturation::Late, self.late_p99 > self.bound),
            (Saturation::NoSockets, self.starved > 0),
            (Saturation::Starved, often(self.health.starved)),
            (Saturation::HeldUp, often(self.health.held_up)),
            (Saturation::Asleep, self.health.whole().asleep > self.bound),
        ]
        .into_iter()
        .filter_map(|(why, is_so)| is_so.then_some(why))
    }

    /// True where there is any reason for that.
    #[must_use]
    pub fn is_saturated(&self) -> bool {
        self.saturation().next().is_some()
    }

    /// Two parts of one run: its schedule was kept as well as by the worse of them.
    #[must_use]
    pub fn with(self, other: Generator) -> Generator {
        Generator {
            late_p50: self.late_p50.max(other.late_p50),
            late_p99: self.late_p99.max(other.late_p99),
            late_max: self.late_max.max(other.late_max),
            bound: self.bound,
            tick: self.tick,
            cap: self.cap + other.cap,
            held: self.held + other.held,
            held_max: self.held_max.max(other.held_max),
            starved: self.starved + other.starved,
            cpu: self.cpu + other.cpu,
            health: self.health.with(other.health),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Look;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn with(looks: &[Look]) -> Vec<Saturation> {
        let mut generator = Generator { bound: ms(10), ..Generator::default() };
        looks.iter().zip(0..).for_each(|(look, k)| generator.health.add(ms(100 * k), *look, ms(10)));
        generator.saturation().collect()
    }

    /// What comes once in a hundred looks is none: so much may befall a good run.
    #[test]
    fn every_reason_is_named() {
        let (fine, starved) = (Look::default(), Look { waited: ms(60), ..Look::default() });
        let (held_up, asleep) = (Look { lag: ms(11), ..fine }, Look { asleep: ms(500), ..fine });
        assert_eq!(with(&[]), []);
        assert_eq!(with(&[&[fine; 99][..], &[starved]].concat()), []);
        assert_eq!(with(&[&[fine; 98][..], &[starved; 2]].concat()), [Saturation::Starved]);
        assert_eq!(with(&[fine, held_up]), [Saturation::HeldUp]);
        assert_eq!(with(&[&[fine; 999][..], &[asleep]].concat()), [Saturation::Asleep]);
        let late = Generator { bound: ms(10), late_p99: ms(11), starved: 1, ..Generator::default() };
        assert_eq!(late.saturation().map(Saturation::word).collect::<Vec<_>>(), ["late", "no_sockets"]);
    }
}
