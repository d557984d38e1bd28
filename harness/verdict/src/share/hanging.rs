//! A share of calls that hang together: all calls with one key (a user's, say) go one way, so that a thousand calls of 50 users
//! are 50 draws.
//!
//! Each key is one unit, its value the share of its calls with the outcome, and the test is that of a bounded mean
//! ([`squall_stats::mean`]). The mean is over keys: where they make different numbers of calls, and that goes with the outcome,
//! it is not the share of calls.

use super::CONTRADICTION;
use crate::{
    doubt::{Doubt, Reading},
    ruling::{Case, Ruling, Standing, shown, statistical},
    units::{Group, is_under_way},
};
use squall_model::{Measured, Verdict};
use squall_stats::{mean::MeanTest, sample::design_effect, share::Design};

pub(super) fn rule(case: Case<'_>, groups: &[Group], design: &Design) -> Ruling {
    let test = run(design, groups, Reading::Seen);
    let doubt = Doubt::of_all(groups.iter().map(|group| group.doubt));
    let decision = |reading| match reading {
        Reading::Seen => test.decision(),
        _ => run(design, groups, reading).decision(),
    };
    let verdict = statistical(doubt, decision, || None, CONTRADICTION);
    let standing = if verdict.is_decided() { Standing::Final } else { Standing::Open };
    let under_way = is_under_way(case);
    let measured = if under_way { Measured::Nothing } else { measured(case, &test, groups, &verdict) };
    Ruling { measured, verdict, standing, offenders: Vec::new() }.open_while(under_way)
}

/// The keys of whose calls any counts.
fn run(design: &Design, groups: &[Group], reading: Reading) -> MeanTest {
    let mut test = MeanTest::new(design.clone());
    let shares = groups.iter().filter_map(|group| group.by.by(reading).share());
    // A share lies between 0 and 1, and of nothing else could the test complain.
    shares.for_each(|share| test.push(share).unwrap_or_default());
    test
}

fn measured(case: Case<'_>, test: &MeanTest, groups: &[Group], verdict: &Verdict) -> Measured {
    let bounds = test.interval();
    // The numbers at the first crossing, as of any share.
    let decisive = groups.iter().take(usize::try_from(bounds.n).unwrap_or(usize::MAX));
    let looks: Vec<_> = decisive.map(|group| group.by.by(Reading::Seen).look()).collect();
    let (hits, n) = looks.iter().fold((0, 0), |(hits, n), look| (hits + look.hits, n + look.n));
    let (low, high, alpha) = shown(verdict, bounds.likely, bounds.sure, case.settings.risk());
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
