//! Guards: what ends a run, and can be judged while its traffic flows.

use super::line::{Args, Says};
use crate::clauses::claim::{Claimed, HowMany, claim};
use crate::clauses::outcome::outcome;
use crate::source::Mistake;
use squall_model::{Bound, Fraction, GuardKind, Only, Outcome, ShareBound, Threshold, Unit, Which};
use std::ops::Range;

/// What clients see of a call.
const SEEN: &str =
    "say what its client sees: `fail`, `succeed within 50 ms`, `take at least 1 s`, `are answered with status 503`";

/// Reads a guard; `None` where it cannot be read or judged (noted in the reader).
pub(crate) fn guard(args: &mut Args<'_>) -> Option<Says> {
    let claimed = args.take(claim);
    let claim_at = args.last();
    let named = claimed.as_ref().and_then(|c| c.calls.to.as_ref()).map(|to| to.service.clone());
    let outcome = args.take(|r| outcome(r, named.as_ref()));
    let outcome_at = args.last();
    let Claimed { how_many, bound_at, unit, only, calls } = claimed?;
    let once = threshold(args, how_many, bound_at);
    let (outcome, unit) = (outcome?, unit?);
    if let Some(mistake) = unseen_unit(unit, only, claim_at.clone()).or_else(|| unseen(&outcome, outcome_at)) {
        args.tell(mistake);
        return None;
    }
    if calls.to.as_ref().is_some_and(|to| to.place.is_some() || !matches!(to.which, Which::Service | Which::Every)) {
        let mistake = Mistake::error("guard", claim_at, "which instance answered a call stands in logs")
            .label("a guard does not wait for logs")
            .hint("say it of the calls to the service");
        args.tell(mistake);
        return None;
    }
    Some(Says::Guard(GuardKind { of: calls, failed: only == Some(Only::Failed), outcome, once: once? }))
}

/// Where it is met; `None` for what is true from the beginning, or known only at the end.
fn threshold(args: &mut Args<'_>, how_many: HowMany, at: Range<usize>) -> Option<Threshold> {
    let mistake = match how_many {
        HowMany::Share(
            ShareBound::MoreThan(Fraction::ALL)
            | ShareBound::AtLeast(Fraction::ALL)
            | ShareBound::AtMost(Fraction::ZERO),
        ) => Mistake::error("guard", at, "no number of calls shows that all of them are so")
            .label("it would never be met")
            .hint("write a share below 100%: `more than 90% of …`"),
        HowMany::Share(ShareBound::MoreThan(share) | ShareBound::AtLeast(share)) => {
            return Some(Threshold::Above(share));
        }
        HowMany::Share(ShareBound::AtMost(share)) => return Some(Threshold::Below(share)),
        HowMany::Count(Bound { low: Some(low @ 1..), high: None }) => return Some(Threshold::Count(low / 1000)),
        HowMany::Share(ShareBound::Between(..)) => Mistake::error("guard", at, "a guard has one limit, and not two")
            .label("between?")
            .hint("write `more than 20% of …`, or two guards"),
        HowMany::Count(Bound { low: Some(1..), .. }) => {
            Mistake::error("guard", at, "a number that only grows is exactly this for a moment")
                .label("who would see it?")
                .hint("write `more than 10 calls …`, `at least 10 calls …`, or a share")
        }
        HowMany::Count(_) => Mistake::error("guard", at, "this is true before the first call")
            .label("the run would be aborted at once")
            .hint("write `more than 10 calls …`, `at least 10 calls …`, or a share"),
        HowMany::All | HowMany::None => Mistake::error("guard", at, "this is known when the last call has ended")
            .label("a guard is judged while calls are made")
            .hint("write a share, `more than 20% of the calls fail`, or a number, `more than 10 calls fail`"),
    };
    args.tell(mistake);
    None
}

/// Units that only logs tell of, or that are not known before their last call.
fn unseen_unit(unit: Unit, only: Option<Only>, at: Range<usize>) -> Option<Mistake> {
    let message = match (unit, only) {
        (Unit::Call, None | Some(Only::Failed)) => return None,
        (Unit::User, _) => "a user is known when all of its calls have ended",
        (Unit::Call, Some(Only::Shed)) => "who turned a call away stands in logs",
        (Unit::Try | Unit::Retry | Unit::Connection, _) => "what became of a try stands in logs",
    };
    let mistake = Mistake::error("guard", at, message).label("a guard does not wait for that");
    Some(mistake.hint("say it of calls: `more than 20% of the calls to \"reviews\" fail`"))
}

/// Outcomes that only logs tell of.
fn unseen(outcome: &Outcome, at: Range<usize>) -> Option<Mistake> {
    if outcome.is_seen_by_clients() {
        return None;
    }
    let mistake = Mistake::error("guard", at, "this stands in the proxies' logs");
    Some(mistake.label("a guard does not wait for logs").hint(SEEN))
}
