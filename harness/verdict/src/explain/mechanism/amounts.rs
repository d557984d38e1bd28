//! Too many, or too few, of what went as the policies say.

use super::{
    Said,
    facts::{Facts, Offender, allowed, of, tries},
};
use crate::units::samples;
use squall_evidence::CallOutcome;
use squall_model::{ClaimKind, InFlight, Outcome, PolicyKind, Quantity, Shedder};
use squall_stats::{bounds::clopper_pearson, share::Look};

/// The chance of not naming a route whose share is what was measured.
const ERROR: f64 = 1e-3;

/// So many units show which share of them goes where.
const ENOUGH: u64 = 20;

/// More tries than the claim has, and no more than the policy allows.
pub(super) fn retries_allowed(facts: &Facts<'_>) -> Said {
    let of_all = match &facts.claim.kind {
        ClaimKind::Total { quantity: Quantity::Tries { .. }, bound } => bound.high.is_some(),
        _ => false,
    };
    let about_tries = of_all || matches!(facts.outcome(), Some((Outcome::TriedMoreThan(_) | Outcome::Retried, true)));
    let limit = facts.common(|o| facts.policies.retries(o.story).map(|r| r.up_to)).filter(|_| about_tries)?;
    let covers = facts.most(|o| o.tries.len() > 1 && o.tries.len() <= limit as usize + 1)?;
    let most = facts.offenders.iter().map(|o| o.tries.len()).max().unwrap_or(0);
    let text = format!(
        "the policy allows it: {} were retried, with up to {} for a call ({}){}",
        of(covers),
        tries(most),
        allowed(limit),
        if of_all && is_unlimited(facts) { ", and nothing limits the retries in flight" } else { "" },
    );
    Some((text, covers))
}

/// There is no retry budget, nor a breaker for retries.
fn is_unlimited(facts: &Facts<'_>) -> bool {
    let limits = |says: &PolicyKind| {
        matches!(says, PolicyKind::RetryBudget { .. } | PolicyKind::InFlight { unit: InFlight::Retries, .. })
    };
    facts.most(|o| !facts.policies.of_call(o.story).any(limits)).is_some()
}

/// Which version or instance was reached is what the route says, or what comes without one.
pub(super) fn as_routed(facts: &Facts<'_>) -> Said {
    let (outcome @ Outcome::Reach(target), _) = facts.outcome()? else { return None };
    let route = facts.common(|o| {
        facts.policies.of_call(o.story).find_map(|says| match says {
            PolicyKind::Route { to, .. } => Some(to),
            _ => None,
        })
    });
    let instances = facts.case.plan.topology.service(&target.service)?.instances.len();
    let share: f64 = match route {
        Some(to) => to.iter().filter(|leg| leg.target == *target).map(|leg| leg.share.as_f64()).fold(0.0, f64::max),
        None => target.instances(&facts.case.plan.topology).len() as f64 / instances.max(1) as f64,
    };
    let samples = samples(facts.case, facts.claim.kind.population()?, outcome)?.all;
    let seen = Look { n: samples.len() as u64, hits: samples.iter().filter(|s| s.does).count() as u64 };
    let (hits, n, percent) = (seen.hits, seen.n, (share * 1000.0).round() / 10.0);
    // Of hardly any traffic every share is met by chance.
    clopper_pearson(seen, ERROR).filter(|bounds| bounds.contains(share) && n >= ENOUGH)?;
    let covers = facts.most(|o| o.outcome == CallOutcome::Succeeded && o.tries.len() == 1)?;
    let text = match route {
        Some(_) => format!("the route says so: it leads {percent}% to {target}, and {hits} of {n} went there"),
        None => format!(
            "no route chooses among the instances: {target} is {percent}% of them, and {hits} of {n} went there"
        ),
    };
    Some((text, covers))
}

/// They should have failed, and a retry saved them.
pub(super) fn saved_by_retry(facts: &Facts<'_>) -> Said {
    let covers = facts.most(|o| !o.is_try && o.outcome == CallOutcome::Succeeded && o.tries.len() > 1)?;
    let text = format!("a retry saved them: {} failed at first and succeeded when tried again", of(covers));
    is_about_the_end(facts).then_some((text, covers))
}

/// The claim is about how calls end. Of where they go, or how long they take, success says nothing.
fn is_about_the_end(facts: &Facts<'_>) -> bool {
    match facts.outcome() {
        Some((Outcome::Reach(_) | Outcome::ReachOnlyOne(_) | Outcome::TriedTwiceOnOneInstance, _)) => false,
        Some((Outcome::FinishWithin(_) | Outcome::Succeed(Some(_)), _)) | None => false,
        Some(_) => true,
    }
}

/// They should have been ended, or turned away, or tried again, and no policy says so.
pub(super) fn no_policy(facts: &Facts<'_>) -> Said {
    let (outcome, offends) = facts.outcome()?;
    if offends {
        return None;
    }
    let has = |o: &Offender<'_>, is: &dyn Fn(&PolicyKind) -> bool| facts.policies.of_call(o.story).any(is);
    let is_timeout = |says: &PolicyKind| matches!(says, PolicyKind::Timeout { .. } | PolicyKind::IdleTimeout { .. });
    let is_breaker = |says: &PolicyKind| {
        matches!(says, PolicyKind::Connections { .. } | PolicyKind::InFlight { unit: InFlight::Tries, .. })
    };
    let good = |o: &Offender<'_>| o.outcome == CallOutcome::Succeeded;
    let (covers, text) = match outcome {
        Outcome::TimeOut => {
            (facts.most(|o| good(o) && !has(o, &is_timeout))?, "no timeout is set for them: {} ended otherwise")
        }
        Outcome::Shed(None | Some(Shedder::CircuitBreaker)) => (
            facts.most(|o| good(o) && !has(o, &is_breaker))?,
            "no circuit breaker limits them: {} were let through, and succeeded",
        ),
        Outcome::ReachOnlyOne(_) => (
            facts.most(|o| !has(o, &|says| matches!(says, PolicyKind::Sticky { .. })))?,
            "no policy makes them stick: {} were led to several",
        ),
        Outcome::Retried | Outcome::TriedMoreThan(_) => (
            facts.most(|o| o.tries.len() <= 1 && facts.policies.retries(o.story).is_none())?,
            "no policy retries them: {} were tried once",
        ),
        _ => return None,
    };
    Some((text.replace("{}", &of(covers)), covers))
}

/// They should not have gone well, and nothing was done to them.
pub(super) fn undisturbed(facts: &Facts<'_>) -> Said {
    let good = |o: &Offender<'_>| o.outcome == CallOutcome::Succeeded && (o.is_try || o.tries.len() == 1);
    let touched = |o: &Offender<'_>| o.flagged("FI") || o.flagged("DI");
    let covers = facts.most(|o| good(o) && !touched(o))?;
    let text = format!("nothing was in their way: {} succeeded on their first try", of(covers));
    is_about_the_end(facts).then_some((text, covers))
}
