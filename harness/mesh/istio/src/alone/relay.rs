//! Each proxy's way to istiod: a Unix socket in its own folder, which can be cut and restored for it alone.
//!
//! Bytes are carried as they are. To a proxy whose way is cut the control plane is gone; to istiod the proxy is.

use crate::carry::carry;
use squall_mesh_proxy::outbound_socket;
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};
use tokio::{
    net::UnixListener,
    task::{JoinHandle, JoinSet},
};

/// The socket by which a proxy of this folder finds istiod.
pub(crate) fn socket(folder: &Path) -> PathBuf {
    folder.join("ads.sock")
}

/// The ways of all proxies.
#[derive(Debug)]
pub(crate) struct Relays {
    istiod: SocketAddr,
    /// By node id.
    ways: RefCell<BTreeMap<String, Way>>,
    severed: RefCell<BTreeSet<String>>,
    /// Nobody reaches istiod: it is dead.
    stopped: Cell<bool>,
}

#[derive(Debug)]
struct Way {
    folder: PathBuf,
    /// It was opened once: before that nobody is let in, whatever comes back.
    admitted: bool,
    carrier: Option<Carrier>,
}

/// What carries one proxy's bytes. Dropped, its connections are cut.
#[derive(Debug)]
struct Carrier(JoinHandle<()>);

impl Drop for Carrier {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Relays {
    pub(crate) fn new(istiod: SocketAddr) -> Relays {
        Relays { istiod, ways: RefCell::default(), severed: RefCell::default(), stopped: Cell::new(false) }
    }

    /// Knows of a proxy that was started in this folder, and has no way yet.
    pub(crate) fn expect(&self, node: &str, folder: &Path) {
        // What another proxy of the same folder left: who has listeners is known by its own.
        drop(std::fs::remove_file(socket(folder)));
        drop(std::fs::remove_file(outbound_socket(folder)));
        self.ways
            .borrow_mut()
            .insert(node.to_owned(), Way { folder: folder.to_owned(), admitted: false, carrier: None });
    }

    /// Whether a proxy was let in, if only once.
    pub(crate) fn is_admitted(&self, node: &str) -> bool {
        self.ways.borrow().get(node).is_some_and(|way| way.admitted)
    }

    /// Whether there is such a proxy.
    pub(crate) fn knows(&self, node: &str) -> bool {
        self.ways.borrow().contains_key(node)
    }

    /// Opens the way of a proxy; where there was one, it begins anew.
    pub(crate) fn open_anew(&self, node: &str) -> io::Result<()> {
        self.cut(node);
        if let Some(way) = self.ways.borrow_mut().get_mut(node) {
            way.admitted = true;
        }
        self.restore(node)
    }

    /// Cuts the way of one proxy.
    pub(crate) fn sever(&self, node: &str) {
        self.severed.borrow_mut().insert(node.to_owned());
        self.cut(node);
    }

    /// Restores the way of one proxy, unless istiod is dead.
    pub(crate) fn rejoin(&self, node: &str) -> io::Result<()> {
        self.severed.borrow_mut().remove(node);
        self.restore(node)
    }

    pub(crate) fn is_severed(&self, node: &str) -> bool {
        self.severed.borrow().contains(node)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.get()
    }

    /// Cuts every way.
    pub(crate) fn stop(&self) {
        self.stopped.set(true);
        let nodes: Vec<String> = self.ways.borrow().keys().cloned().collect();
        nodes.iter().for_each(|node| self.cut(node));
    }

    /// Restores every way but those that are severed.
    pub(crate) fn start(&self) -> io::Result<()> {
        self.stopped.set(false);
        let nodes: Vec<String> = self.ways.borrow().keys().cloned().collect();
        nodes.iter().try_for_each(|node| self.restore(node))
    }

    pub(crate) fn forget(&self, node: &str) {
        self.cut(node);
        self.ways.borrow_mut().remove(node);
        self.severed.borrow_mut().remove(node);
    }

    fn cut(&self, node: &str) {
        if let Some(way) = self.ways.borrow_mut().get_mut(node) {
            way.carrier = None;
            // A socket that nobody listens on refuses; without its file a new one can be bound.
            drop(std::fs::remove_file(socket(&way.folder)));
        }
    }

    fn restore(&self, node: &str) -> io::Result<()> {
        if self.is_stopped() || self.is_severed(node) {
            return Ok(());
        }
        let mut ways = self.ways.borrow_mut();
        let Some(way) = ways.get_mut(node).filter(|way| way.admitted && way.carrier.is_none()) else { return Ok(()) };
        let at = socket(&way.folder);
        let listener = UnixListener::bind(&at)?;
        way.carrier = Some(Carrier(tokio::spawn(carry_all(listener, self.istiod))));
        Ok(())
    }
}

/// Carries every connection until it is aborted, which ends them all.
async fn carry_all(listener: UnixListener, istiod: SocketAddr) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((proxy, _)) = listener.accept().await else { return };
        while connections.try_join_next().is_some() {}
        connections.spawn(carry(proxy, istiod));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carry::echo;
    use std::time::Duration;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::UnixStream,
    };

    async fn answers(folder: &Path) -> Option<UnixStream> {
        let mut stream = UnixStream::connect(socket(folder)).await.ok()?;
        stream.write_all(b"x").await.ok()?;
        let mut byte = [0];
        tokio::time::timeout(Duration::from_secs(20), stream.read_exact(&mut byte)).await.expect("in time").ok()?;
        Some(stream)
    }

    #[tokio::test]
    async fn one_way_is_cut_and_the_others_stay() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let relays = Relays::new(echo().await);
        for (node, folder) in ["p0", "p1"].iter().zip(&folders) {
            relays.expect(node, folder.path());
            assert!(answers(folder.path()).await.is_none(), "nobody is let in yet");
            relays.open_anew(node).unwrap();
        }
        let mut first = answers(folders[0].path()).await.expect("a way");
        relays.sever("p0");
        let mut byte = [0];
        let end = tokio::time::timeout(Duration::from_secs(20), first.read(&mut byte)).await.expect("an end, in time");
        assert_eq!(end.unwrap_or(0), 0, "what was open is cut");
        assert!(answers(folders[0].path()).await.is_none());
        assert!(answers(folders[1].path()).await.is_some());
        relays.rejoin("p0").unwrap();
        assert!(answers(folders[0].path()).await.is_some());
    }

    #[tokio::test]
    async fn who_is_severed_stays_so_when_the_control_plane_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let relays = Relays::new(echo().await);
        relays.expect("p0", folder.path());
        relays.open_anew("p0").unwrap();
        let stranger = tempfile::tempdir().unwrap();
        relays.expect("p1", stranger.path());
        relays.stop();
        assert!(answers(folder.path()).await.is_none());
        relays.sever("p0");
        relays.start().unwrap();
        assert!(answers(stranger.path()).await.is_none(), "who was never let in is not let in by that");
        assert!(answers(folder.path()).await.is_none());
        relays.rejoin("p0").unwrap();
        assert!(answers(folder.path()).await.is_some());
    }
}
