//! Configurations: sent, acknowledged, proven; and taken back where a proxy refuses one.

use crate::{
    Envoy, confirm,
    state::Known,
    xds::{Lag, Resources},
};
use futures_util::future::join_all;
use squall_mesh::{Bindings, Confirmed, MeshError, Seat};
use squall_mesh_proxy::{confirm::Seen, gather, now, render::Config};
use squall_model::{InstanceId, Stamp};

impl Envoy {
    /// Sends every seat what it should have. A proxy of which the configuration says nothing is left as it is.
    pub(crate) fn send_all(&self, config: &Config, at: &Bindings) {
        for seat in at.seats.values() {
            if let Some(proxy) = config.proxies.get(&seat.node) {
                self.send(seat, crate::encode::resources(proxy, seat));
            }
        }
    }

    /// Sends a seat what it should have, and remembers it.
    pub(crate) fn send(&self, seat: &Seat, resources: Resources) {
        let generation = self.ads.set(&seat.node, resources.clone());
        self.known(seat, |known| known.sent = Some((generation, resources)));
    }

    /// The seats whose proxies can be told anything, and so can be waited for.
    fn reached<'b>(&'b self, at: &'b Bindings) -> impl Iterator<Item = (&'b InstanceId, &'b Seat)> {
        at.seats.iter().filter(|(_, seat)| !self.ads.is_severed(&seat.node))
    }

    /// Waits until every seat's proxy has acknowledged what it was sent last. Where one refuses it, all of them are sent what
    /// was good before: a mesh is not left half changed, nor a proxy with the part of a batch that it liked.
    pub(crate) async fn acknowledged_by_all(&self, at: &Bindings, by: Stamp) -> Result<(), MeshError> {
        let all = self.reached(at).map(|(instance, seat)| self.acknowledged(instance, seat, by));
        match gather(join_all(all).await) {
            Ok(_) => Ok(()),
            Err(refused @ MeshError::Rejected { .. }) => {
                self.take_back(at, by).await;
                Err(refused)
            }
            Err(other) => Err(other),
        }
    }

    /// Waits until a seat's proxy has acknowledged what it was sent last.
    async fn acknowledged(&self, instance: &InstanceId, seat: &Seat, by: Stamp) -> Result<Stamp, MeshError> {
        let Some((generation, _)) = self.known(seat, |known| known.sent.clone()) else { return Ok(now()) };
        match self.ads.wait(&seat.node, generation, by).await {
            Ok(acked) => Ok(acked.at),
            Err(Lag::Rejected(rejection)) => {
                Err(MeshError::Rejected { instance: instance.to_string(), words: rejection.words })
            }
            Err(lag) => Err(MeshError::Lagging(vec![format!("{instance}: {lag}")])),
        }
    }

    async fn take_back(&self, at: &Bindings, by: Stamp) {
        let all = at.seats.iter().map(|(instance, seat)| async move {
            let good = self.known(seat, |known| known.good.clone());
            self.send(seat, good);
            if self.ads.is_severed(&seat.node) {
                return Ok(now());
            }
            self.acknowledged(instance, seat, by).await
        });
        if let Err(error) = gather(join_all(all).await) {
            tracing::error!(%error, "a rejected configuration could not be taken back");
        }
    }

    /// Proves that every seat's proxy is what it was sent last.
    pub(crate) async fn prove_all(&self, at: &Bindings, asked: Stamp, by: Stamp) -> Result<Confirmed, MeshError> {
        self.acknowledged_by_all(at, by).await?;
        let all = self.reached(at).map(|(instance, seat)| self.prove(instance, seat, by));
        let seen = Seen::of_all(gather(join_all(all).await)?, asked);
        Ok(Confirmed { acked: seen.acked, effective: seen.effective, last_old: seen.last_old.unwrap_or(asked) })
    }

    async fn prove(&self, instance: &InstanceId, seat: &Seat, by: Stamp) -> Result<Seen, MeshError> {
        let acked = self.acknowledged(instance, seat, by).await?;
        let admin = self.proxies.admin(instance, seat)?;
        let (sent, good) = self.known(seat, |known| (known.sent.clone(), known.good.clone()));
        let Some((_, resources)) = sent else { return Ok(Seen::at(acked)) };
        let seen = confirm::configuration(instance, seat, &admin, &resources, &good, by).await?;
        confirm::checks(instance, &admin, &resources, &good, by).await?;
        self.known(seat, |known| known.good = resources);
        Ok(Seen { acked, ..seen })
    }

    /// What is known of a seat's proxy, for as long as the closure takes.
    pub(crate) fn known<T>(&self, seat: &Seat, look: impl FnOnce(&mut Known) -> T) -> T {
        look(self.state.borrow_mut().proxy(seat))
    }
}
