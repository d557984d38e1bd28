//! One try, from its head to its end.

use crate::{
    conduct::Conduct,
    converse::Flow,
    floor::{Entry, Worker},
    ledger::OpenTry,
    onward::Failure,
    reply::{Ending, Reply},
    service::{Service, count},
    wire::{Connection, RequestHead},
};
use std::{pin::pin, time::Duration};

/// A try that was taken on. Dropped before its end, it was given up: its line says so.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    service: &'a Service,
    head: &'a RequestHead,
    entry: OpenTry<'a>,
    conduct: Conduct,
    latency: Duration,
}

impl<'a> Job<'a> {
    /// Takes on a try whose head was just read: what it is to meet with is settled here.
    pub(crate) fn take(service: &'a Service, head: &'a RequestHead) -> Job<'a> {
        if head.is_check {
            count(&service.checks);
        }
        let entry = service.ledger.begin(head);
        let conduct = service.conduct();
        Job { service, head, entry, conduct, latency: service.draw(conduct) }
    }

    /// Sees it through, and says what becomes of the connection.
    pub(crate) async fn serve(self, connection: &mut Connection) -> Flow {
        if connection.skip_body(self.head.framing).await.is_err() {
            return Flow::Close;
        }
        match self.service.floor.enter() {
            Entry::Work(worker) => self.work(worker, connection).await,
            Entry::Wait(waiting) => match connection.attended(waiting.admitted()).await {
                Some(worker) => self.work(worker, connection).await,
                None => Flow::Close,
            },
            Entry::Shed => {
                count(&self.service.shed);
                let reply = Reply { status: 503, overload: true, ..self.reply() };
                self.end(Ending::Reply(reply), connection).await
            }
        }
    }

    /// Works on it, and ends it. The worker is free when all is over.
    async fn work(self, worker: Worker, connection: &mut Connection) -> Flow {
        let mut work = pin!(self.service.work(self.latency));
        if !self.latency.is_zero() && connection.attended(work.as_mut()).await.is_none() {
            drop(self);
            // Nobody waits for it, but a worker does not look up from its work: see the crate's documentation.
            work.await;
            drop(worker);
            return Flow::Close;
        }
        let ending = match self.call_onward(connection).await {
            None => return Flow::Close,
            Some(Ok(())) => Ending::of(self.conduct.answer, self.reply()),
            Some(Err(failure)) => {
                Ending::Reply(Reply { status: failure.status(), onward: Some(failure), ..self.reply() })
            }
        };
        self.end(ending, connection).await
    }

    /// Makes its onward calls if it is to succeed, and says which failed. `None` if the caller went away.
    async fn call_onward(&self, connection: &mut Connection) -> Option<Result<(), Failure>> {
        match self.conduct.succeeds() && !self.head.is_check && self.service.onward.are_any() {
            true => connection.attended(self.service.onward.make(self.head)).await,
            false => Some(Ok(())),
        }
    }

    async fn end(self, ending: Ending<'_>, connection: &mut Connection) -> Flow {
        if let Ending::Hang = ending {
            connection.gone().await;
        }
        // Before the answer's first byte: whoever has seen an answer finds its line, whatever becomes of the process.
        self.entry.close(ending.status());
        ending.act(self.service, connection).await
    }

    fn reply(&self) -> Reply<'a> {
        Reply { head_only: self.head.is_head, keep_alive: self.head.keep_alive, ..Reply::new(self.service) }
    }
}
