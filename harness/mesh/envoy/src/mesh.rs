//! Envoys as a mesh: what the engine drives.

use crate::{
    admin::{Admin, AdminError},
    bootstrap::Bootstrap,
    channel::{ChannelEvent, FaultChannel, Layer, RuntimeValue, Timing},
    clock::now,
    confirm::{self, Seen},
    encode, logs, outbound_socket, probe,
    render::{self, Config},
    xds::{AdsServer, Generation, Lag, Resources, XdsEvent},
};
use futures_util::future::{join_all, try_join_all};
use squall_mesh::{
    Applied, Bindings, Confirmed, Desired, Endpoint, Launch, LogLine, Logs, Mesh, MeshError, MeshEvent, Refusal, Seat,
    WallOffset,
};
use squall_model::{Diagnostic, Effect, FaultId, Fraction, InstanceId, Plan, Side, Stamp};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::{Path, PathBuf},
};
use tokio::sync::broadcast::{Receiver, error::TryRecvError};

/// Real Envoys, configured by our own control plane, broken over our own fault channel.
#[derive(Debug)]
pub struct Envoy {
    program: PathBuf,
    ads: AdsServer,
    faults: FaultChannel,
    state: RefCell<State>,
    heard: RefCell<(Receiver<XdsEvent>, Receiver<ChannelEvent>)>,
}

/// What we have asked of the proxies.
#[derive(Debug, Default)]
struct State {
    /// How often something was applied, and how often faults were armed.
    generation: u64,
    epoch: u64,
    /// What each node was sent last, and what it confirmed last.
    sent: BTreeMap<String, (Generation, Resources)>,
    good: BTreeMap<String, Resources>,
    /// The layer of each node, without its epoch.
    layers: BTreeMap<String, Layer>,
    admins: BTreeMap<String, Admin>,
    stopped: bool,
}

impl Envoy {
    /// Starts control plane and fault channel on sockets in this folder. The program is not started: proxies are, by whoever
    /// places them.
    ///
    /// # Errors
    /// Where a socket cannot be bound.
    pub fn start(program: &Path, folder: &Path) -> Result<Envoy, crate::ServeError> {
        let ads = AdsServer::start(&folder.join("ads.sock"))?;
        let faults = FaultChannel::start(&folder.join("faults.sock"), Timing::default())?;
        let heard = RefCell::new((ads.events(), faults.events()));
        Ok(Envoy { program: program.to_owned(), ads, faults, state: RefCell::default(), heard })
    }

    fn admin(&self, seat: &Seat) -> Result<Admin, MeshError> {
        let known = self.state.borrow().admins.get(&seat.node).cloned();
        match known {
            Some(admin) => Ok(admin),
            None => {
                let admin = Admin::new(&Bootstrap::admin(&seat.folder)).map_err(|e| silent(&seat.node, &e))?;
                self.state.borrow_mut().admins.insert(seat.node.clone(), admin.clone());
                Ok(admin)
            }
        }
    }

    /// Sends a node what it should have, and remembers it.
    fn send(&self, node: &str, resources: Resources) -> Generation {
        let generation = self.ads.set(node, resources.clone());
        self.state.borrow_mut().sent.insert(node.to_owned(), (generation, resources));
        generation
    }

    /// Waits until a seat's proxy has acknowledged what it was sent last; a rejection puts the last good state back first.
    async fn acknowledged(&self, instance: &InstanceId, seat: &Seat, by: Stamp) -> Result<Stamp, MeshError> {
        let Some((generation, _)) = self.state.borrow().sent.get(&seat.node).cloned() else { return Ok(now()) };
        match self.ads.wait(&seat.node, generation, by).await {
            Ok(acked) => Ok(acked.at),
            Err(Lag::Rejected(rejection)) => {
                let good = self.state.borrow().good.get(&seat.node).cloned();
                self.send(&seat.node, good.unwrap_or_else(|| encode::blank(seat)));
                Err(MeshError::Rejected { instance: instance.to_string(), words: rejection.words })
            }
            Err(lag) => Err(MeshError::Lagging(vec![format!("{instance}: {lag}")])),
        }
    }

    /// Proves that each proxy is what it was sent last.
    async fn confirm_all(&self, at: &Bindings, asked: Stamp, by: Stamp) -> Result<Confirmed, MeshError> {
        let all = at.seats.iter().map(|(instance, seat)| async move {
            let acked = self.acknowledged(instance, seat, by).await?;
            let sent = self.state.borrow().sent.get(&seat.node).map(|(_, resources)| resources.clone());
            let Some(resources) = sent else { return Ok(Seen { acked, ..Seen::now() }) };
            let seen = confirm::configuration(instance, seat, &self.admin(seat)?, &resources, by).await?;
            self.state.borrow_mut().good.insert(seat.node.clone(), resources);
            Ok(Seen { acked, ..seen })
        });
        let seen = gather(join_all(all).await)?;
        Ok(Confirmed {
            acked: seen.iter().map(|s| s.acked).max().unwrap_or(asked).max(asked),
            effective: seen.iter().map(|s| s.effective).max().unwrap_or(asked),
            last_old: seen.iter().filter_map(|s| s.last_old).max().unwrap_or(asked),
        })
    }
}

