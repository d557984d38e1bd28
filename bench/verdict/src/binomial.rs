//! The binomial distribution, summed term by term: it shares no code with what it judges.

/// The chances of all counts.
pub(crate) struct Binomial {
    chances: Vec<f64>,
}

impl Binomial {
    /// Of `n` draws with a chance of `p` each. From the mode outwards by the ratio of neighbours, then scaled to 1.
    pub(crate) fn new(n: u64, p: f64) -> Self {
        let mut chances = vec![0.0; n as usize + 1];
        if p <= 0.0 || p >= 1.0 {
            chances[if p <= 0.0 { 0 } else { n as usize }] = 1.0;
            return Self { chances };
        }
        let mode = (((n + 1) as f64 * p) as usize).min(n as usize);
        let odds = p / (1.0 - p);
        chances[mode] = 1.0;
        for k in mode..n as usize {
            chances[k + 1] = chances[k] * (n as usize - k) as f64 / (k + 1) as f64 * odds;
        }
        for k in (0..mode).rev() {
            chances[k] = chances[k + 1] * (k + 1) as f64 / (n as usize - k) as f64 / odds;
        }
        let all: f64 = chances.iter().sum();
        chances.iter_mut().for_each(|chance| *chance /= all);
        Self { chances }
    }

    /// The counts that are likely at all, the rest being less than 1e-30 together: the first of them, and their chances.
    pub(crate) fn likely(&self) -> (usize, &[f64]) {
        let kept = |chance: &f64| *chance > 1e-36;
        let first = self.chances.iter().position(kept).unwrap_or(0);
        let past = self.chances.iter().rposition(kept).map_or(first, |last| last + 1);
        (first, &self.chances[first..past])
    }

    /// The chance of a count in `low..=high`.
    pub(crate) fn between(&self, low: u64, high: u64) -> f64 {
        let past = (high as usize + 1).min(self.chances.len());
        self.chances.get(low as usize..past).map_or(0.0, |chances| chances.iter().sum())
    }

    /// The chance of `k` or more.
    pub(crate) fn at_least(&self, k: u64) -> f64 {
        self.between(k, u64::MAX - 1)
    }

    /// The chance of `k` or less.
    pub(crate) fn at_most(&self, k: u64) -> f64 {
        self.between(0, k)
    }

    /// The smallest count that is reached or exceeded with a chance of at most `error`; `None` if none is.
    pub(crate) fn rejects_above(&self, error: f64) -> Option<u64> {
        let mut tail = 0.0;
        let mut first = None;
        for (k, chance) in self.chances.iter().enumerate().rev() {
            tail += chance;
            if tail > error {
                break;
            }
            first = Some(k as u64);
        }
        first
    }

    /// The largest count that is not exceeded with a chance of at most `error`; `None` if none is.
    pub(crate) fn rejects_below(&self, error: f64) -> Option<u64> {
        let mut tail = 0.0;
        let mut last = None;
        for (k, chance) in self.chances.iter().enumerate() {
            tail += chance;
            if tail > error {
                break;
            }
            last = Some(k as u64);
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_coins() {
        let coins = Binomial::new(10, 0.5);
        assert!((coins.at_most(1) - 11.0 / 1024.0).abs() < 1e-15 && (coins.at_least(9) - 11.0 / 1024.0).abs() < 1e-15);
        assert!((coins.between(4, 6) - 672.0 / 1024.0).abs() < 1e-15);
        assert_eq!((coins.rejects_above(0.02), coins.rejects_below(0.02)), (Some(9), Some(1)));
        assert_eq!((coins.rejects_above(1e-4), coins.rejects_below(1e-4)), (None, None));
        assert_eq!((Binomial::new(5, 0.0).at_least(1), Binomial::new(5, 1.0).at_most(4)), (0.0, 0.0));
    }

    #[test]
    fn far_tails_keep_their_digits() {
        let p = Binomial::new(1_000, 0.5).at_least(1_000);
        assert!((p / 0.5f64.powi(1_000) - 1.0).abs() < 1e-9, "{p:e}");
    }
}
