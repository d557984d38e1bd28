//! The pods' way to istiod: a port of the runner's, to which what configures each proxy connects, and which can be cut for all of them or
//! for some.
//!
//! Bytes are carried as they are; TLS is between the pods and istiod (`ISTIOD_SAN` says by which name it is known). To a proxy whose way is cut
//! the control plane is gone. It lives on, and nobody else notices.

use crate::control::LOOK;
use squall_mesh_proxy::{confirm::pause, now};
use squall_model::Stamp;
use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::timeout,
};

/// How long it may take to reach istiod, which is in the same cluster.
const REACH: Duration = Duration::from_secs(5);

/// The ways of all pods. Dropped, all are cut.
#[derive(Debug)]
pub struct Way {
    port: u16,
    cuts: watch::Sender<Cuts>,
    end: End,
    carrying: JoinHandle<()>,
}

/// Where the ways end.
#[derive(Debug, Clone)]
struct End {
    /// Its name and port.
    istiod: String,
    /// Why istiod was not reached the last time; `None`: it was, or nobody has tried.
    failure: watch::Sender<Option<String>>,
}

/// Whose way is cut.
#[derive(Debug, Default)]
struct Cuts {
    everybody: bool,
    /// Nodes, with the addresses of their pods.
    some: BTreeMap<String, IpAddr>,
    /// What pods have opened before this moment ends.
    anew: BTreeMap<IpAddr, Stamp>,
}

impl Cuts {
    fn has(&self, who: IpAddr) -> bool {
        self.everybody || self.some.values().any(|ip| *ip == who)
    }

    fn is_outdated(&self, who: IpAddr, opened: Stamp) -> bool {
        self.anew.get(&who).is_some_and(|before| opened < *before)
    }
}

impl Way {
    /// Opens it, on a free port.
    ///
    /// - `ours`: the address at which pods find us.
    /// - `istiod`: its name and port.
    ///
    /// # Errors
    /// Where no port is to be had.
    pub async fn open(ours: IpAddr, istiod: String) -> io::Result<Way> {
        let listener = TcpListener::bind((ours, 0)).await?;
        let port = listener.local_addr()?.port();
        let cuts = watch::Sender::new(Cuts::default());
        let end = End { istiod, failure: watch::Sender::new(None) };
        let carrying = tokio::spawn(carry_all(listener, end.clone(), cuts.subscribe()));
        Ok(Way { port, cuts, end, carrying })
    }

    /// Why istiod was not reached the last time that a pod tried; `None`: it was, or nobody has tried.
    pub(super) fn failure(&self) -> Option<String> {
        let failure = self.end.failure.borrow();
        failure.as_ref().map(|why| format!("istiod is not reached at {}: {why}", self.end.istiod))
    }

    /// Where pods find it.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn cut_all(&self, cut: bool) {
        self.cuts.send_modify(|cuts| cuts.everybody = cut);
    }

    pub(super) fn is_cut_for_all(&self) -> bool {
        self.cuts.borrow().everybody
    }

    pub(super) fn cut(&self, node: &str, ip: IpAddr) {
        self.cuts.send_modify(|cuts| {
            cuts.some.insert(node.to_owned(), ip);
        });
    }

    /// Ends what a pod has opened before this moment. It may connect again at once: nothing is cut that would have to be mended, and what
    /// is newer has been told everything.
    pub(super) fn begin_anew(&self, ip: IpAddr, before: Stamp) {
        self.cuts.send_modify(|cuts| {
            cuts.anew.insert(ip, before);
        });
    }

    pub(super) fn mend(&self, node: &str) {
        self.cuts.send_modify(|cuts| {
            cuts.some.remove(node);
        });
    }

    pub(super) fn is_cut(&self, node: &str) -> bool {
        self.cuts.borrow().some.contains_key(node)
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.carrying.abort();
    }
}

/// Carries every connection to its end, or until its way is cut. Who comes while it is cut is sent away.
async fn carry_all(listener: TcpListener, end: End, cuts: watch::Receiver<Cuts>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((pod, from)) = listener.accept().await else {
            // One connection less, or for a moment no room for more.
            pause(LOOK).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        connections.spawn(one(pod, from, end.clone(), cuts.clone()));
    }
}

async fn one(pod: TcpStream, from: SocketAddr, end: End, mut cuts: watch::Receiver<Cuts>) {
    let _ = pod.set_nodelay(true);
    let opened = now();
    tokio::select! {
        biased;
        _ = cuts.wait_for(|cuts| cuts.has(from.ip()) || cuts.is_outdated(from.ip(), opened)) => {}
        () = end.carry(pod) => {}
    }
}

