//! What is asked of proxies alike, whoever configures them.

use crate::{
    admin::{Admin, AdminError},
    bootstrap::Bootstrap,
    clock::now,
    confirm::before,
    drain, outbound_socket,
    policy::LeadsTo,
    probe,
};
use futures_util::future::{join_all, try_join_all};
use squall_mesh::{Bindings, Endpoint, MeshError, PoliciesInForce, Seat};
use squall_model::{InstanceId, Stamp};
use std::{cell::RefCell, collections::BTreeMap, fmt::Display, time::Duration};
use tokio::sync::broadcast::{Receiver, error::TryRecvError};

/// How long a proxy may take to tell its counters: it takes a millisecond unless it is stopped.
const COUNTERS: Duration = Duration::from_secs(5);

/// How long a proxy may count as connected that tries to be, and is not: far longer than it takes to fail on a local socket.
const TRYING: Duration = Duration::from_millis(50);
/// How often it is asked at least: each answer is a turn of its loop, in which an attempt gets on, however slow the machine.
const TURNS: u32 = 20;

/// A number for each of some instances, by name.
pub type Counted = BTreeMap<InstanceId, BTreeMap<String, u64>>;

/// Every proxy, by its admin interface and its listeners.
#[derive(Debug, Default)]
pub struct Proxies {
    /// By node id. Never borrowed over an await.
    admins: RefCell<BTreeMap<String, Admin>>,
}

impl Proxies {
    /// The admin interface of a seat's proxy.
    ///
    /// # Errors
    /// Where a client for it cannot be built.
    pub fn admin(&self, instance: &InstanceId, seat: &Seat) -> Result<Admin, MeshError> {
        let mut admins = self.admins.borrow_mut();
        if let Some(admin) = admins.get(&seat.node) {
            return Ok(admin.clone());
        }
        let admin = Admin::new(&Bootstrap::admin(&seat.folder)).map_err(|why| silent(instance, &why))?;
        admins.insert(seat.node.clone(), admin.clone());
        Ok(admin)
    }

    /// Counters and gauges of every proxy, now.
    ///
    /// # Errors
    /// Where one does not answer.
    pub async fn counters(&self, at: &Bindings) -> Result<Counted, MeshError> {
        let by = now() + COUNTERS;
        let all = at.seats.iter().map(|(instance, seat)| async move {
            let admin = self.admin(instance, seat)?;
            let stats = before(by, instance, admin.stats()).await?;
            Ok::<_, MeshError>((instance.clone(), stats))
        });
        Ok(try_join_all(all).await?.into_iter().collect())
    }

    /// The policy that each proxy has in force for the calls that it forwards, by its own dump, or why it did not say.
    pub async fn policies(&self, at: &Bindings, leads_to: LeadsTo) -> PoliciesInForce {
        let by = now() + COUNTERS;
        let all = at.seats.iter().map(|(instance, seat)| async move {
            let said = match self.admin(instance, seat) {
                Ok(admin) => before(by, instance, admin.policies(leads_to)).await,
                Err(error) => Err(error),
            };
            (instance.clone(), said)
        });
        join_all(all).await.into_iter().collect()
    }

    /// Sends a marker request through every proxy, both sides.
    ///
    /// # Errors
    /// Where one does not answer.
    pub async fn mark(&self, marker: &str, at: &Bindings, by: Stamp) -> Result<(), MeshError> {
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

    /// Whether each is connected to its control plane now, by its own word.
    ///
    /// # Errors
    /// Where one does not answer.
    pub async fn connected(&self, at: &Bindings, by: Stamp) -> Result<BTreeMap<InstanceId, bool>, MeshError> {
        let all = at.seats.iter().map(|(instance, seat)| async move {
            let admin = self.admin(instance, seat)?;
            let connected = before(by, instance, stays_connected(&admin)).await?;
            Ok::<_, MeshError>((instance.clone(), connected))
        });
        Ok(try_join_all(all).await?.into_iter().collect())
    }

    /// Has one take no more connections and finish what it has, as far as that comes to an end by then.
    ///
    /// # Errors
    /// Where it does not answer, or has requests under way then.
    pub async fn drain(&self, instance: &InstanceId, seat: &Seat, by: Stamp) -> Result<(), MeshError> {
        let admin = self.admin(instance, seat)?;
        drain::drain(instance, &admin, by).await
    }

    /// Forgets one.
    pub fn forget(&self, node: &str) {
        self.admins.borrow_mut().remove(node);
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
///
/// # Errors
/// The first that is no lag; else every lag.
pub fn gather<T>(results: Vec<Result<T, MeshError>>) -> Result<Vec<T>, MeshError> {
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

/// It cannot be asked.
pub fn silent(instance: &InstanceId, why: &dyn Display) -> MeshError {
    MeshError::Silent { instance: instance.to_string(), why: why.to_string() }
}

/// Everything that a listener has heard since the last time. One that fell behind goes on with what is still there.
pub fn heard<T: Clone>(from: &mut Receiver<T>) -> Vec<T> {
    let mut all = Vec::new();
    loop {
        match from.try_recv() {
            Ok(event) => all.push(event),
            Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => return all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::UnixListener,
    };

    fn seat(folder: &Path) -> Seat {
        let node = folder.display().to_string();
        Seat { node, folder: folder.into(), inbound: ([127, 0, 0, 1], 0).into(), workload: None }
    }

    /// A proxy with one route and no clusters, as far as its dump goes.
    fn answering(folder: &Path) {
        let listener = UnixListener::bind(Bootstrap::admin(folder)).unwrap();
        let route = r#"{"match":{"prefix":"/"},"route":{"cluster":"out.reviews","timeout":"1s"}}"#;
        let routes = format!(r#"{{"route_config":{{"virtual_hosts":[{{"name":"reviews","routes":[{route}]}}]}}}}"#);
        tokio::spawn(async move {
            loop {
                let (mut stream, mut request) = (listener.accept().await.unwrap().0, [0; 1024]);
                let read = stream.read(&mut request).await.unwrap();
                let asks_for_routes = String::from_utf8_lossy(&request[..read]).contains("dynamic_route_configs");
                let body = format!(r#"{{"configs":[{}]}}"#, if asks_for_routes { routes.as_str() } else { "" });
                let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}", body.len());
                stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await.unwrap();
            }
        });
    }

    #[tokio::test]
    async fn a_proxy_that_does_not_say_its_policies_keeps_no_other_word_back() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        answering(folders[0].path());
        let ids = [1, 2].map(|number| InstanceId { service: "web".into(), number });
        let seats = ids.iter().cloned().zip(folders.iter().map(|folder| seat(folder.path()))).collect();
        let at = Bindings { seats, ..Bindings::default() };
        let said = Proxies::default().policies(&at, crate::render::callee_of).await;
        let spoken = said[&ids[0]].as_ref().unwrap();
        let spoken: Vec<_> = spoken.iter().map(|one| (one.host.as_str(), one.says.as_str())).collect();
        assert_eq!(spoken, [("reviews", "timeout 1 s; no retries")]);
        assert!(matches!(&said[&ids[1]], Err(MeshError::Silent { instance, .. }) if instance == "web-2"), "{said:?}");
    }
}
