//! How the generator did over time: a look at it every tenth of a second, in memory that does not grow with the length of the run.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(100);
/// At more stretches than this, two become one.
const MOST: usize = 600;

/// What the generator saw of itself in a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Look {
    /// The latest send.
    pub late: Duration,
    /// How much later than it meant to its thread woke, at most.
    pub lag: Duration,
    /// For how long its thread was ready to run and had no processor; zero where the system does not say.
    pub waited: Duration,
    /// For how long the machine was asleep.
    pub asleep: Duration,
}

impl Look {
    /// One after the other.
    fn and(self, next: Look) -> Look {
        Look {
            late: self.late.max(next.late),
            lag: self.lag.max(next.lag),
            waited: self.waited + next.waited,
            asleep: self.asleep + next.asleep,
        }
    }

    /// Of two generators at one time.
    fn or(self, other: Look) -> Look {
        Look {
            late: self.late.max(other.late),
            lag: self.lag.max(other.lag),
            waited: self.waited.max(other.waited),
            asleep: self.asleep.max(other.asleep),
        }
    }
}

/// All looks at a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    every: Duration,
    stretches: Vec<Look>,
    /// Looks.
    pub looks: u64,
    /// Those between which the thread had no processor for more than half of the time.
    pub starved: u64,
    /// Those for which it woke later than is allowed.
    pub held_up: u64,
}

impl Default for Health {
    fn default() -> Self {
        Health { every: EVERY, stretches: Vec::new(), looks: 0, starved: 0, held_up: 0 }
    }
}

impl Health {
    /// Adds a look so long after the begin; of what it says, so much is allowed.
    pub fn add(&mut self, after: Duration, look: Look, bound: Duration) {
        self.looks += 1;
        self.starved += u64::from(look.waited > bound && look.waited > (EVERY + look.lag) / 2);
        self.held_up += u64::from(look.lag > bound);
        let at = (after.as_nanos() / self.every.as_nanos()) as usize;
        if self.stretches.len() <= at {
            self.stretches.resize(at + 1, Look::default());
        }
        self.stretches[at] = self.stretches[at].and(look);
        while self.stretches.len() > MOST {
            self.widen();
        }
    }

    fn widen(&mut self) {
        self.every *= 2;
        self.stretches =
            self.stretches.chunks(2).map(|two| two.iter().copied().fold(Look::default(), Look::and)).collect();
    }

    /// Of two parts of one run: what either suffered.
    #[must_use]
    pub fn with(mut self, mut other: Health) -> Health {
        while self.every < other.every {
            self.widen();
        }
        while other.every < self.every {
            other.widen();
        }
        let longest = self.stretches.len().max(other.stretches.len());
        self.stretches.resize(longest, Look::default());
        self.stretches.iter_mut().zip(&other.stretches).for_each(|(ours, theirs)| *ours = ours.or(*theirs));
        // A part that was starved throughout is not made good by one that was not.
        let worse = other.starved.max(other.held_up) * self.looks > self.starved.max(self.held_up) * other.looks;
        let worst = if worse { &other } else { &self };
        (self.looks, self.starved, self.held_up) = (worst.looks, worst.starved, worst.held_up);
        self
    }

    /// The whole run in one.
    #[must_use]
    pub fn whole(&self) -> Look {
        self.stretches.iter().copied().fold(Look::default(), Look::and)
    }

    /// How long a stretch is.
    #[must_use]
    pub fn every(&self) -> Duration {
        self.every
    }

    /// One stretch after the other from the begin.
    #[must_use]
    pub fn stretches(&self) -> &[Look] {
        &self.stretches
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn look(late: u64, lag: u64, waited: u64, asleep: u64) -> Look {
        Look { late: ms(late), lag: ms(lag), waited: ms(waited), asleep: ms(asleep) }
    }

    #[test]
    fn looks_are_kept_by_their_time_and_joined_in_a_long_run() {
        let mut health = Health::default();
        (0..1_000).for_each(|k| health.add(ms(k * 100 + 1), look(1, 2, u64::from(k == 700), 3), ms(10)));
        assert_eq!((health.every(), health.stretches().len()), (ms(200), 500));
        assert_eq!(health.stretches()[350], look(1, 2, 1, 6));
        assert_eq!(health.whole(), look(1, 2, 1, 3_000));
        assert_eq!((health.looks, health.starved, health.held_up), (1_000, 0, 0));
    }

    #[test]
    fn starved_is_who_waits_more_than_half_of_the_time() {
        let mut health = Health::default();
        for (waited, lag, bound, starved) in
            [(51, 0, 10, 1), (50, 0, 10, 0), (99, 0, 100, 0), (90, 100, 10, 0), (101, 100, 10, 1)]
        {
            let before = health.starved;
            health.add(ms(0), look(0, lag, waited, 0), ms(bound));
            assert_eq!(health.starved - before, starved, "{waited} ms of {lag} more than 100 ms, {bound} ms allowed");
        }
        assert_eq!(health.held_up, 2);
    }

    #[test]
    fn of_two_parts_the_worse_counts() {
        let of = |lag, after, looks: u64| {
            let mut health = Health::default();
            (0..looks).for_each(|_| health.add(ms(after), look(0, lag, 0, 0), ms(10)));
            health
        };
        let both = of(1, 90_000, 50).with(of(20, 100, 5));
        assert_eq!((both.looks, both.held_up, both.every(), both.stretches().len()), (5, 5, ms(200), 451));
        assert_eq!((both.stretches()[0].lag, both.stretches()[450].lag), (ms(20), ms(1)));
        assert_eq!(of(20, 100, 5).with(of(1, 90_000, 50)), both);
    }
}
