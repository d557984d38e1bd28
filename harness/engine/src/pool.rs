//! Proxies and workloads, kept from scenario to scenario: a boot costs 50 ms of a core, a new configuration 3 ms.

use crate::{
    clock,
    deadline::{self, Deadline},
    error::EngineError,
};
use futures_util::future::join_all;
use squall_mesh::{Bindings, Endpoint, Launch, Mesh, Seat, WorkloadStart};
use squall_model::{InstanceId, Protocol, Service, ServiceName, Topology};
use squall_place::{Keeper, ProcessFolder, ProcessHandle, ProcessId, ProcessSpec, Signal};
use squall_workload::{Control, Onward, WorkloadConfig};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Everything that is running and belongs to no scenario at the moment.
pub(crate) struct Pool<'a, M> {
    pub(crate) mesh: &'a M,
    pub(crate) keeper: &'a Keeper,
    pub(crate) exe: &'a Path,
    idle: RefCell<Vec<Placed>>,
    next: Cell<u32>,
    seed: u64,
}

/// One proxy, perhaps with a workload behind it.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) node: String,
    /// Where the proxy's sockets and logs are. A proxy that comes back is started in the same place, so that its own instance
    /// finds it again; to others it has another address.
    home: ProcessFolder,
    pub(crate) proxy: ProcessHandle,
    pub(crate) inbound: SocketAddr,
    pub(crate) hosted: Option<Hosted>,
    /// Whether a scenario was run on it.
    used: bool,
}

/// One workload.
#[derive(Debug)]
pub(crate) struct Hosted {
    role: Role,
    pub(crate) process: ProcessHandle,
    pub(crate) control: Control,
    pub(crate) listen: PathBuf,
    pub(crate) ledger: PathBuf,
    /// What it says of itself.
    pub(crate) log: PathBuf,
    /// Nobody commands one that does not run.
    pub(crate) life: Life,
}

/// How a workload is, as far as the scenario has to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// It does what it is told.
    Runs,
    /// It is paused.
    StandsStill,
    /// It was killed, or stopped.
    Dead,
}

/// What a workload is started as: one that has this role already can be used again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) instance: InstanceId,
    pub(crate) protocol: Protocol,
    pub(crate) onward: Vec<(ServiceName, Protocol)>,
}

impl Role {
    /// What an instance of this service is started as.
    pub(crate) fn of(topology: &Topology, service: &Service, instance: InstanceId) -> Role {
        let protocol = |name: &ServiceName| topology.service(name).map_or(Protocol::default(), |s| s.protocol);
        let onward = service.calls.iter().map(|name| (name.clone(), protocol(name))).collect();
        Role { instance, protocol: service.protocol, onward }
    }
}

/// What an instance needs: a proxy always, a workload if anybody calls it.
#[derive(Debug, Clone)]
pub(crate) struct Want {
    pub(crate) role: Role,
    pub(crate) called: bool,
}

impl Hosted {
    pub(crate) fn runs(&self) -> bool {
        self.life == Life::Runs
    }

    /// Whether it calls others when it is called.
    pub(crate) fn calls_onward(&self) -> bool {
        !self.role.onward.is_empty()
    }
}

impl Placed {
    /// The proxy's folder.
    pub(crate) fn folder(&self) -> &Path {
        self.home.path()
    }

    /// Its proxy, and its workload where it has one.
    pub(crate) fn processes(&self) -> impl Iterator<Item = &ProcessHandle> {
        std::iter::once(&self.proxy).chain(self.hosted.as_ref().map(|h| &h.process))
    }

    /// Where the mesh finds it.
    pub(crate) fn seat(&self) -> Seat {
        Seat {
            node: self.node.clone(),
            folder: self.folder().to_owned(),
            inbound: self.inbound,
            workload: self.hosted.as_ref().map(|h| Endpoint::Unix(h.listen.clone())),
        }
    }
}

/// What every instance of a topology needs that is to be placed.
pub(crate) fn wants(topology: &Topology) -> Vec<Want> {
    topology
        .instances()
        .filter(|(_, service, _)| service.deployed.is_none())
        .map(|(instance, service, _)| Want {
            role: Role::of(topology, service, instance),
            called: topology.is_called(&service.name),
        })
        .collect()
}

/// The seats of some placed instances.
pub(crate) fn bindings(placed: &BTreeMap<InstanceId, Placed>, tag: &str) -> Bindings {
    let seats = placed.iter().map(|(id, p)| (id.clone(), p.seat())).collect();
    Bindings { seats, tag: tag.to_owned(), ..Bindings::default() }
}

