//! The same test with a single look at the end: an upper limit for the calls, a lower one for the chances, at the
//! price of a few evaluations.

use super::{Chance, Forecast};
use crate::share::{Design, Fence, LOOK_EVERY};
use crate::special::ln_binomial_at_least;

/// More calls than any run makes.
const HORIZON: f64 = 1e10;

/// Standard normal quantiles of 99 % and 99.5 %: they size a run, no verdict rests on them.
const NORMAL_99: f64 = 2.326;
const NORMAL_995: f64 = 2.576;
/// Of 75 %: if each of two sides is crossed in three of four runs, both are in at least half.
const NORMAL_75: f64 = 0.6745;

/// Calls until a decision; `None` if `truth` is too near to a limit for any number of calls.
pub(super) fn forecast(design: &Design, truth: f64) -> Option<Forecast> {
    let fences = design.fences();
    let (median, most, holds) = if design.is_kept_by(truth) {
        let (half, nearly_all) = if fences.len() > 1 { (NORMAL_75, NORMAL_995) } else { (0.0, NORMAL_99) };
        let both = |spread: f64| {
            fences.iter().map(|fence| shown(fence, truth, spread)).try_fold(0.0, |most: f64, n| Some(most.max(n?)))
        };
        (both(half)?, both(nearly_all)?, 1.0)
    } else {
        let either = |spread: f64| fences.iter().filter_map(|fence| broken(fence, truth, spread)).reduce(f64::min);
        (either(0.0)?, either(NORMAL_99)?, 0.0)
    };
    Some(Forecast { median: median as u64, most: most as u64, holds, exact: false })
}

/// What one look after `n` calls decides.
pub(super) fn chance(design: &Design, n: u64, truth: f64) -> Chance {
    let mut missed = 0.0;
    let mut violated = 0.0;
    for fence in design.fences() {
        let p = fence.counts.share(truth);
        missed += last_within(fence, n).map_or(1.0, |last| ln_binomial_at_least(last + 1, n, p).exp());
        violated += first_beyond(fence, n).map_or(0.0, |first| ln_binomial_at_least(first, n, p).exp());
    }
    Chance { holds: (1.0 - missed).max(0.0), violated, exact: false }
}

/// The first number of calls at which `truth`, with the count `spread` standard deviations too high, is shown to keep
/// the fence.
fn shown(fence: &Fence, truth: f64, spread: f64) -> Option<f64> {
    let p = fence.counts.share(truth);
    if p >= fence.at {
        return None;
    }
    first_calls(LOOK_EVERY as f64, HORIZON, |n| {
        let k = (p * n + spread * (n * p * (1.0 - p)).sqrt()).ceil();
        k <= n && fence.within(n, k)
    })
}

/// The first number of calls at which `truth`, with the count `spread` standard deviations too low, is shown to break
/// the fence.
fn broken(fence: &Fence, truth: f64, spread: f64) -> Option<f64> {
    let p = fence.counts.share(truth);
    if p <= fence.at {
        return None;
    }
    first_calls(LOOK_EVERY as f64, HORIZON, |n| {
        let k = (p * n - spread * (n * p * (1.0 - p)).sqrt()).floor();
        k >= 0.0 && fence.beyond(n, k)
    })
}

/// The smallest number of calls for which `decided`, false and then true, looked for from `first` up; `None` if it is
/// above `horizon`.
pub(super) fn first_calls(first: f64, horizon: f64, decided: impl Fn(f64) -> bool) -> Option<f64> {
    let mut enough = first;
    while !decided(enough) {
        enough *= 2.0;
        if enough > horizon {
            return None;
        }
    }
    let mut too_few = if enough > first { enough / 2.0 } else { 0.0 };
    while enough - too_few > 1.0 {
        let middle = f64::midpoint(too_few, enough).floor();
        if decided(middle) {
            enough = middle;
        } else {
            too_few = middle;
        }
    }
    Some(enough)
}

/// The largest count among `n` that shows the fence to be kept.
fn last_within(fence: &Fence, n: u64) -> Option<u64> {
    partition_point(n + 1, |k| fence.within(n as f64, k as f64)).checked_sub(1)
}

/// The smallest count among `n` that shows the fence to be broken.
fn first_beyond(fence: &Fence, n: u64) -> Option<u64> {
    Some(partition_point(n + 1, |k| !fence.beyond(n as f64, k as f64))).filter(|k| *k <= n)
}

/// The first of `0..end` for which `holds`, true and then false, is false; `end` if none.
fn partition_point(end: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut first, mut past) = (0, end);
    while first < past {
        let middle = first + (past - first) / 2;
        if holds(middle) {
            first = middle + 1;
        } else {
            past = middle;
        }
    }
    first
}
