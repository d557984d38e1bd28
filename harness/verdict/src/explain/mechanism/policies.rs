//! Which policy was in force for a call.

use crate::ruling::Case;
use squall_evidence::{Border, CallMatcher, CallStory, Fit};
use squall_model::{Act, Calls, Level, PolicyKind, RetryOn, Stamp, Traffic};
use std::time::Duration;

/// Every policy of a plan, ready for many calls.
pub(super) struct Policies<'a> {
    all: Vec<Own<'a>>,
}

struct Own<'a> {
    says: &'a PolicyKind,
    /// Of which calls, where it is one of calls.
    calls: Option<CallMatcher<'a>>,
    /// From when to when it was in force; all the time where it is no change.
    from: Stamp,
    to: Option<Stamp>,
}

/// What is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Retried<'a> {
    pub(super) up_to: u32,
    pub(super) on: &'a [RetryOn],
    /// Each on another instance than those tried before.
    pub(super) elsewhere: bool,
}

impl<'a> Policies<'a> {
    pub(super) fn of(case: Case<'a>) -> Policies<'a> {
        let Case { plan, evidence, .. } = case;
        let is_change = |act: Act| plan.timeline.stages.iter().any(|stage| stage.acts().any(|a| a == act));
        let at = |act: Act| {
            let seen = evidence.observed().effects.iter().find(|e| e.act == act);
            seen.map(|e| Border::from(e.effect).settled)
        };
        let own = |policy: &'a squall_model::Policy| {
            let from = match is_change(Act::Change(policy.id)) {
                true => at(Act::Change(policy.id))?,
                false => Stamp::default(),
            };
            let calls = calls_of(&policy.says).map(|calls| CallMatcher::new(plan, calls));
            Some(Own { says: &policy.says, calls, from, to: at(Act::Revert(policy.id)) })
        };
        Policies { all: plan.policies.iter().filter_map(own).collect() }
    }

    /// What is in force for this call, the last written first.
    pub(super) fn of_call(&self, story: &CallStory) -> impl Iterator<Item = &'a PolicyKind> {
        let in_force = move |own: &&Own<'a>| {
            let meant = own.calls.as_ref().is_none_or(|calls| calls.fits(story) == Fit::Yes);
            meant && own.from <= story.intended && own.to.is_none_or(|to| story.intended < to)
        };
        self.all.iter().rev().filter(in_force).map(|own| own.says)
    }

    /// How its retries are limited; `None` where nothing is retried.
    pub(super) fn retries(&self, story: &CallStory) -> Option<Retried<'a>> {
        let last = self.of_call(story).find_map(|says| match says {
            PolicyKind::Retries { up_to, on, elsewhere, .. } => {
                Some(Retried { up_to: *up_to, on, elsewhere: *elsewhere })
            }
            _ => None,
        });
        last.filter(|retried| retried.up_to > 0)
    }

    /// The timeout of the call, or of each of its tries.
    pub(super) fn timeout(&self, story: &CallStory, level: Level) -> Option<Duration> {
        self.of_call(story).find_map(|says| match says {
            PolicyKind::Timeout { of: Traffic { level: own, .. }, after } if *own == level => Some(*after),
            _ => None,
        })
    }
}

fn calls_of(says: &PolicyKind) -> Option<&Calls> {
    match says {
        PolicyKind::Retries { of, .. }
        | PolicyKind::RetryBudget { of, .. }
        | PolicyKind::Route { of, .. }
        | PolicyKind::Prefer { of, .. }
        | PolicyKind::Sticky { of, .. }
        | PolicyKind::KeepDeadline { of }
        | PolicyKind::Balance { of, .. } => Some(of),
        PolicyKind::Timeout { of, .. } | PolicyKind::IdleTimeout { of, .. } => Some(&of.of),
        PolicyKind::InFlight { .. }
        | PolicyKind::Connections { .. }
        | PolicyKind::Ejection { .. }
        | PolicyKind::Check { .. }
        | PolicyKind::Panic { .. }
        | PolicyKind::WarmUp { .. } => None,
    }
}
