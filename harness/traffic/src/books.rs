//! What one run has sent and what became of it: the only state that the load thread shares with others.

use crate::{
    clock,
    health::{Lateness, ScheduleHealth},
};
use squall_model::{CallRecord, ClientEnd, Course, Leg, Stamp};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Notify, watch};

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// More calls are to come.
    Sending,
    /// The last call is out, answers are missing.
    Draining,
    /// Every call has its record.
    Done,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Calls begun.
    pub sent: u64,
    /// Calls with a record, drained or not.
    pub done: u64,
    /// Calls begun without a record.
    pub in_flight: u64,
    /// Every call meant for an earlier moment has its record; calls that are due but not yet sent count as unresolved.
    /// `None`: nothing is in flight and nothing more is planned.
    pub oldest_unresolved_intended: Option<Stamp>,
}

/// What a run comes to, once it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Origin of time: the first intended send.
    pub t0: Stamp,
    /// The last intended send; `t0` if there was none.
    pub last_intended: Stamp,
    /// Calls made; each has a record.
    pub sent: u64,
    /// Those of them that were given up in flight.
    pub unfinished: u64,
    /// The smallest number that no call of the run has, with all greater ones: where the next run may begin.
    pub next_seq: u64,
    /// How well the schedule was kept.
    pub schedule: ScheduleHealth,
}

/// The books of one run.
#[derive(Debug)]
pub(crate) struct Books {
    entries: Mutex<Entries>,
    phase: watch::Sender<Phase>,
    aborting: Notify,
}

#[derive(Debug)]
struct Entries {
    done: Vec<CallRecord>,
    /// Intended send and number.
    in_flight: BTreeSet<(Stamp, u64)>,
    /// One place for each source of calls: the earliest moment for which it may still send; `None` once it has ended.
    upcoming: Vec<Option<Stamp>>,
    stopped: bool,
    aborted: bool,
    lateness: Lateness,
    summary: Summary,
}

impl Entries {
    fn is_sending(&self) -> bool {
        !self.stopped && self.upcoming.iter().any(Option::is_some)
    }

    fn progress(&self) -> Progress {
        let planned = self.upcoming.iter().flatten().min().filter(|_| !self.stopped);
        let in_flight = self.in_flight.first().map(|(intended, _)| intended);
        Progress {
            sent: self.summary.sent,
            done: self.summary.sent - self.in_flight.len() as u64,
            in_flight: self.in_flight.len() as u64,
            oldest_unresolved_intended: planned.into_iter().chain(in_flight).min().copied(),
        }
    }
}

impl Books {
    /// Books in which nothing is sent until [`Books::source`] was asked for leave to.
    pub(crate) fn new(t0: Stamp, first_seq: u64) -> Arc<Books> {
        let summary = Summary {
            t0,
            last_intended: t0,
            sent: 0,
            unfinished: 0,
            next_seq: first_seq,
            schedule: ScheduleHealth::default(),
        };
        let entries = Entries {
            done: Vec::new(),
            in_flight: BTreeSet::new(),
            upcoming: Vec::new(),
            stopped: false,
            aborted: false,
            lateness: Lateness::new(),
            summary,
        };
        Arc::new(Books {
            entries: Mutex::new(entries),
            phase: watch::Sender::new(Phase::Sending),
            aborting: Notify::new(),
        })
    }

    /// Leave to send, first for `at`.
    pub(crate) fn source(self: &Arc<Self>, at: Stamp) -> Source {
        let mut entries = self.entries();
        entries.upcoming.push(Some(at));
        Source { books: Arc::clone(self), place: entries.upcoming.len() - 1 }
    }

    pub(crate) fn in_flight(&self) -> Vec<(Stamp, u64)> {
        self.entries().in_flight.iter().copied().collect()
    }

    pub(crate) fn progress(&self) -> Progress {
        self.entries().progress()
    }

    /// Moves the records since the last time to `out`; what it returns is of the same moment.
    pub(crate) fn drain_into(&self, out: &mut Vec<CallRecord>) -> Progress {
        let mut entries = self.entries();
        match out.is_empty() {
            // What there is room for goes the other way: neither is ever written anew.
            true => std::mem::swap(out, &mut entries.done),
            false => out.append(&mut entries.done),
        }
        entries.progress()
    }

    pub(crate) fn summary(&self) -> Summary {
        let entries = self.entries();
        Summary { schedule: entries.lateness.sum_up(), ..entries.summary }
    }

    pub(crate) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// No call is begun any more.
    pub(crate) fn stop(&self) {
        let mut entries = self.entries();
        entries.stopped = true;
        self.settle(&entries);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.entries().stopped
    }

    /// No call is begun any more, and those in flight are given up by whoever has them.
    pub(crate) fn abort(&self) {
        self.entries().aborted = true;
        self.stop();
        self.aborting.notify_waiters();
    }

