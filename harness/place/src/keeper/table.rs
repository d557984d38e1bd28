//! What the runner knows of its keeper: fed by the thread that reads events, asked from any task.

use super::protocol::{Event, Refusal};
use super::types::{Exit, Exited, Life, Net, ProcessHandle, ProcessId};
use crate::clock;
use squall_model::Stamp;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{broadcast, oneshot, watch};

/// Enough for every process of a large run to end at once while a listener is busy.
const UNHEARD_LIVES: usize = 4096;

/// How the keeper stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    Starting,
    Serving(Net),
    /// It ended everything as asked, but for what is said.
    Gone {
        left: Option<String>,
    },
    Lost,
}

impl Standing {
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Standing::Gone { .. } | Standing::Lost)
    }
}

/// The keeper's answer to one request. No answer (a closed channel): the keeper is lost.
#[derive(Debug)]
pub(super) enum Answer {
    Started(ProcessHandle),
    Done,
    Refused(Refusal),
}

#[derive(Debug)]
pub(super) struct Table {
    rows: Mutex<Rows>,
    standing: watch::Sender<Standing>,
    lives: broadcast::Sender<Life>,
}

#[derive(Debug, Default)]
struct Rows {
    processes: HashMap<ProcessId, Process>,
    requests: HashMap<u64, Request>,
    ends: Vec<Exited>,
    farewell: Option<Standing>,
    /// Nothing more will come from the keeper.
    silent: bool,
}

#[derive(Debug)]
struct Request {
    answer: oneshot::Sender<Answer>,
    /// Of the process to start.
    name: String,
}

#[derive(Debug)]
struct Process {
    name: String,
    pid: u32,
    end: watch::Sender<Option<Exited>>,
}

impl Table {
    pub(super) fn new() -> Table {
        Table {
            rows: Mutex::default(),
            standing: watch::Sender::new(Standing::Starting),
            lives: broadcast::Sender::new(UNHEARD_LIVES),
        }
    }

    pub(super) fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    pub(super) fn lives(&self) -> broadcast::Receiver<Life> {
        self.lives.subscribe()
    }

    pub(super) fn ends(&self) -> Vec<Exited> {
        self.rows().ends.clone()
    }

    /// The pids of the processes that have not ended.
    pub(super) fn running(&self) -> Vec<u32> {
        let rows = self.rows();
        rows.processes.values().filter(|process| process.end.borrow().is_none()).map(|process| process.pid).collect()
    }

    /// A process's name, pid and the channel by which its end is told.
    pub(super) fn process(&self, id: ProcessId) -> Option<(String, u32, watch::Receiver<Option<Exited>>)> {
        let rows = self.rows();
        rows.processes.get(&id).map(|process| (process.name.clone(), process.pid, process.end.subscribe()))
    }

    /// Expects an answer to the request. To be called before the request is sent.
    pub(super) fn expect(&self, seq: u64, name: &str) -> oneshot::Receiver<Answer> {
        let (answer, answered) = oneshot::channel();
        let mut rows = self.rows();
        // After the keeper's end nobody would ever answer: dropping the sender says so at once.
        if !rows.silent {
            rows.requests.insert(seq, Request { answer, name: name.to_owned() });
        }
        answered
    }

    pub(super) fn hear(&self, event: Event) {
        match event {
            Event::Ready { net } => {
                self.standing.send_replace(Standing::Serving(net));
            }
            Event::Started { seq, pid, at } => self.started(seq, pid, at),
            Event::Done { seq } => self.answer(seq, Answer::Done),
            Event::Refused { seq, refusal } => self.answer(seq, Answer::Refused(refusal)),
            Event::Exited { id, pid: _, how, asked, at } => {
                let mut rows = self.rows();
                self.ended(&mut rows, id, how, asked, at);
            }
            Event::Gone { left } => self.rows().farewell = Some(Standing::Gone { left }),
        }
    }

    /// Whether the keeper has said that it ended everything.
    pub(super) fn took_leave(&self) -> bool {
        self.rows().farewell.is_some()
    }

