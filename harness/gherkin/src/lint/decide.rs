//! Whether the traffic can decide the claims: how many of the runs would end with a verdict, and which numbers would do.

use super::planned::planned;
use super::populations::is_meant;
use super::predict::truth;
use super::scene::covers;
use super::view::View;
use crate::source::Mistake;
use squall_model::{
    Calls, Claim, ClaimKind, DrawnBy, ErrorRates, FaultKind, Fraction, HashKey, Level, Outcome, Plan, PolicyKind,
    Population, Shape, ShareBound, Touch, TrafficLine, Unit, duration,
};
use squall_stats::plan::{calls_to_decide, chance_to_decide, tightest};
use squall_stats::share::{Design, Promise, Risk};
use std::time::Duration;

/// A claim should be decided in this share of its runs…
pub(super) const ENOUGH: f64 = 0.99;
/// …and one that is decided more seldom than this is no claim.
pub(super) const HARDLY: f64 = 0.5;

/// Looks at every share.
pub(crate) fn check(view: &mut View<'_, '_, '_>) {
    if !view.plan().needs.is_empty() {
        // What cannot be run decides nothing, and nobody knows what its mechanism gives.
        return;
    }
    for claim in &view.built.plan.claims.clone() {
        if let ClaimKind::Share { of, outcome, bound } = &claim.kind {
            if view.was_told(view.claim_line(claim), "share-over-event") {
                // More calls would not help: the line is to be written otherwise.
                continue;
            }
            // What hangs together is no draw of its own: users are, where it is by user that they stick.
            let key = match of.unit {
                Unit::Call | Unit::Try | Unit::Retry => drawn_by(view, &of.calls, outcome).into_values().next(),
                Unit::User | Unit::Connection => None,
            };
            let units = match key {
                None => {
                    planned(view.plan(), of).map(|count| (count, if of.unit == Unit::User { "users" } else { "calls" }))
                }
                Some(HashKey::User | HashKey::Cookie(_)) => {
                    planned(view.plan(), &Population { unit: Unit::User, ..of.clone() }).map(|count| (count, "users"))
                }
                Some(HashKey::Header(_) | HashKey::SourceAddress) => None,
            };
            let Some(units) = units.map(|(count, noun)| Units { count, noun }) else { continue };
            decides(view, claim, units, *bound, truth(view, of, outcome));
        }
    }
}

/// What the way of these calls is drawn by, where it decides this.
pub(super) fn drawn_by(view: &View<'_, '_, '_>, calls: &Calls, what: &Outcome) -> DrawnBy {
    let plan = view.plan();
    plan.drawn_by(calls, what, plan.lines().filter(|line| is_meant(calls, line, &plan.topology)))
}

/// So many of what.
#[derive(Debug, Clone, Copy)]
struct Units {
    count: u64,
    noun: &'static str,
}

impl std::fmt::Display for Units {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", grouped(self.count), self.noun)
    }
}

fn decides(view: &mut View<'_, '_, '_>, claim: &Claim, units: Units, bound: ShareBound, known: Option<f64>) {
    let promise = promise(bound);
    let ErrorRates { alpha, beta } = view.plan().terms.rates;
    let risk = Risk { alpha, beta };
    let Ok(design) = Design::new(promise, risk) else { return };
    let best = known.unwrap_or_else(|| best(promise));
    let line = view.claim_line(claim);
    if !design.is_kept_by(best) {
        let why = multiplied(view.plan());
        view.tell(line, |line| broken(line.clause("claim"), best).maybe_hint(why));
        return;
    }
    let Ok(chance) = chance_to_decide(&design, units.count, best) else { return };
    if chance.holds >= ENOUGH {
        return;
    }
    let needed = calls_to_decide(&design, best).ok().map(|forecast| forecast.most);
    let shown = tightest(promise, units.count, best, risk).and_then(words);
    let rates = rates(view);
    view.tell(line, |line| {
        let span = line.clause("claim");
        let mistake = match chance.holds < HARDLY {
            true => Mistake::error("undecided", span, undecided(units, chance.holds)),
            false => Mistake::warning("undecided", span, undecided(units, chance.holds)),
        };
        let label = match known {
            Some(share) => format!("the mechanism gives {}", percent(share)),
            None if matches!(promise, Promise::Between(..)) => "even from the middle of this range".to_owned(),
            None => "even if it is kept without a flaw".to_owned(),
        };
        mistake.label(label).maybe_hint(hint(needed, shown, rates, units.noun))
    });
}

/// The mechanism itself breaks the promise.
fn broken(span: std::ops::Range<usize>, truth: f64) -> Mistake {
    Mistake::warning(
        "broken-promise",
        span,
        format!("the mechanism gives {}: this promise is not kept", percent(truth)),
    )
    .label("expected to be violated")
}

