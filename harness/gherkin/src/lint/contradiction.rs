//! Two lines of which one is always violated: every call succeeds, and at least five fail.

use super::view::View;
use crate::source::Mistake;
use squall_model::{Bound, Claim, ClaimKind, Fraction, Outcome, Phase, Population, Quantity, ShareBound};

/// Looks at every two claims.
pub(crate) fn check(view: &mut View<'_, '_, '_>) {
    let claims = view.built.plan.claims.clone();
    for (number, later) in claims.iter().enumerate() {
        let Some(earlier) = claims[..number].iter().find(|earlier| contradict(earlier, later)) else { continue };
        let (first, line) = (view.claim_line(earlier), view.claim_line(later));
        // What cannot be by itself is told as such.
        if [first, line].iter().any(|line| view.was_told(*line, "impossible") || view.was_told(*line, "no-claim")) {
            continue;
        }
        let Some(first) = view.place(first) else { continue };
        view.tell(line, |line| {
            Mistake::error("contradiction", line.whole(), format!("this and line {first} cannot both hold"))
                .label("one of the two is always violated")
                .hint("say which part of the time each speaks of: `before the fault`, `during the fault`; or take one out")
        });
    }
}

fn contradict(one: &Claim, other: &Claim) -> bool {
    let both = |(a, b): (&Fact<'_>, &Fact<'_>)| a.excludes(b) || b.excludes(a);
    let (one, other) = (facts(&one.kind), facts(&other.kind));
    one.iter().any(|a| other.iter().any(|b| both((a, b))))
}

/// How many units, and what share of them, have an outcome.
#[derive(Debug, Clone, PartialEq)]
struct Fact<'a> {
    of: &'a Population,
    outcome: Outcome,
    /// At least so many, and at most.
    count: (u64, Option<u64>),
    /// At least this share, and at most, in millionths.
    share: (u32, u32),
}

const ALL: u32 = 1_000_000;

impl Fact<'_> {
    /// This one sets an upper bound that the other is above.
    fn excludes(&self, other: &Fact<'_>) -> bool {
        if self.outcome != other.outcome || !covers(self.of, other.of) {
            return false;
        }
        let same = self.of == other.of;
        let too_many = self.count.1.is_some_and(|most| other.count.0 > most || most == 0 && other.share.0 > 0);
        // What holds of a share of all holds of no part of them, but nobody is nobody.
        let too_large = self.share.1 < other.share.0 && (same || self.share.1 == 0);
        let none = self.share.1 == 0 && other.count.0 > 0;
        too_many || too_large || none
    }
}

/// Whoever the other speaks of, this one speaks of too.
fn covers(one: &Population, other: &Population) -> bool {
    let all_calls = |of: &Population| of.calls == squall_model::Calls::default();
    one.unit == other.unit
        && (one.only.is_none() || one.only == other.only)
        && (one.phase == Phase::Whole || one.phase == other.phase)
        // The calls that a workload makes are meant only where it is named.
        && (one.calls == other.calls || all_calls(one) && other.calls.from.is_none())
}

/// What a claim says of outcomes: of its own, and of what follows from it.
fn facts(kind: &ClaimKind) -> Vec<Fact<'_>> {
    let Some((of, outcome, count, share)) = said(kind) else { return Vec::new() };
    let fact = |outcome: Outcome, count, share| Fact { of, outcome, count, share };
    let mut all = vec![fact(outcome.clone(), count, share)];
    match &outcome {
        // Who succeeds does not fail. A count says nothing of the others, but for all and none.
        Outcome::Succeed(within) => {
            let most = if share.0 == ALL { Some(0) } else { None };
            let at_least = if within.is_none() { ALL - share.1 } else { 0 };
            all.push(fact(Outcome::Fail, (u64::from(at_least > 0), most), (at_least, ALL - share.0)));
        }
        other if is_failure(other) => all.push(fact(Outcome::Fail, (count.0, None), (share.0, ALL))),
        _ => {}
    }
    all
}

type Said<'a> = (&'a Population, Outcome, (u64, Option<u64>), (u32, u32));

fn said(kind: &ClaimKind) -> Option<Said<'_>> {
    let ppm = |share: &Fraction| share.ppm();
    Some(match kind {
        ClaimKind::Every { of, all: true, outcome } => (of, outcome.clone(), (1, None), (ALL, ALL)),
        ClaimKind::Every { of, all: false, outcome } => (of, outcome.clone(), (0, Some(0)), (0, 0)),
        ClaimKind::Share { of, outcome, bound } => {
            let (low, high) = match bound {
                ShareBound::AtLeast(low) | ShareBound::MoreThan(low) => (ppm(low), ALL),
                ShareBound::AtMost(high) => (0, ppm(high)),
                ShareBound::Between(low, high) => (ppm(low), ppm(high)),
            };
            (of, outcome.clone(), (u64::from(low > 0), None), (low, high))
        }
        ClaimKind::Total { quantity: Quantity::Count { of, outcome }, bound: Bound { low, high } } => {
            (of, outcome.clone(), (low.unwrap_or(0) / 1000, high.map(|high| high / 1000)), (0, ALL))
        }
        _ => return None,
    })
}

/// Whoever has this outcome has failed.
fn is_failure(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::TimeOut
        | Outcome::Shed(_)
        | Outcome::Refused
        | Outcome::Reset
        | Outcome::Unroutable
        | Outcome::Denied => true,
        Outcome::Answered(code) => !code.is_success(),
        _ => false,
    }
}