    fn is_aborted(&self) -> bool {
        self.entries().aborted
    }

    /// Returns once the run is aborted.
    pub(crate) async fn aborted(&self) {
        let notified = self.aborting.notified();
        // Asked after the notification was created, so that an abort in between is not missed.
        if !self.entries().aborted {
            notified.await;
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, entries: &Entries) {
        let phase = match (entries.is_sending(), entries.in_flight.is_empty()) {
            (true, _) => Phase::Sending,
            (false, false) => Phase::Draining,
            (false, true) => Phase::Done,
        };
        self.phase.send_if_modified(|before| std::mem::replace(before, phase) != phase);
    }
}

/// Leave to send calls. The run goes on sending as long as one of these is left.
#[derive(Debug)]
pub(crate) struct Source {
    books: Arc<Books>,
    place: usize,
}

impl Source {
    pub(crate) fn books(&self) -> &Arc<Books> {
        &self.books
    }

    /// Enters a call as in flight; `None` if the run has been stopped. The record's stamps of what has not yet happened are
    /// those of the intended send.
    pub(crate) fn open(&self, record: CallRecord) -> Option<Ticket> {
        let mut entries = self.books.entries();
        if entries.stopped {
            return None;
        }
        entries.in_flight.insert((record.intended, record.seq));
        let summary = &mut entries.summary;
        summary.sent += 1;
        summary.last_intended = summary.last_intended.max(record.intended);
        summary.next_seq = summary.next_seq.max(record.seq + 1);
        Some(Ticket {
            books: Arc::clone(&self.books),
            record,
            dispatched: false,
            starved: false,
            held_since: None,
            follows: false,
            arrived: None,
        })
    }

    /// The next call will not be for an earlier moment than this.
    pub(crate) fn next(&self, at: Stamp) {
        self.books.entries().upcoming[self.place] = Some(at);
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let mut entries = self.books.entries();
        entries.upcoming[self.place] = None;
        self.books.settle(&entries);
    }
}

/// A call in flight. However it is let go of, it leaves a record: unless told otherwise, that of an unfinished call.
#[derive(Debug)]
pub(crate) struct Ticket {
    books: Arc<Books>,
    record: CallRecord,
    dispatched: bool,
    starved: bool,
    /// Since when the cap has held it back.
    held_since: Option<Stamp>,
    /// It goes on to where an answer has led it.
    follows: bool,
    /// When the last of its answer came in, where that is known.
    arrived: Option<Stamp>,
}

impl Ticket {
    pub(crate) fn books(&self) -> Arc<Books> {
        Arc::clone(&self.books)
    }

    pub(crate) fn record(&self) -> &CallRecord {
        &self.record
    }

    /// The engine has turned to the call.
    pub(crate) fn dispatched(&mut self, at: Stamp) {
        if std::mem::replace(&mut self.dispatched, true) {
            return;
        }
        self.record.sent = at;
        let lateness = &mut self.books.entries().lateness;
        match self.held_since {
            Some(since) => lateness.held_for(at.since(since)),
            None => lateness.record(at.since(self.record.intended)),
        }
    }

    /// The engine has turned to the call, and the cap on what may be in flight lets it wait.
    pub(crate) fn held(&mut self, at: Stamp) {
        if self.held_since.is_none() && !self.dispatched {
            self.held_since = Some(at);
            let lateness = &mut self.books.entries().lateness;
            lateness.record(at.since(self.record.intended));
            lateness.held();
            self.starved = true;
        }
    }

    /// It has been held back until the run was aborted: it is not sent any more, though there would be room now.
    pub(crate) fn came_too_late(&self) -> bool {
        self.held_since.is_some() && self.books.is_aborted()
    }

    /// The connection that was opened for it took so long, until it stood.
    pub(crate) fn connected(&mut self, took: Duration) {
        if !self.follows {
            self.record.course.connect = Some(took);
        }
    }

    /// The handshake of TLS on that connection took so long.
    pub(crate) fn secured(&mut self, took: Duration) {
        if !self.follows {
            self.record.course.tls = Some(took);
        }
    }

    /// What was to be agreed on with the server before that connection could be used took so long, and was sent for no call.
    pub(crate) fn agreed(&mut self, took: Duration) {
        let course = &mut self.record.course;
        course.connect = Some(course.connect.unwrap_or_default() + took);
        course.first_byte = None;
        course.leg = Leg::Connecting;
    }

    /// Its first byte is about to go out.
    pub(crate) fn sent(&mut self, at: Stamp) {
        if !self.follows {
            self.record.sent = at;
        }
        // What came before was not the answer to this.
        self.arrived = None;
        self.record.course.leg = Leg::Waiting;
    }

    /// Its answer leads elsewhere, and it goes on there: it was sent when it was sent first, and its answer is the last one.
    pub(crate) fn follows(&mut self) {
        self.follows = true;
        self.record.course.first_byte = None;
        self.record.course.received = 0;
    }