/// All results, or every reason why not.
fn gather<T>(results: Vec<Result<T, MeshError>>) -> Result<Vec<T>, MeshError> {
    let mut good = Vec::new();
    let mut lagging = Vec::new();
    for result in results {
        match result {
            Ok(value) => good.push(value),
            Err(MeshError::Lagging(more)) => lagging.extend(more),
            Err(other) => return Err(other),
        }
    }
    if lagging.is_empty() { Ok(good) } else { Err(MeshError::Lagging(lagging)) }
}

fn silent(instance: &str, why: &AdminError) -> MeshError {
    MeshError::Silent { instance: instance.to_owned(), why: why.to_string() }
}

impl Mesh for Envoy {
    type Config = Config;

    fn name(&self) -> &str {
        "envoy"
    }

    fn refuses(&self, plan: &Plan) -> Vec<Refusal> {
        render::refusals(plan)
    }

    fn lint(&self, _plan: &Plan) -> Vec<Diagnostic> {
        Vec::new()
    }

    fn render(&self, want: &Desired<'_>, at: &Bindings) -> Result<Config, Refusal> {
        render::render(want, at)
    }

    fn launch(&self, node: &str, folder: &Path) -> Launch {
        let bootstrap = Bootstrap {
            node: node.to_owned(),
            cluster: "squall".into(),
            zone: String::new(),
            folder: folder.to_owned(),
            ads: self.ads.socket().to_owned(),
            faults: self.faults.socket().to_owned(),
            runtime: BTreeMap::new(),
        };
        Launch {
            program: self.program.clone(),
            args: bootstrap.args(),
            files: vec![(Bootstrap::file(folder), bootstrap.render().to_string())],
        }
    }

    async fn ready(&self, node: &str, folder: &Path, by: Stamp) -> Result<SocketAddr, MeshError> {
        let seat = Seat {
            node: node.to_owned(),
            folder: folder.to_owned(),
            inbound: SocketAddr::from(([127, 0, 0, 1], 0)),
            workload: None,
            incarnation: 0,
        };
        self.send(node, encode::blank(&seat));
        self.state.borrow_mut().good.insert(node.to_owned(), encode::blank(&seat));
        let admin = self.admin(&seat)?;
        confirm::live(node, &admin, by).await
    }

    fn outbound(&self, folder: &Path) -> Endpoint {
        Endpoint::Unix(outbound_socket(folder))
    }

    async fn apply(&self, new: &Config, at: &Bindings, by: Stamp) -> Result<Applied, MeshError> {
        let asked = now();
        for seat in at.seats.values() {
            if let Some(config) = new.proxies.get(&seat.node) {
                self.send(&seat.node, encode::resources(config, seat));
            }
        }
        let generation = {
            let mut state = self.state.borrow_mut();
            state.generation += 1;
            state.generation
        };
        if !self.state.borrow().stopped {
            gather(join_all(at.seats.iter().map(|(id, seat)| self.acknowledged(id, seat, by))).await)?;
        }
        Ok(Applied { generation, asked })
    }

    async fn confirm(&self, done: &Applied, at: &Bindings, by: Stamp) -> Result<Confirmed, MeshError> {
        self.confirm_all(at, done.asked, by).await
    }

    async fn arm(&self, plan: &Plan, at: &Bindings, armed: &BTreeSet<FaultId>, by: Stamp) -> Result<Effect, MeshError> {
        let asked = now();
        let epoch = {
            let mut state = self.state.borrow_mut();
            state.epoch += 1;
            state.epoch
        };
        let wanted = render::layers(plan, at, armed)?;
        let changed: Vec<(&InstanceId, &Seat, Layer)> = at
            .seats
            .iter()
            .filter_map(|(instance, seat)| {
                let layer = wanted.get(instance).cloned().unwrap_or_default();
                let known = self.state.borrow().layers.get(&seat.node).cloned().unwrap_or_default();
                (layer != known).then_some((instance, seat, layer))
            })
            .collect();
        let pushes = changed.iter().map(|(instance, seat, layer)| async move {
            let mut pushed = layer.clone();
            pushed.insert(render::epoch_key(epoch), RuntimeValue::Fraction(Fraction::ALL));
            let push = self.faults.set(&seat.node, pushed);
            self.state.borrow_mut().layers.insert(seat.node.clone(), layer.clone());
            let acked = self.faults.wait(&push, by).await.map_err(|e| match e {
                crate::channel::Unarmed::Rejected { words, .. } => {
                    MeshError::Rejected { instance: instance.to_string(), words }
                }
                other => MeshError::Lagging(vec![format!("{instance}: {other}")]),
            })?;
            let seen = confirm::epoch(instance, seat, epoch, by).await?;
            Ok(Seen { acked: acked.at, ..seen })
        });
        let seen = gather(join_all(pushes).await)?;
        Ok(Effect {
            asked,
            acked: seen.iter().map(|s| s.acked).max().unwrap_or(asked),
            effective: seen.iter().map(|s| s.effective).max().unwrap_or(asked),
            last_old: seen.iter().filter_map(|s| s.last_old).max().unwrap_or(asked),
        })
    }

