//! A run: the lines of one stage, under way.

use crate::{
    agenda::Planned,
    books::{Books, Phase, Progress, Summary},
    call::{ActiveLine, Numbers},
    client::Pools,
    health::ScheduleHealth,
    line::{Line, Shape},
    looped::Looped,
    thread::{Command, LoadError, Port},
};
use squall_model::{CallRecord, Stamp};
use std::{sync::Arc, time::Duration};

/// Lines of traffic under way. No method blocks but for the moment in which the load thread enters a record; the async ones run
/// on any runtime. Dropped, it aborts.
#[derive(Debug)]
pub struct Run {
    books: Arc<Books>,
    port: Port,
    t0: Stamp,
}

impl Run {
    pub(crate) fn new(books: Arc<Books>, port: Port, t0: Stamp) -> Run {
        Run { books, port, t0 }
    }

    /// The origin of time of all lines: the first intended send.
    #[must_use]
    pub fn t0(&self) -> Stamp {
        self.t0
    }

    /// Appends the records since the last time, in the order in which their calls ended. What it returns is of the same moment:
    /// records of all calls meant for a moment before `oldest_unresolved_intended` have now been drained.
    pub fn drain_into(&self, out: &mut Vec<CallRecord>) -> Progress {
        self.books.drain_into(out)
    }

    /// Where the run stands.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.books.progress()
    }

    /// The intended send and the number of every call that is in flight.
    #[must_use]
    pub fn in_flight(&self) -> Vec<(Stamp, u64)> {
        self.books.in_flight()
    }

    /// How well the schedule has been kept so far.
    #[must_use]
    pub fn schedule(&self) -> ScheduleHealth {
        self.books.summary().schedule
    }

    /// No call is begun from now on; those in flight go on.
    pub fn stop_sending(&self) {
        self.books.stop();
        // If the thread is gone, there is nothing to sweep.
        let _ = self.port.tell(Command::Sweep);
    }

    /// Waits until the run is so far, or further: `reached(Phase::Draining)` is the end of the sending, for which it also counts
    /// that it was stopped.
    ///
    /// # Errors
    /// [`LoadError::Gone`].
    pub async fn reached(&self, phase: Phase) -> Result<(), LoadError> {
        let mut now = self.books.phase();
        tokio::select! {
            biased;
            result = now.wait_for(|now| *now >= phase) => result.map(drop).map_err(|_closed| LoadError::Gone),
            () = self.port.gone() => Err(LoadError::Gone),
        }
    }

    /// Waits for the last send, then for the answers: each until its client's deadline, all together for `drain`. What is in
    /// flight then is unfinished. The records are still to be drained.
    ///
    /// # Errors
    /// [`LoadError::Gone`].
    pub async fn finish(&self, drain: Duration) -> Result<Summary, LoadError> {
        self.port.tell(Command::Drain(Arc::clone(&self.books), drain))?;
        self.reached(Phase::Done).await?;
        Ok(self.books.summary())
    }

    /// Stops at once: nothing more is sent, every call in flight is unfinished. [`Run::finish`] tells when that is entered.
    pub fn abort(&self) {
        self.books.abort();
        let _ = self.port.tell(Command::Sweep);
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.abort();
    }
}

/// Enters checked lines into the books, and makes of them what the load thread works on.
pub(crate) fn enter<'a>(
    lines: &'a [Line],
    books: &Arc<Books>,
    t0: Stamp,
    first_seq: u64,
    mut pools: Pools<'a>,
) -> Result<Command, LoadError> {
    let (mut planned, mut looped) = (Vec::new(), Vec::new());
    for (line, first) in lines.iter().zip(first_seq..) {
        let client = pools.client(line).map_err(|error| LoadError::Line { number: line.number, error })?;
        let (lines, share) = (lines.len() as u64, line.share);
        let numbers = Numbers { first: first + lines * u64::from(share.nth), step: lines * u64::from(share.of) };
        let active = Arc::new(ActiveLine::new(line, client, numbers));
        match (line.shape.schedule(), &line.shape) {
            (Some(schedule), _) => {
                planned.extend(Planned::new(active, t0, schedule.share(share), |at| books.source(at)));
            }
            (None, &Shape::Serial { calls }) => looped.push(Looped {
                line: active,
                source: books.source(t0),
                user: None,
                first: t0,
                thinking: Duration::ZERO,
                calls,
                until: None,
            }),
            (None, &Shape::Closed { users, length, thinking }) => {
                looped.extend((0..users).filter(|user| share.has_user(*user)).map(|user| {
                    let first = t0 + thinking * user / users;
                    Looped {
                        line: Arc::clone(&active),
                        source: books.source(first),
                        user: Some(user + 1),
                        first,
                        thinking,
                        calls: u64::MAX,
                        until: Some(t0 + length),
                    }
                }));
            }
            // Those have a schedule.
            (None, _) => {}
        }
    }
    Ok(Command::Begin { planned, looped })
}
