//! Faults: which layer each proxy has, and the proof that it obeys it.

use crate::{
    Envoy,
    channel::{Layer, RuntimeValue, Unarmed},
    clock::now,
    confirm::{self, Seen},
    mesh::gather,
    render,
};
use futures_util::future::{join_all, try_join};
use squall_mesh::{Bindings, MeshError, Seat};
use squall_model::{Effect, FaultId, Fraction, InstanceId, Plan, Stamp};
use std::collections::BTreeSet;

impl Envoy {
    /// Has exactly these faults in place, and proves it at every proxy whose layer has to change for that; at those whose lease
    /// ran out they are put in place again.
    pub(crate) async fn bring_layers(
        &self,
        plan: &Plan,
        at: &Bindings,
        armed: &BTreeSet<FaultId>,
        by: Stamp,
    ) -> Result<Effect, MeshError> {
        self.bring(plan, at, armed, true, by).await
    }

    async fn bring(
        &self,
        plan: &Plan,
        at: &Bindings,
        armed: &BTreeSet<FaultId>,
        lapsed_too: bool,
        by: Stamp,
    ) -> Result<Effect, MeshError> {
        let asked = now();
        let mut wanted = render::layers(plan, at, armed)?;
        let mut orders = Vec::new();
        for (instance, seat) in &at.seats {
            let layer = wanted.remove(instance).unwrap_or_default();
            let lapsed = self.faults.has_lapsed(&seat.node);
            let differs = self.known(instance, seat, |known| known.layer.as_ref() != Some(&layer))?;
            let due = if lapsed { lapsed_too } else { differs };
            if due {
                orders.push(self.order(instance, seat, layer, by));
            }
        }
        let seen = Seen::of_all(gather(join_all(orders).await)?, asked);
        let last_old = seen.last_old.unwrap_or(asked);
        Ok(Effect { asked, acked: seen.acked, effective: seen.effective, last_old })
    }

    /// Proxies that came after the faults were armed (they grew, or came back from the dead) get them too, and before they
    /// get any traffic. Those whose lease ran out are no newcomers: by itself nothing is armed a second time.
    pub(crate) async fn bring_layers_to_newcomers(&self, at: &Bindings, by: Stamp) -> Result<(), MeshError> {
        let Some(armed) = self.state.borrow().armed(&at.tag) else { return Ok(()) };
        self.bring(&armed.plan, at, &armed.faults, false, by).await.map(drop)
    }

    /// Orders a layer, and probes the listeners until they answer by it: from the order on, so that the last moment of the
    /// old state is seen and not guessed. A layer without faults has no epoch either: it is empty, and needs no lease.
    async fn order(&self, instance: &InstanceId, seat: &Seat, layer: Layer, by: Stamp) -> Result<Seen, MeshError> {
        let epoch = self.known(instance, seat, |known| {
            known.layer = None;
            known.epoch += 1;
            known.epoch
        })?;
        let epoch = (!layer.is_empty()).then_some(epoch);
        let mut whole = layer.clone();
        whole.extend(epoch.map(|epoch| (render::epoch_key(epoch), RuntimeValue::Fraction(Fraction::ALL))));
        let push = self.faults.set(&seat.node, whole);
        let acked = async { self.faults.wait(&push, by).await.map_err(|why| unarmed(instance, why)) };
        let (acked, seen) = try_join(acked, confirm::epoch(instance, seat, epoch, by)).await?;
        self.known(instance, seat, |known| known.layer = Some(layer))?;
        Ok(Seen { acked: acked.at, ..seen })
    }
}

fn unarmed(instance: &InstanceId, why: Unarmed) -> MeshError {
    match why {
        Unarmed::Rejected { words, .. } => MeshError::Rejected { instance: instance.to_string(), words },
        other => MeshError::Lagging(vec![format!("{instance}: {other}")]),
    }
}