    /// The keeper's output has ended. Without a farewell it died: every process that lived is reported as lost.
    pub(super) fn fell_silent(&self) {
        let mut rows = self.rows();
        rows.silent = true;
        rows.requests.clear();
        let alive: Vec<ProcessId> =
            rows.processes.iter().filter(|(_, process)| process.end.borrow().is_none()).map(|(id, _)| *id).collect();
        for id in alive {
            self.ended(&mut rows, id, Exit::Lost, false, clock::now());
        }
        if rows.farewell.is_none() {
            let _ = self.lives.send(Life::KeeperLost { at: clock::now() });
        }
    }

    /// All that can be done about the keeper's end is done.
    pub(super) fn close(&self) {
        let farewell = self.rows().farewell.take();
        self.standing.send_replace(farewell.unwrap_or(Standing::Lost));
    }

    fn started(&self, seq: u64, pid: u32, at: Stamp) {
        let id = ProcessId(seq);
        let mut rows = self.rows();
        let Some(Request { answer, name }) = rows.requests.remove(&seq) else { return };
        rows.processes.insert(id, Process { name: name.clone(), pid, end: watch::Sender::new(None) });
        drop(rows);
        // Whoever asked may have given up since; the process is in the table all the same.
        let _ = answer.send(Answer::Started(ProcessHandle { id, pid, name, started: at }));
    }

    fn answer(&self, seq: u64, answer: Answer) {
        let request = self.rows().requests.remove(&seq);
        if let Some(request) = request {
            let _ = request.answer.send(answer);
        }
    }

    fn ended(&self, rows: &mut Rows, id: ProcessId, how: Exit, asked: bool, at: Stamp) {
        let Some(process) = rows.processes.get(&id) else { return };
        let exited = Exited { id, name: process.name.clone(), pid: process.pid, how, asked, at };
        process.end.send_replace(Some(exited.clone()));
        rows.ends.push(exited.clone());
        // Nobody may be listening: the list of ends and the process's own channel have it.
        let _ = self.lives.send(Life::Exited(exited));
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        // Each change to the rows is whole: a panic elsewhere leaves nothing half done.
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serving() -> Table {
        let table = Table::new();
        table.hear(Event::Ready { net: Net::PidNamespace { user: false } });
        table
    }

    fn start(table: &Table, seq: u64) -> ProcessHandle {
        let mut answered = table.expect(seq, "web");
        table.hear(Event::Started { seq, pid: 100, at: Stamp(1) });
        let Ok(Answer::Started(handle)) = answered.try_recv() else { panic!("not started") };
        handle
    }

    fn exited(id: ProcessId, asked: bool) -> Event {
        Event::Exited { id, pid: 100, how: Exit::Code(3), asked, at: Stamp(2) }
    }

    #[test]
    fn an_exit_reaches_the_list_the_channel_and_the_listeners() {
        let table = serving();
        let mut lives = table.lives();
        let id = start(&table, 1).id;
        table.hear(exited(id, false));
        let expected = Exited { id, name: "web".into(), pid: 100, how: Exit::Code(3), asked: false, at: Stamp(2) };
        assert_eq!(table.ends(), std::slice::from_ref(&expected));
        assert_eq!(table.process(id).unwrap().2.borrow().clone(), Some(expected.clone()));
        assert_eq!(lives.try_recv().unwrap(), Life::Exited(expected));
    }

    #[test]
    fn a_keeper_that_falls_silent_takes_everybody_along() {
        let table = serving();
        let mut lives = table.lives();
        let (ended, alive) = (start(&table, 1).id, start(&table, 2).id);
        table.hear(exited(ended, true));
        let mut waiting = table.expect(3, "late");
        table.fell_silent();
        table.close();
        assert_eq!(*table.standing().borrow(), Standing::Lost);
        assert!(waiting.try_recv().is_err());
        assert!(table.expect(4, "later").try_recv().is_err());
        assert!(matches!(lives.try_recv().unwrap(), Life::Exited(end) if end.id == ended && end.asked));
        let Life::Exited(end) = lives.try_recv().unwrap() else { panic!("not an end") };
        assert_eq!((end.id, end.how, end.asked), (alive, Exit::Lost, false));
        assert!(matches!(lives.try_recv().unwrap(), Life::KeeperLost { .. }));
    }

    #[test]
    fn a_farewell_is_not_a_loss() {
        let table = serving();
        table.hear(Event::Gone { left: None });
        table.fell_silent();
        table.close();
        assert_eq!(*table.standing().borrow(), Standing::Gone { left: None });
    }
}
