//! Istio without Kubernetes: a real istiod that reads a folder, and official Envoys beside it.

mod address;
pub mod istiod;
mod relay;

pub use address::Network;

use crate::{
    control::LOOK,
    home::Home,
    render::{Config, Site},
};
use istiod::{Istiod, Said, said};
use relay::Relays;
use serde_json::json;
use squall_mesh::{Bindings, Launch, MeshError, MeshEvent, Refusal};
use squall_mesh_proxy::{
    bootstrap::{Bootstrap, Identity, Release},
    confirm::pause,
    now, outbound_socket, silent,
};
use squall_model::{Effect, Plan, Stamp};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long istiod may take to tell of a change, and a proxy to have listeners, before it is let in again.
const PATIENCE: Duration = Duration::from_secs(2);

/// On one machine, with an istiod of its own.
#[derive(Debug)]
pub struct Alone {
    envoy: PathBuf,
    release: Release,
    istiod: Istiod,
    network: Network,
    site: Site,
    relays: Relays,
    /// Never borrowed over an await.
    log: RefCell<Log>,
}

/// What istiod has said.
#[derive(Debug, Default)]
struct Log {
    /// How far it was read.
    read: u64,
    /// What it complained of, and nobody was told yet.
    complaints: Vec<Said>,
    /// How often it has told proxies of a configuration.
    pushes: u64,
    /// How often it had when it was given the last one.
    pushed_before: u64,
}

impl Log {
    /// Whether istiod has told of what it was given last.
    fn has_pushed(&self) -> bool {
        self.pushes > self.pushed_before
    }
}

impl Alone {
    /// Makes what istiod is started with in its folder. Neither istiod nor any proxy is started: both are, by whoever places them.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn new(envoy: &Path, release: Release, istiod: Istiod, network: Network) -> io::Result<Alone> {
        istiod.prepare()?;
        let relays = Relays::new(istiod.discovery);
        let (envoy, site, log) = (envoy.to_owned(), Site::alone(), RefCell::default());
        Ok(Alone { envoy, release, istiod, network, site, relays, log })
    }

    /// How istiod is started.
    #[must_use]
    pub fn istiod(&self) -> &Istiod {
        &self.istiod
    }

    /// Takes in what istiod has written since the last time.
    fn read_log(&self) {
        let mut log = self.log.borrow_mut();
        let written = written_since(&self.istiod.log, &mut log.read);
        for one in said(&written) {
            match one {
                Said::Pushed => log.pushes += 1,
                complaint => log.complaints.push(complaint),
            }
        }
    }

    /// Whole, by a rename, so that istiod never reads half of one.
    fn write(&self, config: &Config) -> io::Result<()> {
        let folder = self.istiod.configuration();
        let (new, file) = (folder.join("objects.yaml.new"), folder.join("objects.yaml"));
        std::fs::write(&new, config.text())?;
        std::fs::rename(new, file)
    }
}

impl Home for Alone {
    fn site(&self) -> &Site {
        &self.site
    }

    fn refuses(&self, plan: &Plan) -> Vec<Refusal> {
        squall_mesh_proxy::render::of_nowhere(plan).into_iter().collect()
    }

    fn launch(&self, node: &str, folder: &Path, faults: &Path) -> Launch {
        let ip = self.network.proxy(node).ip().to_string();
        let namespace = &self.site.namespace;
        let domain = format!("{namespace}.svc.cluster.local");
        let said = json!({
            "CLUSTER_ID": "Kubernetes",
            "INSTANCE_IPS": ip,
            "INTERCEPTION_MODE": "NONE",
            "ISTIO_VERSION": "1.31.0",
            "NAME": node,
            "NAMESPACE": namespace,
        });
        let identity = Identity {
            id: format!("sidecar~{ip}~{node}.{namespace}~{domain}"),
            metadata: said.as_object().cloned().unwrap_or_default(),
        };
        let bootstrap = Bootstrap {
            node: node.to_owned(),
            identity: Some(identity),
            cluster: format!("{node}.{namespace}"),
            folder: folder.to_owned(),
            ads: relay::socket(folder),
            faults: faults.to_owned(),
            runtime: BTreeMap::from([("re2.max_program_size.error_level".into(), json!(32_768))]),
            release: self.release,
        };
        Launch {
            program: self.envoy.clone(),
            // istiod goes on sending fields that newer Envoys would rather not see.
            args: bootstrap.args().into_iter().chain(["--skip-deprecated-logs".to_owned()]).collect(),
            files: vec![(Bootstrap::file(folder), bootstrap.render().to_string())],
        }
    }

    fn expect(&self, node: &str, folder: &Path) {
        self.relays.expect(node, folder);
    }

    fn knows(&self, node: &str) -> bool {
        self.relays.knows(node)
    }

    fn inbound(&self, node: &str, _folder: &Path) -> Option<SocketAddr> {
        Some(self.network.proxy(node))
    }

