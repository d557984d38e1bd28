//! Proof that a proxy is what it was sent: its dump has the versions, and its listeners answer by the new state.
//!
//! An acknowledgement comes before the effect: workers take a change over after the main thread. What tells is an answer.

mod checks;

pub(crate) use checks::checks;

use crate::{
    admin::{Admin, AdminError},
    clock::{self, now},
    encode,
    mesh::silent,
    outbound_socket, probe,
    render::{EPOCHS, NO_EPOCH},
    xds::{Kind, Resources},
};
use futures_util::future::try_join;
use squall_mesh::{Endpoint, MeshError, Seat};
use squall_model::{InstanceId, Stamp};
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

/// What was seen of one change at one proxy, or at all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// When it was acknowledged.
    pub(crate) acked: Stamp,
    /// From when on every listener answered by the new state.
    pub(crate) effective: Stamp,
    /// The last moment at which a listener still answered by the old one; `None`: none did.
    pub(crate) last_old: Option<Stamp>,
}

impl Seen {
    /// Nothing had to change.
    pub(crate) fn at(moment: Stamp) -> Seen {
        Seen { acked: moment, effective: moment, last_old: None }
    }

    /// The last of all; what was asked for at `asked` cannot have been there before. A listener may answer by the new state
    /// before its proxy's acknowledgement has come to us, but it is not taken for in force before that.
    pub(crate) fn of_all(all: Vec<Seen>, asked: Stamp) -> Seen {
        all.into_iter().fold(Seen::at(asked), |sum, one| Seen {
            acked: sum.acked.max(one.acked),
            effective: sum.effective.max(one.effective).max(one.acked),
            last_old: sum.last_old.max(one.last_old),
        })
    }
}

/// The interval of looking at something that has no way to say that it changed. It bounds precision, it is no wait for luck.
const LOOK: Duration = Duration::from_micros(300);

