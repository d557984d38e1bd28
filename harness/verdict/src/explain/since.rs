//! Since when: the stretch of time in which units offend more than before and after.

use super::{
    ERROR, explains,
    offence::{Offence, One},
};
use crate::ruling::Case;
use squall_evidence::{Border, Evidence};
use squall_model::{Act, Moment, Onset, Plan, Since, Stamp, Tally};
use squall_stats::{
    contrast::{Stretch, stretch, stretch_from},
    share::Look,
};
use std::{collections::BTreeSet, time::Duration};

/// Chance explains a gap at either end that is this likely.
const GAP: f64 = 0.05;

/// What takes effect so long before may have brought it about.
const ONSET: Duration = Duration::from_secs(1);

/// From when on units offend. `None` if none does.
pub(super) fn since(case: Case<'_>, offence: &Offence<'_>) -> Option<Since> {
    let (units, all, evidence) = (&offence.all, offence.look(), case.evidence);
    let flags: Vec<bool> = units.iter().map(|one| one.offends).collect();
    let first = flags.iter().position(|offends| *offends)?;
    let last = flags.iter().rposition(|offends| *offends)?;
    let at = |index: usize| moment(evidence, units[index].story.intended);
    // What is too short to be told from chance anywhere can be told from it where something happened.
    let anywhere = stretch(&flags, ERROR / 2.0);
    let found = anywhere.or_else(|| stretch_from(&flags, &starts(case, units), ERROR / 2.0));
    let found = found.filter(|s| explains(s.within, all));
    Some(match found {
        Some(Stretch { from, to, within }) => Since::Stretch {
            from: at(from),
            to: ends(within, units.len() - to).then(|| at(to - 1)),
            within: tally(within),
            without: Tally { hits: all.hits - within.hits, n: all.n - within.n },
            unit: offence.unit,
            cue: onset(case, units, from),
        },
        None if is_from_the_first(all, first) => {
            Since::First { first: at(first), last: at(last), all: tally(all), unit: offence.unit }
        }
        None => Since::Scattered { first: at(first), last: at(last) },
    })
}

fn tally(look: Look) -> Tally {
    Tally { hits: look.hits, n: look.n }
}

/// A moment by the clock of its stage.
fn moment(evidence: &Evidence, at: Stamp) -> Moment {
    let stages = &evidence.observed().stages;
    let stage = stages.iter().rposition(|s| s.origin <= at).unwrap_or(0);
    let origin = stages.get(stage).map(|s| s.origin).unwrap_or_default();
    Moment { stage: stage as u32, at: at.0.saturating_sub(origin.0) }
}

/// Is it over before the traffic is: would so many more units, at the stretch's own share, hardly all be good?
fn ends(within: Look, after: usize) -> bool {
    let good = 1.0 - within.hits as f64 / within.n as f64;
    after > 0 && good.powi(i32::try_from(after).unwrap_or(i32::MAX)) < GAP
}

/// Would chance put as many good units before the first offender?
fn is_from_the_first(all: Look, first: usize) -> bool {
    let chance: f64 = (0..first as u64).map(|n| 1.0 - all.hits as f64 / (all.n - n).max(1) as f64).product();
    chance >= GAP
}

/// The first unit that was to be sent once something of the timeline was asked for: one each. Not the first that it hit: which
/// that was depends on how it fared.
fn starts(case: Case<'_>, units: &[One<'_>]) -> Vec<usize> {
    let asked = case.evidence.observed().effects.iter().map(|e| Border::from(e.effect).asked);
    let first = |asked: Stamp| units.iter().position(|one| one.story.intended >= asked).filter(|index| *index > 0);
    let starts: BTreeSet<usize> = asked.filter_map(first).collect();
    starts.into_iter().collect()
}

/// The last thing of the timeline that was asked for in the second before the first offender; where there was none, the first
/// that was asked for before it was over. What is cleared away once the last unit has begun brought nothing about.
fn onset(case: Case<'_>, units: &[One<'_>], from: usize) -> Option<Onset> {
    let Case { plan, evidence, .. } = case;
    let first = units.get(from)?.story;
    let begun = units.first()?.story.intended;
    let over = units.last()?.story.intended;
    let earliest = begun.max(first.intended - ONSET);
    let seen = evidence.observed().effects.iter();
    let all = seen.map(|e| (Border::from(e.effect).asked, e.act)).filter(|(asked, _)| *asked <= over);
    let all: Vec<(Stamp, Act)> = all.collect();
    let within = |from: Stamp, to: Stamp| all.iter().copied().filter(move |(asked, _)| *asked >= from && *asked <= to);
    let before = within(earliest, first.intended).max_by_key(|(asked, _)| *asked);
    let (asked, act) = before.or_else(|| within(first.intended, first.done).min_by_key(|(asked, _)| *asked))?;
    let (text, ended) = words(plan, act)?;
    Some(Onset { text, ended, after: first.intended.0.saturating_sub(asked.0) })
}

fn words(plan: &Plan, act: Act) -> Option<(String, bool)> {
    match act {
        Act::Arm(id) => plan.fault(id).map(|f| (f.does.to_string(), false)),
        Act::End(id) => plan.fault(id).map(|f| (f.does.to_string(), true)),
        Act::Change(id) => plan.origins.policies.get(&id).map(|at| (format!("the change at {at}"), false)),
        Act::Revert(id) => plan.origins.policies.get(&id).map(|at| (format!("the change at {at}"), true)),
    }
}
