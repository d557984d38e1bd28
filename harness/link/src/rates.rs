//! What a connection carried while its wire was held to a rate.

use squall_model::{Rated, Stamp};

/// Bytes taken so far from the caller and from the callee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Taken {
    pub(crate) sent: u64,
    pub(crate) answered: u64,
}

/// Each time that a rate was in place, and what was taken meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    over: Vec<Rated>,
    /// The rate that is in place now, since when, and what had been taken before.
    now: Option<(u64, Stamp, Taken)>,
}

impl Rates {
    /// From now on this rate is in place, or none. The same rate goes on.
    pub(crate) fn change(&mut self, rate: Option<u64>, taken: Taken, now: Stamp) {
        if self.now.map(|(rate, ..)| rate) != rate {
            self.over.extend(self.current(taken, now));
            self.now = rate.map(|rate| (rate, now, taken));
        }
    }

    /// All of them, the one that is in place as if it ended now.
    pub(crate) fn all(&self, taken: Taken, now: Stamp) -> Vec<Rated> {
        self.over.iter().copied().chain(self.current(taken, now)).collect()
    }

    fn current(&self, taken: Taken, now: Stamp) -> Option<Rated> {
        let (bytes_per_second, from, before) = self.now?;
        let (sent, answered) = (taken.sent - before.sent, taken.answered - before.answered);
        Some(Rated { bytes_per_second, from, to: now, sent, answered })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_taken_meanwhile_counts() {
        let taken = |sent, answered| Taken { sent, answered };
        let mut rates = Rates::default();
        rates.change(None, taken(5, 5), Stamp(1));
        rates.change(Some(100), taken(10, 20), Stamp(2));
        rates.change(Some(100), taken(11, 21), Stamp(3));
        rates.change(None, taken(13, 25), Stamp(4));
        rates.change(Some(200), taken(50, 60), Stamp(6));
        let rated = |bytes_per_second, (from, to): (u64, u64), sent, answered| Rated {
            bytes_per_second,
            from: Stamp(from),
            to: Stamp(to),
            sent,
            answered,
        };
        assert_eq!(rates.all(taken(51, 62), Stamp(9)), [rated(100, (2, 4), 3, 5), rated(200, (6, 9), 1, 2)]);
        rates.change(None, taken(51, 62), Stamp(9));
        assert_eq!(rates.all(taken(90, 90), Stamp(10)), [rated(100, (2, 4), 3, 5), rated(200, (6, 9), 1, 2)]);
    }
}
