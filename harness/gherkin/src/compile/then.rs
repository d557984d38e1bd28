//! Lines of kind E: what is expected.

use super::line::{Args, Says};
use crate::clauses::calls::calls;
use crate::clauses::claim::{Amount, Claimed, HowMany, amount, claim};
use crate::clauses::comparison::{margin, reference};
use crate::clauses::outcome::outcome;
use crate::clauses::state::{State, span, state};
use crate::clauses::subject::{Subject, subject};
use crate::clauses::target::target;
use crate::clauses::time::{Moment, moment, phase};
use crate::source::Mistake;
use squall_model::{
    Bound, Calls, ClaimKind, Happening, MomentRef, Outcome, Per, Phase, Population, Quantity, SeenBy, Stick, Target,
    Unit,
};
use std::ops::Range;
use std::time::Duration;

/// Reads an expectation; `None` where it cannot be read or run (noted in the reader).
pub(crate) fn expectation(number: u8, args: &mut Args<'_>) -> Option<Says> {
    let kind = match number {
        55 => claimed(args),
        56 => as_good_as(args),
        57 => recovers(args),
        58 => receives(args),
        59 => state_within(args),
        60 => state_in(args),
        61 => lasts(args),
        62 => reaches_only_one(args),
        _ => None,
    };
    kind.map(Says::Claim)
}

fn claimed(args: &mut Args<'_>) -> Option<ClaimKind> {
    let claimed = args.take(claim);
    let named = claimed.as_ref().and_then(|c| c.calls.to.as_ref()).map(|to| to.service.clone());
    let outcome = args.take(|r| outcome(r, named.as_ref()));
    let phase = args.take(phase);
    let Claimed { how_many, unit, only, calls, .. } = claimed?;
    let (outcome, unit) = (outcome?, unit?);
    let of = Population { unit, only, calls, phase };
    Some(match how_many {
        HowMany::All => ClaimKind::Every { of, all: true, outcome },
        HowMany::None => ClaimKind::Every { of, all: false, outcome },
        HowMany::Share(bound) => ClaimKind::Share { of, outcome, bound },
        HowMany::Count(bound) => ClaimKind::Total { quantity: Quantity::Count { of, outcome }, bound },
    })
}

fn as_good_as(args: &mut Args<'_>) -> Option<ClaimKind> {
    let calls = args.take(calls);
    let reference = args.take(reference);
    let margin = args.take(margin);
    Some(ClaimKind::Paired { calls: calls?, reference: reference?, margin })
}

fn recovers(args: &mut Args<'_>) -> Option<ClaimKind> {
    let calls = args.take(calls)?;
    let (within, of) = within_of(args, None)?;
    Some(ClaimKind::Moment { what: Happening::Recover(calls), within, of })
}

/// `within 2 s of the end of the fault`. `its` needs somebody whose it is.
fn within_of(args: &mut Args<'_>, subject: Option<&Target>) -> Option<(Duration, MomentRef)> {
    let (within, _) = args.take(|r| r.some_time("is no time to wait"))?;
    let moment = args.take(moment)?;
    let at = args.last();
    let its = args.r.slice(at.clone()).starts_with("its ");
    if its && subject.is_none() {
        let mistake = Mistake::error("whose", at, "calls have no moments of their own")
            .label("whose?")
            .hint("write `of the fault`, `of the end of the fault` or `of the change`");
        args.tell(mistake);
        return None;
    }
    match moment {
        Moment::Of(of) => Some((within, of)),
        Moment::Return => Some((within, MomentRef::FaultEnd)),
        Moment::Unknown => {
            let what = args.r.slice(at.clone()).to_owned();
            args.r.lacks(at, format!("the moment of {what}"));
            None
        }
    }
}

