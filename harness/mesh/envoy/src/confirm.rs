//! Proof that a proxy is what it was sent: its dump has the versions, and its listeners answer by the new state.
//!
//! An acknowledgement comes before the effect: workers take a change over after the main thread. What tells is an answer.

use crate::{
    admin::{Admin, Versions},
    clock::now,
    encode, outbound_socket, probe,
    render::EPOCHS,
    xds::{Kind, Resources},
};
use squall_mesh::{Endpoint, MeshError, Seat};
use squall_model::{InstanceId, Stamp};
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

/// What was seen of one change at one proxy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// When the proxy acknowledged it.
    pub(crate) acked: Stamp,
    /// From when on every listener answered by the new state.
    pub(crate) effective: Stamp,
    /// The last moment at which a listener still answered by the old one; `None`: none did.
    pub(crate) last_old: Option<Stamp>,
}

impl Seen {
    /// Nothing had to change.
    pub(crate) fn now() -> Seen {
        Seen { acked: now(), effective: now(), last_old: None }
    }
}

/// The interval of looking at something that has no way to say that it changed. It bounds precision, it is no wait for luck.
const LOOK: Duration = Duration::from_micros(300);

/// Waits until a freshly started proxy is live, and says where it accepts tries.
pub(crate) async fn live(node: &str, admin: &Admin, by: Stamp) -> Result<SocketAddr, MeshError> {
    let mut last = String::new();
    while now() < by {
        match admin.ready().await {
            Ok(true) => match admin.listeners().await {
                Ok(all) => match all.get("inbound") {
                    Some(address) => return Ok(*address),
                    None => last = "it has no inbound listener".into(),
                },
                Err(error) => last = error.to_string(),
            },
            Ok(false) => last = "it is not live".into(),
            Err(error) => last = error.to_string(),
        }
        look().await;
    }
    Err(MeshError::Silent { instance: node.to_owned(), why: last })
}

/// Waits until dump and listeners show these resources.
pub(crate) async fn configuration(
    instance: &InstanceId,
    seat: &Seat,
    admin: &Admin,
    resources: &Resources,
    by: Stamp,
) -> Result<Seen, MeshError> {
    let mut missing = String::new();
    while now() < by {
        let versions = admin
            .versions()
            .await
            .map_err(|e| MeshError::Silent { instance: instance.to_string(), why: e.to_string() })?;
        match first_missing(&versions, resources) {
            None => {
                return listeners(instance, seat, "/version", encode::table_version(resources), by).await;
            }
            Some(what) => missing = what,
        }
        look().await;
    }
    Err(MeshError::Lagging(vec![format!("{instance}: its dump lacks {missing}")]))
}

/// Waits until both listeners answer by this epoch of the fault channel.
pub(crate) async fn epoch(instance: &InstanceId, seat: &Seat, epoch: u64, by: Stamp) -> Result<Seen, MeshError> {
    let wanted = (epoch % EPOCHS).to_string();
    listeners(instance, seat, "/epoch", &wanted, by).await
}

/// The first resource that a dump does not show at the version that was sent.
fn first_missing(has: &Versions, wanted: &Resources) -> Option<String> {
    wanted.iter().find_map(|(kind, name, resource)| {
        let shown: Option<&BTreeMap<String, String>> = match kind {
            Kind::Cluster => Some(&has.clusters),
            Kind::Listener => Some(&has.listeners),
            Kind::Route => Some(&has.routes),
            // Endpoints are shown without a version; their acknowledgement and the probe behind them in order must do.
            Kind::Endpoint | Kind::Other(_) => None,
        };
        let right = shown.is_none_or(|s| s.get(name).is_some_and(|v| v == resource.version()));
        (!right).then(|| format!("{kind} {name} at {}", resource.version()))
    })
}

/// Asks both listeners, each on a fresh connection, until they answer so.
async fn listeners(instance: &InstanceId, seat: &Seat, path: &str, wanted: &str, by: Stamp) -> Result<Seen, MeshError> {
    let ends = [Endpoint::Unix(outbound_socket(&seat.folder)), Endpoint::Tcp(seat.inbound)];
    let [outbound, inbound] = &ends;
    let (one, two) =
        tokio::join!(listener(instance, outbound, path, wanted, by), listener(instance, inbound, path, wanted, by),);
    let (one, two) = (one?, two?);
    Ok(Seen {
        acked: one.acked.max(two.acked),
        effective: one.effective.max(two.effective),
        last_old: one.last_old.max(two.last_old),
    })
}

async fn listener(
    instance: &InstanceId,
    at: &Endpoint,
    path: &str,
    wanted: &str,
    by: Stamp,
) -> Result<Seen, MeshError> {
    let mut last_old = None;
    let mut last = String::new();
    while now() < by {
        let asked = now();
        match probe::ask(at, path).await {
            Ok(body) if body == wanted => return Ok(Seen { acked: asked, effective: now(), last_old }),
            Ok(body) => {
                last_old = Some(now());
                last = format!("answers {path} with `{body}`, not `{wanted}`");
            }
            Err(error) => last = error.to_string(),
        }
        look().await;
    }
    Err(MeshError::Lagging(vec![format!("{instance} {last}")]))
}

async fn look() {
    tokio::time::sleep_until(tokio::time::Instant::now() + LOOK).await;
}
