//! The times for which a fault was in place: one, or many where it is switched on and off in blocks.

use crate::{Border, Evidence, Window};
use squall_model::{Act, FaultId, Stamp};
use std::time::Duration;

/// When a fault was in place, as observed: at least once. In order, and never twice at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Windows {
    first: Window,
    others: Vec<Window>,
}

impl Windows {
    /// Those of a fault; `None` if it never took effect.
    pub(super) fn of(evidence: &Evidence, fault: FaultId) -> Option<Windows> {
        let seen =
            |act| evidence.observed().effects.iter().filter(move |e| e.act == act).map(|e| Border::from(e.effect));
        let window = |start: Border| {
            let end = seen(Act::End(fault)).find(|end| end.asked >= start.asked);
            Window { start, end }
        };
        let mut all = seen(Act::Arm(fault)).map(window);
        Some(Windows { first: all.next()?, others: all.collect() })
    }

    /// The first of them; the only one of whatever is not in blocks.
    pub(super) fn first(&self) -> Window {
        self.first
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Window> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Was it in place, confirmed, at this moment and for some time around it?
    pub(super) fn surely_at(&self, at: Stamp, around: Duration) -> bool {
        self.all().any(|window| window.surely_at(at, around))
    }

    /// Was it so without a break from one moment to another?
    pub(super) fn surely_throughout(&self, from: Stamp, to: Stamp, around: Duration) -> bool {
        self.all().any(|window| window.surely_at(from, around) && window.surely_at(to, around))
    }

    /// Can it have been in place at this moment, or some time around it?
    pub(super) fn possibly_at(&self, at: Stamp, around: Duration) -> bool {
        self.all().any(|window| window.possibly_at(at, around))
    }

    /// The first in which it can have been in place at some time of a stretch.
    pub(super) fn meeting(&self, from: Stamp, to: Stamp) -> Option<&Window> {
        self.all().find(|w| to >= w.start.asked && w.end.is_none_or(|end| from <= end.settled))
    }
}
