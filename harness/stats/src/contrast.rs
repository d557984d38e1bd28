//! Where is there more of it? A part of the units against the rest, and the stretch of a sequence that stands out most.
//!
//! For showing, beside a verdict that was reached otherwise. Exact: everything is conditional on how many hits there are
//! in all, so nothing need be known of how often they should come (Fisher 1935).

use crate::share::Look;
use statrs::function::factorial::ln_binomial;

/// `ln P(X >= part.hits)` for as many units as `part` has, drawn without replacement from `all`: the one-sided p-value
/// of Fisher's exact test that hits are more common in the part than in the rest. 0 (that is, `P = 1`) where `part` is
/// no part of `all`.
#[must_use]
pub fn ln_fisher(part: Look, all: Look) -> f64 {
    let misses = all.n.checked_sub(all.hits);
    let rest = all.n.checked_sub(part.n).zip(part.n.checked_sub(part.hits));
    let (Some(misses), Some((_, part_misses))) = (misses, rest) else { return 0.0 };
    let least = part.n.saturating_sub(misses);
    if part.hits > all.hits || part_misses > misses || part.hits <= least {
        return 0.0;
    }
    let whole = ln_binomial(all.n, part.n);
    let term = |hits: u64| ln_binomial(all.hits, hits) + ln_binomial(misses, part.n - hits) - whole;
    let most = part.n.min(all.hits);
    let terms: Vec<f64> = (part.hits..=most).map(term).collect();
    let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (largest + terms.iter().map(|t| (t - largest).exp()).sum::<f64>().ln()).min(0.0)
}

/// Is the odds of a hit in the part at least so many times the odds in the rest?
#[must_use]
pub fn odds_differ(part: Look, all: Look, times: f64) -> bool {
    let rest = Look { n: all.n.saturating_sub(part.n), hits: all.hits.saturating_sub(part.hits) };
    let odds = |of: Look, against: Look| of.hits as f64 * (against.n - against.hits.min(against.n)) as f64;
    rest.n > 0 && odds(part, rest) >= times * odds(rest, part) && part.hits > 0
}

/// The units from the first to before the second index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Its first unit.
    pub from: usize,
    /// The first unit after it.
    pub to: usize,
    /// Its units, and the hits among them.
    pub within: Look,
}

/// So many runs of hits are tried in all pairs; of more, one in so many first.
const RUNS: usize = 2_000;

/// The stretch of a sequence in which hits are more common than before and after it: the one of maximum likelihood for
/// independent units with one chance within and a smaller one without. `None` if chance explains it: in a sequence whose
/// order means nothing, any stretch is found with a chance of at most `error`.
///
/// The error is held exactly, whatever stretch is picked: Fisher's test of it, corrected for all `n (n + 1) / 2`
/// stretches that there are (Bonferroni). The pick is the exact maximum as long as hits come in at most 2,000 runs,
/// beyond that the best near the best of an even choice of them.
#[must_use]
pub fn stretch(hits: &[bool], error: f64) -> Option<Stretch> {
    let scan = Scan::new(hits);
    let all = scan.look(0, hits.len());
    if all.hits == 0 || all.hits == all.n {
        return None;
    }
    let best = scan.best()?;
    let stretches = all.n as f64 * (all.n + 1) as f64 / 2.0;
    let within = best.within;
    (ln_fisher(within, all) + stretches.ln() <= error.ln()).then_some(best)
}

