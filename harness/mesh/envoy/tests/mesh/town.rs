//! Instances with real proxies, configured and broken through the port of a mesh alone, and what a test needs around them.

use crate::{
    http2::{Http2Client, Http2Workload},
    workload::Workload,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use squall_mesh::{Applied, Bindings, Confirmed, Desired, Endpoint, LogLine, Mesh, MeshError, Seat, WallOffset};
use squall_mesh_envoy::{Envoy, now};
use squall_mesh_proxy::bootstrap::Release;
use squall_model::{
    AccessRecord, Calls, ControlRule, Effect, Fault, FaultId, FaultKind, Filter, Fraction, Instance, InstanceId, Level,
    Origin, OriginMap, PLAN_SCHEMA, Plan, PlanKey, Policy, PolicyId, PolicyKind, Protocol, Service, ServiceName, Side,
    Stamp, StateRecord, Target, Terms, Timeline, Title, Topology, Touch, Traffic, TryRecord, Variation, When, Which,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    process::{Child, Command},
};

/// The deadline of everything that should happen soon: long, because no test may depend on a fast machine.
pub(crate) fn soon() -> Stamp {
    now() + Duration::from_secs(20)
}

/// Where Envoy is. `None`: the test is skipped, loudly.
fn envoy() -> Option<PathBuf> {
    match squall_place::envoy::at_hand(None).expect("an Envoy that is named runs") {
        Some(found) => Some(found.path),
        None => {
            assert!(std::env::var_os("CI").is_none(), "no Envoy to be had");
            // Past the capture of the test harness, which hides what passing tests print.
            let told = "SKIPPED: no Envoy to be had, nothing was proven\n";
            std::io::stderr().write_all(told.as_bytes()).unwrap();
            None
        }
    }
}

pub(crate) struct Town {
    pub(crate) mesh: Envoy,
    pub(crate) plan: Plan,
    pub(crate) at: Bindings,
    pub(crate) workloads: BTreeMap<InstanceId, Workload>,
    /// Those of services that speak HTTP/2.
    pub(crate) http2: BTreeMap<InstanceId, Http2Workload>,
    proxies: BTreeMap<String, Child>,
    next: u32,
    folder: TempDir,
}

impl Town {
    /// Boots a proxy for each instance, all at once, with a workload behind each that is called, and configures them.
    pub(crate) async fn new(topology: Topology, policies: Vec<PolicyKind>, faults: Vec<FaultKind>) -> Option<Town> {
        let program = envoy()?;
        let folder = tempfile::Builder::new().prefix("sq").tempdir().unwrap();
        let mesh = Envoy::start(&program, Release::default(), folder.path()).unwrap();
        let mut town = Town {
            mesh,
            plan: plan(topology, policies, faults),
            at: Bindings { tag: "r1".into(), ..Bindings::default() },
            workloads: BTreeMap::new(),
            http2: BTreeMap::new(),
            proxies: BTreeMap::new(),
            next: 0,
            folder,
        };
        let ids: Vec<InstanceId> = town.plan.topology.instances().map(|(id, ..)| id).collect();
        town.boot(&ids).await;
        town.configure().await.unwrap();
        Some(town)
    }

    /// Boots new proxies for these instances, with new workloads where they are called.
    pub(crate) async fn boot(&mut self, ids: &[InstanceId]) {
        let mut placed = Vec::new();
        for id in ids {
            let node = format!("p{}", self.next);
            self.next += 1;
            let folder = self.folder.path().join(&node);
            std::fs::create_dir(&folder).unwrap();
            let launch = self.mesh.launch(&node, &folder);
            for (path, content) in &launch.files {
                std::fs::write(path, content).unwrap();
            }
            let mut command = Command::new(&launch.program);
            let command = command.args(&launch.args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            self.proxies.insert(node.clone(), command.kill_on_drop(true).spawn().unwrap());
            placed.push((id.clone(), node, folder));
        }
        let mesh = &self.mesh;
        let ready =
            placed.iter().map(|(_, node, folder)| async move { mesh.ready(node, folder, soon()).await.unwrap() });
        let inbound = futures_util::future::join_all(ready).await;
        for ((id, node, folder), inbound) in placed.into_iter().zip(inbound) {
            let called = self.plan.topology.callers(&id.service).next().is_some();
            let workload = called.then(|| self.host(&id, &folder));
            self.at.seats.insert(id, Seat { node, folder, inbound, workload });
        }
    }

    fn host(&mut self, id: &InstanceId, folder: &Path) -> Endpoint {
        let socket = folder.join("app.sock");
        let protocol = self.plan.topology.service(&id.service).map(|service| service.protocol);
        if matches!(protocol, Some(Protocol::Http2 | Protocol::Grpc)) {
            self.http2.insert(id.clone(), Http2Workload::start(&id.to_string(), &socket));
            return Endpoint::Unix(socket);
        }
        let (workload, _) = Workload::start(&id.to_string(), &socket);
        self.workloads.insert(id.clone(), workload);
        Endpoint::Unix(socket)
    }

    /// Kills a proxy: its seat stays, as a dead one.
    pub(crate) async fn kill(&mut self, id: &InstanceId) {
        let mut process = self.proxies.remove(&self.at.seats[id].node).unwrap();
        process.kill().await.unwrap();
    }

    /// Sends a signal to a proxy.
    pub(crate) fn signal(&self, id: &InstanceId, signal: Signal) {
        let pid = self.proxies[&self.at.seats[id].node].id().unwrap();
        kill(Pid::from_raw(pid as i32), signal).unwrap();
    }

    pub(crate) async fn apply(&self) -> Result<Applied, MeshError> {
        let policies = self.plan.policies.iter().map(|p| &p.says).collect();
        let want = Desired { topology: &self.plan.topology, policies, faults: &self.plan.faults };
        let config = self.mesh.render(&want, &self.at)?;
        self.mesh.apply(&config, &self.at, soon()).await
    }

    pub(crate) async fn configure(&self) -> Result<Confirmed, MeshError> {
        let applied = self.apply().await?;
        self.mesh.confirm(&applied, &self.at, soon()).await
    }

    pub(crate) async fn arm(&self, faults: &[u32]) -> Effect {
        let armed: BTreeSet<FaultId> = faults.iter().copied().map(FaultId).collect();
        self.mesh.arm(&self.plan, &self.at, &armed, soon()).await.unwrap()
    }

    pub(crate) fn policies(&mut self, policies: Vec<PolicyKind>) {
        self.plan.policies = numbered(policies);
    }

    pub(crate) fn workload(&self, service: &str, number: u32) -> &Workload {
        &self.workloads[&id(service, number)]
    }

    /// The tries that all workloads of a service have served.
    pub(crate) fn served(&self, service: &str) -> usize {
        let of = self.workloads.iter().filter(|(id, _)| id.service.as_str() == service);
        of.map(|(_, workload)| workload.served().len()).sum()
    }

    /// A client of `web-1` that speaks HTTP/2.
    pub(crate) async fn http2_client(&self) -> Http2Client {
        let Endpoint::Unix(socket) = self.mesh.outbound(&self.at.seats[&id("web", 1)].folder) else {
            panic!("a socket")
        };
        Http2Client::connect(&socket).await
    }

    /// A client of `web-1` to `reviews`.
    pub(crate) async fn client(&self) -> Client {
        self.client_of(&id("web", 1)).await
    }

    pub(crate) async fn client_of(&self, caller: &InstanceId) -> Client {
        let Endpoint::Unix(socket) = self.mesh.outbound(&self.at.seats[caller].folder) else { panic!("a socket") };
        Client { socket: socket.clone(), stream: UnixStream::connect(socket).await.unwrap() }
    }

    /// Everything that the proxies have logged so far: all of it, by the mesh's own markers.
    pub(crate) async fn logged(&self, marker: &str) -> Logged {
        self.mesh.mark(marker, &self.at, soon()).await.unwrap();
        let mut logged = Logged::default();
        for (id, seat) in &self.at.seats {
            let logs = self.mesh.logs(&seat.folder);
            for (path, side) in [(logs.outbound, Side::Outbound), (logs.inbound, Side::Inbound)] {
                let lines = until_some("the marker is in the log", async || {
                    let text = std::fs::read_to_string(&path).ok()?;
                    let read = |line: &str| self.mesh.read_access(line, side, id, &self.at, wall()).unwrap();
                    let whole = text.rsplit_once('\n')?.0;
                    let lines: Vec<LogLine> = whole.lines().map(read).collect();
                    lines.contains(&LogLine::Marker(marker.into())).then_some(lines)
                })
                .await;
                for line in lines {
                    match line {
                        LogLine::Access(record) => logged.access.push(record),
                        LogLine::Try(record) => logged.tries.push(record),
                        LogLine::State(_) | LogLine::Marker(_) | LogLine::Check | LogLine::Probe => {}
                    }
                }
            }
        }
        logged
    }

    /// What a caller's proxy has said of other instances so far.
    pub(crate) fn states(&self, caller: &InstanceId) -> Vec<StateRecord> {
        let logs = self.mesh.logs(&self.at.seats[caller].folder).states;
        let texts = logs.iter().filter_map(|path| std::fs::read_to_string(path).ok());
        let mut states = Vec::new();
        for text in texts {
            let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
            for line in whole.lines() {
                if let LogLine::State(state) = self.mesh.read_state(line, caller, &self.at, wall()).unwrap() {
                    states.push(state);
                }
            }
        }
        states.sort_by_key(|state| state.at);
        states
    }

    pub(crate) async fn counters(&self, service: &str, number: u32) -> BTreeMap<String, u64> {
        self.mesh.counters(&self.at).await.unwrap().remove(&id(service, number)).unwrap()
    }
}

/// What the proxies have logged of calls and tries.
#[derive(Debug, Default)]
pub(crate) struct Logged {
    pub(crate) access: Vec<AccessRecord>,
    pub(crate) tries: Vec<TryRecord>,
}

impl Logged {
    pub(crate) fn outbound(&self, call: &str) -> &AccessRecord {
        self.access.iter().find(|r| r.side == Side::Outbound && r.id == call).unwrap()
    }

    pub(crate) fn inbound(&self, call: &str) -> Vec<&AccessRecord> {
        self.access.iter().filter(|r| r.side == Side::Inbound && r.id == call).collect()
    }

    pub(crate) fn tries(&self, call: &str) -> Vec<&TryRecord> {
        self.tries.iter().filter(|r| r.id == call).collect()
    }
}

/// Wall clock minus monotonic clock.
#[expect(clippy::disallowed_methods, reason = "proxies log by the wall clock")]
pub(crate) fn wall() -> WallOffset {
    let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    WallOffset(wall.as_nanos() as i128 - i128::from(now().0))
}

/// One connection to a caller's outbound listener.
pub(crate) struct Client {
    socket: PathBuf,
    stream: UnixStream,
}

impl Client {
    /// A GET to `reviews` with this id and these headers: status and body.
    pub(crate) async fn call(&mut self, id: &str, headers: &[(&str, &str)]) -> (u16, String) {
        self.get("reviews", "/", id, headers).await
    }

    pub(crate) async fn get(&mut self, host: &str, path: &str, id: &str, headers: &[(&str, &str)]) -> (u16, String) {
        self.send("GET", host, path, id, headers).await
    }

    pub(crate) async fn send(
        &mut self,
        method: &str,
        host: &str,
        path: &str,
        id: &str,
        headers: &[(&str, &str)],
    ) -> (u16, String) {
        let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nx-request-id: {id}\r\n{more}\r\n");
        self.stream.write_all(request.as_bytes()).await.unwrap();
        let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            let reading = tokio::time::timeout(soon().since(now()), self.stream.read(&mut buffer)).await;
            let read = reading.expect("an answer in time").unwrap();
            seen.extend_from_slice(&buffer[..read]);
            let text = String::from_utf8_lossy(&seen);
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                assert!(read > 0, "the connection goes on");
                continue;
            };
            if read == 0 {
                // An answer that broke off.
                let answer = (head[9..12].parse().unwrap(), body.to_owned());
                self.stream = UnixStream::connect(&self.socket).await.unwrap();
                return answer;
            }
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() == length.map_or(0, |l| l.parse::<usize>().unwrap()) {
                let answer = (head[9..12].parse().unwrap(), body.to_owned());
                if head.contains("connection: close") {
                    self.stream = UnixStream::connect(&self.socket).await.unwrap();
                }
                return answer;
            }
        }
    }
}

pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    until_some(what, async || holds().await.then_some(())).await;
}

pub(crate) async fn until_some<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let by = soon();
    let mut ticks = tokio::time::interval(Duration::from_millis(2));
    loop {
        ticks.tick().await;
        if let Some(found) = ask().await {
            return found;
        }
        assert!(now() < by, "in time: {what}");
    }
}

pub(crate) fn id(service: &str, number: u32) -> InstanceId {
    InstanceId { service: service.into(), number }
}

/// `web` calls `reviews`, which has an instance of each of these versions.
pub(crate) fn topology(versions: &[Option<&str>]) -> Topology {
    let mut web = Service::new("web".into());
    web.calls = vec!["reviews".into()];
    let mut reviews = Service::new("reviews".into());
    let instance = |version: &Option<&str>| Instance { version: version.map(Into::into), place: None, at: None };
    reviews.instances = versions.iter().map(instance).collect();
    Topology { services: vec![web, reviews], ..Topology::default() }
}

/// `calls to "reviews"`.
pub(crate) fn to_reviews() -> Calls {
    Calls { from: None, to: Some(Target::service("reviews".into())), filter: Filter::default() }
}

pub(crate) fn part(which: Which) -> Target {
    Target { service: ServiceName::from("reviews"), which, place: None }
}

