//! Closed loops: calls that wait for the ones before.

use crate::{
    books::{Phase, Source},
    call::ActiveLine,
    clock,
};
use squall_model::Stamp;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// One caller that waits for its answer before it calls again.
#[derive(Debug)]
pub(crate) struct Looped {
    pub(crate) line: Arc<ActiveLine>,
    pub(crate) source: Source,
    /// The same user for every call; `None`: the line's users in turn.
    pub(crate) user: Option<u32>,
    /// The first intended send.
    pub(crate) first: Stamp,
    /// From the end of one call to the next.
    pub(crate) thinking: Duration,
    /// At most so many.
    pub(crate) calls: u64,
    /// No call is meant for this moment or a later one; `None`: no such moment.
    pub(crate) until: Option<Stamp>,
}

impl Looped {
    /// Calls until there is nothing left to call for, or the run is stopped.
    ///
    /// The leave to send is given back when the last call is out, not when it has ended: from then on the run drains.
    pub(crate) async fn run(self) {
        let Looped { line, source, user, first, thinking, calls, until } = self;
        let mut over = std::pin::pin!(over(source.books().phase(), until));
        let mut intended = first;
        for left in (0..calls).rev() {
            if until.is_some_and(|until| intended >= until) {
                return;
            }
            source.next(intended);
            tokio::select! {
                biased;
                () = &mut over => return,
                () = reach(intended) => {}
            }
            let Some(ticket) = line.open(&source, intended, user) else { return };
            let mut call = std::pin::pin!(line.make(ticket));
            let ended = tokio::select! {
                biased;
                done = &mut call, if left > 0 => Some(done),
                () = &mut over, if left > 0 => None,
                else => None,
            };
            let Some(done) = ended else {
                drop(source);
                call.await;
                return;
            };
            intended = done + thinking;
        }
    }
}

/// Returns when nothing may be sent any more.
async fn over(mut phase: watch::Receiver<Phase>, until: Option<Stamp>) {
    let stopped = phase.wait_for(|phase| *phase > Phase::Sending);
    match until {
        // Whether it was stopped, or its books are gone, or its time is up: it is over.
        Some(until) => drop(tokio::time::timeout_at(clock::instant(until), stopped).await),
        None => drop(stopped.await),
    }
}

/// Waits for a moment, and not at all for one that has come: tokio's timer would round that up to a millisecond.
async fn reach(at: Stamp) {
    if at > clock::now() {
        tokio::time::sleep_until(clock::instant(at)).await;
    }
}
