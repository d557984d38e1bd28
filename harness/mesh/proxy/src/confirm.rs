//! What a proxy's listeners answer: the proof that a change is in force *there*.
//!
//! An acknowledgement comes before the effect: workers take a change over after the main thread. What tells is an answer.

use crate::{
    admin::AdminError,
    clock::{self, now},
    outbound_socket, probe,
    render::{EPOCHS, NO_EPOCH},
    silent,
};
use futures_util::future::try_join;
use squall_mesh::{Endpoint, MeshError, Seat};
use squall_model::{InstanceId, Stamp};
use std::time::Duration;

/// What was seen of one change at one proxy, or at all.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// When it was acknowledged.
    pub acked: Stamp,
    /// From when on every listener answered by the new state.
    pub effective: Stamp,
    /// The last moment at which a listener still answered by the old one; `None`: none did.
    pub last_old: Option<Stamp>,
}

impl Seen {
    /// Of two listeners of one proxy: the later of each.
    #[must_use]
    pub fn and(self, other: Seen) -> Seen {
        Seen {
            acked: self.acked.max(other.acked),
            effective: self.effective.max(other.effective),
            last_old: self.last_old.max(other.last_old),
        }
    }

    /// Nothing had to change.
    pub fn at(moment: Stamp) -> Seen {
        Seen { acked: moment, effective: moment, last_old: None }
    }

    /// The last of all; what was asked for at `asked` cannot have been there before. A listener may answer by the new state
    /// before its proxy's acknowledgement has come to us, but it is not taken for in force before that.
    pub fn of_all(all: Vec<Seen>, asked: Stamp) -> Seen {
        all.into_iter().fold(Seen::at(asked), |sum, one| Seen {
            acked: sum.acked.max(one.acked),
            effective: sum.effective.max(one.effective).max(one.acked),
            last_old: sum.last_old.max(one.last_old),
        })
    }
}

/// The interval of looking at something that has no way to say that it changed. It bounds precision, it is no wait for luck.
const LOOK: Duration = Duration::from_micros(300);

/// Waits until both listeners answer by this epoch of the fault channel, or by none.
pub async fn epoch(instance: &InstanceId, seat: &Seat, epoch: Option<u64>, by: Stamp) -> Result<Seen, MeshError> {
    let wanted = epoch.map_or(NO_EPOCH.to_owned(), |epoch| (epoch % EPOCHS).to_string());
    listeners(instance, seat, Ask::new("/epoch", &wanted), by).await
}

/// What a listener is asked, and what it has to answer.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The path of a probe.
    pub path: &'a str,
    /// The answer by the new state.
    pub wanted: &'a str,
    /// How often it is asked: a moment is known no better than this.
    pub every: Duration,
}

impl<'a> Ask<'a> {
    /// As often as a moment should be known.
    #[must_use]
    pub fn new(path: &'a str, wanted: &'a str) -> Ask<'a> {
        Ask { path, wanted, every: LOOK }
    }
}

/// Asks both listeners, each on a fresh connection, until they answer so.
///
/// # Errors
/// Where one does not answer so by the deadline, with what it answers.
pub async fn listeners(instance: &InstanceId, seat: &Seat, ask: Ask<'_>, by: Stamp) -> Result<Seen, MeshError> {
    let (outbound, inbound) = (Endpoint::Unix(outbound_socket(&seat.folder)), Endpoint::Tcp(seat.inbound));
    let (one, two) = try_join(listener(instance, &outbound, ask, by), listener(instance, &inbound, ask, by)).await?;
    Ok(one.and(two))
}

/// Asks one listener, each time on a fresh connection, until it answers so.
///
/// # Errors
/// As [`listeners`].
pub async fn listener(instance: &InstanceId, at: &Endpoint, ask: Ask<'_>, by: Stamp) -> Result<Seen, MeshError> {
    let Ask { path, wanted, every } = ask;
    let (mut last_old, mut said) = (None, None);
    loop {
        let asked = now();
        match probe::ask(at, path, by).await {
            Ok(body) if body == wanted => return Ok(Seen { acked: asked, effective: now(), last_old }),
            Ok(body) => {
                last_old = Some(asked);
                said = Some(format!("answers {path} with `{body}`, not `{wanted}`"));
            }
            // What the deadline cut off says less than the answer before it.
            Err(_) if now() >= by && said.is_some() => {}
            Err(error) => said = Some(format!("does not answer {path}: {error}")),
        }
        if let Some(said) = said.as_ref().filter(|_| now() >= by) {
            return Err(MeshError::Lagging(vec![format!("{instance} {said}")]));
        }
        pause(every).await;
    }
}

/// What a proxy's admin interface answers, by the deadline.
pub async fn before<T>(
    by: Stamp,
    instance: &InstanceId,
    answer: impl Future<Output = Result<T, AdminError>>,
) -> Result<T, MeshError> {
    let answer = tokio::time::timeout_at(clock::instant(by), answer).await;
    answer.map_err(|_| silent(instance, &"no answer by the deadline"))?.map_err(|why| silent(instance, &why))
}

/// A pause between two looks at something that has no way to say that it changed.
pub async fn look() {
    pause(LOOK).await;
}

/// A pause of this length.
pub async fn pause(length: Duration) {
    tokio::time::sleep_until(tokio::time::Instant::now() + length).await;
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
        let seen = listeners(&web(), &seat, Ask::new("/version", "new"), by).await.unwrap();
        let last_old = seen.last_old.unwrap();
        assert!(began <= last_old && last_old < seen.effective && seen.effective <= now());
        let seen = listeners(&web(), &seat, Ask::new("/version", "new"), by).await.unwrap();
        assert_eq!(seen.last_old, None, "by now it is new at once");
    }

    #[tokio::test]
    async fn who_stays_old_is_named_at_the_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let seat = seat(folder.path(), usize::MAX, 0).await;
        let by = now() + Duration::from_millis(500);
        let lagging = listeners(&web(), &seat, Ask::new("/epoch", "new"), by).await.unwrap_err();
        assert_eq!(lagging.to_string(), "not in force by the deadline: web-1 answers /epoch with `old`, not `new`");
    }
}
