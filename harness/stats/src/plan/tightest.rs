//! The tightest number that a given traffic can decide.

use super::{BUDGET, chance_within};
use crate::share::{Design, Promise, Risk};

/// A plan should decide in this share of its runs.
const ENOUGH: f64 = 0.99;

/// The tightest promise of the same kind as `like` that `n` calls show in at least 99 % of the runs, if the true
/// share of hits is `truth`: what the mechanism predicts, or a perfect 0 or 1. The share that it allows (of a range:
/// on either side of the true one) has two significant digits, fit to be written into a feature. `None` if `n` calls
/// show nothing.
#[must_use]
pub fn tightest(like: Promise, n: u64, truth: f64, risk: Risk) -> Option<Promise> {
    let candidates: Vec<Promise> = slacks().filter_map(|slack| slack.around(like, truth)).collect();
    let first = candidates.partition_point(|&promise| !is_shown(promise, n, truth, risk));
    candidates.get(first).copied()
}

fn is_shown(promise: Promise, n: u64, truth: f64, risk: Risk) -> bool {
    Design::new(promise, risk).is_ok_and(|design| chance_within(&design, n, truth, BUDGET / 8).holds >= ENOUGH)
}

/// A share of two significant digits: `digits / scale`, kept apart so that `1 - share` is the nearest double to its
/// decimal too.
#[derive(Clone, Copy)]
struct Slack {
    digits: f64,
    scale: f64,
}

/// All of them from 0.000000001 to 0.99, ascending.
fn slacks() -> impl Iterator<Item = Slack> {
    (2..=10)
        .rev()
        .flat_map(|zeros| (10..100u32).map(move |digits| Slack { digits: f64::from(digits), scale: 10f64.powi(zeros) }))
}

impl Slack {
    /// The promise of the kind of `like` that leaves this much room; `None` if `truth` would break it or nothing would.
    fn around(self, like: Promise, truth: f64) -> Option<Promise> {
        let share = self.digits / self.scale;
        match like {
            Promise::AtMost(_) => (truth < share).then_some(Promise::AtMost(share)),
            Promise::AtLeast(_) => {
                let least = (self.scale - self.digits) / self.scale;
                (truth > least).then_some(Promise::AtLeast(least))
            }
            Promise::Between(..) => {
                let (lo, hi) = (truth - share, truth + share);
                (lo > 0.0 || hi < 1.0).then_some(Promise::Between(lo.max(0.0), hi.min(1.0)))
            }
        }
    }
}
