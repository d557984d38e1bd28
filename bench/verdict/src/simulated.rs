//! False alarms at error rates that can be simulated, by one who looks at every call and never gives up.

use crate::{
    Effort, Failed,
    binomial::Binomial,
    lanes,
    report::{Section, number, percent},
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use squall_stats::{
    mean::MeanTest,
    paired::{PairedDesign, PairedTest},
    share::{Decision, Design, Promise, Risk, ShareTest, Zone},
};

/// An error rate is taken for exceeded if so many errors or more had at most this chance.
const SIGNIFICANT: f64 = 1e-3;

/// A test at a truth that is its limit, run once: which sides it ever excluded.
struct Case {
    name: String,
    truth: String,
    runs: u64,
    run: Box<Run>,
}

/// One run at these error rates.
type Run = dyn Fn(Risk, &mut ChaCha8Rng) -> Result<Ever, Failed> + Sync;

#[derive(Clone, Copy)]
struct Ever {
    violated: bool,
    holds: bool,
}

impl Ever {
    /// Both if the test contradicts itself: whoever stopped at the one or at the other would have been wrong.
    fn of(decision: Decision) -> Self {
        let contradicted = decision == Decision::Contradicted;
        Self {
            violated: contradicted || decision == Decision::Violated,
            holds: contradicted || decision == Decision::Holds,
        }
    }
}

fn shares() -> Vec<Case> {
    let zone = Some(Zone { good: 0.973, bad: 0.91 });
    let promises = [
        (Promise::AtMost(0.01), 0.01, None, 100_000, 2_000),
        (Promise::AtMost(0.05), 0.05, None, 100_000, 1_000),
        (Promise::AtLeast(0.9), 0.9, None, 100_000, 1_000),
        (Promise::AtLeast(0.96), 0.96, zone, 100_000, 1_000),
        (Promise::Between(0.08, 0.12), 0.08, None, 50_000, 2_000),
        (Promise::Between(0.08, 0.12), 0.12, None, 50_000, 2_000),
        (Promise::Between(0.65, 0.75), 0.65, None, 50_000, 2_000),
        (Promise::Between(0.65, 0.75), 0.75, None, 50_000, 2_000),
    ];
    let case = |(promise, truth, zone, runs, calls): (Promise, f64, Option<Zone>, u64, u64)| Case {
        name: match promise {
            Promise::AtMost(most) => format!("share ≤ {}", percent(most)),
            Promise::AtLeast(least) => format!("share ≥ {}", percent(least)),
            Promise::Between(low, high) => format!("share {} to {}", percent(low), percent(high)),
        },
        truth: format!("{} in {} calls", percent(truth), number(calls)),
        runs,
        run: Box::new(move |risk, random| {
            let design = Design::new(promise, risk)?;
            let mut test = ShareTest::new(match zone {
                Some(zone) => design.with_zone(zone)?,
                None => design,
            });
            for _ in 0..calls {
                test.push(random.random_bool(truth));
                test.conclude();
            }
            Ok(Ever::of(test.decision()))
        }),
    };
    promises.map(case).into()
}

/// Values in `[0, 1]` with a given mean.
#[derive(Clone, Copy)]
enum Values {
    AllOrNothing,
    Tenths,
    /// Half of the units are not touched at all, the others anything.
    Touched,
}

impl Values {
    fn draw(self, mean: f64, random: &mut ChaCha8Rng) -> f64 {
        match self {
            Self::AllOrNothing => f64::from(random.random_bool(mean)),
            Self::Tenths => (0..10).filter(|_| random.random_bool(mean)).count() as f64 / 10.0,
            // Uniform up to 4 × mean, which is at most 1 here.
            Self::Touched => match random.random_bool(0.5) {
                true => random.random_range(0.0..=4.0 * mean),
                false => 0.0,
            },
        }
    }
}

fn means() -> Vec<Case> {
    let kinds = [
        ("all or nothing", Values::AllOrNothing),
        ("of 10 calls", Values::Tenths),
        ("half of them 0, half uniform", Values::Touched),
    ];
    let case = |at: f64, (kind, values): (&str, Values)| {
        let units = (20.0 / at) as u64;
        Case {
            name: format!("mean ≤ {}", percent(at)),
            truth: format!("{}, {kind}, in {} units", percent(at), number(units)),
            runs: 20_000,
            run: Box::new(move |risk, random| {
                let mut test = MeanTest::new(Design::at_most(at, risk)?);
                for _ in 0..units {
                    test.push(values.draw(at, random))?;
                }
                Ok(Ever::of(test.decision()))
            }),
        }
    };
    [0.05, 0.25].into_iter().flat_map(|at| kinds.map(|kind| case(at, kind))).collect()
}

fn pairs() -> Vec<Case> {
    let case = |(margin, baseline): (f64, f64)| Case {
        name: format!("worse by ≤ {}", percent(margin)),
        truth: format!("{} and {} fail, 600 pairs", percent(baseline + margin), percent(baseline)),
        runs: 20_000,
        run: Box::new(move |risk, random| {
            let mut test = PairedTest::new(PairedDesign::new(margin, risk)?);
            for _ in 0..600 {
                let mut fails = |share| f64::from(random.random_bool(share));
                let (treated, without) = (fails(baseline + margin), fails(baseline));
                test.push(treated, without)?;
            }
            Ok(Ever::of(test.decision()))
        }),
    };
    [(0.05, 0.0), (0.05, 0.01), (0.05, 0.3), (0.02, 0.01)].map(case).into()
}

/// The table.
pub(crate) fn section(effort: Effort) -> Result<Section, Failed> {
    let mut section = Section::simulated("False alarms with optional stopping");
    section.text(
        "1e-7 cannot be simulated, 5 % and 1 % can: α and β are both set to the rate, the truth is the limit, the test is looked at
after every call, unit or pair. Counted are the runs in which one side was *ever* excluded, whatever the other: who stops when it suits errs no
more often than that. Marked is a count that the rate would give at most once in 1,000 such simulations.",
    );
    let cases: Vec<Case> = shares().into_iter().chain(means()).chain(pairs()).collect();
    let mut lines = Vec::new();
    for (i, case) in cases.iter().enumerate() {
        let runs = effort.runs(case.runs);
        let mut line = vec![case.name.clone(), case.truth.clone(), number(runs)];
        for (k, rate) in [0.05, 0.01].into_iter().enumerate() {
            let risk = Risk { alpha: rate, beta: rate };
            let seed = 1_000 + 10 * i as u64 + k as u64;
            let ever: Vec<Ever> =
                lanes::simulate(runs, seed, |random| (case.run)(risk, random)).into_iter().collect::<Result<_, _>>()?;
            let errors = Binomial::new(runs, rate);
            let counts = [ever.iter().filter(|e| e.violated).count(), ever.iter().filter(|e| e.holds).count()];
            for (count, kind) in counts.into_iter().zip(["violated", "holds"]) {
                let kept = errors.at_least(count as u64) > SIGNIFICANT;
                let mark = section.check(kept, || {
                    format!("{} at {}: {kind} in {count} of {runs} runs at {rate}", case.name, case.truth)
                });
                line.push(format!("{:.2} %{mark}", count as f64 / runs as f64 * 100.0));
            }
        }
        lines.push(line);
    }
    section.table(
        &["promise", "truth", "runs", "*violated* at 5 %", "*holds* at 5 %", "*violated* at 1 %", "*holds* at 1 %"],
        lines,
    );
    Ok(section)
}
