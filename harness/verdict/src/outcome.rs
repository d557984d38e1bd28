//! Does a unit do what a claim says?

use crate::ruling::Case;
use squall_evidence::{CallOutcome, CallStory, Flags, Hold, TryView, targets};
use squall_model::{AnswerCode, ClientEnd, Only, Outcome, Population, Shedder};
use std::time::Duration;

/// Does this call do it?
pub(crate) fn call_does(case: Case<'_>, story: &CallStory, what: &Outcome) -> bool {
    let Case { plan, evidence, .. } = case;
    match what {
        Outcome::TriedMoreThan(n) => evidence.tries_sent(story) > *n as usize,
        Outcome::Retried => evidence.tries_sent(story) > 1,
        Outcome::TriedTwiceOnOneInstance => {
            let sent: Vec<_> = evidence.tries(story).filter(TryView::was_sent).filter_map(|t| t.instance()).collect();
            sent.iter().enumerate().any(|(n, instance)| sent[..n].contains(instance))
        }
        Outcome::Reach(target) => evidence.reached(story).is_some_and(|i| targets(&plan.topology, target, i)),
        Outcome::Answered(AnswerCode::Status(status)) => story.end == ClientEnd::Answered(*status),
        Outcome::Answered(AnswerCode::Grpc(status)) => story.end == ClientEnd::Grpc(*status),
        Outcome::LoggedWithFlag(flag) => evidence.line(story).is_some_and(|line| Flags(&line.flags).has(flag)),
        _ => ends(story.outcome, story.took(), what).unwrap_or(false),
    }
}

/// Can time decide what this call does, or whether it is one of those that are chosen? What its client gave up on ended so by
/// time alone.
pub(crate) fn time_decides(of: &Population, story: &CallStory, what: &Outcome) -> bool {
    let timed = matches!(what, Outcome::Succeed(Some(_)) | Outcome::FinishWithin(_) | Outcome::TakeAtLeast(_));
    timed
        || story.end == ClientEnd::Deadline && (of.only.is_some() || ends(story.outcome, story.took(), what).is_some())
}

/// Would this call do it, had the machine not held it up? It does as it did, unless its end decides.
pub(crate) fn call_would(hold: Hold, what: &Outcome, does: bool) -> bool {
    ends(hold.outcome, hold.took, what).unwrap_or(does)
}

/// Is this a call that `only` chooses?
pub(crate) fn is_chosen(of: &Population, outcome: CallOutcome) -> bool {
    match of.only {
        None => true,
        Some(Only::Shed) => shed_by(outcome).is_some(),
        Some(Only::Failed) => outcome != CallOutcome::Succeeded,
    }
}

/// Does this try, of this call, do it? What only a call can do, it does if its call does.
pub(crate) fn try_does(case: Case<'_>, story: &CallStory, t: &TryView<'_>, what: &Outcome) -> bool {
    match what {
        Outcome::TriedMoreThan(_) | Outcome::TriedTwiceOnOneInstance => call_does(case, story, what),
        // A try is retried if another follows it.
        Outcome::Retried => case.evidence.tries(story).any(|other| other.was_sent() && other.attempt > t.attempt),
        Outcome::Reach(target) => {
            t.has_arrived() && t.instance().is_some_and(|i| targets(&case.plan.topology, target, i))
        }
        Outcome::Answered(AnswerCode::Status(status)) => t.status() == *status,
        Outcome::Answered(code @ AnswerCode::Grpc(_)) => t.answer() == Some(*code),
        Outcome::LoggedWithFlag(flag) => {
            let sent = t.sent.is_some_and(|sent| Flags(&sent.flags).has(flag));
            sent || t.arrived.is_some_and(|line| Flags(&line.flags).has(flag))
        }
        _ => ends(t.outcome(), t.took(), what).unwrap_or(false),
    }
}

/// Does what ended so, after so many nanoseconds, do this? `None` where more than its end and its time decide that.
fn ends(outcome: CallOutcome, took: u64, what: &Outcome) -> Option<bool> {
    let within = |limit: &Duration| u128::from(took) <= limit.as_nanos();
    Some(match what {
        Outcome::Succeed(limit) => outcome == CallOutcome::Succeeded && limit.as_ref().is_none_or(within),
        Outcome::Fail => outcome != CallOutcome::Succeeded,
        Outcome::FinishWithin(limit) => outcome != CallOutcome::Unfinished && within(limit),
        Outcome::TakeAtLeast(least) => u128::from(took) >= least.as_nanos(),
        Outcome::TimeOut => outcome == CallOutcome::TimedOut,
        Outcome::Shed(by) => shed_by(outcome).is_some_and(|shedder| by.is_none_or(|by| by == shedder)),
        Outcome::Refused => outcome == CallOutcome::Refused,
        Outcome::Reset => outcome == CallOutcome::Reset,
        Outcome::Unroutable => outcome == CallOutcome::Unroutable,
        Outcome::Denied => outcome == CallOutcome::Denied,
        Outcome::Answered(_)
        | Outcome::Reach(_)
        | Outcome::ReachOnlyOne(_)
        | Outcome::TriedMoreThan(_)
        | Outcome::TriedTwiceOnOneInstance
        | Outcome::Retried
        | Outcome::LoggedWithFlag(_) => return None,
    })
}

/// Who shed it, if anybody did.
pub(crate) fn shed_by(outcome: CallOutcome) -> Option<Shedder> {
    match outcome {
        CallOutcome::Shed(by) => Some(by),
        _ => None,
    }
}
