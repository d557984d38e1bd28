//! Envoys as a mesh: what the engine drives.

use crate::{
    admin::{Admin, AdminError},
    bootstrap::{Bootstrap, Release},
    channel::{ChannelEvent, FaultChannel, Timing},
    clock::now,
    confirm, drain, encode, logs, outbound_socket, probe,
    render::{self, Config},
    state::State,
    xds::{AdsServer, XdsEvent},
};
use futures_util::future::try_join_all;
use squall_mesh::{
    Applied, Bindings, Confirmed, Desired, Endpoint, Launch, LogLine, Logs, Mesh, MeshError, MeshEvent, Refusal, Seat,
    WallOffset,
};
use squall_model::{Diagnostic, Effect, FaultId, InstanceId, Plan, Side, Stamp};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::sync::broadcast::{Receiver, error::TryRecvError};

/// How long a proxy may take to tell its counters: it takes a millisecond unless it is stopped.
const COUNTERS: Duration = Duration::from_secs(5);

/// How long a proxy may count as connected that tries to be, and is not: far longer than it takes to fail on a local socket.
const TRYING: Duration = Duration::from_millis(50);
/// How often it is asked at least: each answer is a turn of its loop, in which an attempt gets on, however slow the machine.
const TURNS: u32 = 20;

/// Real Envoys, configured by our own control plane, broken over our own fault channel.
#[derive(Debug)]
pub struct Envoy {
    program: PathBuf,
    release: Release,
    pub(crate) ads: AdsServer,
    pub(crate) faults: FaultChannel,
    /// Never borrowed over an await.
    pub(crate) state: RefCell<State>,
    heard: RefCell<(Receiver<XdsEvent>, Receiver<ChannelEvent>)>,
}

impl Envoy {
    /// Starts control plane and fault channel on sockets in this folder. The program is not started: proxies are, by whoever
    /// places them.
    ///
    /// # Errors
    /// Where a socket cannot be bound.
    pub fn start(program: &Path, release: Release, folder: &Path) -> Result<Envoy, crate::ServeError> {
        let ads = AdsServer::start(&folder.join("ads.sock"))?;
        let faults = FaultChannel::start(&folder.join("faults.sock"), Timing::default())?;
        let heard = RefCell::new((ads.events(), faults.events()));
        Ok(Envoy { program: program.to_owned(), release, ads, faults, state: RefCell::default(), heard })
    }
}

/// Whether a proxy is connected to its control plane. One that tries to be counts as connected until it has failed, which is
/// the matter of a turn of its loop: one that says no once has none.
async fn stays_connected(admin: &Admin) -> Result<bool, AdminError> {
    let (until, mut turns) = (now() + TRYING, 0);
    // It has no way to say that its attempt has failed but to be asked.
    let mut ticks = tokio::time::interval(Duration::from_millis(2));
    while admin.is_connected().await? {
        turns += 1;
        if turns > TURNS && now() > until {
            return Ok(true);
        }
        ticks.tick().await;
    }
    Ok(false)
}