pub(crate) fn touch(percent: u32, level: Level, of: Calls, touch: Touch) -> FaultKind {
    FaultKind::Touch { on: Traffic { share: Fraction::percent(percent), level, of }, touch }
}

fn numbered(policies: Vec<PolicyKind>) -> Vec<Policy> {
    (0..).map(PolicyId).zip(policies).map(|(id, says)| Policy { id, own: true, says }).collect()
}

pub(crate) fn plan(topology: Topology, policies: Vec<PolicyKind>, faults: Vec<FaultKind>) -> Plan {
    let faults = (0..).map(FaultId).zip(faults).map(|(id, does)| Fault { id, does, when: When::Standing });
    Plan {
        schema: PLAN_SCHEMA,
        key: PlanKey("0".into()),
        title: Title { feature: "F".into(), scenario: "S".into(), tags: Vec::new() },
        variation: Variation::Main,
        topology,
        policies: numbered(policies),
        faults: faults.collect(),
        timeline: Timeline::default(),
        claims: Vec::new(),
        guards: Vec::new(),
        control: ControlRule::Default,
        terms: Terms::default(),
        needs: Vec::new(),
        seed: 1,
        origins: OriginMap::of(Origin { file: "t".into(), line: 1, column: 1, length: 1 }),
    }
}
