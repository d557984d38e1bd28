//! Lines of kind P about where calls go: routes and splits, stickiness, algorithms, places.

use super::line::Args;
use crate::clauses::calls::{calls, traffic_with_share};
use crate::clauses::check::key;
use crate::clauses::place::{further, place};
use crate::clauses::target::target;
use crate::nearest;
use crate::source::Mistake;
use squall_model::{Balancer, Calls, Destination, Fraction, Level, PolicyKind, ServiceName, Stick};
use std::ops::Range;

/// Reads a route, stickiness, an algorithm or a preference; `None` where it cannot be read (noted in the reader).
pub(crate) fn policy(number: u8, args: &mut Args<'_>) -> Option<PolicyKind> {
    match number {
        19 => route(args),
        20 => sticky(args),
        21 => balance(args),
        26 => prefer(args),
        _ => None,
    }
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

fn sticky(args: &mut Args<'_>) -> Option<PolicyKind> {
    let of = calls_to_somebody(args, "stay")?;
    let by = args.take(key)?;
    let to = if args.words_before_last().contains("version") { Stick::Version } else { Stick::Instance };
    Some(PolicyKind::Sticky { of, to, by })
}

fn prefer(args: &mut Args<'_>) -> Option<PolicyKind> {
    let of = calls_to_somebody(args, "prefer")?;
    let service = of.to.as_ref().map(|to| to.service.to_string());
    let first = args.take(|r| place(r, service.clone()));
    let start = args.last().start;
    let second = args.take(|r| place(r, service.clone()));
    let more = args.take(|r| further(r, service.as_deref()));
    let places: Vec<_> = first.into_iter().chain(second).chain(more).collect();
    if places.iter().enumerate().any(|(at, place)| places[..at].contains(place)) {
        let mistake = Mistake::error("twice", start..args.r.at(), "a place is named twice")
            .label("each once, in the order in which they are preferred");
        args.tell(mistake);
    }
    (places.len() > 1).then_some(PolicyKind::Prefer { of, places })
}

/// Calls whose callee is named: where to would they go else?
fn calls_to_somebody(args: &mut Args<'_>, verb: &str) -> Option<Calls> {
    let of = args.take(calls)?;
    if of.to.is_none() {
        let mistake = Mistake::error("route-of-what", args.last(), "calls to whom?")
            .label("no service is named")
            .hint(format!("write `calls to \"…\" {verb} …`"));
        args.tell(mistake);
        return None;
    }
    Some(of)
}