    /// Bytes of its answer have come, at this moment.
    pub(crate) fn answering(&mut self, at: Stamp) {
        let course = &mut self.record.course;
        course.leg = Leg::Answering;
        course.first_byte.get_or_insert(at.max(self.record.sent));
    }

    /// The last of its answer came in at this moment, which is before it was read.
    pub(crate) fn arrived(&mut self, at: Stamp) {
        self.arrived = Some(at.max(self.record.sent));
    }

    /// The moment of its end, where that was before now.
    pub(crate) fn ended(&self) -> Option<Stamp> {
        self.arrived
    }

    /// What is written down of its way.
    pub(crate) fn course(&mut self) -> &mut Course {
        &mut self.record.course
    }

    /// It found no room, however often it looked.
    pub(crate) fn starved(&mut self) {
        if !std::mem::replace(&mut self.starved, true) {
            self.books.entries().lateness.starved();
        }
    }

    /// It has ended.
    pub(crate) fn close(mut self, end: ClientEnd, at: Stamp) {
        self.record.end = end;
        self.record.done = at;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let record = &mut self.record;
        if record.end == ClientEnd::Unfinished {
            record.done = clock::now();
        }
        if !self.dispatched {
            record.sent = record.done;
        }
        let mut entries = self.books.entries();
        entries.in_flight.remove(&(record.intended, record.seq));
        if let (false, Some(since)) = (self.dispatched, self.held_since) {
            entries.lateness.held_for(record.done.since(since));
        }
        entries.summary.unfinished += u64::from(record.end == ClientEnd::Unfinished);
        entries.done.push(record.clone());
        if entries.in_flight.is_empty() {
            self.books.settle(&entries);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn record(seq: u64, intended: u64) -> CallRecord {
        let at = Stamp(intended);
        let end = ClientEnd::Unfinished;
        CallRecord {
            seq,
            line: 0,
            caller: 1,
            user: 0,
            intended: at,
            sent: at,
            done: at,
            end,
            course: Course::default(),
        }
    }

    #[test]
    fn a_run_sends_then_drains_then_is_done() {
        let books = Books::new(Stamp(10), 0);
        let phase = books.phase();
        let source = books.source(Stamp(10));
        let ticket = source.open(record(0, 10)).unwrap();
        assert_eq!(*phase.borrow(), Phase::Sending);
        drop(source);
        assert_eq!(*phase.borrow(), Phase::Draining);
        ticket.close(ClientEnd::Answered(200), Stamp(12));
        assert_eq!(*phase.borrow(), Phase::Done);
        let mut records = Vec::new();
        let progress = books.drain_into(&mut records);
        assert_eq!((progress.sent, progress.done, progress.oldest_unresolved_intended), (1, 1, None));
        assert_eq!((records[0].end, records[0].done), (ClientEnd::Answered(200), Stamp(12)));
    }

    #[test]
    fn what_is_yet_to_come_is_unresolved() {
        let books = Books::new(Stamp(0), 0);
        let (early, late) = (books.source(Stamp(5)), books.source(Stamp(7)));
        let oldest = || books.progress().oldest_unresolved_intended;
        assert_eq!(oldest(), Some(Stamp(5)));
        early.next(Stamp(20));
        assert_eq!(oldest(), Some(Stamp(7)));
        let ticket = late.open(record(0, 7)).unwrap();
        late.next(Stamp(30));
        assert_eq!(oldest(), Some(Stamp(7)), "in flight");
        ticket.close(ClientEnd::Reset, Stamp(9));
        assert_eq!(oldest(), Some(Stamp(20)));
        books.stop();
        assert_eq!(oldest(), None, "nothing comes after a stop");
    }

    #[test]
    fn a_stop_lets_nothing_through() {
        let books = Books::new(Stamp(0), 3);
        let source = books.source(Stamp(0));
        let ticket = source.open(record(3, 0)).unwrap();
        books.stop();
        assert!(source.open(record(4, 1)).is_none());
        assert_eq!(*books.phase().borrow(), Phase::Draining);
        drop(ticket);
        assert_eq!(*books.phase().borrow(), Phase::Done);
        let summary = books.summary();
        assert_eq!((summary.sent, summary.unfinished, summary.next_seq), (1, 1, 4));
    }

    #[test]
    fn a_call_that_is_let_go_of_leaves_a_record() {
        let books = Books::new(Stamp(0), 0);
        let before = clock::now();
        drop(books.source(Stamp(0)).open(record(0, 0)));
        let mut records = Vec::new();
        books.drain_into(&mut records);
        assert_eq!(records[0].end, ClientEnd::Unfinished);
        assert!(records[0].done >= before && records[0].sent == records[0].done, "it was never sent");
    }
}