    async fn give(&self, config: &Config, _by: Stamp) -> Result<(), MeshError> {
        self.read_log();
        let mut log = self.log.borrow_mut();
        log.pushed_before = log.pushes;
        log.complaints.clear();
        drop(log);
        self.write(config).map_err(|why| MeshError::ControlPlane(why.to_string()))
    }

    /// A file that istiod cannot read (it then keeps everything as it was, and says so in its log alone), a proxy that rejects what it
    /// was sent and keeps what it had.
    fn complaint(&self) -> Option<MeshError> {
        self.read_log();
        let log = self.log.borrow();
        log.complaints.iter().find_map(|one| match one {
            Said::Unread(words) => Some(MeshError::Rejected { instance: "istiod".into(), words: words.clone() }),
            Said::Rejected(words) => {
                Some(MeshError::Rejected { instance: "a proxy, by istiod's word,".into(), words: words.clone() })
            }
            Said::Pushed => None,
        })
    }

    async fn refused(&self) -> MeshError {
        loop {
            if let Some(refused) = self.complaint() {
                return refused;
            }
            if let Err(why) = tokio::net::TcpStream::connect(self.istiod.discovery).await {
                return MeshError::ControlPlane(format!("istiod has ended: {why}"));
            }
            pause(10 * LOOK).await;
        }
    }

    /// Once istiod has taken over what names them, and again where that came to nothing: it looks at who a proxy is when that connects,
    /// and may not look again.
    async fn admit(&self, at: &Bindings) -> MeshError {
        let late = now() + PATIENCE;
        while !self.log.borrow().has_pushed() && now() < late {
            pause(LOOK).await;
            self.read_log();
        }
        loop {
            for (instance, seat) in &at.seats {
                let newcomer = !self.relays.is_admitted(&seat.node) || !outbound_socket(&seat.folder).exists();
                if newcomer && let Err(why) = self.relays.open_anew(&seat.node) {
                    return silent(instance, &why);
                }
            }
            pause(PATIENCE).await;
        }
    }

    fn events(&self) -> Vec<MeshEvent> {
        self.read_log();
        let all = std::mem::take(&mut self.log.borrow_mut().complaints);
        let rejected = all.into_iter().filter_map(|one| match one {
            Said::Rejected(words) | Said::Unread(words) => Some(MeshEvent::Rejected { node: "istiod".into(), words }),
            Said::Pushed => None,
        });
        rejected.collect()
    }

    fn is_stopped(&self) -> bool {
        self.relays.is_stopped()
    }

    /// Every proxy's way to it is cut. It lives on, and reads what it is given meanwhile; to proxies it is dead.
    async fn stop(&self) -> Result<Effect, MeshError> {
        let asked = now();
        self.relays.stop();
        Ok(until_now(asked))
    }

    async fn start(&self) -> Result<(), MeshError> {
        self.relays.start().map_err(|why| MeshError::ControlPlane(why.to_string()))
    }

    fn is_severed(&self, node: &str) -> bool {
        self.relays.is_severed(node)
    }

    async fn sever(&self, at: &Bindings) -> Result<Effect, MeshError> {
        let asked = now();
        at.seats.values().for_each(|seat| self.relays.sever(&seat.node));
        Ok(until_now(asked))
    }

    async fn rejoin(&self, at: &Bindings) -> Result<(), MeshError> {
        for (instance, seat) in &at.seats {
            self.relays.rejoin(&seat.node).map_err(|why| silent(instance, &why))?;
        }
        Ok(())
    }

    fn unwritten(&self) -> Duration {
        self.release.unwritten()
    }

    fn forget(&self, node: &str) {
        self.relays.forget(node);
    }
}

fn until_now(asked: Stamp) -> Effect {
    let gone = now();
    Effect::at(asked, gone)
}

/// What a file says after so many bytes, whole lines only; the number is moved on.
fn written_since(file: &Path, read: &mut u64) -> String {
    let mut bytes = Vec::new();
    let Ok(mut file) = File::open(file) else { return String::new() };
    if file.seek(SeekFrom::Start(*read)).is_err() || file.read_to_end(&mut bytes).is_err() {
        return String::new();
    }
    bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
    *read += bytes.len() as u64;
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_lines_are_read_and_each_once() {
        let folder = tempfile::tempdir().unwrap();
        let (file, mut read) = (folder.path().join("log"), 0);
        assert_eq!(written_since(&file, &mut read), "", "there is none yet");
        std::fs::write(&file, b"one\ntw\xff").unwrap();
        assert_eq!(written_since(&file, &mut read), "one\n");
        std::fs::write(&file, b"one\ntw\xffo\n").unwrap();
        assert_eq!(written_since(&file, &mut read), "tw\u{fffd}o\n");
        assert_eq!(written_since(&file, &mut read), "");
    }
}
