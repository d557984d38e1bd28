//! Moments and stretches of time: what phases are by the clock, for whatever is no call.

use super::{Border, Window};
use crate::{Evidence, StageTimes};
use squall_model::{Anchor, MomentRef, Phase, Stamp};
use std::time::Duration;

impl Evidence {
    /// Time origin of the stage in which a moment lies.
    #[must_use]
    pub fn origin_of(&self, at: Stamp) -> Option<Stamp> {
        let origins = self.observed.stages.iter().map(|s| s.origin);
        origins.clone().rev().find(|o| *o <= at).or_else(|| origins.clone().next())
    }

    /// When the traffic began.
    #[must_use]
    pub fn begun(&self) -> Stamp {
        self.observed.stages.first().map(|s| s.origin).unwrap_or_default()
    }

    /// When the last call was over; of a run under way, up to when calls may be judged.
    #[must_use]
    pub fn over(&self) -> Stamp {
        match self.is_complete() {
            true => self.observed.stages.iter().map(|s| s.ended.max(s.last_intended)).max().unwrap_or_default(),
            false => self.settled().last().map(|s| s.intended).unwrap_or_default(),
        }
    }

    /// The stretches of time that a phase is made of, from the beginning of the traffic to the end of its last call; none if
    /// there is no such phase. For what is no call and no try, and happens by the clock.
    #[must_use]
    pub fn times(&self, phase: Phase) -> Vec<(Stamp, Stamp)> {
        let (begun, over) = (self.begun(), self.over());
        let all = match phase {
            Phase::Whole => vec![(begun, over)],
            Phase::Before(anchor) => {
                let first = self.windows(anchor).iter().map(|w| w.start.asked).min();
                first.map(|first| (begun, first)).into_iter().collect()
            }
            Phase::During(anchor) => united(self.windows(anchor)),
            Phase::After(anchor) => self.passed(anchor).map(|last| (last, over)).into_iter().collect(),
            Phase::Clock { from, to } => {
                let stage = |s: &StageTimes| {
                    let end = s.ended.max(s.last_intended);
                    (s.origin + from, to.map_or(end, |to| end.min(s.origin + to)))
                };
                self.observed.stages.iter().map(stage).collect()
            }
        };
        all.into_iter().map(|(from, to)| (from.max(begun), to.min(over))).filter(|(from, to)| from < to).collect()
    }

    /// From when on everything is over; never for a fault that has no end. A change that is never taken back has its *after*
    /// from when it is in force.
    fn passed(&self, anchor: Anchor) -> Option<Stamp> {
        let passed = |w: &Window| match anchor {
            Anchor::Fault => w.end.map_or(Stamp(u64::MAX), |e| e.settled),
            Anchor::Change => w.end.map_or(w.start.settled, |e| e.settled),
        };
        self.windows(anchor).iter().map(passed).max()
    }

    /// For how long traffic was sent in this phase, borders left out.
    #[must_use]
    pub fn length(&self, phase: Phase) -> Duration {
        let spans = self.spans.iter().copied();
        let clip = |from: Stamp, to: Stamp| -> Duration {
            spans.clone().map(|(begun, ended)| to.min(ended).since(from.max(begun))).sum()
        };
        let end = Stamp(u64::MAX);
        let clear = |(from, to): (Stamp, Stamp), anchor| -> Duration {
            let borders = self.windows(anchor).iter().flat_map(Window::borders);
            let lost = borders.map(|b| clip(b.asked.max(from), b.settled.min(to))).sum();
            clip(from, to).saturating_sub(lost)
        };
        match phase {
            Phase::Whole => clip(Stamp(0), end),
            Phase::Clock { from, to } => {
                spans.map(|(begun, ended)| to.map_or(ended, |to| ended.min(begun + to)).since(begun + from)).sum()
            }
            Phase::Before(anchor) => {
                let first = self.windows(anchor).iter().map(|w| w.start.asked).min();
                first.map_or(Duration::ZERO, |first| clip(Stamp(0), first))
            }
            Phase::During(anchor) => {
                united(self.windows(anchor)).into_iter().map(|stretch| clear(stretch, anchor)).sum()
            }
            Phase::After(anchor) => self.passed(anchor).map_or(Duration::ZERO, |last| clip(last, end)),
        }
    }

    /// The moment that a claim counts from; `None` if there is no such moment.
    #[must_use]
    pub fn moment(&self, of: MomentRef) -> Option<Border> {
        let [faults, changes] = &self.windows;
        match of {
            MomentRef::FaultStart => faults.iter().map(|w| w.start).min_by_key(|b| b.asked),
            MomentRef::FaultEnd => faults.iter().filter_map(|w| w.end).max_by_key(|b| b.asked),
            MomentRef::Change => changes.iter().map(|w| w.start).min_by_key(|b| b.asked),
            MomentRef::Failure(_) => None,
        }
    }
}

/// From the first settled start to the next asked end, stretches that overlap put together.
fn united(windows: &[Window]) -> Vec<(Stamp, Stamp)> {
    let stretch = |w: &Window| (w.start.settled, w.end.map_or(Stamp(u64::MAX), |end| end.asked));
    let mut stretches: Vec<_> = windows.iter().map(stretch).filter(|(from, to)| from < to).collect();
    stretches.sort();
    let mut united: Vec<(Stamp, Stamp)> = Vec::new();
    for (from, to) in stretches {
        match united.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => united.push((from, to)),
        }
    }
    united
}
