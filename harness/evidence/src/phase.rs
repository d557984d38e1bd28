//! Which calls belong to which part of the time: before, during and after faults and changes.
//!
//! Phases are cut by what was observed ([`Effect`]), never by the plan; only what a control run took away, and so was never
//! observed, keeps its planned time. Calls that were sent while something came or went belong to no phase.

mod blocks;
mod time;

use crate::{CallStory, Evidence, Happened, Observed, Planned, TryView, planned};
use squall_model::{Act, Anchor, Effect, FaultId, Phase, Plan, PolicyId, Stamp};
use std::time::Duration;

/// A start or an end, which takes time: somewhere within it each proxy went over from the old state to the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Border {
    /// Until here everything was old.
    pub asked: Stamp,
    /// From here on everything is new.
    pub settled: Stamp,
}

/// The time for which something was in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How it began.
    pub start: Border,
    /// How it ended, where it did.
    pub end: Option<Border>,
}

/// The moments of a call or a try that decide which phase it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// When it was meant to be sent; a try: when it was.
    pub intended: Stamp,
    /// When it met the first proxy that could do anything to it; [`NEAR`] after it was sent, where it took longer.
    pub met: Stamp,
    /// When it was over.
    pub done: Stamp,
}

/// How a call or a try stands to a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// It does not belong to it.
    Outside,
    /// It belongs to it with all its life.
    Within,
    /// It belongs to it, but something came or went before it was over: a verdict must not depend on it.
    Crossing,
}

impl From<Effect> for Border {
    fn from(effect: Effect) -> Border {
        Border { asked: effect.asked, settled: effect.effective.max(effect.last_old).max(effect.asked) }
    }
}

impl Border {
    /// A border without width.
    #[must_use]
    pub fn at(stamp: Stamp) -> Border {
        Border { asked: stamp, settled: stamp }
    }

    /// What it is most likely to be, where it is a moment that is not known exactly.
    #[must_use]
    pub fn middle(&self) -> Stamp {
        Stamp(self.asked.0 + self.settled.0.saturating_sub(self.asked.0) / 2)
    }

    /// Does anything of this stretch of time lie on the border?
    #[must_use]
    pub fn touches(&self, from: Stamp, to: Stamp) -> bool {
        from <= self.settled && to >= self.asked
    }
}

impl Window {
    /// Was it in place, confirmed, at this moment and for some time around it?
    #[must_use]
    pub fn surely_at(&self, at: Stamp, around: Duration) -> bool {
        self.start.settled + around <= at && self.end.is_none_or(|end| at + around < end.asked)
    }

    /// Can it have been in place at this moment, or some time around it?
    #[must_use]
    pub fn possibly_at(&self, at: Stamp, around: Duration) -> bool {
        self.start.asked <= at + around && self.end.is_none_or(|end| at <= end.settled + around)
    }

    pub(crate) fn borders(&self) -> impl Iterator<Item = Border> + Clone + use<> {
        std::iter::once(self.start).chain(self.end)
    }
}

/// How long calls are on their way: sends may be as late as this. Whoever is for longer was kept there, on a wire or by a proxy that stands
/// still, and belongs to the time that it was sent in. Else all that hang until a fault ends would belong to nothing, and nobody would have
/// failed during it.
const NEAR: Duration = Duration::from_millis(20);

impl Life {
    fn new(intended: Stamp, met: Stamp, done: Stamp) -> Life {
        Life { intended, met: met.min(intended + NEAR).min(done.max(intended)), done }
    }
}

impl From<&CallStory> for Life {
    fn from(story: &CallStory) -> Life {
        Life::new(story.intended, story.met, story.done)
    }
}

impl From<&TryView<'_>> for Life {
    fn from(t: &TryView<'_>) -> Life {
        Life::new(t.began(), t.met(), t.ended())
    }
}

impl Evidence {
    /// How a call or a try stands to a phase.
    #[must_use]
    pub fn membership(&self, phase: Phase, life: Life) -> Membership {
        let (anchor, inside) = match phase {
            Phase::Whole => return Membership::Within,
            Phase::Clock { from, to } => return self.by_clock(from, to, life.intended),
            Phase::Before(anchor) => (anchor, self.is_before(anchor, life)),
            Phase::During(anchor) => (anchor, self.is_during(anchor, life)),
            Phase::After(anchor) => (anchor, self.is_after(anchor, life)),
        };
        let mut borders = self.windows(anchor).iter().flat_map(Window::borders);
        if !inside || borders.clone().any(|b| b.touches(life.intended, life.met)) {
            return Membership::Outside;
        }
        match borders.any(|b| life.met < b.asked && b.asked <= life.done) {
            true => Membership::Crossing,
            false => Membership::Within,
        }
    }

    /// When the faults, or the changes, were in place.
    #[must_use]
    pub fn windows(&self, anchor: Anchor) -> &[Window] {
        match anchor {
            Anchor::Fault => &self.windows[0],
            Anchor::Change => &self.windows[1],
        }
    }

    fn is_before(&self, anchor: Anchor, life: Life) -> bool {
        let windows = self.windows(anchor);
        !windows.is_empty() && windows.iter().all(|w| life.met < w.start.asked)
    }

    fn is_during(&self, anchor: Anchor, life: Life) -> bool {
        let within = |w: &Window| w.start.settled <= life.intended && w.end.is_none_or(|end| life.met < end.asked);
        self.windows(anchor).iter().any(within)
    }

