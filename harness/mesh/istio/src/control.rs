//! What istiod is given, and the proof that every proxy has it.

use crate::{
    Istio,
    istiod::{Said, said},
    render::{Config, cluster_of},
};
use futures_util::future::{join_all, try_join3};
use squall_mesh::{Bindings, Confirmed, Endpoint, MeshError, Seat};
use squall_mesh_proxy::{
    confirm::{Ask, Seen, before, listener, pause},
    gather, now, outbound_socket, silent,
};
use squall_model::{InstanceId, Stamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    net::SocketAddr,
    path::Path,
    time::Duration,
};

/// How often proxies are asked whether a configuration has arrived: istiod takes a quarter of a second to look at its folder, and
/// a proxy that is asked more often than this costs more than the moment is worth.
pub(crate) const LOOK: Duration = Duration::from_millis(5);

/// How long istiod may take to tell of a change, and a proxy to have listeners, before it is let in again.
const PATIENCE: Duration = Duration::from_secs(2);

/// What istiod was given, and what it has said since.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// What it was given last.
    pub(crate) given: Option<Config>,
    pub(crate) generation: u64,
    /// How far its log was read.
    read: u64,
    /// What it complained of, and nobody was told yet.
    pub(crate) complaints: Vec<Said>,
    /// How often it has told proxies of a configuration.
    pushes: u64,
    /// How often it had when it was given the last one.
    pushed_before: u64,
}

impl State {
    /// Whether istiod has told of what it was given last.
    fn has_pushed(&self) -> bool {
        self.pushes > self.pushed_before
    }
}

impl Istio {
    /// Gives istiod a configuration: whole, by a rename, so that it never reads half of one. What it said of the one before is
    /// nobody's business any more.
    pub(crate) fn give(&self, config: &Config) -> io::Result<()> {
        self.read_log();
        let mut state = self.state.borrow_mut();
        state.pushed_before = state.pushes;
        state.complaints.clear();
        drop(state);
        let folder = self.istiod.configuration();
        let (new, file) = (folder.join("objects.yaml.new"), folder.join("objects.yaml"));
        std::fs::write(&new, config.text())?;
        std::fs::rename(new, file)
    }

    /// Takes in what istiod has written since the last time.
    pub(crate) fn read_log(&self) {
        let mut state = self.state.borrow_mut();
        let written = written_since(&self.istiod.log, &mut state.read);
        for one in said(&written) {
            match one {
                Said::Pushed => state.pushes += 1,
                complaint => state.complaints.push(complaint),
            }
        }
    }

    /// What istiod complains of since it was given what it has: a file that it cannot read (it then keeps everything as it was, and
    /// says so in its log alone), a proxy that rejects what it was sent and keeps what it had.
    fn complaint(&self) -> Option<MeshError> {
        self.read_log();
        let state = self.state.borrow();
        state.complaints.iter().find_map(|one| match one {
            Said::Unread(words) => Some(MeshError::Rejected { instance: "istiod".into(), words: words.clone() }),
            Said::Rejected(words) => {
                Some(MeshError::Rejected { instance: "a proxy, by istiod's word,".into(), words: words.clone() })
            }
            Said::Pushed => None,
        })
    }

    /// Ends when istiod complains, or has ended.
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

