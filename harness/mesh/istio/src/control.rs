//! What istiod is given, and the proof that every proxy has it.

use crate::{
    Istio,
    istiod::{Said, said},
    render::{Config, service_of},
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
    path::{Path, PathBuf},
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
    /// Gives istiod a configuration: whole, by a rename, so that it never reads half of one.
    pub(crate) fn give(&self, config: &Config) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        state.pushed_before = state.pushes;
        drop(state);
        let folder = self.istiod.configuration();
        let (new, file) = (folder.join("mesh.yaml.new"), folder.join("mesh.yaml"));
        std::fs::write(&new, config.text())?;
        std::fs::rename(new, file)
    }

    /// Whatever istiod complained of since the last time. A file that it cannot read is an error: it then keeps everything as it
    /// was, and says so in its log alone.
    pub(crate) fn listen(&self) -> Result<(), MeshError> {
        let mut state = self.state.borrow_mut();
        for one in said(&written_since(&log_of(&self.istiod.folder), &mut state.read)) {
            match one {
                Said::Pushed => state.pushes += 1,
                complaint => state.complaints.push(complaint),
            }
        }
        let unread = state.complaints.iter().position(|one| matches!(one, Said::Unread(_)));
        match unread.map(|at| state.complaints.remove(at)) {
            Some(Said::Unread(words)) => Err(MeshError::Rejected { instance: "istiod".into(), words }),
            _ => Ok(()),
        }
    }

    /// Lets newcomers to istiod once it has taken over what names them, and again where that came to nothing: it looks at who a
    /// proxy is when that connects, and may not look again.
    async fn admit(&self, at: &Bindings) -> MeshError {
        let newcomers: Vec<(&InstanceId, &Seat)> =
            at.seats.iter().filter(|(_, seat)| !self.relays.is_open(&seat.node)).collect();
        let late = now() + PATIENCE;
        while !self.state.borrow().has_pushed() && now() < late {
            pause(LOOK).await;
        }
        loop {
            for (instance, seat) in &newcomers {
                let has_listeners = outbound_socket(&seat.folder).exists();
                if !has_listeners && let Err(why) = self.relays.open_anew(&seat.node) {
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
            all = all => gather(all).map_err(|error| self.with_complaints(error))?,
            refused = self.refused() => return Err(refused),
            unable = self.admit(at) => return Err(unable),
        };
        let seen = Seen::of_all(seen, asked);
        Ok(Confirmed { acked: seen.acked, effective: seen.effective, last_old: seen.last_old.unwrap_or(asked) })
    }

    /// Ends when istiod says that it could not read what it was given.
    async fn refused(&self) -> MeshError {
        loop {
            if let Err(refused) = self.listen() {
                return refused;
            }
            pause(10 * LOOK).await;
        }
    }

    /// A proxy that lags may have rejected what it was sent: istiod's log has its words.
    fn with_complaints(&self, error: MeshError) -> MeshError {
        let MeshError::Lagging(mut who) = error else { return error };
        drop(self.listen());
        let state = self.state.borrow();
        let rejected = state.complaints.iter().filter_map(|one| match one {
            Said::Rejected(words) => Some(format!("istiod was told: {words}")),
            Said::Unread(_) | Said::Pushed => None,
        });
        who.extend(rejected.take(3));
        MeshError::Lagging(who)
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

    async fn has_hosts(&self, instance: &InstanceId, seat: &Seat, config: &Config, by: Stamp) -> Result<(), MeshError> {
        let Some(wanted) = config.hosts.get(&seat.node) else { return Ok(()) };
        let admin = self.proxies.admin(instance, seat)?;
        loop {
            let all = before(by, instance, admin.hosts()).await?;
            let whole = |name: &str| {
                let (host, port_and_subset) = (name.rsplit('|').next()?, name.split('|').nth(2)?);
                port_and_subset.is_empty().then_some(service_of(host)?.0.to_owned())
            };
            let held: BTreeMap<String, &BTreeSet<SocketAddr>> =
                all.iter().filter_map(|(name, hosts)| Some((whole(name)?, hosts))).collect();
            let lacks = wanted.iter().find(|(service, hosts)| held.get(service.as_str()) != Some(hosts));
            let Some((service, hosts)) = lacks else { return Ok(()) };
            if now() >= by {
                let why = format!("{instance} does not have the {} hosts of \"{service}\"", hosts.len());
                return Err(MeshError::Lagging(vec![why]));
            }
            pause(LOOK).await;
        }
    }
}

/// The log of istiod: that of the process which was started in this folder.
fn log_of(folder: &Path) -> PathBuf {
    folder.join("output.log")
}

/// What a file says after so many bytes, whole lines only; the number is moved on.
fn written_since(file: &Path, read: &mut u64) -> String {
    let mut text = String::new();
    let Ok(mut file) = File::open(file) else { return text };
    if file.seek(SeekFrom::Start(*read)).is_err() || file.read_to_string(&mut text).is_err() {
        return String::new();
    }
    text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
    *read += text.len() as u64;
    text
}