impl<'a, M: Mesh> Pool<'a, M> {
    /// An empty pool: the first scenario boots what it needs.
    pub(crate) fn new(mesh: &'a M, keeper: &'a Keeper, exe: &'a Path, seed: u64) -> Pool<'a, M> {
        Pool { mesh, keeper, exe, idle: RefCell::default(), next: Cell::new(0), seed }
    }

    /// A seat for each: used again where one is idle, else booted, all at once.
    pub(crate) async fn take(&self, wants: &[Want]) -> Result<BTreeMap<InstanceId, Placed>, EngineError> {
        for spent in self.spent() {
            self.throw_away(spent).await;
        }
        let found: Vec<(Want, Option<Placed>)> = self.match_idle(wants);
        let outcomes = join_all(found.into_iter().map(|(want, placed)| async move {
            let instance = want.role.instance.clone();
            (instance, self.furnish(want, placed).await)
        }))
        .await;
        let mut placed = BTreeMap::new();
        let mut failure = None;
        for (instance, outcome) in outcomes {
            match outcome {
                Ok(seat) => drop(placed.insert(instance, seat)),
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            None => Ok(placed),
            Some(error) => {
                placed.into_values().for_each(|seat| self.give_back(seat));
                Err(error)
            }
        }
    }

    /// Keeps a seat for the next scenario. Its runtime layer is empty: the scenario has confirmed that before it ended.
    pub(crate) fn give_back(&self, seat: Placed) {
        self.idle.borrow_mut().push(Placed { used: true, ..seat });
    }

    /// The idle seats that can serve no other scenario, on a mesh that has none twice.
    fn spent(&self) -> Vec<Placed> {
        if self.mesh.is_reusable() {
            return Vec::new();
        }
        self.idle.borrow_mut().extract_if(.., |seat| seat.used).collect()
    }

    /// Ends a seat that can no longer be trusted: killed, lapsed, or rejecting.
    pub(crate) async fn throw_away(&self, seat: Placed) {
        self.mesh.forget(&seat.seat());
        for process in seat.processes() {
            self.kill(process).await;
        }
    }

    /// Has a process end in order, and waits until it is gone; one that does not listen is killed.
    pub(crate) async fn stop(&self, process: &ProcessHandle) {
        if self.keeper.signal(process.id, Signal::Term).await.is_ok()
            && self.keeper.wait_exit(process.id, deadline::STOP.instant()).await.is_err()
        {
            self.kill(process).await;
        }
    }

    /// Kills a process and waits until it is gone; one that is gone already is no error.
    pub(crate) async fn kill(&self, process: &ProcessHandle) {
        // A keeper that is lost has taken everything with it.
        if self.keeper.signal(process.id, Signal::Kill).await.is_ok() {
            let _ = self.keeper.wait_exit(process.id, deadline::GONE.instant()).await;
        }
    }

    /// Idle seats for the wants: those with the same workload first, then any.
    fn match_idle(&self, wants: &[Want]) -> Vec<(Want, Option<Placed>)> {
        let mut idle = self.idle.borrow_mut();
        // What died while nobody used it is not handed out. Its folder goes with the run.
        let ended: BTreeSet<ProcessId> = self.keeper.ends().into_iter().map(|end| end.id).collect();
        idle.retain(|p| !p.processes().any(|process| ended.contains(&process.id)));
        let mut found: Vec<(Want, Option<Placed>)> = wants.iter().map(|w| (w.clone(), None)).collect();
        for (want, slot) in &mut found {
            let fits = |p: &Placed| match &p.hosted {
                Some(hosted) => want.called && hosted.role == want.role,
                None => !want.called,
            };
            *slot = idle.iter().position(fits).map(|at| idle.swap_remove(at));
        }
        for (_, slot) in found.iter_mut().filter(|(_, slot)| slot.is_none()) {
            *slot = idle.pop();
        }
        found
    }

    /// Makes sure that there is a proxy, and the right workload or none behind it.
    async fn furnish(&self, want: Want, placed: Option<Placed>) -> Result<Placed, EngineError> {
        let mut placed = match placed {
            Some(placed) => placed,
            None => self.boot().await?,
        };
        let right = placed.hosted.as_ref().is_some_and(|h| h.role == want.role);
        if !right {
            if let Some(hosted) = placed.hosted.take() {
                self.kill(&hosted.process).await;
            }
            if want.called {
                match self.host(placed.folder(), want.role).await {
                    Ok(hosted) => placed.hosted = Some(hosted),
                    Err(error) => {
                        self.give_back(placed);
                        return Err(error);
                    }
                }
            }
        }
        Ok(placed)
    }

    /// Starts a proxy in a folder of its own and waits until it is live.
    async fn boot(&self) -> Result<Placed, EngineError> {
        let node = self.next_node();
        let home = self.keeper.folder().process_folder(&node)?;
        let (proxy, inbound) = self.start_proxy(&node, &home).await?;
        Ok(Placed { node, home, proxy, inbound, hosted: None, used: false })
    }

    /// Starts another proxy in the place of a dead one: a new node with another address. Gives the former address.
    pub(crate) async fn boot_again(&self, placed: &mut Placed) -> Result<SocketAddr, EngineError> {
        self.mesh.forget(&placed.seat());
        let node = self.next_node();
        let (proxy, inbound) = self.start_proxy(&node, &placed.home).await?;
        let former = std::mem::replace(&mut placed.inbound, inbound);
        (placed.node, placed.proxy) = (node, proxy);
        Ok(former)
    }

    fn next_node(&self) -> String {
        format!("p{}", self.next.replace(self.next.get() + 1))
    }

    /// Starts a proxy and waits until it is live; one that does not come to life is not left behind.
    async fn start_proxy(&self, node: &str, home: &ProcessFolder) -> Result<(ProcessHandle, SocketAddr), EngineError> {
        let launch = self.mesh.launch(node, home.path());
        let proxy = self.launch(format!("proxy {node}"), launch, home.clone()).await?;
        let limit = self.mesh.boots_within().unwrap_or(deadline::PLACE.at_most);
        let ready = self.mesh.ready(node, home.path(), clock::now() + limit);
        // Whoever is waited for says better than we what it lacks.
        let gone = self.keeper.wait_exit(proxy.id, deadline::GONE.instant() + limit);
        let inbound = tokio::select! {
            ready = ready => ready.map_err(|why| EngineError::Unready {
                what: format!("proxy {node}"),
                why,
                said: home.last_line(),
            }),
            gone = gone => match gone {
                Ok(end) => Err(EngineError::StillBorn {
                    what: format!("proxy {node}"),
                    how: end.how.to_string(),
                    said: home.last_line(),
                }),
                Err(error) => Err(error.into()),
            },
        };
        match inbound {
            Ok(inbound) => Ok((proxy, inbound)),
            Err(error) => {
                self.kill(&proxy).await;
                Err(error)
            }
        }
    }

    /// Writes a process's files, and starts it.
    async fn launch(&self, name: String, launch: Launch, home: ProcessFolder) -> Result<ProcessHandle, EngineError> {
        for (path, content) in &launch.files {
            std::fs::write(path, content).map_err(EngineError::io(format!("write {}", path.display())))?;
        }
        Ok(self.keeper.spawn(ProcessSpec::new(name, launch.program, home).args(launch.args)).await?)
    }

    /// Starts a workload in a proxy's folder and waits until it is ready.
    pub(crate) async fn host(&self, folder: &Path, role: Role) -> Result<Hosted, EngineError> {
        let home = self.keeper.folder().process_folder(&format!("{}", role.instance))?;
        // Its socket is the proxy's neighbour: a workload that comes back is found where the one before it was.
        let listen = folder.join("app.sock");
        let (control, ledger) = (home.socket("ctl.sock")?, home.file("ledger.jsonl"));
        let log = home.log();
        let own = match self.mesh.outbound(folder) {
            Endpoint::Unix(path) => squall_workload::Endpoint::Unix(path),
            Endpoint::Tcp(address) => squall_workload::Endpoint::Tcp(address),
        };
        let onward = |(service, protocol): &(ServiceName, Protocol)| Onward {
            service: service.clone(),
            protocol: *protocol,
            via: own.clone(),
        };
        let config = WorkloadConfig {
            instance: role.instance.clone(),
            protocol: role.protocol,
            listen: squall_workload::Endpoint::Unix(listen.clone()),
            control: control.clone(),
            ledger: ledger.clone(),
            behaviour: squall_model::Behaviour::default(),
            onward: role.onward.iter().map(onward).collect(),
            seed: self.seed ^ u64::from(role.instance.number),
        };
        let path = home.file("config.json");
        let text = serde_json::to_vec(&config).map_err(|e| EngineError::Plan(e.to_string()))?;
        std::fs::write(&path, text).map_err(EngineError::io(format!("write {}", path.display())))?;
        let start = WorkloadStart {
            exe: self.exe,
            proxy: folder,
            config: &path,
            control: &control,
            ledger: &ledger,
            log: &log,
        };
        let process = self.launch(format!("workload {}", role.instance), self.mesh.workload(&start), home).await?;
        let connecting = Control::connect(&control, deadline::PLACE.at_most);
        let control = match within(deadline::PLACE, "a workload to start", connecting).await {
            Ok(Ok(control)) => control,
            failed => {
                self.kill(&process).await;
                failed??
            }
        };
        Ok(Hosted { role, process, control, listen, ledger, log, life: Life::Runs })
    }

    /// Boots so many proxies now, all at once, for later: boots in the midst of traffic steal from it.
    ///
    /// # Errors
    /// Where one does not come up.
    pub(crate) async fn warm(&self, proxies: usize) -> Result<(), EngineError> {
        let missing = proxies.saturating_sub(self.idle.borrow().len());
        let mut failure = None;
        // All that came up are kept, whatever became of the others.
        for placed in join_all((0..missing).map(|_| self.boot())).await {
            match placed {
                Ok(placed) => self.idle.borrow_mut().push(placed),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

/// The result of a future, or the named deadline's expiry.
pub(crate) async fn within<T>(deadline: Deadline, what: &str, work: impl Future<Output = T>) -> Result<T, EngineError> {
    clock::before(deadline.from_now(), work)
        .await
        .ok_or_else(|| EngineError::Expired { deadline, what: what.to_owned() })
}
