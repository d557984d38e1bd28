//! One try, from its head to its end.

use crate::{
    caller::Caller,
    clock,
    conduct::Conduct,
    ending::Ending,
    floor::{Entry, Worker},
    head::Head,
    ledger::OpenTry,
    service::{Service, count},
};
use squall_model::Stamp;
use std::{pin::pin, time::Duration};

/// A try that was taken on. Dropped before its end, it was given up: its line says so.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    service: &'a Service,
    head: &'a Head,
    began: Stamp,
    entry: OpenTry<'a>,
    conduct: Conduct,
    latency: Duration,
}

/// A try that is over, but for what is to be said to its caller.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) ending: Ending,
    /// Free when that has been said.
    _worker: Option<Worker>,
}

impl<'a> Job<'a> {
    /// Takes on a try whose head was just read: what it is to meet with is settled here.
    pub(crate) fn take(service: &'a Service, head: &'a Head) -> Job<'a> {
        if head.is_check {
            count(&service.checks);
        }
        let began = clock::now();
        let entry = service.ledger.begin(head, began);
        let conduct = service.conduct();
        Job { service, head, began, entry, conduct, latency: service.draw(conduct) }
    }

    /// Sees it through, and says what is to be said; `None` if the caller went away.
    pub(crate) async fn serve(self, caller: &mut impl Caller) -> Option<Done> {
        if !caller.finishes().await {
            return None;
        }
        match self.service.floor.enter() {
            Entry::Work(worker) => self.work(worker, caller).await,
            Entry::Wait(waiting) => {
                let worker = caller.attended(waiting.admitted()).await?;
                self.work(worker, caller).await
            }
            Entry::Shed => {
                count(&self.service.shed);
                let ending = Ending::overload(self.service.protocol);
                Some(self.end(ending, None, caller).await)
            }
        }
    }

    /// Works on it, and ends it.
    async fn work(self, worker: Worker, caller: &mut impl Caller) -> Option<Done> {
        let (service, head, began) = (self.service, self.head, self.began);
        let calls_onward = self.conduct.succeeds() && !head.is_check && service.onward.are_any();
        let latency = self.latency;
        let this = match latency.is_zero() {
            true => self,
            false => self.see_through(service.work(latency), &worker, caller).await?.0,
        };
        let (this, onward) = match calls_onward {
            true => this.see_through(service.onward.make(head, began), &worker, caller).await?,
            false => (this, Ok(())),
        };
        let ending = match onward {
            Ok(()) => Ending::of(this.conduct.answer, service.protocol),
            Err(failure) => Ending::onward(failure, service.protocol),
        };
        Some(this.end(ending, Some(worker), caller).await)
    }

    /// Does a piece of the work to its end, caller or no caller: a worker does not look up from it (see the crate's
    /// documentation). `None` if the caller went away meanwhile; the try was over then and there.
    async fn see_through<T>(
        self,
        piece: impl Future<Output = T>,
        _until_then: &Worker,
        caller: &mut impl Caller,
    ) -> Option<(Job<'a>, T)> {
        let mut piece = pin!(piece);
        match caller.attended(piece.as_mut()).await {
            Some(done) => Some((self, done)),
            None => {
                drop(self);
                piece.await;
                None
            }
        }
    }

    async fn end(self, ending: Ending, worker: Option<Worker>, caller: &mut impl Caller) -> Done {
        if ending == Ending::Hang {
            caller.gone().await;
        }
        // Before the answer's first byte: whoever has seen an answer finds its line, whatever becomes of the process.
        self.entry.close(ending.answered());
        Done { ending, _worker: worker }
    }
}
