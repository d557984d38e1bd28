//! False alarms at 1e-7, by importance sampling: a second way to the numbers that dynamic programming gives.

use crate::{
    Effort, Failed, lanes,
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

/// Of what may come next: its chance at the limit, and how bad it is, in `[0, 1]`.
#[derive(Clone, Copy)]
struct Face {
    chance: f64,
    bad: f64,
}

/// A test at its limit, as dice that are loaded step by step.
struct Case {
    name: String,
    horizon: u64,
    faces: Vec<Face>,
    test: Box<dyn Fn() -> Result<Test, Failed> + Sync>,
    exact: Box<dyn Fn() -> Result<Course, Failed> + Sync>,
}

/// Takes a face; the decision after it.
type Test = Box<dyn FnMut(usize) -> Result<Decision, Failed>>;

/// How the dice are loaded, in equal parts of the runs: a face by `exp(load × bad)`, scaled to chances.
fn loads() -> impl Iterator<Item = f64> + Clone {
    (0..24).map(|i| 6.0 * 0.8f64.powi(i))
}

/// A chance with its standard error.
struct Estimate {
    mean: f64,
    error: f64,
}

impl Case {
    /// Under the loaded dice false alarms are common; each counts as the chance that it had with fair ones, as a part of
    /// that with all the loaded ones together.
    fn estimate(&self, runs: u64, seed: u64) -> Result<Estimate, Failed> {
        let all: Vec<f64> =
            lanes::simulate(runs, seed, |random| self.weight(random)).into_iter().collect::<Result<_, _>>()?;
        let n = all.len() as f64;
        let mean = all.iter().sum::<f64>() / n;
        let variance = all.iter().map(|weight| (weight - mean).powi(2)).sum::<f64>() / (n - 1.0);
        Ok(Estimate { mean, error: (variance / n).sqrt() })
    }

    fn weight(&self, random: &mut ChaCha8Rng) -> Result<f64, Failed> {
        let count = loads().count();
        let load = loads().nth(random.random_range(0..count)).unwrap_or(1.0);
        let loaded: Vec<f64> = self.faces.iter().map(|face| face.chance * self.gain(load, *face)).collect();
        let mut test = (self.test)()?;
        let mut counts = vec![0.0; self.faces.len()];
        for _ in 0..self.horizon {
            let face = pick(&loaded, random.random());
            counts[face] += 1.0;
            match test(face)? {
                Decision::Undecided => {}
                Decision::Violated => return Ok(1.0 / self.ratio(&counts)),
                _ => return Ok(0.0),
            }
        }
        Ok(0.0)
    }

    /// The chance of what came with the loaded dice, over that with fair ones.
    fn ratio(&self, counts: &[f64]) -> f64 {
        let of = |load: f64| {
            let ln = counts
                .iter()
                .zip(&self.faces)
                .filter(|(n, _)| **n > 0.0)
                .map(|(n, face)| n * self.gain(load, *face).ln());
            ln.sum::<f64>().exp()
        };
        loads().map(of).sum::<f64>() / loads().count() as f64
    }

    /// The chance of a face with loaded dice, over that with fair ones.
    fn gain(&self, load: f64, face: Face) -> f64 {
        let scale: f64 = self.faces.iter().map(|face| face.chance * (load * face.bad).exp()).sum();
        (load * face.bad).exp() / scale
    }
}

fn pick(chances: &[f64], mut uniform: f64) -> usize {
    for (i, chance) in chances.iter().enumerate() {
        if uniform < *chance {
            return i;
        }
        uniform -= chance;
    }
    chances.len() - 1
}

fn share(allowed: f64) -> Case {
    let horizon = (30.0 / allowed) as u64 / 20 * 20;
    Case {
        name: format!("share ≤ {}", percent(allowed)),
        horizon,
        faces: vec![Face { chance: 1.0 - allowed, bad: 0.0 }, Face { chance: allowed, bad: 1.0 }],
        test: Box::new(move || {
            let mut test = ShareTest::new(Design::at_most(allowed, Risk::default())?);
            Ok(Box::new(move |face| {
                test.push(face == 1);
                Ok(test.decision())
            }))
        }),
        exact: Box::new(move || {
            Ok(Course::of_calls(&Design::at_most(allowed, Risk::default())?, allowed, Looks::AsTested)?)
        }),
    }
}

fn mean(allowed: f64) -> Case {
    let (one, half) = (allowed / 2.0, allowed);
    let face = |chance, bad| Face { chance, bad };
    Case {
        name: format!("mean ≤ {}, of values 0, ½ and 1", percent(allowed)),
        horizon: (20.0 / allowed) as u64,
        faces: vec![face(1.0 - one - half, 0.0), face(half, 0.5), face(one, 1.0)],
        test: Box::new(move || {
            let mut test = MeanTest::new(Design::at_most(allowed, Risk::default())?);
            Ok(Box::new(move |face| {
                test.push(face as f64 / 2.0)?;
                Ok(test.decision())
            }))
        }),
        exact: Box::new(move || Ok(Course::of_units(&Design::at_most(allowed, Risk::default())?, one, half)?)),
    }
}

fn pair(margin: f64, baseline: f64) -> Case {
    let arms = Arms { treated: baseline + margin, baseline };
    let worse = arms.treated * (1.0 - baseline);
    let better = baseline * (1.0 - arms.treated);
    let face = |chance, difference: f64| Face { chance, bad: (1.0 + difference) / 2.0 };
    Case {
        name: format!("worse by ≤ {}, {} fail without", percent(margin), percent(baseline)),
        horizon: (20.0 / margin) as u64,
        faces: vec![face(better, -1.0), face(1.0 - worse - better, 0.0), face(worse, 1.0)],
        test: Box::new(move || {
            let mut test = PairedTest::new(PairedDesign::new(margin, Risk::default())?);
            Ok(Box::new(move |face| {
                test.push(f64::from(u8::from(face == 2)), f64::from(u8::from(face == 0)))?;
                Ok(test.decision())
            }))
        }),
        exact: Box::new(move || Ok(Course::of_pairs(&PairedDesign::new(margin, Risk::default())?, arms)?)),
    }
}

/// The table.
pub(crate) fn section(effort: Effort) -> Result<Section, Failed> {
    let mut section = Section::simulated("False alarms at 1e-7, by importance sampling");
    let runs = effort.runs(50_000);
    section.text(&format!(
        "{} runs with dice loaded against the promise, each false alarm weighed by how much rarer it is with fair ones; beside it what
dynamic programming says. The two share nothing but the test itself: the one runs it, the other follows its thresholds. Marked is a
difference of more than five standard errors.",
        number(runs)
    ));
    let cases = [share(0.001), share(0.01), share(0.1), share(0.5), mean(0.05), pair(0.05, 0.01), pair(0.05, 0.1)];
    let exact = lanes::each(&cases, |case| Ok::<_, Failed>((case.exact)()?.until(case.horizon).violated));
    let mut lines = Vec::new();
    for ((i, case), exact) in cases.iter().enumerate().zip(exact) {
        let (exact, Estimate { mean, error }) = (exact?, case.estimate(runs, 500 + i as u64)?);
        let kept = (mean - exact).abs() <= 5.0 * error && exact <= Risk::default().alpha;
        let mark = section.check(kept, || format!("{}: {mean:e} ± {error:e}, exactly {exact:e}", case.name));
        lines.push(vec![
            case.name.clone(),
            number(case.horizon),
            format!("{:.2}e-8 ± {:.2}e-8{mark}", mean * 1e8, error * 1e8),
            format!("{:.2}e-8", exact * 1e8),
        ]);
    }
    section.table(&["promise", "within", "sampled", "exact"], lines);
    Ok(section)
}
