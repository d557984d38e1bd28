//! Claims as sentences.

use crate::clauses::time::ordinal;
use squall_model::{
    Anchor, Bound, ClaimKind, Happening, Margin, MomentRef, Only, Outcome, Per, Phase, Population, Quantity, Reference,
    SeenBy, ShareBound, Shedder, Stick, Unit, duration,
};
use std::time::Duration;

/// A claim; `None` where the language has no sentence for it.
pub(crate) fn claim(kind: &ClaimKind) -> Option<String> {
    Some(match kind {
        ClaimKind::Every { of, outcome: Outcome::ReachOnlyOne(to), .. } => {
            let service = &of.calls.to.as_ref()?.service;
            let noun = match to {
                Stick::Version => "version",
                Stick::Instance => "instance",
            };
            format!("each user reaches only one {noun} of \"{service}\"{}", phase(of.phase))
        }
        ClaimKind::Every { of, all, outcome: what } => {
            let (word, units) = (if *all { "every" } else { "no" }, units(of, true)?);
            format!("{word} {units} {}{}", outcome(what, true)?, phase(of.phase))
        }
        ClaimKind::Share { of, outcome: what, bound } => {
            format!("{} of the {} {}{}", share(*bound), units(of, false)?, outcome(what, false)?, phase(of.phase))
        }
        ClaimKind::Total { quantity: Quantity::Count { of, outcome: what }, bound } => {
            let one = matches!(*bound, Bound { low: Some(1000), high: None | Some(1000) });
            format!("{} {} {}{}", count(*bound)?, units(of, one)?, outcome(what, one)?, phase(of.phase))
        }
        ClaimKind::Total { quantity: Quantity::Tries { target, seen_by, per, phase: when }, bound } => {
            let verb = match seen_by {
                SeenBy::Proxy => "receives",
                SeenBy::Workload => "serves",
            };
            format!("{target} {verb} {}{}", amount(*per, *bound)?, phase(*when))
        }
        ClaimKind::Paired { calls, reference, margin } => {
            format!("calls{calls} are as good as {}{}", self::reference(*reference), self::margin(*margin))
        }
        ClaimKind::Moment { what, within, of } => {
            let what = match what {
                Happening::Recover(calls) => format!("calls{calls} recover"),
                Happening::GetsTraffic(target) => format!("{target} gets traffic"),
                Happening::Becomes(state) => format!("{} {}", state.of, state.is),
            };
            format!("{what} within {} of {}", duration(*within), moment(*of))
        }
        ClaimKind::State { what, ever, phase: when } => {
            let is = what.is.to_string();
            let is = if *ever { is } else { is.replacen("is ", "is never ", 1) };
            format!("{} {is}{}", what.of, phase(*when))
        }
        ClaimKind::Lasts { what, least, most } => format!("{} {} for {}", what.of, what.is, span(*least, *most)?),
    })
}

/// An outcome, as it is said of one unit or of several.
pub(crate) fn outcome(outcome: &Outcome, one: bool) -> Option<String> {
    let (s, es, is) = if one { ("s", "es", "is") } else { ("", "", "are") };
    Some(match outcome {
        Outcome::Succeed(None) => format!("succeed{s}"),
        Outcome::Succeed(Some(time)) => format!("succeed{s} within {}", duration(*time)),
        Outcome::Fail => format!("fail{s}"),
        Outcome::FinishWithin(time) => format!("finish{es} within {}", duration(*time)),
        Outcome::TakeAtLeast(time) => format!("take{s} at least {}", duration(*time)),
        Outcome::TimeOut => format!("time{s} out"),
        Outcome::Shed(None) => format!("{is} shed"),
        Outcome::Shed(Some(by)) => format!("{is} shed by the {}", shedder(*by)),
        Outcome::Refused => format!("{is} refused"),
        Outcome::Reset => format!("{is} reset"),
        Outcome::Unroutable => format!("{is} unroutable"),
        Outcome::Denied => format!("{is} denied"),
        Outcome::Answered(code) => format!("{is} answered with {code}"),
        Outcome::Reach(target) => format!("reach{es} {target}"),
        Outcome::ReachOnlyOne(_) => return None,
        Outcome::TriedMoreThan(1) => format!("{is} tried more than 1 time"),
        Outcome::TriedMoreThan(tries) => format!("{is} tried more than {tries} times"),
        Outcome::TriedTwiceOnOneInstance => format!("{is} tried twice on one instance"),
        Outcome::Retried => format!("{is} retried"),
        Outcome::LoggedWithFlag(flag) => format!("{is} logged with flag \"{flag}\""),
    })
}

fn shedder(by: Shedder) -> &'static str {
    match by {
        Shedder::CircuitBreaker => "circuit breaker",
        Shedder::RateLimit => "rate limit",
        Shedder::AdmissionControl => "admission control",
        Shedder::AdaptiveConcurrency => "adaptive concurrency",
    }
}

