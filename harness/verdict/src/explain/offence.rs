//! The units that a claim speaks of, and which of them speak against it.

use crate::{
    ruling::Case,
    share, total,
    units::{Sample, samples},
};
use squall_evidence::{CallMatcher, CallOutcome, CallStory, Evidence, Life, Membership, TryView, targets};
use squall_model::{
    Bound, Calls, Claim, ClaimKind, Happening, Outcome, Per, Phase, Population, Quantity, SeenBy, Target, Unit,
};
use squall_stats::share::Look;
use std::collections::BTreeSet;

/// One unit.
#[derive(Debug, Clone, Copy)]
pub(super) struct One<'a> {
    pub(super) story: &'a CallStory,
    /// Number of the try that it is; 0: it is no try.
    pub(super) attempt: u32,
    /// It speaks against the claim.
    pub(super) offends: bool,
}

impl<'a> One<'a> {
    /// The try that it is; of a call the last that left the caller's proxy.
    pub(super) fn last_try(&self, evidence: &'a Evidence) -> Option<TryView<'a>> {
        evidence.tries(self.story).rev().find(|t| t.was_sent() && (self.attempt == 0 || t.attempt == self.attempt))
    }
}

/// All units of a claim, in order of their intended start.
#[derive(Debug, Clone)]
pub(super) struct Offence<'a> {
    pub(super) unit: Unit,
    /// Those offend that do what the claim speaks of; else those that do not.
    pub(super) by_doing: bool,
    pub(super) all: Vec<One<'a>>,
}

impl<'a> Offence<'a> {
    /// `None` for claims that do not speak of units of traffic.
    pub(super) fn of(case: Case<'a>, claim: &Claim) -> Option<Offence<'a>> {
        match &claim.kind {
            ClaimKind::Every { of, all, outcome } => counted(case, of, outcome, |_| !all),
            ClaimKind::Share { of, outcome, bound } => {
                counted(case, of, outcome, |seen| share::offends(*bound, seen.hits, seen.n))
            }
            ClaimKind::Total { quantity: Quantity::Count { of, outcome }, bound } => {
                counted(case, of, outcome, |seen| total::is_too_many(*bound, seen.hits))
            }
            ClaimKind::Total { quantity: Quantity::Tries { target, seen_by, per, phase }, bound } => {
                Some(tried(case, target, *seen_by, allowed(*per, *bound), *phase))
            }
            ClaimKind::Moment { what: Happening::Recover(calls), .. } | ClaimKind::Paired { calls, .. } => {
                Some(failed(case, calls))
            }
            ClaimKind::Moment { .. } | ClaimKind::State { .. } | ClaimKind::Lasts { .. } => None,
        }
    }

    /// How many there are, and how many offend.
    pub(super) fn look(&self) -> Look {
        Look { n: self.all.len() as u64, hits: self.all.iter().filter(|one| one.offends).count() as u64 }
    }
}

/// Of a population that is narrowed to those that failed, or were shed, all are looked at: whoever is not among them does not
/// offend.
fn counted<'a>(
    case: Case<'a>,
    of: &Population,
    outcome: &Outcome,
    offending: impl Fn(Look) -> bool,
) -> Option<Offence<'a>> {
    let chosen = samples(case, of, outcome)?.all;
    let hits = chosen.iter().filter(|s| s.does).count() as u64;
    let offends = offending(Look { n: chosen.len() as u64, hits });
    let against: BTreeSet<_> = chosen.iter().filter(|s| s.does == offends).map(|s| (s.story, s.attempt)).collect();
    let all = match of.only {
        Some(_) => samples(case, &Population { only: None, ..of.clone() }, outcome)?.all,
        None => chosen,
    };
    let stories = case.evidence.stories();
    let one = |s: &Sample| {
        let offends = against.contains(&(s.story, s.attempt));
        Some(One { story: stories.get(s.story)?, attempt: s.attempt, offends })
    };
    Some(Offence { unit: of.unit, by_doing: offends, all: all.iter().filter_map(one).collect() })
}

/// What a call's tries may number.
#[derive(Debug, Clone, Copy)]
enum Allowed {
    AtMost(u64),
    AtLeast(u64),
}

/// Of a number for each call a call may have the whole part of it; of any other number each try is one too many, or none is
/// one too few.
fn allowed(per: Per, bound: Bound) -> Allowed {
    match (per, bound.high, bound.low) {
        (Per::Call, Some(high), _) => Allowed::AtMost(high / 1000),
        (Per::Call, None, Some(low)) => Allowed::AtLeast(low.div_ceil(1000)),
        (_, Some(_), _) => Allowed::AtMost(0),
        _ => Allowed::AtLeast(1),
    }
}

/// The calls to a service, with the tries that reached the target.
fn tried<'a>(case: Case<'a>, target: &Target, seen_by: SeenBy, allowed: Allowed, phase: Phase) -> Offence<'a> {
    let Case { plan, evidence, .. } = case;
    let seen = |t: &TryView<'_>| {
        let there = t.instance().is_some_and(|i| targets(&plan.topology, target, i));
        there && if seen_by == SeenBy::Proxy { t.has_arrived() } else { t.served.is_some() }
    };
    let member = |s: &&CallStory| {
        s.edge.to == target.service && evidence.membership(phase, Life::from(*s)) != Membership::Outside
    };
    let one = |story: &'a CallStory| {
        let tries = evidence.tries(story).filter(seen).count() as u64;
        let offends = match allowed {
            Allowed::AtMost(most) => tries > most,
            Allowed::AtLeast(least) => tries < least,
        };
        One { story, attempt: 0, offends }
    };
    let by_doing = matches!(allowed, Allowed::AtMost(_));
    Offence { unit: Unit::Call, by_doing, all: evidence.settled().iter().filter(member).map(one).collect() }
}

/// The calls that should recover, or be as good as others, over the whole time.
fn failed<'a>(case: Case<'a>, calls: &Calls) -> Offence<'a> {
    let matcher = CallMatcher::new(case.plan, calls);
    let meant = case.evidence.settled().iter().filter(|s| matcher.means(case.evidence, s));
    let one = |story: &'a CallStory| One { story, attempt: 0, offends: story.outcome != CallOutcome::Succeeded };
    Offence { unit: Unit::Call, by_doing: false, all: meant.map(one).collect() }
}