    /// A change that is never taken back has its *after* from when it is in force.
    fn is_after(&self, anchor: Anchor, life: Life) -> bool {
        let windows = self.windows(anchor);
        let passed = |w: &Window| match (w.end, anchor) {
            (Some(end), _) => end.settled < life.intended,
            (None, Anchor::Change) => w.start.settled < life.intended,
            (None, Anchor::Fault) => false,
        };
        !windows.is_empty() && windows.iter().all(passed)
    }

    fn by_clock(&self, from: Duration, to: Option<Duration>, at: Stamp) -> Membership {
        let origin = self.origin_of(at);
        let inside = origin.is_some_and(|o| o + from <= at && to.is_none_or(|to| at < o + to));
        if inside { Membership::Within } else { Membership::Outside }
    }
}

/// What can be in place for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Fault(FaultId),
    Change(PolicyId),
}

fn subject(act: Act) -> (Subject, bool) {
    match act {
        Act::Arm(id) => (Subject::Fault(id), true),
        Act::End(id) => (Subject::Fault(id), false),
        Act::Change(id) => (Subject::Change(id), true),
        Act::Revert(id) => (Subject::Change(id), false),
    }
}

/// The windows of the faults (of the events, where there is no fault) and of the changes: as observed, else as planned.
pub(crate) fn windows(plan: &Plan, observed: &Observed) -> [Vec<Window>; 2] {
    let own = match observed.planned.is_empty() {
        true => planned(plan),
        false => observed.planned.clone(),
    };
    let is_fault = |p: &Planned| matches!(p.act, Act::Arm(_) | Act::End(_));
    let any_fault = own.iter().any(|p| is_fault(p) && !p.event);
    let chosen = |p: &Planned| !(is_fault(p) && any_fault && p.event);
    let mut all = [Vec::new(), Vec::new()];
    let borders: Vec<Option<Border>> = counted(&own).map(|(p, nth)| border(observed, p, nth)).collect();
    for (p, start) in own.iter().zip(&borders).filter(|(p, _)| chosen(p)) {
        let (subject, begins) = subject(p.act);
        let Some(start) = start.filter(|_| begins) else { continue };
        let meant = own.iter().zip(&borders).filter(|(p, _)| ends(subject, p.act)).filter_map(|(_, border)| *border);
        let end = match p.at_once {
            true => Some(Border::at(start.settled)),
            false => end_of(observed, meant, subject, start),
        };
        let window = Window { start, end };
        all[usize::from(matches!(subject, Subject::Change(_)))].push(window);
    }
    all
}

/// What is planned, each with its number among those of its very act in its stage: a fault in blocks comes and goes often.
fn counted(planned: &[Planned]) -> impl Iterator<Item = (&Planned, usize)> {
    planned.iter().enumerate().map(|(at, p)| {
        let before = planned[..at].iter().filter(|q| q.act == p.act && q.stage == p.stage).count();
        (p, before)
    })
}

/// The n-th time, from 0, that this took effect in its stage.
fn seen<'o>(observed: &'o Observed, p: &Planned, nth: usize) -> Option<&'o Happened> {
    observed.effects.iter().filter(|e| e.act == p.act && e.stage == p.stage).nth(nth)
}

fn border(observed: &Observed, p: &Planned, nth: usize) -> Option<Border> {
    match (seen(observed, p, nth), p.at) {
        (Some(seen), _) => Some(seen.effect.into()),
        (None, None) => Some(Border::at(Stamp(0))),
        (None, Some(at)) => observed.stages.get(p.stage as usize).map(|stage| Border::at(stage.origin + at)),
    }
}

fn ends(of: Subject, act: Act) -> bool {
    subject(act) == (of, false)
}

/// The next observed end, planned or not (what has none ends when the scenario is cleared away), else the next planned one.
fn end_of(observed: &Observed, meant: impl Iterator<Item = Border>, of: Subject, start: Border) -> Option<Border> {
    let seen = observed.effects.iter().filter(|e| ends(of, e.act)).map(|e| Border::from(e.effect));
    seen.chain(meant).find(|end| end.asked >= start.asked)
}

/// From when on something of this very plan must have happened that has not been observed yet.
pub(crate) fn pending_from(plan: &Plan, observed: &Observed) -> Option<Stamp> {
    let own = planned(plan);
    let waiting = counted(&own).filter(|(p, nth)| seen(observed, p, *nth).is_none());
    let when =
        |(p, _): (&Planned, usize)| Some(observed.stages.get(p.stage as usize)?.origin + p.at.unwrap_or_default());
    waiting.filter_map(when).min()
}

/// From when to when each stage sent. The last call stands for as much time as the others do on the average.
pub(crate) fn spans(observed: &Observed, stories: &[CallStory]) -> Vec<(Stamp, Stamp)> {
    let stages = &observed.stages;
    let next = stages.iter().skip(1).map(|s| s.origin).chain([Stamp(u64::MAX)]);
    stages
        .iter()
        .zip(next)
        .map(|(stage, next)| {
            let own = |s: &&CallStory| s.is_clients() && stage.origin <= s.intended && s.intended < next;
            let sent = stories.iter().filter(own).count() as u32;
            let seen = stage.last_intended.since(stage.origin);
            let each = if sent > 1 { seen / (sent - 1) } else { Duration::ZERO };
            (stage.origin, stage.last_intended + each)
        })
        .collect()
}

#[cfg(test)]
mod tests;
