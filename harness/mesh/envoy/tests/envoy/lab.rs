//! One Envoy with its two servers in a folder of its own, and what a test needs around it.

use squall_mesh_envoy::{
    now,
    xds::{AdsServer, Kind, Resources},
};
use squall_mesh_proxy::{
    admin::Admin,
    bootstrap::{Bootstrap, Release},
    channel::{ChannelEvent, FaultChannel, Layer, Timing},
};
use squall_model::Stamp;
use std::{collections::BTreeMap, io::Write as _, net::SocketAddr, path::PathBuf, process::Stdio, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    process::{Child, Command},
    sync::broadcast,
};

pub(crate) const NODE: &str = "p-0.0";

/// The deadline of everything that should happen soon: long, because no test may depend on a fast machine.
pub(crate) fn soon() -> Stamp {
    now() + Duration::from_secs(20)
}

/// Where Envoy is, found as a run finds it: the variable, the PATH, the user's cache. `None`: the test is skipped, loudly.
pub(crate) fn envoy() -> Option<PathBuf> {
    match squall_place::envoy::at_hand(None).expect("an Envoy that is named runs") {
        Some(found) => Some(found.path),
        None => {
            assert!(std::env::var_os("CI").is_none(), "no Envoy to be had");
            // Past the capture of the test harness, which hides what passing tests print.
            let words = "SKIPPED: no Envoy to be had, nothing was proven\n";
            std::io::stderr().write_all(words.as_bytes()).unwrap();
            None
        }
    }
}

pub(crate) struct Lab {
    pub(crate) ads: AdsServer,
    pub(crate) faults: FaultChannel,
    pub(crate) admin: Admin,
    pub(crate) bootstrap: Bootstrap,
    envoy: PathBuf,
    process: Option<Child>,
    _folder: TempDir,
}

impl Lab {
    /// Servers only; the proxy is started by [`Lab::boot`].
    pub(crate) fn new(timing: Timing) -> Option<Lab> {
        let envoy = envoy()?;
        let folder = tempfile::Builder::new().prefix("sq").tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let bootstrap = Bootstrap {
            node: NODE.into(),
            identity: None,
            cluster: "p".into(),
            folder: at("p"),
            ads: at("ads"),
            faults: at("faults"),
            runtime: BTreeMap::new(),
            release: Release::default(),
        };
        std::fs::create_dir(&bootstrap.folder).unwrap();
        let (ads, faults) =
            (AdsServer::start(&at("ads")).unwrap(), FaultChannel::start(&at("faults"), timing).unwrap());
        let admin = Admin::new(&Bootstrap::admin(&bootstrap.folder)).unwrap();
        Some(Lab { ads, faults, admin, bootstrap, envoy, process: None, _folder: folder })
    }

    /// Starts the proxy and waits until it is live.
    pub(crate) async fn boot(&mut self) {
        let file = Bootstrap::file(&self.bootstrap.folder);
        std::fs::write(&file, self.bootstrap.render().to_string()).unwrap();
        let mut command = Command::new(&self.envoy);
        let command = command.args(self.bootstrap.args()).stdin(Stdio::null()).stdout(Stdio::null());
        self.process = Some(command.stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap());
        let admin = self.admin.clone();
        until("the proxy is live", async || admin.ready().await.is_ok_and(|live| live)).await;
    }

    /// A live proxy with nothing to do.
    pub(crate) async fn live(timing: Timing) -> Option<Lab> {
        let mut lab = Lab::new(timing)?;
        lab.boot().await;
        Some(lab)
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = self.process.as_ref().and_then(Child::id).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.try_into().unwrap()), signal).unwrap();
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(Bootstrap::log(&self.bootstrap.folder)).unwrap_or_default()
    }

    /// Sets a state and waits until the proxy has it.
    pub(crate) async fn apply(&self, resources: Resources) {
        let generation = self.ads.set(NODE, resources);
        self.ads.wait(NODE, generation, soon()).await.unwrap();
    }

    /// The address of the one listener.
    pub(crate) async fn outbound(&self) -> SocketAddr {
        let found = until_some("the listener listens", async || {
            self.admin.listeners().await.ok().and_then(|found| found.get("out").copied())
        });
        found.await
    }

    /// The names and versions that the proxy shows are those desired.
    pub(crate) async fn shows(&self, wanted: &Resources) -> bool {
        let shown = self.admin.versions().await.unwrap();
        let of = |kind: &Kind| -> BTreeMap<String, String> {
            let named = wanted.names(kind).filter_map(|name| Some((name, wanted.get(kind, name)?.version())));
            named.map(|(name, version)| (name.to_owned(), version.to_owned())).collect()
        };
        shown.clusters == of(&Kind::Cluster)
            && shown.listeners == of(&Kind::Listener)
            && shown.routes == of(&Kind::Route)
    }

    pub(crate) async fn holds(&self, layer: &Layer) -> bool {
        self.admin.runtime().await.unwrap().holds("faults", layer)
    }
}

/// Waits for the next event that is asked for.
pub(crate) async fn next(
    events: &mut broadcast::Receiver<ChannelEvent>,
    wanted: impl Fn(&ChannelEvent) -> bool,
) -> ChannelEvent {
    let found = async {
        loop {
            let event = events.recv().await.unwrap();
            if wanted(&event) {
                return event;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), found).await.expect("the event comes")
}

pub(crate) fn is_lapse(event: &ChannelEvent) -> bool {
    matches!(event, ChannelEvent::Lapsed { .. })
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

/// Asks until the deadline whether it still holds; the times between are as short as the answers.
pub(crate) async fn holds_until(by: Stamp, what: &str, holds: impl AsyncFn() -> bool) {
    while now() < by {
        assert!(holds().await, "all the time: {what}");
        tokio::task::yield_now().await;
    }
}

/// An upstream that answers every request with its name.
pub(crate) async fn upstream(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
                while let Ok(read @ 1..) = connection.read(&mut buffer).await {
                    seen.extend_from_slice(&buffer[..read]);
                    if seen.ends_with(b"\r\n\r\n") {
                        seen.clear();
                        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{name}", name.len());
                        connection.write_all(answer.as_bytes()).await.unwrap();
                    }
                }
            });
        }
    });
    address
}

/// One request over a fresh connection: status and body.
pub(crate) async fn get(address: SocketAddr) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
    let response = client.get(format!("http://{address}/")).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}
