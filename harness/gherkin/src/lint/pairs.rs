//! Whether the traffic can decide *as good as*: how many pairs it makes, and which margin they would show.

use super::decide::{ENOUGH, HARDLY, grouped, percent, round_up};
use super::paired::hertz;
use super::planned::planned;
use super::populations::is_meant;
use super::predict::truth;
use super::view::View;
use crate::source::Mistake;
use squall_model::{
    Anchor, Calls, Claim, ClaimKind, Fraction, Margin, Outcome, Phase, Population, Reference, TrafficLine, Unit,
    duration,
};
use squall_stats::paired::PairedDesign;
use squall_stats::plan::{Arms, chance_of_pairs, pairs_to_decide};
use squall_stats::share::Risk;
use std::time::Duration;

/// What a switch takes of a block: no more than this on any machine that Squall was tried on.
const SWITCH: Duration = Duration::from_millis(20);
/// The pilot of a comparison with what was before.
const PILOT: u64 = 50;
/// Margins that are offered, in points.
const OFFERED: [u32; 5] = [2, 3, 5, 10, 20];

/// Looks at every comparison.
pub(crate) fn check(view: &mut View<'_, '_, '_>) {
    if !view.plan().needs.is_empty() {
        return;
    }
    for claim in &view.built.plan.claims.clone() {
        if let ClaimKind::Paired { calls, reference, margin } = &claim.kind
            && let Some(traffic) = traffic(view, calls, *reference).filter(|made| made.pairs > 0)
        {
            let known = arms(view, calls, *reference);
            decides(view, claim, *margin, traffic, known);
        }
    }
}

/// The pairs that the traffic makes.
#[derive(Debug, Clone, Copy)]
struct Made {
    pairs: u64,
    /// Pairs each second, over a stage in blocks.
    rate: Option<f64>,
}

fn traffic(view: &View<'_, '_, '_>, calls: &Calls, reference: Reference) -> Option<Made> {
    let topology = &view.plan().topology;
    let meant = |line: &&TrafficLine| is_meant(calls, line, topology);
    if let Some((treated, baseline)) = reference.phases() {
        let calls_of = |phase| planned(view.plan(), &all_of(calls, phase));
        let pairs = calls_of(baseline)?.saturating_sub(PILOT).min(calls_of(treated)?);
        return Some(Made { pairs, rate: None });
    }
    let stage = view.plan().timeline.stages.last()?;
    let blocks = stage.blocks?;
    let rate: f64 = stage.lines.iter().filter(meant).map(|line| hertz(line.shape)).sum::<Option<f64>>()?;
    let each = rate * blocks.length.saturating_sub(SWITCH).as_secs_f64();
    let pairs = each.floor() * f64::from((blocks.count / 2).saturating_sub(1));
    (rate > 0.0).then_some(Made { pairs: pairs as u64, rate: Some(each / (blocks.length * 2).as_secs_f64()) })
}

/// All of these calls in a phase.
fn all_of(calls: &Calls, phase: Phase) -> Population {
    Population { unit: Unit::Call, only: None, calls: calls.clone(), phase }
}

/// The true shares of failures that the mechanism gives.
fn arms(view: &View<'_, '_, '_>, calls: &Calls, reference: Reference) -> Option<Arms> {
    let share = |phase| truth(view, &all_of(calls, phase), &Outcome::Fail);
    let both = (Phase::During(Anchor::Fault), Phase::Before(Anchor::Fault));
    let (treated, baseline) = reference.phases().unwrap_or(both);
    Some(Arms { treated: share(treated)?, baseline: share(baseline)? })
}

fn design(points: f64) -> Option<PairedDesign> {
    let Risk { alpha, beta } = Risk::default();
    // Success and latency share the false alarms.
    PairedDesign::new(points, Risk { alpha: alpha / 2.0, beta }).ok()
}

fn decides(view: &mut View<'_, '_, '_>, claim: &Claim, margin: Margin, made: Made, known: Option<Arms>) {
    let truth = known.unwrap_or(Arms { treated: 0.0, baseline: 0.0 });
    let Some(of_margin) = design(margin.share()) else { return };
    let line = view.claim_line(claim);
    if truth.treated - truth.baseline >= margin.share() {
        view.tell(line, |line| {
            let message = format!("by the mechanism {}: this promise is not kept", both(truth));
            Mistake::warning("broken-promise", line.whole(), message).label("expected to be violated")
        });
        return;
    }
    let holds = |design: &PairedDesign| match chance_of_pairs(design, made.pairs, truth) {
        Ok(Some(chance)) => Some(chance.holds),
        _ => None,
    };
    let Some(chance) = holds(&of_margin).filter(|chance| *chance < ENOUGH) else { return };
    let wider = OFFERED.into_iter().map(Fraction::percent).filter(|points| points.as_f64() > margin.share());
    let shown = wider.into_iter().find(|points| {
        design(points.as_f64()).and_then(|design| holds(&design)).is_some_and(|chance| chance >= ENOUGH)
    });
    let needed = pairs_to_decide(&of_margin, truth).ok().map(|forecast| forecast.most);
    view.tell(line, |line| {
        let pairs = format!("{} pairs of calls", grouped(made.pairs));
        let message = match (chance * 100.0).floor() as u64 {
            0 => format!("{pairs} hardly ever show this"),
            runs => format!("{pairs} show this in {runs} of 100 runs; the others are inconclusive"),
        };
        let mistake = match chance < HARDLY {
            true => Mistake::error("undecided", line.whole(), message),
            false => Mistake::warning("undecided", line.whole(), message),
        };
        let label = match known {
            Some(truth) => format!("by the mechanism {}", both(truth)),
            None => "even if no call fails".to_owned(),
        };
        mistake.label(label).maybe_hint(hint(shown, needed, made.rate, margin))
    });
}

/// `0.1% of the calls fail, of the others 0%`.
fn both(truth: Arms) -> String {
    format!("{} of the calls fail, of the others {}", percent(truth.treated), percent(truth.baseline))
}

fn hint(shown: Option<Fraction>, needed: Option<u64>, rate: Option<f64>, margin: Margin) -> Option<String> {
    let later = margin.later.map_or(String::new(), |later| format!(" and {}", duration(later)));
    let shown = shown.map(|points| format!("write `, within {points}{later}`"));
    let more = needed.map(|needed| {
        let pairs = grouped(round_up(needed));
        let time = rate.filter(|rate| *rate > 0.0).map(|rate| {
            // The pilot's pair of blocks comes on top.
            let seconds = (needed as f64 / rate + 0.5).ceil().max(2.0);
            format!(", {} of this traffic", duration(Duration::from_secs(seconds as u64)))
        });
        format!("ask for {pairs} pairs{}", time.unwrap_or_default())
    });
    match (shown, more) {
        (Some(shown), Some(more)) => Some(format!("{shown}, or {more}")),
        (one, other) => one.or(other),
    }
}
