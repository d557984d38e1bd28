//! How many pairs "as good as" takes.

use crate::{
    Effort, Failed,
    binomial::Binomial,
    lanes,
    promises::{MARGINS, Margin},
    report::{Section, number, percent},
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use squall_stats::{
    paired::{PairedDesign, PairedTest},
    plan::{Arms, Course},
    share::{Decision, Risk},
};

/// More pairs than any test here needs.
const LIMIT: u64 = 50_000;
/// Of the pairs of the fixed test, at most: where it holds, and where it is violated.
const OF_FIXED_AT_MOST: [f64; 2] = [0.6, 0.5];
/// Without a failure, of the fewest pairs after which any test can say *holds*, at most.
const OF_FLOOR_AT_MOST: f64 = 1.25;

/// Pairs by margin and truth.
pub(crate) fn sizes() -> Result<Section, Failed> {
    let mut section = Section::exact("Pairs");
    section.text(
        "Pairs to decide \"as good as\", median and, in brackets, 99 % of the runs. *Fixed* is what one look at the
difference of the two counts takes that decides at the same α or β in 99.9 % of the runs; without knowing how bad calls are without the
fault it must keep its errors whatever that is, and does here at the shares that are hardest to tell from the truth. *Planned* is what some hundred simulated runs had
shown before these numbers were computed. Goals: no more than planned in the median; 0.6 of the fixed test where it holds, 0.5 where it is
violated; without a failure 1.25 of `ln(1/β) / margin`, before which no test says *holds*.",
    );
    let cases: Vec<(usize, Arms)> = (0..MARGINS.len())
        .flat_map(|i| {
            let margin = MARGINS[i].margin;
            let arms = |treated, baseline| (i, Arms { treated, baseline });
            [arms(0.0, 0.0), arms(0.01, 0.01), arms(3.0 * margin, 0.0), arms(0.01 + 3.0 * margin, 0.01)]
        })
        .collect();
    let rows = lanes::each(&cases, |(i, arms)| {
        let margin = MARGINS[*i].margin;
        let mut course = Course::of_pairs(&PairedDesign::new(margin, Risk::default())?, *arms)?;
        let median = course.calls_for(0.5, LIMIT).ok_or("a test that does not end")?;
        let most = course.calls_for(0.99, LIMIT).ok_or("a test that does not end")?;
        Ok::<_, Failed>((median, most, fixed(margin, *arms)))
    });
    let mut lines = Vec::new();
    for ((i, arms), row) in cases.iter().zip(rows) {
        let (median, most, fixed) = row?;
        let Margin { margin, planned, planned_most } = &MARGINS[*i];
        let holds = arms.treated <= arms.baseline + margin;
        let (planned, shown) = match (holds, arms.baseline > 0.0) {
            (true, false) => (planned[0], number(planned[0])),
            (true, true) => (planned[1], (*planned_most).to_owned()),
            (false, _) => (u64::MAX, String::new()),
        };
        let part = median as f64 / fixed as f64;
        let mut kept = part <= OF_FIXED_AT_MOST[usize::from(!holds)] && median <= planned;
        if arms.treated + arms.baseline == 0.0 {
            // One look is the fewest there can be: nothing varies.
            kept = median <= planned && median as f64 <= OF_FLOOR_AT_MOST * -Risk::default().beta.ln() / margin;
        }
        let name = format!("{} and {} fail", percent(arms.treated), percent(arms.baseline));
        let mark = section.check(kept, || format!("margin {margin}, {name}: {median} pairs, fixed {fixed}"));
        lines.push(vec![
            percent(*margin),
            name,
            if holds { "holds" } else { "violated" }.to_owned(),
            format!("{} ({}){mark}", number(median), number(most)),
            number(fixed),
            format!("{part:.2}"),
            shown,
        ]);
    }
    section.table(&["margin", "with the fault, without", "", "pairs", "fixed", "part", "planned"], lines);
    Ok(section)
}

/// The failures without the fault at which "worse by exactly the margin" is hardest to tell from the truth: where the
/// relative entropy of the truth to it is least.
fn hardest(margin: f64, arms: Arms) -> f64 {
    let entropy = |p: f64, q: f64| {
        let part = |p: f64, q: f64| if p > 0.0 { p * (p / q).ln() } else { 0.0 };
        part(p, q) + part(1.0 - p, 1.0 - q)
    };
    let away = |baseline: f64| entropy(arms.treated, baseline + margin) + entropy(arms.baseline, baseline);
    // Convex: by thirds.
    let (mut low, mut high) = (0.0, 1.0 - margin);
    for _ in 0..200 {
        let (left, right) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        if away(left) <= away(right) { high = right } else { low = left }
    }
    f64::midpoint(low, high)
}

/// What one look at the difference of two binomial counts takes.
fn fixed(margin: f64, arms: Arms) -> u64 {
    let risk = Risk::default();
    let holds = arms.treated <= arms.baseline + margin;
    let baseline = hardest(margin, arms);
    let decides = |n: u64| {
        let limit = Difference::new(n, baseline + margin, baseline);
        let truth = Difference::new(n, arms.treated, arms.baseline);
        match holds {
            true => limit.last_at_most(risk.beta).map_or(0.0, |last| truth.at_most(last)),
            false => limit.first_at_least(risk.alpha).map_or(0.0, |first| truth.at_least(first)),
        }
    };
    let mut high = 1;
    while decides(high) < 1.0 - risk.beta {
        high *= 2;
    }
    let mut low = high / 2;
    while high - low > 1 {
        let middle = low.midpoint(high);
        if decides(middle) >= 1.0 - risk.beta { high = middle } else { low = middle }
    }
    high
}

/// The distribution of how many more calls failed with the fault than without, among as many.
struct Difference {
    /// The chance of each, from `-n` up.
    chances: Vec<f64>,
    n: i64,
}

impl Difference {
    fn new(n: u64, treated: f64, baseline: f64) -> Self {
        let (treated, baseline) = (Binomial::new(n, treated), Binomial::new(n, baseline));
        let ((first, treated), (low, baseline)) = (treated.likely(), baseline.likely());
        let mut chances = vec![0.0; 2 * n as usize + 1];
        for (i, with) in treated.iter().enumerate() {
            for (k, without) in baseline.iter().enumerate() {
                chances[n as usize + first + i - low - k] += with * without;
            }
        }
        Self { chances, n: n as i64 }
    }

    fn at_most(&self, difference: i64) -> f64 {
        self.chances[..=(difference + self.n) as usize].iter().sum()
    }

    fn at_least(&self, difference: i64) -> f64 {
        self.chances[(difference + self.n) as usize..].iter().sum()
    }

    fn last_at_most(&self, error: f64) -> Option<i64> {
        let mut sum = 0.0;
        let last = self.chances.iter().take_while(|chance| {
            sum += **chance;
            sum <= error
        });
        Some(last.count() as i64 - 1 - self.n).filter(|last| *last >= -self.n)
    }

    fn first_at_least(&self, error: f64) -> Option<i64> {
        let mut sum = 0.0;
        let above = self.chances.iter().rev().take_while(|chance| {
            sum += **chance;
            sum <= error
        });
        Some(self.n + 1 - above.count() as i64).filter(|first| *first <= self.n)
    }
}

/// Bets on "no difference" at the discordance seen so far, with all of the stake.
struct Following {
    margin: f64,
    pairs: f64,
    discordant: f64,
    /// The fraction, and for how many pairs it stays as it is while none differs.
    bet: f64,
    good_for: f64,
    ln: f64,
}

impl Following {
    fn new(margin: f64) -> Self {
        Self { margin, pairs: 0.0, discordant: 0.0, bet: 0.0, good_for: 0.0, ln: 0.0 }
    }

    fn push(&mut self, difference: f64) {
        if self.pairs >= self.good_for {
            self.bet = self.best();
            self.good_for = self.pairs * 1.02;
        }
        self.ln += (self.bet * (self.margin - difference)).ln_1p();
        self.pairs += 1.0;
        if difference != 0.0 {
            self.discordant += 1.0;
            self.good_for = 0.0;
        }
    }

    /// What grows fastest if either arm is worse in half of the discordant pairs; half a pair is taken for seen.
    fn best(&self) -> f64 {
        let either = (0.5 * (self.discordant + 1.0) / (self.pairs + 1.0 / self.margin)).min(0.499);
        let (mut low, mut high) = (0.0, 1.0 / (1.0 - self.margin));
        let (worse, better) = (1.0 - self.margin, 1.0 + self.margin);
        for _ in 0..40 {
            let bet = f64::midpoint(low, high);
            let growth = (1.0 - 2.0 * either) * self.margin / (1.0 + bet * self.margin)
                + either * (better / (1.0 + bet * better) - worse / (1.0 - bet * worse));
            if growth > 0.0 { low = bet } else { high = bet }
        }
        low
    }
}

/// The mixture beside a bet that follows the discordance.
pub(crate) fn rivals(effort: Effort) -> Result<Section, Failed> {
    let mut section = Section::simulated("Pairs, by a bet that follows");
    let runs = effort.runs(4_000);
    section.text(&format!(
        "Pairs until *holds*, median and, in brackets, 99 % of {} runs: the test, and beside it a bet on \"no difference\" at the
discordance seen so far, on the same pairs. It is somewhat sooner in half of the runs and not in the slow ones, and its errors
depend on the order of the pairs, so that they could only be simulated: the test stays with what can be computed.",
        number(runs)
    ));
    let mut lines = Vec::new();
    for Margin { margin, .. } in MARGINS {
        for bad in [0.0, 0.01] {
            let all = lanes::simulate(runs, 43, |random| held(margin, bad, random));
            let all: Vec<[u64; 2]> = all.into_iter().collect::<Result<_, _>>()?;
            let text = |which: usize| {
                let mut pairs: Vec<u64> = all.iter().map(|both| both[which]).collect();
                pairs.sort_unstable();
                format!("{} ({})", number(pairs[pairs.len() / 2]), number(pairs[pairs.len() * 99 / 100]))
            };
            lines.push(vec![percent(margin), format!("{} fail", percent(bad)), text(0), text(1)]);
        }
    }
    section.table(&["margin", "with and without the fault", "the test", "the bet that follows"], lines);
    Ok(section)
}

/// Pairs until the test says *holds*, and until the bet that follows would have.
fn held(margin: f64, bad: f64, random: &mut ChaCha8Rng) -> Result<[u64; 2], Failed> {
    let mut test = PairedTest::new(PairedDesign::new(margin, Risk::default())?);
    let (mut rival, mut by_rival) = (Following::new(margin), None);
    while test.n() < LIMIT && (test.decision() == Decision::Undecided || by_rival.is_none()) {
        let mut fails = || f64::from(random.random_bool(bad));
        let (treated, baseline) = (fails(), fails());
        test.push(treated, baseline)?;
        rival.push(treated - baseline);
        if rival.ln >= -Risk::default().beta.ln() {
            by_rival.get_or_insert(test.n());
        }
    }
    Ok([test.decided_at().unwrap_or(LIMIT), by_rival.unwrap_or(LIMIT)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_of_two_coins() {
        let two = Difference::new(2, 0.5, 0.5);
        assert!((two.at_most(-2) - 1.0 / 16.0).abs() < 1e-15 && (two.at_least(1) - 5.0 / 16.0).abs() < 1e-15);
        assert_eq!((two.last_at_most(0.1), two.first_at_least(0.1)), (Some(-2), Some(2)));
        assert_eq!((two.last_at_most(0.01), two.first_at_least(0.01)), (None, None));
    }

    /// Without a failure the hardest is that there are none without the fault either: `(1 - margin)^n <= β`.
    #[test]
    fn the_fixed_test_of_nothing() {
        let clean = Arms { treated: 0.0, baseline: 0.0 };
        assert!(hardest(0.05, clean) < 1e-9);
        assert_eq!(fixed(0.05, clean), 135);
    }

    #[test]
    fn the_hardest_baseline_lies_halfway_between_the_arms_and_the_margin() {
        // Far from 0 and 1 the entropy is a square: each arm gives in by half of the margin.
        let even = hardest(0.02, Arms { treated: 0.5, baseline: 0.5 });
        assert!((even - 0.49).abs() < 1e-4, "{even}");
    }
}
