//! The highest rate at which a condition holds: doubled until it does not, then halved in between, then shown once more.
//!
//! A rate *holds* only where the condition is shown by bounds. One failure rules out every rate from it up, and the found rate has to
//! hold twice: so luck, in either direction, costs rate and never makes it up.

use std::fmt;

/// Rates nearer to each other than this are one.
const NEAR: f64 = 1.05;
/// The least rate that is tried, per second.
const LEAST: f64 = 1.0;
/// However unsteady the server: more trials than this tell nothing more.
const MOST_TRIALS: usize = 60;

/// What a trial at one rate came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The condition is shown to hold.
    Holds,
    /// It is shown not to.
    Broken,
    /// Neither is shown, so it is not taken to hold.
    Unclear,
    /// The generator did not keep the schedule: nothing is known of the server.
    Unsent,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Held::Holds => "holds",
            Held::Broken => "does not hold",
            Held::Unclear => "not shown to hold",
            Held::Unsent => "the generator did not keep up",
        })
    }
}

/// A search under way.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    from: f64,
    most: f64,
    trials: Vec<(f64, Held)>,
}

/// What a search has found so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// The highest rate that holds, and how often that was shown.
    pub holds: Option<(f64, usize)>,
    /// The lowest rate above it that does not, and why.
    pub fails: Option<(f64, Held)>,
}

impl Search {
    /// From one rate on, and to no more than another.
    #[must_use]
    pub fn new(from: f64, most: f64) -> Search {
        Search { from: from.min(most), most, trials: Vec::new() }
    }

    /// The rate to be tried next; `None` when there is nothing more to know.
    #[must_use]
    pub fn next(&self) -> Option<f64> {
        if self.trials.len() >= MOST_TRIALS {
            return None;
        }
        let Found { holds, fails } = self.found();
        match (holds, fails) {
            (None, None) => Some(self.from),
            (Some((low, _)), None) if low < self.most => Some(round(low * 2.0).min(self.most)),
            (None, Some((high, _))) => (high > LEAST).then(|| round(high / 2.0).max(LEAST)),
            (Some((low, _)), Some((high, _))) if high / low > NEAR => {
                let between = round((low * high).sqrt());
                // Of rates that are rounded to the same there is none in between.
                if between > low && between < high { Some(between) } else { self.once_more() }
            }
            _ => self.once_more(),
        }
    }

    fn once_more(&self) -> Option<f64> {
        self.found().holds.filter(|(_, times)| *times < 2).map(|(rate, _)| rate)
    }

    /// What the trial came to.
    pub fn tell(&mut self, rate: f64, held: Held) {
        self.trials.push((rate, held));
    }

    /// So far.
    #[must_use]
    pub fn found(&self) -> Found {
        let failed = self.trials.iter().filter(|(_, held)| *held != Held::Holds);
        let fails = failed.min_by(|(a, _), (b, _)| a.total_cmp(b)).copied();
        let below = |rate: &f64| fails.is_none_or(|(high, _)| *rate < high);
        let held =
            || self.trials.iter().filter(|(rate, held)| *held == Held::Holds && below(rate)).map(|(rate, _)| *rate);
        let holds = held().max_by(f64::total_cmp).map(|best| (best, held().filter(|rate| *rate == best).count()));
        Found { holds, fails }
    }
}

/// To three digits: nobody wants to know more of it.
fn round(rate: f64) -> f64 {
    let unit = 10f64.powf(rate.log10().floor() - 2.0);
    (rate / unit).round() * unit
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Searches a server that bears so much.
    fn searched(mut search: Search, bears: impl Fn(f64) -> Held) -> (Found, usize) {
        let mut trials = 0;
        while let Some(rate) = search.next() {
            search.tell(rate, bears(rate));
            trials += 1;
        }
        (search.found(), trials)
    }

    fn up_to(capacity: f64) -> impl Fn(f64) -> Held {
        move |rate| if rate <= capacity { Held::Holds } else { Held::Broken }
    }

    proptest! {
        /// Whatever a server bears is found to a twentieth, from below, shown twice, in a number of trials that the range bounds.
        #[test]
        fn what_a_server_bears_is_found(capacity in 2.0f64..90_000.0, from in 1.0f64..5_000.0) {
            let (Found { holds, fails }, trials) = searched(Search::new(from, 100_000.0), up_to(capacity));
            let ((rate, times), (above, why)) = (holds.unwrap(), fails.unwrap());
            prop_assert!(rate <= capacity && capacity < above, "{rate} {capacity} {above}");
            prop_assert!(above / rate < 1.06, "{rate} {above}");
            prop_assert_eq!((times, why), (2, Held::Broken));
            prop_assert!(trials <= 30, "{trials} trials");
        }
    }

    #[test]
    fn the_ends_of_the_range_are_told() {
        let (found, _) = searched(Search::new(100.0, 1_000.0), up_to(1e9));
        assert_eq!(found, Found { holds: Some((1_000.0, 2)), fails: None });
        let (found, _) = searched(Search::new(100.0, 1_000.0), up_to(0.0));
        assert_eq!(found, Found { holds: None, fails: Some((1.0, Held::Broken)) });
    }

    #[test]
    fn luck_does_not_make_up_rate() {
        let mut search = Search::new(100.0, 1_000.0);
        search.tell(100.0, Held::Holds);
        search.tell(200.0, Held::Holds);
        search.tell(150.0, Held::Broken);
        assert_eq!(search.found(), Found { holds: Some((100.0, 1)), fails: Some((150.0, Held::Broken)) });
        let mut unsteady = Search::new(100.0, 1_000.0);
        let mut trials = 0;
        while let Some(rate) = unsteady.next() {
            trials += 1;
            unsteady.tell(rate, if trials % 2 == 0 { Held::Unclear } else { Held::Holds });
        }
        assert!(trials <= MOST_TRIALS);
    }
}