/// All results, or every reason why not.
pub(crate) fn gather<T>(results: Vec<Result<T, MeshError>>) -> Result<Vec<T>, MeshError> {
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

pub(crate) fn silent(instance: &InstanceId, why: &dyn Display) -> MeshError {
    MeshError::Silent { instance: instance.to_string(), why: why.to_string() }
}

impl Mesh for Envoy {
    type Config = Config;

    fn name(&self) -> &str {
        "envoy"
    }

    fn refuses(&self, plan: &Plan) -> Vec<Refusal> {
        render::refusals(plan)
    }

    fn lint(&self, plan: &Plan) -> Vec<Diagnostic> {
        render::lint(plan)
    }

    fn render(&self, want: &Desired<'_>, at: &Bindings) -> Result<Config, Refusal> {
        render::render(want, at)
    }

    fn launch(&self, node: &str, folder: &Path) -> Launch {
        let bootstrap = Bootstrap {
            node: node.to_owned(),
            cluster: "squall".into(),
            folder: folder.to_owned(),
            ads: self.ads.socket().to_owned(),
            faults: self.faults.socket().to_owned(),
            runtime: BTreeMap::new(),
            release: self.release,
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
        };
        // Nobody knows yet which instance it will be.
        let nobody = InstanceId { service: node.into(), number: 0 };
        self.send(&nobody, &seat, encode::blank(&seat))?;
        let admin = self.known(&nobody, &seat, |known| known.admin.clone())?;
        confirm::live(&seat, &admin, by).await
    }

    fn outbound(&self, folder: &Path) -> Endpoint {
        Endpoint::Unix(outbound_socket(folder))
    }

    async fn apply(&self, new: &Config, at: &Bindings, by: Stamp) -> Result<Applied, MeshError> {
        let asked = now();
        self.bring_layers_to_newcomers(at, by).await?;
        self.send_all(new, at)?;
        if !self.state.borrow().stopped {
            self.acknowledged_by_all(at, by).await?;
        }
        Ok(Applied { generation: self.state.borrow_mut().next_generation(), asked })
    }

    async fn confirm(&self, done: &Applied, at: &Bindings, by: Stamp) -> Result<Confirmed, MeshError> {
        self.prove_all(at, done.asked, by).await
    }

    async fn arm(&self, plan: &Plan, at: &Bindings, armed: &BTreeSet<FaultId>, by: Stamp) -> Result<Effect, MeshError> {
        self.state.borrow_mut().arm(&at.tag, plan, armed);
        self.bring_layers(plan, at, armed, by).await
    }

    async fn counters(&self, at: &Bindings) -> Result<BTreeMap<InstanceId, BTreeMap<String, u64>>, MeshError> {
        let by = now() + COUNTERS;
        let all = at.seats.iter().map(|(instance, seat)| async move {
            let admin = self.known(instance, seat, |known| known.admin.clone())?;
            let stats = confirm::before(by, instance, admin.stats()).await?;
            Ok::<_, MeshError>((instance.clone(), stats))
        });
        Ok(try_join_all(all).await?.into_iter().collect())
    }

    async fn mark(&self, marker: &str, at: &Bindings, by: Stamp) -> Result<(), MeshError> {
        let path = format!("/marker/{marker}");
        let path = path.as_str();
        let all = at.seats.iter().flat_map(|(instance, seat)| {
            let listeners = [Endpoint::Unix(outbound_socket(&seat.folder)), Endpoint::Tcp(seat.inbound)];
            listeners.map(|listener| async move {
                probe::ask(&listener, path, by).await.map(drop).map_err(|why| silent(instance, &why))
            })
        });
        try_join_all(all).await.map(drop)
    }

    fn logs(&self, folder: &Path) -> Logs {
        Logs {
            outbound: logs::outbound(folder),
            inbound: logs::inbound(folder),
            tries: logs::outbound(folder),
            states: vec![logs::ejections(folder), logs::checks(folder)],
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

    fn read_state(&self, line: &str, proxy: &InstanceId, at: &Bindings, clock: WallOffset) -> Result<LogLine, String> {
        logs::read_state(line, proxy, at, clock)
    }

    fn events(&self) -> Vec<MeshEvent> {
        let (xds, channel) = &mut *self.heard.borrow_mut();
        let rejected = heard(xds).into_iter().filter_map(|event| match event {
            XdsEvent::Rejected(r) => Some(MeshEvent::Rejected { node: r.node, words: r.words }),
            _ => None,
        });
        let lapsed = heard(channel).into_iter().filter_map(|event| match event {
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
        let confirmed = self.prove_all(at, asked, by).await?;
        Ok(Effect { asked, acked: confirmed.acked, effective: confirmed.effective, last_old: confirmed.last_old })
    }

    async fn connected(&self, at: &Bindings, by: Stamp) -> Result<BTreeMap<InstanceId, bool>, MeshError> {
        let all = at.seats.iter().map(|(instance, seat)| async move {
            let admin = self.known(instance, seat, |known| known.admin.clone())?;
            let connected = confirm::before(by, instance, stays_connected(&admin)).await?;
            Ok::<_, MeshError>((instance.clone(), connected))
        });
        Ok(try_join_all(all).await?.into_iter().collect())
    }

    async fn drain(&self, instance: &InstanceId, seat: &Seat, by: Stamp) -> Result<(), MeshError> {
        let admin = self.known(instance, seat, |known| known.admin.clone())?;
        drain::drain(instance, &admin, by).await
    }

    /// A line goes to a thread that writes it at once, in the oldest releases every 10 ms; either has to get a core.
    fn unwritten(&self) -> Duration {
        Duration::from_millis(if self.release.writes_at_once() { 5 } else { 20 })
    }

    async fn sever(&self, at: &Bindings) -> Result<Effect, MeshError> {
        let asked = now();
        at.seats.values().for_each(|seat| self.ads.sever(&seat.node));
        let gone = now();
        Ok(Effect { asked, acked: gone, effective: gone, last_old: gone })
    }

    async fn rejoin(&self, at: &Bindings, by: Stamp) -> Result<Effect, MeshError> {
        let asked = now();
        at.seats.values().for_each(|seat| self.ads.rejoin(&seat.node));
        if self.state.borrow().stopped {
            return Ok(Effect { asked, acked: asked, effective: asked, last_old: asked });
        }
        let confirmed = self.prove_all(at, asked, by).await?;
        Ok(Effect { asked, acked: confirmed.acked, effective: confirmed.effective, last_old: confirmed.last_old })
    }

    fn forget(&self, seat: &Seat) {
        self.ads.forget(&seat.node);
        self.faults.forget(&seat.node);
        self.state.borrow_mut().forget(&seat.node);
    }
}

/// Everything that a listener has heard since the last time. One that fell behind goes on with what is still there.
fn heard<T: Clone>(from: &mut Receiver<T>) -> Vec<T> {
    let mut all = Vec::new();
    loop {
        match from.try_recv() {
            Ok(event) => all.push(event),
            Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => return all,
        }
    }
}
