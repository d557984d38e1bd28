//! How much sooner a sequential test ends than one look by an exact test of the same error rates.

use crate::{
    Failed,
    binomial::Binomial,
    lanes,
    promises::{AT_LEAST, RANGES},
    report::{Section, number},
};
use squall_stats::{
    plan::{Course, Looks, floor},
    share::{Design, LOOK_EVERY, Risk},
};

/// More calls than any test here needs.
const LIMIT: u64 = 200_000;

/// Of the calls of the fixed test, at most: at the edge of the zone that violates, and at the one that holds.
const VIOLATED_AT_MOST: f64 = 0.5;
const HOLDS_AT_MOST: f64 = 0.6;
/// Of the fewest calls after which any test can say *holds*, at most.
const OF_FLOOR_AT_MOST: f64 = 1.25;

/// Median and 99 % of the runs, exactly.
struct Sizes {
    median: u64,
    most: u64,
}

fn sizes(design: &Design, truth: f64, looks: Looks) -> Result<Sizes, Failed> {
    let mut course = Course::of_calls(design, truth, looks)?;
    let median = course.calls_for(0.5, LIMIT).ok_or("a test that does not end")?;
    let most = course.calls_for(0.99, LIMIT).ok_or("a test that does not end")?;
    Ok(Sizes { median, most })
}

/// The fewest calls after which one look by exact binomial tests decides in at least `1 - β` of the runs: that the share
/// is below `high` and above `low`, each at β (*holds*), or outside of one of them at `alpha`.
fn fixed(truth: f64, decides: impl Fn(u64, &Binomial) -> f64) -> u64 {
    let power = 1.0 - Risk::default().beta;
    let enough = |n: u64| decides(n, &Binomial::new(n, truth)) >= power;
    let mut high = 1;
    while !enough(high) {
        high *= 2;
    }
    let mut low = high / 2;
    while high - low > 1 {
        let middle = low.midpoint(high);
        if enough(middle) { high = middle } else { low = middle }
    }
    high
}

fn fixed_holds(low: Option<f64>, high: Option<f64>, truth: f64) -> u64 {
    let beta = Risk::default().beta;
    fixed(truth, |n, counts| {
        let first = low.map_or(Some(0), |low| Binomial::new(n, low).rejects_above(beta));
        let last = high.map_or(Some(n), |high| Binomial::new(n, high).rejects_below(beta));
        first.zip(last).map_or(0.0, |(first, last)| counts.between(first, last.max(first)) * f64::from(last >= first))
    })
}

fn fixed_violated_above(high: f64, alpha: f64, truth: f64) -> u64 {
    fixed(truth, |n, counts| Binomial::new(n, high).rejects_above(alpha).map_or(0.0, |first| counts.at_least(first)))
}

/// A number of calls, with its part of what the fixed test takes.
fn against(section: &mut Section, name: &str, ours: &Sizes, fixed: u64, at_most: f64) -> [String; 3] {
    let part = ours.median as f64 / fixed as f64;
    let mark = section.check(part <= at_most, || format!("{name}: {} of {fixed} calls", ours.median));
    [format!("{} ({})", number(ours.median), number(ours.most)), number(fixed), format!("{part:.2}{mark}")]
}

