//! Does a run of the planned size decide?

use crate::{
    Effort, Failed,
    binomial::Binomial,
    lanes,
    promises::{AT_LEAST, MARGINS, Margin, RANGES, RETRIES, retries},
    report::{Section, number, percent},
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use squall_stats::{
    mean::MeanTest,
    paired::{PairedDesign, PairedTest},
    plan::{Arms, Course, Looks},
    share::{Decision, Design, Risk, ShareTest},
};

/// More calls than any plan here.
const LIMIT: u64 = 500_000;
/// Power is taken for missed if so few right decisions had at most this chance.
const SIGNIFICANT: f64 = 1e-3;

/// A plan, and one run of its size.
struct Case {
    name: String,
    truth: String,
    right: Decision,
    plan: Box<dyn Fn() -> Result<Course, Failed> + Sync>,
    run: Box<Run>,
}

/// Takes so many calls at most; what it decides.
type Run = dyn Fn(u64, &mut ChaCha8Rng) -> Result<Decision, Failed> + Sync;

fn calls(name: String, design: Design, truth: f64) -> Case {
    let right = if design.is_kept_by(truth) { Decision::Holds } else { Decision::Violated };
    let planned = design.clone();
    Case {
        name,
        truth: percent(truth),
        right,
        plan: Box::new(move || Ok(Course::of_calls(&planned, truth, Looks::AsTested)?)),
        run: Box::new(move |n, random| {
            let mut test = ShareTest::new(design.clone());
            for _ in 0..n {
                test.push(random.random_bool(truth));
                if test.decision() != Decision::Undecided {
                    return Ok(test.decision());
                }
            }
            Ok(test.conclude())
        }),
    }
}

/// Units of so many independent calls; the plan is that of units that are all good or all bad, the hardest.
fn units(allowed: f64, truth: f64, calls: u32) -> Result<Case, Failed> {
    let design = Design::at_most(allowed, Risk::default())?;
    let right = if design.is_kept_by(truth) { Decision::Holds } else { Decision::Violated };
    let planned = design.clone();
    Ok(Case {
        name: format!("mean ≤ {}, units of {calls}", percent(allowed)),
        truth: percent(truth),
        right,
        plan: Box::new(move || Ok(Course::of_units(&planned, truth, 0.0)?)),
        run: Box::new(move |n, random| {
            let mut test = MeanTest::new(design.clone());
            for _ in 0..n {
                let failed = (0..calls).filter(|_| random.random_bool(truth)).count();
                test.push(failed as f64 / f64::from(calls))?;
                if test.decision() != Decision::Undecided {
                    break;
                }
            }
            Ok(test.conclude())
        }),
    })
}

fn pairs(margin: f64, arms: Arms) -> Result<Case, Failed> {
    let design = PairedDesign::new(margin, Risk::default())?;
    let right = if arms.treated - arms.baseline < margin { Decision::Holds } else { Decision::Violated };
    let planned = design.clone();
    Ok(Case {
        name: format!("worse by ≤ {}", percent(margin)),
        truth: format!("{} and {} fail", percent(arms.treated), percent(arms.baseline)),
        right,
        plan: Box::new(move || Ok(Course::of_pairs(&planned, arms)?)),
        run: Box::new(move |n, random| {
            let mut test = PairedTest::new(design.clone());
            for _ in 0..n {
                let mut fails = |share| f64::from(random.random_bool(share));
                let (treated, baseline) = (fails(arms.treated), fails(arms.baseline));
                test.push(treated, baseline)?;
                if test.decision() != Decision::Undecided {
                    break;
                }
            }
            Ok(test.conclude())
        }),
    })
}

fn cases() -> Result<Vec<Case>, Failed> {
    let risk = Risk::default();
    let mut cases = Vec::new();
    for promise in &AT_LEAST {
        for truth in [promise.allowed / 4.0, 3.0 * promise.allowed] {
            let shown = percent(1.0 - truth);
            cases.push(Case { truth: shown, ..calls(promise.name(), promise.design(risk)?, truth) });
        }
    }
    for least in RETRIES {
        for truth in [0.973, 0.91] {
            cases.push(calls(format!("≥ {}, zone 97.3 and 91 %", percent(least)), retries(least, risk)?, truth));
        }
    }
    for range in &RANGES {
        for truth in [range.middle(), range.outside()] {
            cases.push(calls(range.name(), range.design(risk)?, truth));
        }
    }
    for of in [1, 10] {
        for truth in [0.0125, 0.15] {
            cases.push(units(0.05, truth, of)?);
        }
    }
    for Margin { margin, .. } in MARGINS.into_iter().skip(1) {
        cases.push(pairs(margin, Arms { treated: 0.01, baseline: 0.01 })?);
        cases.push(pairs(margin, Arms { treated: 3.0 * margin, baseline: 0.0 })?);
    }
    Ok(cases)
}

/// The table.
pub(crate) fn section(effort: Effort) -> Result<Section, Failed> {
    let mut section = Section::simulated("Power");
    let runs = effort.runs(10_000);
    let power = 1.0 - Risk::default().beta;
    section.text(&format!(
        "At the edges of the zone: the exact plan for 99.9 % of the runs, and how many of {} runs of that size decide, and rightly.
Units of 10 calls are planned as if each were all good or all bad. Marked is a count that 99.9 % would give at most once in 1,000 such
simulations.",
        number(runs)
    ));
    let cases = cases()?;
    let plans = lanes::each(&cases, |case| {
        (case.plan)()?.calls_for(power, LIMIT).ok_or_else(|| Failed::from("a plan that does not end"))
    });
    let expected = Binomial::new(runs, power);
    let mut lines = Vec::new();
    for ((i, case), planned) in cases.iter().enumerate().zip(plans) {
        let planned = planned?;
        let decisions: Vec<Decision> = lanes::simulate(runs, 2_000 + i as u64, |random| (case.run)(planned, random))
            .into_iter()
            .collect::<Result<_, _>>()?;
        let right = decisions.iter().filter(|decision| **decision == case.right).count() as u64;
        let kept = expected.at_most(right) > SIGNIFICANT;
        let mark =
            section.check(kept, || format!("{} at {}: {right} of {runs} runs with {planned}", case.name, case.truth));
        let says = if case.right == Decision::Holds { "holds" } else { "violated" };
        lines.push(vec![
            case.name.clone(),
            case.truth.clone(),
            says.to_owned(),
            number(planned),
            format!("{:.2} %{mark}", right as f64 / runs as f64 * 100.0),
        ]);
    }
    section.table(&["promise", "truth", "", "planned", "decided"], lines);
    Ok(section)
}
