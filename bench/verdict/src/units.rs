//! Units that are not calls: how many of them a promise takes.

use crate::{
    Effort, Failed, lanes,
    promises::AT_LEAST,
    report::{Section, number, percent},
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use squall_stats::{
    mean::MeanTest,
    plan::{Course, Looks},
    share::{Decision, Design, Risk},
};

/// More units than any test here needs.
const LIMIT: u64 = 200_000;
/// On units that are all good or all bad, the test of means takes at most this part of the calls of the test of shares,
/// and a look.
const OF_SHARES: f64 = 1.02;

/// Units that are all good or all bad, beside calls.
pub(crate) fn sizes() -> Result<Section, Failed> {
    let mut section = Section::exact("Means beside shares");
    section.text(
        "The test of means on units that are all good or all bad, beside the test of shares on calls: median and, in brackets, 99 % of
the runs. It looks at every unit, the other at every 20 calls; concluded at every call that one is *at every call*.",
    );
    let truths = |f0: f64| [0.0, f0 / 4.0, 3.0 * f0];
    let cases: Vec<(f64, f64)> =
        AT_LEAST.iter().flat_map(|p| truths(p.allowed).map(|truth| (p.allowed, truth))).collect();
    let rows = lanes::each(&cases, |(f0, truth)| {
        let design = Design::at_most(*f0, Risk::default())?;
        let both = |mut course: Course| {
            let median = course.calls_for(0.5, LIMIT).ok_or("a test that does not end")?;
            Ok::<_, Failed>((median, course.calls_for(0.99, LIMIT).ok_or("a test that does not end")?))
        };
        Ok::<_, Failed>([
            both(Course::of_units(&design, *truth, 0.0)?)?,
            both(Course::of_calls(&design, *truth, Looks::EveryCall)?)?,
            both(Course::of_calls(&design, *truth, Looks::AsTested)?)?,
        ])
    });
    let mut lines = Vec::new();
    for ((f0, truth), row) in cases.iter().zip(rows) {
        let [units, every_call, as_tested] = row?;
        let name = format!("≥ {}", percent(1.0 - f0));
        let kept = units.1 as f64 <= every_call.1 as f64 * OF_SHARES + 1.0 && units.0 <= as_tested.0;
        let mark = section.check(kept, || format!("{name} at {truth}: {} units, {} calls", units.1, every_call.1));
        let text = |(median, most): (u64, u64)| format!("{} ({})", number(median), number(most));
        let failing = if *truth > 0.0 { format!("{} bad", percent(*truth)) } else { "none bad".to_owned() };
        lines.push(vec![name, failing, format!("{}{mark}", text(units)), text(every_call), text(as_tested)]);
    }
    section.table(&["promise", "truth", "units", "calls, at every call", "calls, as tested"], lines);
    Ok(section)
}

/// How the calls of a unit hang together.
#[derive(Clone, Copy)]
enum Kind {
    /// Each unit is all good or all bad.
    AllOrNothing,
    /// Ten independent calls.
    Ten,
    /// A hundred independent calls.
    Hundred,
    /// A third of the units carries all failures, at three times the rate, ten calls each.
    SomeUsers,
}

impl Kind {
    const ALL: [Self; 4] = [Self::AllOrNothing, Self::Ten, Self::Hundred, Self::SomeUsers];

    fn name(self) -> &'static str {
        match self {
            Self::AllOrNothing => "all or nothing",
            Self::Ten => "10 independent calls",
            Self::Hundred => "100 independent calls",
            Self::SomeUsers => "10 calls, a third of the units three times as bad, the others never",
        }
    }

    fn draw(self, mean: f64, random: &mut ChaCha8Rng) -> f64 {
        let mut of = |calls: u32, p: f64| {
            let failed = (0..calls).filter(|_| random.random_bool(p)).count();
            failed as f64 / f64::from(calls)
        };
        match self {
            Self::AllOrNothing => of(1, mean),
            Self::Ten => of(10, mean),
            Self::Hundred => of(100, mean),
            Self::SomeUsers => {
                let touched = of(1, 1.0 / 3.0) > 0.0;
                of(10, if touched { 3.0 * mean } else { 0.0 })
            }
        }
    }
}

