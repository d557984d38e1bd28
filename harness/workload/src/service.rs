//! The one service of the process: what its connections share.

use crate::{
    BehaviourError, State, WorkloadConfig, WorkloadError, alarms::Alarms, clock, conduct::Conduct, floor::Floor,
    latency::Draws, ledger::Ledger, onward::OnwardCalls,
};
use squall_model::{Behaviour, Protocol, Stamp};
use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// What the connections of the process share. One thread, so nothing is locked.
#[derive(Debug)]
pub(crate) struct Service {
    /// `reviews-2`.
    pub(crate) instance: String,
    pub(crate) protocol: Protocol,
    pub(crate) ledger: Ledger,
    pub(crate) floor: Rc<Floor>,
    pub(crate) onward: OnwardCalls,
    /// Cancelled when the process is to end: no new tries.
    pub(crate) stop: CancellationToken,
    pub(crate) shed: Cell<u64>,
    pub(crate) checks: Cell<u64>,
    alarms: Alarms,
    conduct: Cell<Conduct>,
    draws: RefCell<Draws>,
}

impl Service {
    pub(crate) fn new(config: &WorkloadConfig) -> Result<Service, WorkloadError> {
        config.check()?;
        let ledger = Ledger::open(&config.ledger)
            .map_err(|source| WorkloadError::Ledger { path: config.ledger.clone(), source })?;
        Ok(Service {
            instance: config.instance.to_string(),
            protocol: config.protocol,
            ledger,
            floor: Floor::new(config.behaviour.capacity),
            onward: OnwardCalls::to(&config.onward),
            stop: CancellationToken::new(),
            shed: Cell::new(0),
            checks: Cell::new(0),
            alarms: Alarms::new().map_err(WorkloadError::Runtime)?,
            conduct: Cell::new(Conduct::try_from(&config.behaviour).map_err(crate::ConfigError::from)?),
            draws: RefCell::new(Draws::new(config.seed, &config.instance.to_string())),
        })
    }

    /// What a try whose head was just read takes with it.
    pub(crate) fn conduct(&self) -> Conduct {
        self.conduct.get()
    }

    /// How long that try is worked on.
    pub(crate) fn draw(&self, conduct: Conduct) -> Duration {
        conduct.latency.draw(&mut self.draws.borrow_mut())
    }

    /// Works on a try for so long.
    pub(crate) async fn work(&self, latency: Duration) {
        if let Err(error) = self.alarms.sleep(latency).await {
            tracing::error!(%error, "a try could not be worked on as long as it should");
        }
    }

    /// Lets those who work finish; returns only if it cannot.
    pub(crate) async fn ring(&self) -> io::Error {
        self.alarms.ring().await
    }

    /// Changes the behaviour. A head read after the stamp belongs to the new one, a head read before it to the old.
    pub(crate) fn behave(&self, behaviour: &Behaviour) -> Result<Stamp, BehaviourError> {
        self.conduct.set(Conduct::try_from(behaviour)?);
        self.floor.set_limit(behaviour.capacity);
        Ok(clock::now())
    }

    pub(crate) fn state(&self) -> State {
        State {
            in_flight: self.floor.working(),
            waiting: self.floor.waiting(),
            served: self.ledger.tries(),
            shed: self.shed.get(),
            checks: self.checks.get(),
        }
    }
}

/// Counts one more.
pub(crate) fn count(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}