/// What aborts and retries come to: a try that is aborted is tried again, a call is not.
fn multiplied(plan: &Plan) -> Option<String> {
    let (aborts, code) = plan.faults.iter().find_map(|fault| match &fault.does {
        FaultKind::Touch { on, touch: Touch::Abort(code) } => Some((on, *code)),
        _ => None,
    })?;
    let retries = plan.policies.iter().find_map(|policy| match &policy.says {
        PolicyKind::Retries { up_to, on, .. } => Some((*up_to, on.as_slice())),
        _ => None,
    });
    let share = aborts.share;
    Some(match (aborts.level, retries) {
        (Level::Calls, Some(_)) => format!(
            "aborted calls are not retried: {share} of the calls fail;\nretries meet what hits tries: `{share} of the tries reaching … are aborted`"
        ),
        (Level::Calls, None) => format!("{share} of the calls are aborted, and fail"),
        (Level::Tries, None) => format!("nothing retries: with {share} of the tries, {share} of the calls fail"),
        (Level::Tries, Some((_, on))) if !covers(on, code) => {
            let on: Vec<String> = on.iter().map(ToString::to_string).collect();
            format!(
                "what is aborted with {code} is not among what is retried (\"{}\"): {share} of the calls fail",
                on.join(", ")
            )
        }
        (Level::Tries, Some((up_to, _))) => {
            let tries = up_to.saturating_add(1).min(9) as usize;
            let one = decimal(share.as_f64());
            let all = percent(share.as_f64().powi(i32::try_from(up_to).unwrap_or(i32::MAX).saturating_add(1)));
            let times = if up_to == 1 { "1 retry".to_owned() } else { format!("{up_to} retries") };
            format!(
                "retries multiply: of {share} aborted tries and {times}, {} = {all} of the calls fail",
                vec![one; tries].join(" × ")
            )
        }
    })
}

/// `0.3`.
fn decimal(share: f64) -> String {
    format!("{share:.3}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn undecided(units: Units, chance: f64) -> String {
    match (chance * 100.0).floor() as u64 {
        0 => format!("{units} hardly ever show this"),
        runs => format!("{units} show this in {runs} of 100 runs; the others are inconclusive"),
    }
}

fn hint(needed: Option<u64>, shown: Option<String>, rate: Option<f64>, noun: &'static str) -> Option<String> {
    let more = needed.map(|needed| {
        let needed = Units { count: round_up(needed), noun };
        let time = rate.filter(|rate| *rate > 0.0 && noun == "calls").map(|rate| {
            let seconds = Duration::from_secs((needed.count as f64 / rate).ceil() as u64);
            format!(", {} of this traffic", duration(seconds))
        });
        format!("ask for {needed}{}", time.unwrap_or_default())
    });
    match (shown, more) {
        (Some(shown), Some(more)) => Some(format!("write `{shown}`, or {more}")),
        (Some(shown), None) => Some(format!("write `{shown}`")),
        (None, more) => more,
    }
}

/// What can be written instead, on the safe side: whole per cents, tenths near the ends.
fn words(promise: Promise) -> Option<String> {
    let share = |x: f64, up: bool| {
        let step = if (0.02..=0.98).contains(&x) { 100.0 } else { 1000.0 };
        let steps = if up { (x * step - 1e-9).ceil() } else { (x * step + 1e-9).floor() };
        Fraction::from_ppm((steps / step * 1e6).round() as u32).filter(|f| *f > Fraction::ZERO && *f < Fraction::ALL)
    };
    Some(match promise {
        Promise::AtLeast(least) => format!("at least {} of", share(least, false)?),
        Promise::AtMost(most) => format!("at most {} of", share(most, true)?),
        Promise::Between(low, high) => format!("between {} and {} of", share(low, false)?, share(high, true)?),
    })
}

fn promise(bound: ShareBound) -> Promise {
    match bound {
        ShareBound::AtLeast(share) | ShareBound::MoreThan(share) => Promise::AtLeast(share.as_f64()),
        ShareBound::AtMost(share) => Promise::AtMost(share.as_f64()),
        ShareBound::Between(low, high) => Promise::Between(low.as_f64(), high.as_f64()),
    }
}

/// The truth that shows a promise soonest.
fn best(promise: Promise) -> f64 {
    match promise {
        Promise::AtLeast(_) => 1.0,
        Promise::AtMost(_) => 0.0,
        Promise::Between(low, high) => f64::midpoint(low, high),
    }
}

/// Calls per second of all lines together, where each has a rate.
fn rates(view: &View<'_, '_, '_>) -> Option<f64> {
    let rate = |line: &&TrafficLine| match line.shape {
        Shape::Open { rate, .. } => Some(rate.hertz()),
        _ => None,
    };
    match view.traffic().as_slice() {
        [one] => rate(one),
        _ => None,
    }
}

/// `97.3%`.
pub(super) fn percent(share: f64) -> String {
    let ppm = (share * 1e6).round().clamp(0.0, 1e6) as u32;
    let thousandth = (ppm + 500) / 1000 * 1000;
    Fraction::from_ppm(thousandth).unwrap_or_default().to_string()
}

/// Two significant digits, upwards.
pub(super) fn round_up(number: u64) -> u64 {
    let step = 10u64.pow(number.checked_ilog10().unwrap_or(0).saturating_sub(1));
    number.div_ceil(step) * step
}

/// `8,000`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!([0, 12, 7_681, 1_000_000].map(grouped), ["0", "12", "7,681", "1,000,000"]);
        assert_eq!([7, 99, 101, 7_681].map(round_up), [7, 99, 110, 7_700]);
        assert_eq!(percent(0.97301), "97.3%");
        assert_eq!(words(Promise::AtLeast(0.94567)).as_deref(), Some("at least 94% of"));
        assert_eq!(words(Promise::AtMost(0.0123)).as_deref(), Some("at most 1.3% of"));
        assert_eq!(words(Promise::Between(0.0602, 0.139)).as_deref(), Some("between 6% and 14% of"));
    }
}
