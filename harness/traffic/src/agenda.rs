//! What is due next, over all runs of the load thread.

use crate::{
    books::{Source, Ticket},
    call::ActiveLine,
    schedule::Schedule,
};
use squall_model::Stamp;
use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, binary_heap::PeekMut},
    sync::Arc,
};

/// An open line: its next call, and the schedule of those after it.
#[derive(Debug)]
pub(crate) struct Planned {
    at: Stamp,
    t0: Stamp,
    offsets: Schedule,
    line: Arc<ActiveLine>,
    source: Source,
}

impl Planned {
    /// `None` where the schedule has no call; `leave` is asked only where it has.
    pub(crate) fn new(
        line: Arc<ActiveLine>,
        t0: Stamp,
        mut offsets: Schedule,
        leave: impl FnOnce(Stamp) -> Source,
    ) -> Option<Planned> {
        let at = t0 + offsets.next()?;
        Some(Planned { at, t0, offsets, line, source: leave(at) })
    }

    /// Moves on to the next call; false where there is none.
    fn advance(&mut self) -> bool {
        let Some(offset) = self.offsets.next() else { return false };
        self.at = self.t0 + offset;
        self.source.next(self.at);
        true
    }

    fn rank(&self) -> (Stamp, u16) {
        (self.at, self.line.number())
    }
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Planned {}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Planned {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

/// All open lines, the one that is due first on top.
#[derive(Debug, Default)]
pub(crate) struct Agenda(BinaryHeap<Reverse<Planned>>);

impl Agenda {
    pub(crate) fn add(&mut self, planned: Planned) {
        self.0.push(Reverse(planned));
    }

    /// When the next call is due.
    pub(crate) fn next(&self) -> Option<Stamp> {
        self.0.peek().map(|Reverse(planned)| planned.at)
    }

    /// Forgets the lines of runs that were stopped.
    pub(crate) fn sweep(&mut self) {
        self.0.retain(|Reverse(planned)| !planned.source.books().is_stopped());
    }

    /// Begins every call that is due by `now`, in the order in which they are due over all lines.
    pub(crate) fn begin_due(&mut self, now: Stamp, mut begin: impl FnMut(&Arc<ActiveLine>, Ticket)) {
        while let Some(mut top) = self.0.peek_mut() {
            let Reverse(planned) = &mut *top;
            if planned.at > now {
                return;
            }
            let ticket = planned.line.open(&planned.source, planned.at, None);
            let goes_on = ticket.is_some() && planned.advance();
            if let Some(ticket) = ticket {
                begin(&planned.line, ticket);
            }
            if !goes_on {
                PeekMut::pop(top);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        books::Books,
        call::Numbers,
        client::Pools,
        line::{Line, Shape},
        request::Request,
        schedule::Arrivals,
    };
    use std::time::Duration;

    fn planned(number: u16, hz: f64, books: &Arc<Books>) -> Planned {
        let request = Request::new("GET", "a", "/").unwrap();
        let length = Duration::from_secs(1);
        let nowhere = vec![crate::Endpoint::Unix("/nowhere".into())];
        let line = Line::new(number, nowhere, request, Shape::Open { rate_hz: hz, length, arrivals: Arrivals::Even });
        let client = Pools::new(1, None).client(&line).unwrap();
        let active = ActiveLine::new(&line, client, Numbers { first: u64::from(number), step: 2 });
        Planned::new(Arc::new(active), Stamp(0), line.shape.schedule().unwrap(), |at| books.source(at)).unwrap()
    }

    fn begun(agenda: &mut Agenda, now: Stamp) -> Vec<(u64, u16)> {
        let mut begun = Vec::new();
        agenda.begin_due(now, |_, ticket| begun.push((ticket.record().intended.0 / 1_000_000, ticket.record().line)));
        begun
    }

    #[test]
    fn what_is_due_begins_in_order_over_all_lines() {
        let books = Books::new(Stamp(0), 0);
        let mut agenda = Agenda::default();
        agenda.add(planned(1, 5.0, &books));
        agenda.add(planned(0, 10.0, &books));
        assert_eq!(begun(&mut agenda, Stamp(250_000_000)), [(0, 0), (0, 1), (100, 0), (200, 0), (200, 1)]);
        assert_eq!(agenda.next(), Some(Stamp(300_000_000)));
        assert_eq!(begun(&mut agenda, Stamp(250_000_000)), []);
        assert_eq!(books.progress().oldest_unresolved_intended, agenda.next());
        assert_eq!(begun(&mut agenda, Stamp(u64::MAX)).len(), 10);
        assert_eq!((agenda.next(), *books.phase().borrow()), (None, crate::Phase::Done));
    }

    #[test]
    fn a_stopped_run_is_swept_and_the_others_stay() {
        let (stopped, goes_on) = (Books::new(Stamp(0), 0), Books::new(Stamp(0), 0));
        let mut agenda = Agenda::default();
        agenda.add(planned(0, 10.0, &stopped));
        agenda.add(planned(1, 10.0, &goes_on));
        stopped.stop();
        agenda.sweep();
        assert_eq!(begun(&mut agenda, Stamp(150_000_000)), [(0, 1), (100, 1)]);
    }
}