/// `shed calls to "reviews"`.
fn units(of: &Population, one: bool) -> Option<String> {
    let only = match of.only {
        None => "",
        Some(Only::Shed) => "shed ",
        Some(Only::Failed) => "failed ",
    };
    let noun = match (of.unit, one) {
        (Unit::Call, true) => "call",
        (Unit::Call, false) => "calls",
        (Unit::Try, true) => "try",
        (Unit::Try, false) => "tries",
        (Unit::Retry, true) => "retry",
        (Unit::Retry, false) => "retries",
        (Unit::User, true) => "user",
        (Unit::User, false) => "users",
        (Unit::Connection, _) => return None,
    };
    Some(format!("{only}{noun}{}", of.calls))
}

fn share(bound: ShareBound) -> String {
    match bound {
        ShareBound::AtLeast(share) => format!("at least {share}"),
        ShareBound::AtMost(share) => format!("at most {share}"),
        ShareBound::MoreThan(share) => format!("more than {share}"),
        ShareBound::Between(low, high) => format!("between {low} and {high}"),
    }
}

/// A whole number of units.
fn count(bound: Bound) -> Option<String> {
    let whole = |number: u64| number.is_multiple_of(1000).then_some(number / 1000);
    Some(match (bound.low, bound.high) {
        (Some(low), Some(high)) if low == high => format!("exactly {}", whole(low)?),
        (Some(low), None) => format!("at least {}", whole(low)?),
        (None, Some(high)) => format!("at most {}", whole(high)?),
        _ => return None,
    })
}

fn amount(per: Per, bound: Bound) -> Option<String> {
    let per = match per {
        Per::Total => {
            return Some(match bound {
                Bound { low: None, high: Some(0) } => "no tries".to_owned(),
                Bound { low: Some(low), high: Some(high) } if low < high => {
                    let (low, high) = (decimal(low), decimal(high));
                    format!("between {low} and {high} tries")
                }
                bound => format!("{} tries", count(bound)?),
            })
            .filter(|text| !text.contains('.'));
        }
        Per::Call => "for each call",
        Per::Second => "per second",
    };
    Some(match (bound.low, bound.high) {
        (Some(low), None) => format!("at least {} tries {per}", decimal(low)),
        (None, Some(high)) => format!("at most {} tries {per}", decimal(high)),
        (Some(low), Some(high)) => format!("between {} and {} tries {per}", decimal(low), decimal(high)),
        (None, None) => return None,
    })
}

/// Thousandths as people write them: `1.35`.
fn decimal(thousandths: u64) -> String {
    let (whole, part) = (thousandths / 1000, thousandths % 1000);
    if part == 0 { whole.to_string() } else { format!("{whole}.{part:03}").trim_end_matches('0').to_owned() }
}

fn span(least: Option<Duration>, most: Option<Duration>) -> Option<String> {
    match (least, most) {
        (Some(least), Some(most)) => Some(format!("between {} and {}", duration(least), duration(most))),
        (Some(least), None) => Some(format!("at least {}", duration(least))),
        (None, Some(most)) => Some(format!("at most {}", duration(most))),
        (None, None) => None,
    }
}

fn reference(reference: Reference) -> &'static str {
    match reference {
        Reference::WithoutFault => "without the fault",
        Reference::BeforeFault => "before the fault",
        Reference::BeforeChange => "before the change",
    }
}

fn margin(margin: Margin) -> String {
    match (margin.points, margin.later) {
        (None, None) => String::new(),
        (Some(points), None) => format!(", within {points}"),
        (None, Some(later)) => format!(", within {}", duration(later)),
        (Some(points), Some(later)) => format!(", within {points} and {}", duration(later)),
    }
}

fn moment(of: MomentRef) -> String {
    match of {
        MomentRef::FaultStart => "the fault".to_owned(),
        MomentRef::FaultEnd => "the end of the fault".to_owned(),
        MomentRef::Change => "the change".to_owned(),
        MomentRef::Failure(number) => format!("its {number}{} failure", ordinal(number)),
    }
}

fn phase(phase: Phase) -> String {
    let of = |side: &str, anchor: Anchor| {
        let noun = match anchor {
            Anchor::Fault => "fault",
            Anchor::Change => "change",
        };
        format!(" {side} the {noun}")
    };
    match phase {
        Phase::Whole => String::new(),
        Phase::Before(anchor) => of("before", anchor),
        Phase::During(anchor) => of("during", anchor),
        Phase::After(anchor) => of("after", anchor),
        Phase::Clock { from, to: None } => format!(" from {}", duration(from)),
        Phase::Clock { from, to: Some(to) } => format!(" from {} to {}", duration(from), duration(to)),
    }
}