impl End {
    /// A pod that cannot be led to istiod is sent away, as by one who refuses.
    async fn carry(&self, mut pod: TcpStream) {
        let reached = timeout(REACH, TcpStream::connect(&self.istiod)).await;
        let reached = reached.unwrap_or_else(|_| Err(io::Error::other(format!("no answer for {} s", REACH.as_secs()))));
        self.failure.send_replace(reached.as_ref().err().map(ToString::to_string));
        let Ok(mut istiod) = reached else { return };
        drop(istiod.set_nodelay(true));
        drop(copy_bidirectional(&mut pod, &mut istiod).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carry::echo;
    use std::{net::Ipv4Addr, time::Duration};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpSocket,
        time::timeout,
    };

    const OURS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const LONG: Duration = Duration::from_secs(20);

    /// The connection of a pod of this address, if it is answered.
    async fn answered(way: &Way, pod: [u8; 4]) -> Option<TcpStream> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((pod, 0))).unwrap();
        let mut stream = socket.connect(SocketAddr::from((OURS, way.port()))).await.ok()?;
        stream.write_all(b"x").await.ok()?;
        let mut byte = [0];
        timeout(LONG, stream.read_exact(&mut byte)).await.expect("in time").ok()?;
        Some(stream)
    }

    const ONE: [u8; 4] = [127, 0, 0, 2];
    const OTHER: [u8; 4] = [127, 0, 0, 3];

    #[tokio::test]
    async fn the_way_of_one_is_cut_and_that_of_others_stays() {
        let way = Way::open(OURS, echo().await.to_string()).await.unwrap();
        let mut first = answered(&way, ONE).await.expect("a way");
        way.cut("p0", ONE.into());
        let mut byte = [0];
        let end = timeout(LONG, first.read(&mut byte)).await.expect("an end, in time");
        assert_eq!(end.unwrap_or(0), 0, "what was open is cut");
        assert!(answered(&way, ONE).await.is_none());
        assert!(answered(&way, OTHER).await.is_some());
        way.mend("p0");
        assert!(answered(&way, ONE).await.is_some());
    }

    #[tokio::test]
    async fn what_begins_anew_is_ended_once_and_let_in_again() {
        let way = Way::open(OURS, echo().await.to_string()).await.unwrap();
        let (mut first, mut other) = (answered(&way, ONE).await.unwrap(), answered(&way, OTHER).await.unwrap());
        let moment = now();
        way.begin_anew(ONE.into(), moment);
        let mut byte = [0];
        assert_eq!(timeout(LONG, first.read(&mut byte)).await.expect("an end").unwrap_or(0), 0);
        let mut again = answered(&way, ONE).await.expect("let in again");
        // Once more by the same moment, which it is newer than.
        way.begin_anew(ONE.into(), moment);
        for stream in [&mut again, &mut other] {
            stream.write_all(b"y").await.unwrap();
            timeout(LONG, stream.read_exact(&mut byte)).await.expect("in time").expect("still open");
        }
    }

    #[tokio::test]
    async fn why_istiod_is_not_reached_is_known_until_it_is() {
        let istiod = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = istiod.local_addr().unwrap();
        drop(istiod);
        let way = Way::open(OURS, at.to_string()).await.unwrap();
        assert_eq!(way.failure(), None, "nobody has tried");
        assert!(answered(&way, ONE).await.is_none());
        let why = way.failure().unwrap();
        assert!(why.starts_with(&format!("istiod is not reached at {at}: ")) && why.contains("refused"), "{why}");
        let _istiod = TcpListener::bind(at).await.unwrap();
        let _carried = TcpStream::connect((OURS, way.port())).await.unwrap();
        let mut failure = way.end.failure.subscribe();
        timeout(LONG, failure.wait_for(Option::is_none)).await.expect("in time").unwrap();
        // Who is asked for names refuses, or does not answer: either is a reason.
        let nowhere = Way::open(OURS, "istiod.invalid:15012".into()).await.unwrap();
        assert!(answered(&nowhere, ONE).await.is_none());
        assert!(nowhere.failure().unwrap().starts_with("istiod is not reached at istiod.invalid:15012: "));
    }

    #[tokio::test]
    async fn who_is_severed_stays_so_when_the_control_plane_is_back() {
        let way = Way::open(OURS, echo().await.to_string()).await.unwrap();
        way.cut_all(true);
        assert!(answered(&way, ONE).await.is_none() && answered(&way, OTHER).await.is_none());
        way.cut("p0", ONE.into());
        way.cut_all(false);
        assert!(answered(&way, ONE).await.is_none());
        assert!(answered(&way, OTHER).await.is_some());
    }
}