fn receives(args: &mut Args<'_>) -> Option<ClaimKind> {
    let target = args.take(|r| target(r, None))?;
    let amount = args.take(amount)?;
    let at = args.last();
    let seen_by = if args.words_before_last().contains("serves") { SeenBy::Workload } else { SeenBy::Proxy };
    let phase = args.take(phase);
    let tries = |per, bound| {
        let quantity = Quantity::Tries { target: target.clone(), seen_by, per, phase };
        Some(ClaimKind::Total { quantity, bound })
    };
    match amount {
        Amount::Total(bound) => tries(Per::Total, bound),
        Amount::PerCall(bound) => tries(Per::Call, bound),
        Amount::PerSecond(bound) => tries(Per::Second, bound),
        Amount::Share(bound) if seen_by == SeenBy::Proxy => {
            let calls = Calls { to: Some(Target::service(target.service.clone())), ..Calls::default() };
            let of = Population { unit: Unit::Try, only: None, calls, phase };
            Some(ClaimKind::Share { of, outcome: Outcome::Reach(target), bound })
        }
        Amount::Share(_) => {
            args.r.lacks(at, "the share of the tries that workloads serve");
            None
        }
        Amount::Copies => None,
    }
}

fn state_within(args: &mut Args<'_>) -> Option<ClaimKind> {
    let (who, state, whole) = who_is(args);
    let moment = within_of(args, who.as_ref());
    let what = match (who, state) {
        (Some(of), State::Is { condition: is, ever: true }) => Happening::Becomes(squall_model::State { is, of }),
        (Some(target), State::GetsTraffic) => Happening::GetsTraffic(target),
        (Some(_), State::Is { ever: false, .. }) => {
            let words = args.r.slice(whole.clone()).to_owned();
            let mistake = Mistake::error("never", whole, "what never is so has no moment")
                .label("never within a time?")
                .hint(format!("say in which part of the time: `{words} during the fault`, `{words} from 2 s to 4 s`"));
            args.tell(mistake);
            return None;
        }
        _ => return unseen(args, whole),
    };
    let (within, of) = moment?;
    Some(ClaimKind::Moment { what, within, of })
}

/// `gets traffic during the fault` is at least one try.
fn state_in(args: &mut Args<'_>) -> Option<ClaimKind> {
    let (who, state, whole) = who_is(args);
    let phase: Phase = args.take(phase);
    match (who, state) {
        (Some(of), State::Is { condition: is, ever }) => {
            Some(ClaimKind::State { what: squall_model::State { is, of }, ever, phase })
        }
        (Some(target), State::GetsTraffic) => {
            let quantity = Quantity::Tries { target, seen_by: SeenBy::Proxy, per: Per::Total, phase };
            Some(ClaimKind::Total { quantity, bound: Bound { low: Some(1000), high: None } })
        }
        _ => unseen(args, whole),
    }
}

fn lasts(args: &mut Args<'_>) -> Option<ClaimKind> {
    let (who, state, whole) = who_is(args);
    let span = args.take(span);
    match (who, state) {
        (Some(of), State::Is { condition: is, ever: true }) => {
            let (least, most) = span?;
            Some(ClaimKind::Lasts { what: squall_model::State { is, of }, least, most })
        }
        (Some(_), State::Is { ever: false, .. }) => {
            let mistake =
                Mistake::error("never", whole, "what never is so lasts for no time").label("leave out `never`");
            args.tell(mistake);
            None
        }
        _ => unseen(args, whole),
    }
}

/// Subject and state, with their place.
fn who_is(args: &mut Args<'_>) -> (Option<Target>, State, Range<usize>) {
    let who = args.take(|r| subject(r, None));
    let start = args.last().start;
    let state = args.take(state);
    (who.and_then(Subject::instances), state, start..args.last().end)
}

/// A state that nobody observes yet.
fn unseen(args: &mut Args<'_>, whole: Range<usize>) -> Option<ClaimKind> {
    if args.r.missing.is_empty() {
        let words = args.r.slice(whole.clone()).to_owned();
        args.r.lacks(whole, words);
    }
    None
}

/// `each user reaches only one version of "reviews"`.
fn reaches_only_one(args: &mut Args<'_>) -> Option<ClaimKind> {
    let service = args.service()?;
    let to = if args.words_before_last().contains("version") { Stick::Version } else { Stick::Instance };
    let phase = args.take(phase);
    let calls = Calls { to: Some(Target::service(service)), ..Calls::default() };
    let of = Population { unit: Unit::User, only: None, calls, phase };
    Some(ClaimKind::Every { of, all: true, outcome: Outcome::ReachOnlyOne(to) })
}
