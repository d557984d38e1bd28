//! A share of calls that hang together: all calls with one key (a user's, say) go one way, so that a thousand calls of 50 users
//! are 50 draws.
//!
//! Each key is one unit, its value the share of its calls with the outcome, and the test is that of a bounded mean
//! ([`squall_stats::mean`]). The mean is over keys: where they make different numbers of calls, and that goes with the outcome,
//! it is not the share of calls.

use super::{CONTRADICTION, against, design, untestable};
use crate::{
    ruling::{Case, Ruling, Standing, statistical},
    units::{Group, groups, samples},
};
use squall_model::{HashKey, Measured, Outcome, Population, ShareBound, Verdict, Why};
use squall_stats::{mean::MeanTest, sample::design_effect, share::Design};

pub(super) fn rule(case: Case<'_>, of: &Population, what: &Outcome, bound: ShareBound, key: &HashKey) -> Ruling {
    let groups = groups(case, of, what, key);
    let design = match design(case, bound) {
        Ok(design) => design,
        Err(error) => return untestable(&error),
    };
    if groups.is_empty() {
        return Ruling::empty();
    }
    let test = run(&design, groups.iter().map(|group| group.all.share()));
    let crosses = groups.iter().any(|group| group.all != group.inner);
    let without = crosses.then(|| {
        let inner = groups.iter().map(|group| group.inner).filter(|calls| calls.n > 0);
        (run(&design, inner.map(|calls| calls.share())).decision(), Why::Border)
    });
    let verdict = statistical(test.decision(), without, || None, CONTRADICTION);
    // A key is known only when all of its calls are.
    let is_decided = matches!(verdict, Verdict::Holds | Verdict::Violated);
    let standing = if is_decided && case.evidence.is_complete() { Standing::Final } else { Standing::Open };
    let measured =
        if case.evidence.is_complete() { measured(case, &test, &groups, &verdict) } else { Measured::Nothing };
    // What explains a red speaks of calls, whatever they hang on.
    let offenders = samples(case, of, what).map_or_else(Vec::new, |samples| against(bound, &samples.all));
    Ruling { measured, verdict, standing, offenders }
}

fn run(design: &Design, shares: impl Iterator<Item = f64>) -> MeanTest {
    let mut test = MeanTest::new(design.clone());
    // A share of calls lies between 0 and 1, and of nothing else could the test complain.
    shares.for_each(|share| test.push(share).unwrap_or_default());
    test
}

fn measured(case: Case<'_>, test: &MeanTest, groups: &[Group], verdict: &Verdict) -> Measured {
    let bounds = test.interval();
    // The numbers at the first crossing, as of any share.
    let decisive = groups.iter().take(usize::try_from(bounds.n).unwrap_or(usize::MAX));
    let looks: Vec<_> = decisive.map(|group| group.all.look()).collect();
    let (hits, n) = looks.iter().fold((0, 0), |(hits, n), look| (hits + look.hits, n + look.n));
    let (low, high, alpha) = match verdict {
        Verdict::Violated => (bounds.sure.low, bounds.sure.high, case.settings.alpha),
        _ => {
            let low = bounds.likely.low.max(bounds.sure.low);
            (low, bounds.likely.high.min(bounds.sure.high), case.settings.beta)
        }
    };
    Measured::Units {
        units: bounds.n,
        hits,
        n,
        effective: design_effect(&looks).map(|effect| effect.effective.round() as u64),
        mean: bounds.measured.unwrap_or(0.0),
        low,
        high,
        alpha,
    }
}