    /// Lets newcomers to istiod once it has taken over what names them, and again where that came to nothing: it looks at who a
    /// proxy is when that connects, and may not look again.
    async fn admit(&self, at: &Bindings) -> MeshError {
        let late = now() + PATIENCE;
        while !self.state.borrow().has_pushed() && now() < late {
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

    /// Proves that what istiod was given last is in force at every proxy that can be told.
    pub(crate) async fn prove(&self, at: &Bindings, asked: Stamp, by: Stamp) -> Result<Confirmed, MeshError> {
        let Some(config) = self.state.borrow().given.clone() else {
            return Ok(Confirmed { acked: asked, effective: asked, last_old: asked });
        };
        let reached = at.seats.iter().filter(|(_, seat)| !self.relays.is_severed(&seat.node));
        let all = join_all(reached.map(|(instance, seat)| self.holds(instance, seat, &config, by)));
        let seen = tokio::select! {
            all = all => gather(all)?,
            refused = self.refused() => return Err(refused),
            unable = self.admit(at) => return Err(unable),
        };
        // A proxy may answer by new routes and have rejected a cluster behind them.
        if let Some(refused) = self.complaint() {
            return Err(refused);
        }
        let seen = Seen::of_all(seen, asked);
        Ok(Confirmed { acked: seen.acked, effective: seen.effective, last_old: seen.last_old.unwrap_or(asked) })
    }

    /// Who of these is no proxy with listeners yet, where others have them already: nobody is to find them before that.
    pub(crate) fn newcomers(&self, config: &Config, at: &Bindings) -> BTreeSet<InstanceId> {
        let here: BTreeSet<&str> = at.seats.values().map(|seat| seat.node.as_str()).collect();
        if config.hosts.keys().all(|node| here.contains(node.as_str())) {
            return BTreeSet::new();
        }
        let unborn = at.seats.iter().filter(|(_, seat)| !outbound_socket(&seat.folder).exists());
        unborn.map(|(id, _)| id.clone()).collect()
    }

    /// Both listeners of a proxy answer by the configuration, and its clusters have the hosts of it.
    async fn holds(&self, instance: &InstanceId, seat: &Seat, config: &Config, by: Stamp) -> Result<Seen, MeshError> {
        let (outbound, inbound) = (Endpoint::Unix(outbound_socket(&seat.folder)), Endpoint::Tcp(seat.inbound));
        let ask = |wanted| Ask { path: "/version", wanted, every: LOOK };
        let (out, inn, ()) = try_join3(
            listener(instance, &outbound, ask(&config.version), by),
            listener(instance, &inbound, ask(&config.inbound), by),
            self.has_hosts(instance, seat, config, by),
        )
        .await?;
        // Listeners are made once: what tells is the routes, which come last.
        Ok(Seen { last_old: out.last_old, ..out.and(inn) })
    }

    /// Its clusters are those of the configuration, warm, with its hosts: routes do not wait for the clusters that they lead to.
    async fn has_hosts(&self, instance: &InstanceId, seat: &Seat, config: &Config, by: Stamp) -> Result<(), MeshError> {
        let admin = self.proxies.admin(instance, seat)?;
        loop {
            let (held, warming) =
                before(by, instance, async { Ok((admin.hosts().await?, admin.warming().await?)) }).await?;
            let lacks = match warming.first() {
                Some(cluster) => Some(format!("is warming {cluster}")),
                None => lacks(config, seat, &held),
            };
            let Some(lacks) = lacks else { return Ok(()) };
            if now() + 2 * LOOK >= by {
                return Err(MeshError::Lagging(vec![format!("{instance} {lacks}")]));
            }
            pause(LOOK).await;
        }
    }
}

/// What a proxy with these clusters does not have of a configuration.
fn lacks(config: &Config, seat: &Seat, held: &BTreeMap<String, BTreeSet<SocketAddr>>) -> Option<String> {
    let clusters: BTreeMap<(&str, &str), &BTreeSet<SocketAddr>> =
        held.iter().filter_map(|(name, hosts)| cluster_of(name).map(|c| ((c.subset, c.service), hosts))).collect();
    let wanted = config.hosts.get(&seat.node).into_iter().flatten();
    let hosts = wanted
        .filter(|(service, hosts)| clusters.get(&("", service.as_str())) != Some(hosts))
        .map(|(service, hosts)| format!("does not have the {} hosts of \"{service}\"", hosts.len()));
    let subsets = config.subsets.get(&seat.node).into_iter().flatten();
    let subsets = subsets
        .filter(|(subset, service)| !clusters.contains_key(&(subset.as_str(), service.as_str())))
        .map(|(subset, service)| format!("does not have {subset} of \"{service}\""));
    hosts.chain(subsets).next()
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