    async fn counters(&self, at: &Bindings) -> Result<BTreeMap<InstanceId, BTreeMap<String, u64>>, MeshError> {
        let all = at.seats.iter().map(|(instance, seat)| async move {
            let stats = self.admin(seat)?.stats().await.map_err(|e| silent(&instance.to_string(), &e))?;
            Ok::<_, MeshError>((instance.clone(), stats))
        });
        Ok(try_join_all(all).await?.into_iter().collect())
    }

    async fn mark(&self, marker: &str, at: &Bindings, by: Stamp) -> Result<(), MeshError> {
        let path = format!("/marker/{marker}");
        let all = at.seats.iter().flat_map(|(instance, seat)| {
            let listeners = [Endpoint::Unix(outbound_socket(&seat.folder)), Endpoint::Tcp(seat.inbound)];
            listeners.map(|listener| {
                let path = &path;
                async move {
                    let asked = tokio::time::timeout(by.since(now()), probe::ask(&listener, path)).await;
                    let why = match asked {
                        Ok(Ok(_)) => return Ok(()),
                        Ok(Err(error)) => error.to_string(),
                        Err(_) => "no answer to the marker".to_owned(),
                    };
                    Err(MeshError::Silent { instance: instance.to_string(), why })
                }
            })
        });
        try_join_all(all).await.map(drop)
    }

    fn logs(&self, folder: &Path) -> Logs {
        Logs {
            outbound: logs::outbound(folder),
            inbound: logs::inbound(folder),
            tries: logs::outbound(folder),
            own: Bootstrap::log(folder),
        }
    }

    fn read_access(
        &self,
        line: &str,
        side: Side,
        proxy: &InstanceId,
        at: &Bindings,
        clock: WallOffset,
    ) -> Result<LogLine, String> {
        logs::read(line, side, proxy, at, clock)
    }

    fn read_try(&self, line: &str, proxy: &InstanceId, at: &Bindings, clock: WallOffset) -> Result<LogLine, String> {
        logs::read(line, Side::Outbound, proxy, at, clock)
    }

    fn events(&self) -> Vec<MeshEvent> {
        let (xds, channel) = &mut *self.heard.borrow_mut();
        let rejected = drain(xds).into_iter().filter_map(|event| match event {
            XdsEvent::Rejected(r) => Some(MeshEvent::Rejected { node: r.node, words: r.words }),
            _ => None,
        });
        let lapsed = drain(channel).into_iter().filter_map(|event| match event {
            ChannelEvent::Lapsed { node, at, .. } => Some(MeshEvent::Lapsed { node, at }),
            _ => None,
        });
        rejected.chain(lapsed).collect()
    }

    async fn stop_control_plane(&self) -> Result<Effect, MeshError> {
        let asked = now();
        self.ads.stop().map_err(|e| MeshError::ControlPlane(e.to_string()))?;
        self.state.borrow_mut().stopped = true;
        let gone = now();
        Ok(Effect { asked, acked: gone, effective: gone, last_old: gone })
    }

    async fn start_control_plane(&self, at: &Bindings, by: Stamp) -> Result<Effect, MeshError> {
        let asked = now();
        self.ads.resume().map_err(|e| MeshError::ControlPlane(e.to_string()))?;
        self.state.borrow_mut().stopped = false;
        let confirmed = self.confirm_all(at, asked, by).await?;
        Ok(Effect { asked, acked: confirmed.acked, effective: confirmed.effective, last_old: confirmed.last_old })
    }

    fn forget(&self, seat: &Seat) {
        self.ads.forget(&seat.node);
        self.faults.forget(&seat.node);
        let mut state = self.state.borrow_mut();
        state.sent.remove(&seat.node);
        state.good.remove(&seat.node);
        state.layers.remove(&seat.node);
        state.admins.remove(&seat.node);
    }
}

/// Everything that a listener has heard since the last time. One that fell behind goes on with what is still there.
fn drain<T: Clone>(from: &mut Receiver<T>) -> Vec<T> {
    let mut all = Vec::new();
    loop {
        match from.try_recv() {
            Ok(event) => all.push(event),
            Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => return all,
        }
    }
}
