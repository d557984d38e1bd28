//! Lines of kind P: what the mesh promises.

use super::line::{Args, Says};
use super::{instances, routes};
use crate::clauses::Reader;
use crate::clauses::calls::{calls, traffic_with_share};
use crate::nearest;
use crate::source::Mistake;
use squall_model::{InFlight, PolicyKind, RetryOn, Traffic};
use std::ops::Range;

/// Reads a policy; `None` where it cannot be read or run (noted in the reader).
pub(crate) fn policy(number: u8, args: &mut Args<'_>) -> Option<Says> {
    let says = match number {
        10 => retries(args),
        11 => {
            let of = timed_traffic(args, "a timeout")?;
            let (after, _) = args.take(|r| r.some_time("means none to Envoy: it waits for ever"))?;
            Some(PolicyKind::Timeout { of, after })
        }
        12 => {
            let of = timed_traffic(args, "an idle timeout")?;
            let (after, _) = args.take(|r| r.some_time("means none to Envoy: it waits for ever"))?;
            Some(PolicyKind::IdleTimeout { of, after })
        }
        13 => retry_budget(args),
        14 => in_flight(args),
        15 => connections(args),
        16 | 17 | 18 | 39 => instances::policy(number, args),
        19 | 20 | 21 | 26 => routes::policy(number, args),
        37 => Some(PolicyKind::KeepDeadline { of: args.take(calls)? }),
        _ => None,
    };
    says.map(Says::Policy)
}

fn retries(args: &mut Args<'_>) -> Option<PolicyKind> {
    let of = args.take(calls)?;
    let (up_to, _) = args.take(|r| r.at_least_one("no retries at all"))?;
    let on = retry_on(args)?;
    args.turn();
    let elsewhere = args.r.eat(", each on another instance");
    let start = args.r.at();
    if args.r.eat(", waiting at least ") {
        args.r.time();
        let what = args.r.slice(args.r.since(start + 2)).to_owned();
        args.r.lacks(args.r.since(start), format!("retries {what}"));
    }
    Some(PolicyKind::Retries { of, up_to, on, elsewhere })
}

/// `5xx, reset`: every condition with a caret of its own.
fn retry_on(args: &mut Args<'_>) -> Option<Vec<RetryOn>> {
    let (text, span) = args.quoted()?;
    let mut on = Vec::new();
    let mut at = span.start;
    for piece in text.split(',') {
        let word = piece.trim();
        let start = at + (piece.len() - piece.trim_start().len());
        at += piece.len() + 1;
        match word.parse::<RetryOn>() {
            Ok(condition) if on.contains(&condition) => {}
            Ok(condition) => on.push(condition),
            Err(unknown) => args.tell(unknown_condition(word, start..start + word.len(), unknown.known)),
        }
    }
    Some(on)
}

fn unknown_condition(word: &str, span: Range<usize>, known: &[&'static str]) -> Mistake {
    let hint = match nearest::name(word, known.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("write {}", known.join(", ")),
    };
    let message = match word {
        "" => "no condition to retry on".to_owned(),
        _ => format!("Envoy knows no condition \"{word}\" to retry on"),
    };
    Mistake::error("retry-on", span, message).label("Envoy would accept it, and retry nothing").hint(hint)
}

/// Timeouts are for all of some calls or tries.
fn timed_traffic(args: &mut Args<'_>, what: &str) -> Option<Traffic> {
    let (of, share) = args.take(traffic_with_share)?;
    if let Some(span) = share {
        let mistake = Mistake::error("share", span, format!("{what} is for all of them"))
            .label("only faults and routes take a share")
            .hint("leave the share out");
        args.tell(mistake);
    }
    Some(of)
}

fn retry_budget(args: &mut Args<'_>) -> Option<PolicyKind> {
    let of = args.take(calls)?;
    let (share, _) = args.take(Reader::percent)?;
    let (at_least, _) = args.take(Reader::number)?;
    Some(PolicyKind::RetryBudget { of, share, at_least })
}

fn in_flight(args: &mut Args<'_>) -> Option<PolicyKind> {
    let caller = args.service()?;
    let caller_at = args.last();
    let (at_most, _) = args.take(Reader::number)?;
    let to = args.service()?;
    let unit = if args.words_before_last().contains("retries") { InFlight::Retries } else { InFlight::Tries };
    args.edge(inner(&caller_at), &caller, &to);
    Some(PolicyKind::InFlight { caller, at_most, unit, to })
}

fn connections(args: &mut Args<'_>) -> Option<PolicyKind> {
    let caller = args.service()?;
    let caller_at = args.last();
    let (at_most, _) = args.take(|r| r.at_least_one("no connections at all"))?;
    let to = args.service()?;
    let (waiting, _) = args.take(Reader::number)?;
    args.edge(inner(&caller_at), &caller, &to);
    Some(PolicyKind::Connections { caller, at_most, waiting, to })
}

/// A name's place without its quotes.
pub(crate) fn inner(quoted: &Range<usize>) -> Range<usize> {
    quoted.start + 1..quoted.end.saturating_sub(1).max(quoted.start + 1)
}
