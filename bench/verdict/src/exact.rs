//! How often the tests err if the truth is the promised limit itself: followed call by call, at the real error rates.

use crate::{
    Failed, lanes,
    promises::{AT_LEAST, MARGINS, Margin, RANGES, RETRIES, retries},
    report::{Section, chance, number, percent},
};
use squall_stats::{
    paired::PairedDesign,
    plan::{Arms, Course, Looks, Outcome},
    share::{Design, Risk},
};

/// One test at one truth.
struct Case {
    name: String,
    truth: String,
    horizon: u64,
    course: Box<dyn Fn() -> Result<Course, Failed> + Sync>,
}

impl Case {
    fn reached(&self) -> Result<Outcome, Failed> {
        Ok((self.course)()?.until(self.horizon))
    }
}

/// Both kinds of error, checked against what they may be.
fn errors(section: &mut Section, name: &str, reached: Outcome) -> [String; 2] {
    let risk = Risk::default();
    let kinds = [("false alarm", reached.violated, risk.alpha), ("wrong holds", reached.holds, risk.beta)];
    kinds.map(|(kind, share, allowed)| {
        let kept = share + reached.contradicted + reached.untracked <= allowed;
        let mark = section.check(kept, || format!("{name}: {kind} {share:e} of {allowed:e}"));
        format!("{}{mark}", chance(share))
    })
}

/// Of promises about calls.
pub(crate) fn of_shares() -> Result<Section, Failed> {
    let mut section = Section::exact("Errors of shares");
    section.text(
        "The truth is the promised limit: a promise kept by nothing, or broken by next to nothing. How often the test says
*violated* and how often *holds*, within the calls that are followed: with its own looks every 20 calls, and for one who concludes
after every single call and stops when it suits. Further inside or outside both are rarer.",
    );
    let mut designs: Vec<(String, Design, f64, u64)> = Vec::new();
    for promise in AT_LEAST {
        let horizon = (300.0 / promise.allowed).round() as u64;
        designs.push((promise.name(), promise.design(Risk::default())?, promise.allowed, horizon));
    }
    for least in RETRIES {
        let name = format!("≥ {}, zone 97.3 and 91 %", percent(least));
        designs.push((name, retries(least, Risk::default())?, least, 10_000));
    }
    for range in RANGES {
        for truth in [range.low, range.high] {
            designs.push((range.name(), range.design(Risk::default())?, truth, 20_000));
        }
    }
    let looks = [Looks::AsTested, Looks::EveryCall];
    let cases: Vec<(usize, Looks)> = (0..designs.len()).flat_map(|i| looks.map(|looks| (i, looks))).collect();
    let reached = lanes::each(&cases, |(i, looks)| {
        let (_, design, truth, horizon) = &designs[*i];
        Ok::<_, Failed>(Course::of_calls(design, *truth, *looks)?.until(*horizon))
    });
    let reached: Vec<Outcome> = reached.into_iter().collect::<Result<_, _>>()?;
    let mut rows = Vec::new();
    for ((name, _, truth, horizon), both) in designs.iter().zip(reached.chunks(2)) {
        let as_tested = errors(&mut section, name, both[0]);
        let every_call = errors(&mut section, name, both[1]);
        let [alarm, holds] = as_tested;
        let [alarm_any, holds_any] = every_call;
        // Of a lower bound the truth is written as what it is of the calls that succeed.
        let truth = if name.starts_with("≥") && *truth < 0.5 { 1.0 - truth } else { *truth };
        rows.push(vec![name.clone(), percent(truth), number(*horizon), alarm, alarm_any, holds, holds_any]);
    }
    section.table(&["promise", "truth", "calls", "*violated*", "at every call", "*holds*", "at every call"], rows);
    Ok(section)
}

/// Of promises about other units.
pub(crate) fn of_units() -> Result<Section, Failed> {
    let mut section = Section::exact("Errors of means");
    section.text(
        "Units whose value is the share of their calls that fail, looked at one by one; the mean is the promised limit. *All or
nothing* is as single calls are; *halves* are units of which half of the calls fail; *both* are as many of the one as of the
other.",
    );
    let mut cases = Vec::new();
    for allowed in [0.01, 0.05, 0.1, 0.3] {
        let kinds = [
            ("all or nothing", allowed, 0.0, 100.0 / allowed),
            ("halves", 0.0, 2.0 * allowed, 100.0 / allowed),
            ("both", allowed * 2.0 / 3.0, allowed * 2.0 / 3.0, 10.0 / allowed),
        ];
        for (kind, one, half, horizon) in kinds {
            cases.push(Case {
                name: format!("mean ≤ {}", percent(allowed)),
                truth: kind.to_owned(),
                horizon: horizon.round() as u64,
                course: Box::new(move || Ok(Course::of_units(&Design::at_most(allowed, Risk::default())?, one, half)?)),
            });
        }
    }
    for (low, high) in [(0.05, 0.15), (0.65, 0.75)] {
        for truth in [low, high] {
            cases.push(Case {
                name: format!("{} to {}", percent(low), percent(high)),
                truth: format!("all or nothing, {}", percent(truth)),
                horizon: 5_000,
                course: Box::new(move || {
                    Ok(Course::of_units(&Design::between(low, high, Risk::default())?, truth, 0.0)?)
                }),
            });
        }
    }
    tabulate(&mut section, "units", &cases)?;
    Ok(section)
}

/// Of "as good as".
pub(crate) fn of_pairs() -> Result<Section, Failed> {
    let mut section = Section::exact("Errors of pairs");
    section.text(
        "\"As good as\", with the fault worse by exactly the margin, looked at pair by pair. How bad calls are without the fault
is a nuisance: the errors must not hang on it.",
    );
    let mut cases = Vec::new();
    for Margin { margin, .. } in MARGINS {
        for baseline in [0.0, 0.01, 0.1, 0.5] {
            let arms = Arms { treated: baseline + margin, baseline };
            // As far as can be followed in a second: where half of the calls fail nearly every other pair differs.
            let horizon = if baseline < 0.1 {
                30.0
            } else if baseline < 0.5 {
                10.0
            } else {
                5.0
            } / margin;
            cases.push(Case {
                name: format!("worse by ≤ {}", percent(margin)),
                truth: format!("{} and {} fail", percent(arms.treated), percent(baseline)),
                horizon: horizon.round() as u64,
                course: Box::new(move || Ok(Course::of_pairs(&PairedDesign::new(margin, Risk::default())?, arms)?)),
            });
        }
    }
    tabulate(&mut section, "pairs", &cases)?;
    Ok(section)
}

fn tabulate(section: &mut Section, units: &str, cases: &[Case]) -> Result<(), Failed> {
    let mut rows = Vec::new();
    for (case, reached) in cases.iter().zip(lanes::each(cases, Case::reached)) {
        let name = format!("{} ({})", case.name, case.truth);
        let [alarm, holds] = errors(section, &name, reached?);
        rows.push(vec![case.name.clone(), case.truth.clone(), number(case.horizon), alarm, holds]);
    }
    section.table(&["promise", "truth", units, "*violated*", "*holds*"], rows);
    Ok(())
}