/// Waits until a freshly started proxy is live and serves on both listeners, and says where it accepts tries.
pub(crate) async fn live(seat: &Seat, admin: &Admin, by: Stamp) -> Result<SocketAddr, MeshError> {
    let mut last = "there is no time".to_owned();
    while now() < by {
        // A proxy that is stopped takes connections and never answers: its kernel does the one without it.
        let Ok(answer) = tokio::time::timeout_at(clock::instant(by), inbound_address(admin)).await else {
            last = "its admin interface takes connections and does not answer".into();
            break;
        };
        match answer {
            Ok(Some(inbound)) => {
                let nobody = InstanceId { service: seat.node.as_str().into(), number: 0 };
                let seat = Seat { inbound, ..seat.clone() };
                listeners(&nobody, &seat, "/version", encode::table_version(&encode::blank(&seat)), by).await?;
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
    let answers = listeners(instance, seat, "/version", encode::table_version(resources), by);
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

/// Waits until both listeners answer by this epoch of the fault channel, or by none.
pub(crate) async fn epoch(
    instance: &InstanceId,
    seat: &Seat,
    epoch: Option<u64>,
    by: Stamp,
) -> Result<Seen, MeshError> {
    let wanted = epoch.map_or(NO_EPOCH.to_owned(), |epoch| (epoch % EPOCHS).to_string());
    listeners(instance, seat, "/epoch", &wanted, by).await
}

/// Asks both listeners, each on a fresh connection, until they answer so.
async fn listeners(instance: &InstanceId, seat: &Seat, path: &str, wanted: &str, by: Stamp) -> Result<Seen, MeshError> {
    let (outbound, inbound) = (Endpoint::Unix(outbound_socket(&seat.folder)), Endpoint::Tcp(seat.inbound));
    let both = (listener(instance, &outbound, path, wanted, by), listener(instance, &inbound, path, wanted, by));
    let (one, two) = try_join(both.0, both.1).await?;
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
    loop {
        let asked = now();
        let last = match probe::ask(at, path, by).await {
            Ok(body) if body == wanted => return Ok(Seen { acked: asked, effective: now(), last_old }),
            Ok(body) => {
                last_old = Some(asked);
                format!("answers {path} with `{body}`, not `{wanted}`")
            }
            Err(error) => format!("does not answer {path}: {error}"),
        };
        if now() >= by {
            return Err(MeshError::Lagging(vec![format!("{instance} {last}")]));
        }
        look().await;
    }
}

/// What a proxy's admin interface answers, by the deadline.
pub(crate) async fn before<T>(
    by: Stamp,
    instance: &InstanceId,
    answer: impl Future<Output = Result<T, AdminError>>,
) -> Result<T, MeshError> {
    let answer = tokio::time::timeout_at(clock::instant(by), answer).await;
    answer.map_err(|_| silent(instance, &"no answer by the deadline"))?.map_err(|why| silent(instance, &why))
}

async fn look() {
    tokio::time::sleep_until(tokio::time::Instant::now() + LOOK).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };
    use tokio::{
        io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
        net::{TcpListener, UnixListener},
    };

    /// Answers the first so many requests by the old state, the others by the new one.
    async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, left: &AtomicUsize) {
        let mut buffer = [0; 1024];
        assert!(stream.read(&mut buffer).await.unwrap() > 0, "a request");
        let old = left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1)).is_ok();
        let body = if old { "old" } else { "new" };
        stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{body}").as_bytes()).await.unwrap();
    }

    /// A proxy whose listeners take a change over one after the other.
    async fn seat(folder: &std::path::Path, outbound: usize, inbound: usize) -> Seat {
        let (unix, tcp) =
            (UnixListener::bind(outbound_socket(folder)).unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let address = tcp.local_addr().unwrap();
        let counts = Arc::new([AtomicUsize::new(outbound), AtomicUsize::new(inbound)]);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    accepted = unix.accept() => answer(accepted.unwrap().0, &counts[0]).await,
                    accepted = tcp.accept() => answer(accepted.unwrap().0, &counts[1]).await,
                }
            }
        });
        Seat { node: "p".into(), folder: folder.into(), inbound: address, workload: None }
    }

    #[test]
    fn the_moments_of_a_change_are_in_order() {
        let seen = |acked, effective, last_old: Option<u64>| Seen {
            acked: Stamp(acked),
            effective: Stamp(effective),
            last_old: last_old.map(Stamp),
        };
        let sum = Seen::of_all(vec![seen(9, 5, Some(3)), seen(4, 8, None)], Stamp(1));
        assert_eq!((sum.acked, sum.effective, sum.last_old), (Stamp(9), Stamp(9), Some(Stamp(3))));
        let none = Seen::of_all(Vec::new(), Stamp(1));
        assert_eq!((none.acked, none.effective, none.last_old), (Stamp(1), Stamp(1), None));
    }

    fn web() -> InstanceId {
        InstanceId { service: "web".into(), number: 1 }
    }

    #[tokio::test]
    async fn the_last_listener_counts_and_the_old_state_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let seat = seat(folder.path(), 0, 3).await;
        let began = now();
        let by = began + Duration::from_secs(20);
        let seen = listeners(&web(), &seat, "/version", "new", by).await.unwrap();
        let last_old = seen.last_old.unwrap();
        assert!(began <= last_old && last_old < seen.effective && seen.effective <= now());
        let seen = listeners(&web(), &seat, "/version", "new", by).await.unwrap();
        assert_eq!(seen.last_old, None, "by now it is new at once");
    }

    #[tokio::test]
    async fn who_is_stopped_while_it_starts_is_not_waited_for_beyond_the_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("admin.sock");
        let _stopped = UnixListener::bind(&socket).unwrap();
        let seat = seat(folder.path(), 0, 0).await;
        let admin = Admin::new(&socket).unwrap();
        let waiting = live(&seat, &admin, now() + Duration::from_millis(20));
        let silent = tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("in time").unwrap_err();
        assert_eq!(silent.to_string(), "p does not answer: its admin interface takes connections and does not answer");
    }

    #[tokio::test]
    async fn who_stays_old_is_named_at_the_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let seat = seat(folder.path(), usize::MAX, 0).await;
        let by = now() + Duration::from_millis(20);
        let lagging = listeners(&web(), &seat, "/epoch", "new", by).await.unwrap_err();
        assert_eq!(lagging.to_string(), "not in force by the deadline: web-1 answers /epoch with `old`, not `new`");
    }
}