/// The tables.
pub(crate) fn section() -> Result<Section, Failed> {
    let mut section = Section::exact("Early stopping");
    section.text(
        "Calls to decide at the edges of the zone, f₀ being the failures that are allowed: median and, in brackets, 99 % of the
runs; beside it what one look by an exact binomial test takes that decides at the same α or β in 99.9 % of the runs, and the part of
that. Goals: 0.5 at 3 f₀, 0.6 at f₀/4, and without a failure 1.25 of the fewest calls after which any test can say *holds*,
`ln(1/β) / f₀`, up to the next look. *Planned* is what some hundred simulated runs had shown before these numbers were computed.",
    );
    let risk = Risk::default();
    let rows = lanes::each(&AT_LEAST, |promise| {
        let (design, f0) = (promise.design(risk)?, promise.allowed);
        Ok::<_, Failed>((
            [
                sizes(&design, 0.0, Looks::AsTested)?,
                sizes(&design, f0 / 4.0, Looks::AsTested)?,
                sizes(&design, 3.0 * f0, Looks::AsTested)?,
            ],
            sizes(&design, 0.0, Looks::EveryCall)?.median,
            [fixed_holds(None, Some(f0), f0 / 4.0), fixed_violated_above(f0, risk.alpha, 3.0 * f0)],
        ))
    });
    let (mut perfect_rows, mut edge_rows) = (Vec::new(), Vec::new());
    for (promise, row) in AT_LEAST.iter().zip(rows) {
        let ([perfect, good, bad], every_call, [holds, violated]) = row?;
        let name = promise.name();
        let least = -risk.beta.ln() / promise.allowed;
        let goal = ((OF_FLOOR_AT_MOST * least / LOOK_EVERY as f64).ceil() as u64) * LOOK_EVERY;
        let mark = section.check(perfect.median <= goal && every_call as f64 <= OF_FLOOR_AT_MOST * least, || {
            format!("{name}: {} calls without a failure, {goal} at most", perfect.median)
        });
        perfect_rows.push(vec![
            name.clone(),
            number(floor(promise.allowed, risk.beta).unwrap_or_default()),
            format!("{}{mark}", number(perfect.median)),
            number(every_call),
            format!("{:.2}", every_call as f64 / least),
            promise.planned[0].to_owned(),
        ]);
        let good = against(&mut section, &name, &good, holds, HOLDS_AT_MOST);
        let bad = against(&mut section, &name, &bad, violated, VIOLATED_AT_MOST);
        let planned = [promise.planned[1].to_owned(), promise.planned[2].to_owned()];
        let ([good, good_fixed, good_part], [bad, bad_fixed, bad_part], [was_good, was_bad]) = (good, bad, planned);
        edge_rows.push(vec![name, good, good_fixed, good_part, was_good, bad, bad_fixed, bad_part, was_bad]);
    }
    section.table(
        &["no failure → holds", "no test before", "as tested", "at every call", "of `ln(1/β) / f₀`", "planned"],
        perfect_rows,
    );
    section.table(
        &["", "f₀/4 → holds", "fixed", "part", "planned", "3 f₀ → violated", "fixed", "part", "planned"],
        edge_rows,
    );
    ranges(&mut section)?;
    Ok(section)
}

/// Of ranges: from the middle, and from half the width outside.
fn ranges(section: &mut Section) -> Result<(), Failed> {
    let risk = Risk::default();
    let rows = lanes::each(&RANGES, |range| {
        let design = range.design(risk)?;
        Ok::<_, Failed>((
            sizes(&design, range.middle(), Looks::AsTested)?,
            fixed_holds(Some(range.low), Some(range.high), range.middle()),
            sizes(&design, range.outside(), Looks::AsTested)?,
            fixed_violated_above(range.high, risk.alpha / 2.0, range.outside()),
        ))
    });
    let mut lines = Vec::new();
    for (range, row) in RANGES.iter().zip(rows) {
        let (good, holds, bad, violated) = row?;
        let name = range.name();
        let [good, good_fixed, good_part] = against(section, &name, &good, holds, HOLDS_AT_MOST);
        let [bad, bad_fixed, bad_part] = against(section, &name, &bad, violated, VIOLATED_AT_MOST);
        lines.push(vec![name, good, good_fixed, good_part, range.planned.to_owned(), bad, bad_fixed, bad_part]);
    }
    section.table(
        &["", "middle → holds", "fixed", "part", "planned", "half the width outside → violated", "fixed", "part"],
        lines,
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At n calls of which none may fail: (1 - 0.1)^n ≤ 1e-3 from 66 on, and a truth of 0 always passes.
    #[test]
    fn the_fixed_test_of_the_textbook() {
        assert_eq!(fixed_holds(None, Some(0.1), 0.0), 66);
        // All fail: 0.1^n ≤ 1.1e-7 from 7 on.
        assert_eq!(fixed_violated_above(0.1, 1.1e-7, 1.0), 7);
    }
}
