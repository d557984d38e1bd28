//! Proof that a proxy is what it was sent: its dump has the versions, and its listeners answer by the new state.

mod checks;

pub(crate) use checks::checks;

use crate::{
    encode,
    xds::{Kind, Resources},
};
use futures_util::future::try_join;
use squall_mesh::{MeshError, Seat};
use squall_mesh_proxy::{self, now};
use squall_mesh_proxy::{
    admin::{Admin, AdminError},
    confirm::{Ask, Seen, before, listeners, look},
};
use squall_model::{InstanceId, Stamp};
use std::{collections::BTreeMap, net::SocketAddr};

/// Waits until a freshly started proxy is live and serves on both listeners, and says where it accepts tries.
pub(crate) async fn live(seat: &Seat, admin: &Admin, by: Stamp) -> Result<SocketAddr, MeshError> {
    let mut last = "there is no time".to_owned();
    while now() < by {
        // A proxy that is stopped takes connections and never answers: its kernel does the one without it.
        let Ok(answer) = tokio::time::timeout_at(squall_mesh_proxy::instant(by), inbound_address(admin)).await else {
            last = "its admin interface takes connections and does not answer".into();
            break;
        };
        match answer {
            Ok(Some(inbound)) => {
                let nobody = InstanceId { service: seat.node.as_str().into(), number: 0 };
                let seat = Seat { inbound, ..seat.clone() };
                listeners(&nobody, &seat, Ask::new("/version", encode::table_version(&encode::blank(&seat))), by)
                    .await?;
                return Ok(inbound);
            }
            Ok(None) => last = "it is not live".into(),
            Err(error) => last = error.to_string(),
        }
        look().await;
    }
    Err(MeshError::Silent { instance: seat.node.clone(), why: last })
}

async fn inbound_address(admin: &Admin) -> Result<Option<SocketAddr>, AdminError> {
    if !admin.ready().await? {
        return Ok(None);
    }
    Ok(admin.listeners().await?.get("inbound").copied())
}

/// Waits until dump and listeners show these resources; `held` is what it had confirmed until now.
pub(crate) async fn configuration(
    instance: &InstanceId,
    seat: &Seat,
    admin: &Admin,
    resources: &Resources,
    held: &Resources,
    by: Stamp,
) -> Result<Seen, MeshError> {
    let answers = listeners(instance, seat, Ask::new("/version", encode::table_version(resources)), by);
    let shows = dumped(instance, admin, resources, held, by);
    let (seen, ()) = try_join(answers, shows).await?;
    Ok(seen)
}

/// Waits until the dump shows every resource that changed, at its version.
async fn dumped(
    instance: &InstanceId,
    admin: &Admin,
    resources: &Resources,
    held: &Resources,
    by: Stamp,
) -> Result<(), MeshError> {
    let changed = |kind: &Kind| -> BTreeMap<&str, &str> {
        let named = resources.iter().filter(|(k, name, one)| *k == kind && held.get(k, name) != Some(*one));
        named.map(|(_, name, one)| (name, one.version())).collect()
    };
    // Endpoints are shown without a version: their acknowledgement, and the probe behind them in order, must do. Listeners
    // never change.
    let (clusters, routes) = (changed(&Kind::Cluster), changed(&Kind::Route));
    loop {
        match before(by, instance, missing(admin, &clusters, &routes)).await? {
            None => return Ok(()),
            Some(what) if now() >= by => {
                return Err(MeshError::Lagging(vec![format!("{instance}: its dump lacks {what}")]));
            }
            Some(_) => look().await,
        }
    }
}

/// The first resource that the dump does not show at its version. What did not change is not asked for.
async fn missing(
    admin: &Admin,
    clusters: &BTreeMap<&str, &str>,
    routes: &BTreeMap<&str, &str>,
) -> Result<Option<String>, AdminError> {
    let lacks = |kind: Kind, wanted: &BTreeMap<&str, &str>, shown: &BTreeMap<String, String>| {
        let mut wrong = wanted.iter().filter(|(name, version)| shown.get(**name).is_none_or(|v| v != *version));
        wrong.next().map(|(name, version)| format!("{kind} {name} at {version}"))
    };
    if !clusters.is_empty()
        && let Some(what) = lacks(Kind::Cluster, clusters, &admin.clusters().await?)
    {
        return Ok(Some(what));
    }
    if routes.is_empty() {
        return Ok(None);
    }
    Ok(lacks(Kind::Route, routes, &admin.routes().await?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::net::UnixListener;

    #[tokio::test]
    async fn who_is_stopped_while_it_starts_is_not_waited_for_beyond_the_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("admin.sock");
        let _stopped = UnixListener::bind(&socket).unwrap();
        let seat = Seat {
            node: "p".into(),
            folder: folder.path().into(),
            inbound: ([127, 0, 0, 1], 0).into(),
            workload: None,
        };
        let admin = Admin::new(&socket).unwrap();
        let waiting = live(&seat, &admin, now() + Duration::from_millis(20));
        let silent = tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("in time").unwrap_err();
        assert_eq!(silent.to_string(), "p does not answer: its admin interface takes connections and does not answer");
    }
}
