//! Faults: which layer each proxy has, and the proof that it obeys it.

use crate::{
    channel::{ChannelEvent, FaultChannel, Layer, RuntimeValue, Timing, Unarmed},
    clock::now,
    confirm::{self, Seen},
    gather,
    host::ServeError,
    outbound_socket, render,
};
use futures_util::future::{join_all, try_join};
use squall_mesh::{Bindings, MeshError, MeshEvent, Seat};
use squall_model::{Effect, FaultId, Fraction, InstanceId, Plan, Stamp};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::Path,
    rc::Rc,
};
use tokio::sync::broadcast::Receiver;

/// The faults of every proxy, over a fault channel of their own.
#[derive(Debug)]
pub struct Leases {
    channel: FaultChannel,
    /// Never borrowed over an await.
    state: RefCell<State>,
    told: RefCell<Receiver<ChannelEvent>>,
}

#[derive(Debug, Default)]
struct State {
    /// By node id.
    held: BTreeMap<String, Held>,
    /// By the tag of the scenario's run.
    armed: BTreeMap<String, Rc<Armed>>,
}

/// What proves that a proxy has taken a layer over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Its listeners answer by it.
    Answers,
    /// Its listeners answer by it, if it has any. One that will have them after that has only to acknowledge it.
    IfItListens,
}

/// What one proxy holds.
#[derive(Debug)]
struct Held {
    /// Its layer, without the epoch; `None` while that is being changed, and after a change that was not seen to succeed.
    layer: Option<Layer>,
    /// Counts its layers: its own, so that two that follow each other never have the same name.
    epoch: u64,
}

impl Default for Held {
    fn default() -> Held {
        Held { layer: Some(Layer::new()), epoch: 0 }
    }
}

/// What is in place in one run of a scenario.
#[derive(Debug)]
struct Armed {
    plan: Plan,
    faults: BTreeSet<FaultId>,
}

impl Leases {
    /// Starts the fault channel on a socket in this folder.
    ///
    /// # Errors
    /// Where it cannot be bound.
    pub fn start(folder: &Path) -> Result<Leases, ServeError> {
        let channel = FaultChannel::start(&folder.join("faults.sock"), Timing::default())?;
        let told = RefCell::new(channel.events());
        Ok(Leases { channel, state: RefCell::default(), told })
    }

    /// Where proxies find the fault channel.
    #[must_use]
    pub fn socket(&self) -> &Path {
        self.channel.socket()
    }

    /// The channel itself: tests stall it.
    #[must_use]
    pub fn channel(&self) -> &FaultChannel {
        &self.channel
    }

    /// Has exactly these faults in place, and proves it at every proxy whose layer has to change for that; at those whose lease
    /// ran out they are put in place again.
    ///
    /// # Errors
    /// Where a proxy rejects its layer, or lags.
    pub async fn arm(
        &self,
        plan: &Plan,
        at: &Bindings,
        armed: &BTreeSet<FaultId>,
        by: Stamp,
    ) -> Result<Effect, MeshError> {
        self.remember(&at.tag, plan, armed);
        self.bring(plan, at, armed, (true, Proof::Answers), by).await
    }

    /// Proxies that came after the faults were armed (they grew, or came back from the dead) get them too, and before they
    /// get any traffic. Those whose lease ran out are no newcomers: by itself nothing is armed a second time.
    ///
    /// # Errors
    /// As [`Leases::arm`].
    pub async fn bring_to_newcomers(&self, at: &Bindings, proof: Proof, by: Stamp) -> Result<(), MeshError> {
        let Some(armed) = self.state.borrow().armed.get(&at.tag).map(Rc::clone) else { return Ok(()) };
        self.bring(&armed.plan, at, &armed.faults, (false, proof), by).await.map(drop)
    }

    /// Leases that ran out since the last call.
    pub fn events(&self) -> Vec<MeshEvent> {
        let told = crate::heard(&mut self.told.borrow_mut());
        let lapsed = told.into_iter().filter_map(|event| match event {
            ChannelEvent::Lapsed { node, at, .. } => Some(MeshEvent::Lapsed { node, at }),
            _ => None,
        });
        lapsed.collect()
    }

    /// Forgets a proxy: what faults it has end with their lease.
    pub fn forget(&self, node: &str) {
        self.channel.forget(node);
        self.state.borrow_mut().held.remove(node);
    }

    async fn bring(
        &self,
        plan: &Plan,
        at: &Bindings,
        armed: &BTreeSet<FaultId>,
        (lapsed_too, proof): (bool, Proof),
        by: Stamp,
    ) -> Result<Effect, MeshError> {
        let asked = now();
        let mut wanted = render::layers(plan, at, armed)?;
        let mut orders = Vec::new();
        for (instance, seat) in &at.seats {
            let layer = wanted.remove(instance).unwrap_or_default();
            let lapsed = self.channel.has_lapsed(&seat.node);
            let differs = self.held(seat, |held| held.layer.as_ref() != Some(&layer));
            let due = if lapsed { lapsed_too } else { differs };
            if due {
                orders.push(self.order(instance, seat, layer, proof, by));
            }
        }
        let seen = Seen::of_all(gather(join_all(orders).await)?, asked);
        let last_old = seen.last_old.unwrap_or(asked);
        Ok(Effect { asked, acked: seen.acked, effective: seen.effective, last_old })
    }

    /// Orders a layer, and probes the listeners until they answer by it: from the order on, so that the last moment of the
    /// old state is seen and not guessed. A layer without faults has no epoch either: it is empty, and needs no lease.
    async fn order(
        &self,
        instance: &InstanceId,
        seat: &Seat,
        layer: Layer,
        proof: Proof,
        by: Stamp,
    ) -> Result<Seen, MeshError> {
        let epoch = self.held(seat, |held| {
            held.layer = None;
            held.epoch += 1;
            held.epoch
        });
        let epoch = (!layer.is_empty()).then_some(epoch);
        let mut whole = layer.clone();
        whole.extend(epoch.map(|epoch| (render::epoch_key(epoch), RuntimeValue::Fraction(Fraction::ALL))));
        let push = self.channel.set(&seat.node, whole);
        let acked = async { self.channel.wait(&push, by).await.map_err(|why| unarmed(instance, why)) };
        let (acked, seen) = match proof {
            Proof::IfItListens if !outbound_socket(&seat.folder).exists() => {
                acked.await.map(|acked| (acked, Seen::at(acked.at)))?
            }
            Proof::Answers | Proof::IfItListens => try_join(acked, confirm::epoch(instance, seat, epoch, by)).await?,
        };
        self.held(seat, |held| held.layer = Some(layer));
        Ok(Seen { acked: acked.at, ..seen })
    }

    fn held<T>(&self, seat: &Seat, look: impl FnOnce(&mut Held) -> T) -> T {
        look(self.state.borrow_mut().held.entry(seat.node.clone()).or_default())
    }

    /// Remembers what is in place in a run, for proxies that come later.
    fn remember(&self, tag: &str, plan: &Plan, faults: &BTreeSet<FaultId>) {
        let mut state = self.state.borrow_mut();
        if faults.is_empty() {
            state.armed.remove(tag);
        } else {
            let armed = Armed { plan: plan.clone(), faults: faults.clone() };
            state.armed.insert(tag.to_owned(), Rc::new(armed));
        }
    }
}

fn unarmed(instance: &InstanceId, why: Unarmed) -> MeshError {
    match why {
        Unarmed::Rejected { words, .. } => MeshError::Rejected { instance: instance.to_string(), words },
        other => MeshError::Lagging(vec![format!("{instance}: {other}")]),
    }
}
