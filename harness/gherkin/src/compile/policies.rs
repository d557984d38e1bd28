//! Lines of kind P: what the mesh promises.

use super::line::{Args, Says};
use crate::clauses::Reader;
use crate::clauses::calls::{calls, traffic_with_share};
use crate::clauses::target::target;
use crate::nearest;
use crate::source::Mistake;
use squall_model::{
    Balancer, Calls, Destination, Fraction, InFlight, Level, PolicyKind, RetryOn, ServiceName, Topology, Traffic,
};
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
        16 => ejection(args),
        19 => route(args),
        21 => balance(args),
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

fn ejection(args: &mut Args<'_>) -> Option<PolicyKind> {
    let of = args.service()?;
    let (lasts, _) = args.take(|r| r.some_time("is no ejection"))?;
    let (after, _) = args.take(|r| r.at_least_one("nobody is ejected for no failure"))?;
    args.turn();
    let mut at_most = Fraction::ALL;
    if args.r.eat(", at most ") {
        let (share, span) = args.r.percent()?;
        if share == Fraction::ZERO {
            let mistake = Mistake::error("zero", span, "at most 0% at a time ejects nobody").label("more than 0%");
            args.tell(mistake);
        }
        at_most = share;
    }
    Some(PolicyKind::Ejection { of, lasts, after, at_most })
}

fn route(args: &mut Args<'_>) -> Option<PolicyKind> {
    let (traffic, share_at) = args.take(traffic_with_share)?;
    let whole = args.last();
    if traffic.level == Level::Tries {
        let mistake = Mistake::error("route-of-tries", whole, "a route is chosen once for a call; its tries follow it")
            .label("tries have no route of their own")
            .hint("write `calls to …`");
        args.tell(mistake);
        return None;
    }
    let Some(service) = traffic.of.to.as_ref().map(|to| to.service.clone()) else {
        let mistake = Mistake::error("route-of-what", whole, "a route of calls to whom?")
            .label("no service is named")
            .hint("write `calls to \"…\" go to …`");
        args.tell(mistake);
        return None;
    };
    let first = args.take(|r| target(r, Some(&service)))?;
    let mut to = vec![Destination { share: traffic.share, target: first }];
    let mut shares = Shares { sum: traffic.share.ppm(), first: share_at.unwrap_or(whole), last: None };
    args.turn();
    legs(args, &service, &mut to, &mut shares);
    shares.check(args);
    Some(PolicyKind::Route { of: traffic.of, to })
}

/// ` and 10% to version "v2"`, any number of times.
fn legs(args: &mut Args<'_>, service: &ServiceName, to: &mut Vec<Destination>, shares: &mut Shares) {
    while args.r.eat(", ") || args.r.eat(" and ") {
        let Some((share, span)) = args.r.percent() else { break };
        args.r.eat(" to ");
        let Some(target) = target(&mut args.r, Some(service)) else { break };
        shares.sum += share.ppm();
        shares.last = Some(span);
        to.push(Destination { share, target });
    }
}

/// The shares of a split.
struct Shares {
    sum: u32,
    first: Range<usize>,
    last: Option<Range<usize>>,
}

impl Shares {
    fn check(&self, args: &mut Args<'_>) {
        let whole = Fraction::ALL.ppm();
        if self.sum == whole {
            return;
        }
        let sum = f64::from(self.sum) / 10_000.0;
        let rest = f64::from(whole.abs_diff(self.sum)) / 10_000.0;
        let span = self.last.clone().unwrap_or_else(|| self.first.clone());
        let (label, hint) = match self.sum < whole {
            true => (format!("{rest}% go nowhere"), format!("say where the rest goes: ` and {rest}% to …`")),
            false => (format!("{rest}% too many"), "the shares of a split make 100% together".to_owned()),
        };
        args.tell(
            Mistake::error("split", span, format!("the shares add up to {sum}%, not to 100%")).label(label).hint(hint),
        );
    }
}

fn balance(args: &mut Args<'_>) -> Option<PolicyKind> {
    let of = args.take(calls)?;
    let (text, span) = args.quoted()?;
    match text.parse::<Balancer>() {
        Ok(by) => Some(PolicyKind::Balance { of, by }),
        Err(unknown) => {
            let near = nearest::name(text, unknown.known.iter().copied());
            let hint = match near {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("write \"{}\"", unknown.known.join("\", \"")),
            };
            let mistake = Mistake::error("balancer", span, format!("there is no algorithm \"{text}\""))
                .label("unknown")
                .hint(hint);
            args.tell(mistake);
            None
        }
    }
}

/// A name's place without its quotes.
pub(crate) fn inner(quoted: &Range<usize>) -> Range<usize> {
    quoted.start + 1..quoted.end.saturating_sub(1).max(quoted.start + 1)
}

/// Whether two policies are about the same subject in the same aspect: the later one then replaces the earlier.
pub(crate) fn same_subject(a: &PolicyKind, b: &PolicyKind, topology: &Topology) -> bool {
    let same = |a: &Calls, b: &Calls| normal(a, topology) == normal(b, topology);
    match (a, b) {
        (PolicyKind::Retries { of: a, .. }, PolicyKind::Retries { of: b, .. })
        | (PolicyKind::RetryBudget { of: a, .. }, PolicyKind::RetryBudget { of: b, .. })
        | (PolicyKind::Route { of: a, .. }, PolicyKind::Route { of: b, .. })
        | (PolicyKind::Balance { of: a, .. }, PolicyKind::Balance { of: b, .. }) => same(a, b),
        (PolicyKind::Timeout { of: a, .. }, PolicyKind::Timeout { of: b, .. })
        | (PolicyKind::IdleTimeout { of: a, .. }, PolicyKind::IdleTimeout { of: b, .. }) => {
            a.level == b.level && same(&a.of, &b.of)
        }
        (
            PolicyKind::InFlight { caller: a, to: c, unit: e, .. },
            PolicyKind::InFlight { caller: b, to: d, unit: f, .. },
        ) => (a, c, e) == (b, d, f),
        (PolicyKind::Connections { caller: a, to: c, .. }, PolicyKind::Connections { caller: b, to: d, .. }) => {
            (a, c) == (b, d)
        }
        (PolicyKind::Ejection { of: a, .. }, PolicyKind::Ejection { of: b, .. }) => a == b,
        _ => false,
    }
}

/// `calls from "web" to "reviews"` are `calls to "reviews"` where nobody else calls it.
fn normal(calls: &Calls, topology: &Topology) -> Calls {
    let mut calls = calls.clone();
    if let (Some(from), Some(to)) = (&calls.from, &calls.to)
        && topology.callers(&to.service).all(|caller| caller.name == *from)
    {
        calls.from = None;
    }
    calls
}
