//! Up to five calls that show what happened, each with all its tries on one timeline.

use squall_evidence::{CallStory, Evidence, TryView};
use squall_model::{Exemplar, ExemplarTry};
use std::{cmp::Reverse, collections::BTreeMap};

/// So many calls stand for all.
const MOST: usize = 5;

/// So many of them stand for a kind of their own.
const KINDS: usize = 4;

/// The first of each kind of offence (the most common four), then the last, the slowest and the most tried of these calls, and
/// those in the middle; in order.
pub(crate) fn spread(evidence: &Evidence, offenders: &[usize]) -> Vec<Exemplar> {
    let stories = evidence.stories();
    let mut offenders: Vec<usize> = offenders.iter().copied().filter(|index| *index < stories.len()).collect();
    offenders.sort_unstable();
    offenders.dedup();
    let at = |quarter: usize| offenders.get(offenders.len().saturating_sub(1) * quarter / 4).copied();
    let most = |measure: &dyn Fn(&CallStory) -> u64| {
        let rev = offenders.iter().copied().rev();
        rev.max_by_key(|index| measure(&stories[*index]))
    };
    let slowest = most(&|story| story.took());
    let most_tried = most(&|story| evidence.tries_sent(story) as u64);
    let spread = [at(4), slowest, most_tried, at(2), at(1), at(3)].into_iter().flatten();
    let mut chosen: Vec<usize> = Vec::new();
    for index in first_of_each_kind(evidence, &offenders).into_iter().chain(spread).chain(offenders.iter().copied()) {
        if chosen.len() < MOST && !chosen.contains(&index) {
            chosen.push(index);
        }
    }
    chosen.sort_unstable();
    chosen.into_iter().map(|index| exemplar(evidence, &stories[index])).collect()
}

/// The first call of each kind, the most common kinds first. Of one kind are calls that ended alike and whose tries did.
fn first_of_each_kind(evidence: &Evidence, offenders: &[usize]) -> Vec<usize> {
    let mut kinds: BTreeMap<String, (u64, usize)> = BTreeMap::new();
    for index in offenders {
        let story = &evidence.stories()[*index];
        let flags = evidence.line(story).map_or("", |line| line.flags.as_str());
        let mut kind = format!("{} {:?} {flags}", story.outcome, story.end);
        for t in evidence.tries(story) {
            kind.push_str(&format!("; {} {} {}", t.outcome(), t.status(), t.flags()));
        }
        kinds.entry(kind).or_insert((0, *index)).0 += 1;
    }
    let mut kinds: Vec<(u64, usize)> = kinds.into_values().collect();
    kinds.sort_by_key(|(count, first)| (Reverse(*count), *first));
    kinds.into_iter().map(|(_, first)| first).take(KINDS).collect()
}

fn exemplar(evidence: &Evidence, story: &CallStory) -> Exemplar {
    let line = evidence.line(story);
    let origin = evidence.origin_of(story.intended).unwrap_or(story.intended);
    Exemplar {
        id: evidence.id(story),
        at: story.intended.0.saturating_sub(origin.0),
        took: story.done.0.saturating_sub(story.intended.0),
        end: story.end,
        outcome: story.outcome.to_string(),
        flags: line.map(|l| l.flags.clone()).unwrap_or_default(),
        details: line.map(|l| l.details.clone()).unwrap_or_default(),
        tries: evidence.tries(story).map(|t| exemplar_try(story, &t)).collect(),
    }
}

fn exemplar_try(story: &CallStory, t: &TryView<'_>) -> ExemplarTry {
    ExemplarTry {
        attempt: t.attempt,
        instance: t.instance().cloned(),
        at: t.began().signed_since(story.intended),
        took: t.took(),
        status: t.status(),
        grpc: t.grpc(),
        flags: t.flags(),
        // Where nobody tells what the workload saw, nothing is said of it.
        served: t.served.is_some() || t.one_sided,
    }
}

#[cfg(test)]
mod tests;