/// The same for a stretch that begins where something is known to have happened: `starts` are indices that were fixed
/// without a look at the hits, so only the stretches from one of them are corrected for. It is cut to its first hit.
#[must_use]
pub fn stretch_from(hits: &[bool], starts: &[usize], error: f64) -> Option<Stretch> {
    let scan = Scan::new(hits);
    let all = scan.look(0, hits.len());
    let starts: Vec<usize> = starts.iter().copied().filter(|start| *start < hits.len()).collect();
    let ends = || scan.runs.iter().map(|(_, end)| *end);
    let tried = starts.iter().flat_map(|from| ends().filter(move |to| to > from).map(move |to| (*from, to)));
    let best = tried.map(|(from, to)| (scan.gain(from, to), from, to)).max_by(|a, b| a.0.total_cmp(&b.0))?;
    let (gain, from, to) = best;
    let stretches = starts.len() as f64 * hits.len() as f64;
    let clear = gain > f64::NEG_INFINITY && ln_fisher(scan.look(from, to), all) + stretches.ln() <= error.ln();
    let first = (from..to).find(|index| hits[*index])?;
    clear.then(|| Stretch { from: first, to, within: scan.look(first, to) })
}

struct Scan {
    /// Hits before each index.
    before: Vec<u64>,
    /// `k ln k`.
    entropy: Vec<f64>,
    /// Where each run of hits begins, and ends.
    runs: Vec<(usize, usize)>,
}

impl Scan {
    fn new(hits: &[bool]) -> Scan {
        let mut before = vec![0];
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for (index, hit) in hits.iter().enumerate() {
            before.push(before[index] + u64::from(*hit));
            match runs.last_mut() {
                Some(last) if *hit && last.1 == index => last.1 = index + 1,
                _ if *hit => runs.push((index, index + 1)),
                _ => {}
            }
        }
        let entropy = (0..=hits.len()).map(|k| if k == 0 { 0.0 } else { k as f64 * (k as f64).ln() }).collect();
        Scan { before, entropy, runs }
    }

    fn look(&self, from: usize, to: usize) -> Look {
        Look { n: (to - from) as u64, hits: self.before[to] - self.before[from] }
    }

    /// A stretch that begins or ends with a miss is beaten by the one without it, and one that cuts a run of hits by one
    /// that has all of it or nothing of it (the likelihood is convex along the run): so runs are all that need be tried.
    fn best(&self) -> Option<Stretch> {
        let runs = self.runs.len();
        let step = runs.div_ceil(RUNS).max(1);
        let coarse: Vec<usize> = (0..runs).step_by(step).chain(runs.checked_sub(1)).collect();
        let (first, last) = self.best_of(&coarse, &coarse)?;
        let near = |run: usize| (run.saturating_sub(step)..=(run + step).min(runs - 1)).collect::<Vec<_>>();
        let (first, last) = if step > 1 { self.best_of(&near(first), &near(last))? } else { (first, last) };
        let (from, to) = (self.runs[first].0, self.runs[last].1);
        Some(Stretch { from, to, within: self.look(from, to) })
    }

    /// The first and the last run of the likeliest stretch among these.
    fn best_of(&self, firsts: &[usize], lasts: &[usize]) -> Option<(usize, usize)> {
        let mut best: Option<(f64, usize, usize)> = None;
        for first in firsts {
            for last in lasts.iter().filter(|last| *last >= first) {
                let gain = self.gain(self.runs[*first].0, self.runs[*last].1);
                if best.is_none_or(|(most, ..)| gain > most) {
                    best = Some((gain, *first, *last));
                }
            }
        }
        best.filter(|(gain, ..)| *gain > f64::NEG_INFINITY).map(|(_, first, last)| (first, last))
    }

    /// The logarithm of the likelihood, up to what all stretches have in common; nothing where the hits are no more common.
    fn gain(&self, from: usize, to: usize) -> f64 {
        let all = self.look(0, self.before.len() - 1);
        let part = self.look(from, to);
        let rest = Look { n: all.n - part.n, hits: all.hits - part.hits };
        if part.hits * rest.n <= rest.hits * part.n {
            return f64::NEG_INFINITY;
        }
        let of = |l: Look| {
            let at = |k: u64| self.entropy[k as usize];
            at(l.hits) + at(l.n - l.hits) - at(l.n)
        };
        of(part) + of(rest)
    }
}

#[cfg(test)]
mod tests;
