//! *Its n-th failure*: the n-th in a row, as outlier detection counts.

use crate::ruling::Case;
use squall_evidence::{Border, CallOutcome, CallStory, Flags, TryView};
use squall_model::{InstanceId, Stamp};

/// When an instance failed for the n-th time in a row, as one caller's proxy saw it; `None` if it never did.
///
/// The count is that of Envoy's `consecutive_5xx` (config/cluster/v3/outlier_detection.proto): each proxy counts for itself,
/// each instance for itself, every try, and a success begins anew. So *ejected after 5 failures in a row* and *its 5th
/// failure* speak of the same moment, also where failures and successes alternate.
pub(super) fn nth_in_a_row(case: Case<'_>, by: &InstanceId, of: &InstanceId, n: u32) -> Option<Border> {
    let reached = in_a_row(case, by, of).find(|(run, _)| *run >= n && n > 0)?;
    Some(case.evidence.around(reached.1))
}

/// How many failures in a row a caller's proxy saw of an instance, at the most.
pub(crate) fn longest_in_a_row(case: Case<'_>, by: &InstanceId, of: &InstanceId) -> u32 {
    in_a_row(case, by, of).map(|(run, _)| run).max().unwrap_or(0)
}

/// Every failure with its number in its row, and when it was over; in order.
fn in_a_row(case: Case<'_>, by: &InstanceId, of: &InstanceId) -> impl Iterator<Item = (u32, Stamp)> {
    let evidence = case.evidence;
    let mut ends = Vec::new();
    for story in evidence.settled().iter().filter(|s| s.caller == *by && s.edge.to == of.service) {
        let there = evidence.tries(story).filter(|t| t.was_sent() && t.instance() == Some(of));
        ends.extend(there.filter_map(|t| Some((t.ended(), t.attempt, count(case, story, &t)?))));
    }
    ends.sort_unstable();
    let mut run = 0;
    ends.into_iter().filter_map(move |(ended, _, count)| {
        run = match count {
            Count::Success => 0,
            Count::Failure => run + 1,
            Count::Both => 1,
        };
        (count != Count::Success).then_some((run, ended))
    })
}

/// What a try is to outlier detection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Count {
    Success,
    Failure,
    /// A good head, then it broke off.
    Both,
}

/// `None`: it is not counted, since its client went away before there was anything to count.
fn count(case: Case<'_>, story: &CallStory, t: &TryView<'_>) -> Option<Count> {
    let broke_off = || t.outcome() != CallOutcome::Succeeded;
    match t.answer() {
        // Of gRPC Envoy reads it in the head of an answer that is nothing but trailers.
        Some(answer) if answer.is_5xx() => Some(Count::Failure),
        Some(answer) if answer.is_success() && broke_off() => Some(Count::Both),
        Some(_) => Some(Count::Success),
        None => {
            let unflagged = t.sent.is_none_or(|sent| Flags(&sent.flags).is_empty());
            let client_gone = case.evidence.line(story).is_none_or(|line| Flags(&line.flags).has("DC"));
            (!(unflagged && client_gone)).then_some(Count::Failure)
        }
    }
}

#[cfg(test)]
mod tests;