/// The adaptive bet of Waudby-Smith & Ramdas (2024, section B.3, "aGRAPA"), truncated at three quarters: what grows
/// fastest for the mean and the variance seen so far.
struct Adaptive {
    n: f64,
    sum: f64,
    squares: f64,
    ln_within: f64,
    ln_beyond: f64,
}

impl Adaptive {
    const TRUNCATED: f64 = 0.75;

    fn new() -> Self {
        Self { n: 0.0, sum: 0.0, squares: 0.0, ln_within: 0.0, ln_beyond: 0.0 }
    }

    fn push(&mut self, value: f64, at: f64) {
        let mean = (0.5 + self.sum) / (1.0 + self.n);
        let variance = (0.25 + self.squares) / (1.0 + self.n);
        let best = (mean - at) / (variance + (mean - at).powi(2));
        let beyond = best.clamp(0.0, Self::TRUNCATED / at);
        let within = (-best).clamp(0.0, Self::TRUNCATED / (1.0 - at));
        self.ln_beyond += (beyond * (value - at)).ln_1p();
        self.ln_within += (within * (at - value)).ln_1p();
        self.n += 1.0;
        self.sum += value;
        self.squares += (value - (0.5 + self.sum) / (1.0 + self.n)).powi(2);
    }
}

/// Units until the test decides, and until the adaptive bets would have.
fn decided(design: &Design, f0: f64, mut draw: impl FnMut() -> f64) -> Result<[u64; 2], Failed> {
    let risk = design.risk();
    let (mut test, mut rival, mut n, mut by_rival) = (MeanTest::new(design.clone()), Adaptive::new(), 0, None);
    while n < LIMIT && (test.decision() == Decision::Undecided || by_rival.is_none()) {
        let value = draw();
        test.push(value)?;
        n += 1;
        rival.push(value, f0);
        if by_rival.is_none() && (rival.ln_within >= -risk.beta.ln() || rival.ln_beyond >= -risk.alpha.ln()) {
            by_rival = Some(n);
        }
    }
    Ok([test.decided_at().unwrap_or(LIMIT), by_rival.unwrap_or(LIMIT)])
}

/// The mixture beside bets that follow the data, on units of all kinds.
pub(crate) fn rivals(effort: Effort) -> Result<Section, Failed> {
    let mut section = Section::simulated("Means of real units");
    let runs = effort.runs(2_000);
    section.text(&format!(
        "Units to decide, median of {} runs, by how the calls of a unit hang together: the test, and in brackets the adaptive bets of
Waudby-Smith & Ramdas (2024, aGRAPA) on the same units. The mixture is the sooner throughout, most where nearly nothing fails,
which is where a promise about a mesh is decided. Units that hardly vary are soon seen to be too bad; that they are good takes about `ln(1/β) / f₀` units however
many calls they have, because no bet may assume that no unit is bad as a whole.",
        number(runs)
    ));
    let mut lines = Vec::new();
    for f0 in [0.01, 0.1] {
        let design = Design::at_most(f0, Risk::default())?;
        for kind in Kind::ALL {
            let mut line = vec![format!("≥ {}", percent(1.0 - f0)), kind.name().to_owned()];
            for truth in [0.0, f0 / 4.0, 2.0 * f0] {
                let all: Vec<[u64; 2]> =
                    lanes::simulate(runs, 41, |random| decided(&design, f0, || kind.draw(truth, random)))
                        .into_iter()
                        .collect::<Result<_, _>>()?;
                let median = |which: usize| {
                    let mut units: Vec<u64> = all.iter().map(|both| both[which]).collect();
                    units.sort_unstable();
                    units[units.len() / 2]
                };
                line.push(format!("{} ({})", number(median(0)), number(median(1))));
            }
            lines.push(line);
        }
    }
    section.table(&["promise", "a unit", "no failure → holds", "f₀/4 → holds", "2 f₀ → violated"], lines);
    Ok(section)
}
