//! The process that stands for a pod on this machine.

use super::{
    BEAT, look_again, relay,
    wire::{Agent, Ask, To},
};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};

/// The proxy's admin interface, on the pod's own loopback.
const ADMIN: u16 = 15_000;

/// Where a pod is, as its holder writes it down in the proxy's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// The pod's own address.
    pub ip: IpAddr,
    /// Where its agent is.
    pub agent: SocketAddr,
    /// The secret of the run.
    pub token: String,
}

impl Seat {
    /// The file in a proxy's folder.
    #[must_use]
    pub fn file(folder: &Path) -> PathBuf {
        folder.join("pod.json")
    }

    /// What the holder has written down; `None`: the pod is not there yet.
    #[must_use]
    pub fn read(folder: &Path) -> Option<Seat> {
        serde_json::from_slice(&fs::read(Seat::file(folder)).ok()?).ok()
    }

    fn write(&self, folder: &Path) -> io::Result<()> {
        let (new, file) = (folder.join("pod.json.new"), Seat::file(folder));
        fs::write(&new, serde_json::to_vec(self)?)?;
        fs::rename(new, file)
    }

    pub(super) fn found(&self) -> Agent {
        Agent { at: self.agent, token: self.token.clone() }
    }
}

/// Holds a pod that has been placed: until it ends, or this process is told to.
///
/// - `folder`: the proxy's, here and there.
/// - `faults`: the socket of the fault channel here.
///
/// # Errors
/// Where the pod is not to be had, or ended.
pub async fn hold(seat: &Seat, folder: &Path, faults: &Path) -> io::Result<()> {
    let mut ended = signal(SignalKind::terminate())?;
    let agent = seat.found();
    // The pod comes to us for its faults: at the address by which we come to it.
    let ours = own_address(seat.agent)?;
    let channel = TcpListener::bind((ours, 0)).await?;
    let reachable = channel.local_addr()?;
    let mut carrying = JoinSet::new();
    let (faults, token) = (faults.to_owned(), agent.token.clone());
    carrying.spawn(async move {
        relay::relay_to_unix(channel, &token, &faults).await;
        Ok(())
    });
    let life = begin(&agent, folder, reachable).await?;
    carrying.spawn(socket(agent.clone(), folder.join("admin.sock"), To::Port(ADMIN)));
    let outbound = folder.join("out.sock");
    // Here there is one as soon as there is one in the pod: who has listeners is known by it.
    let awaited = agent.clone();
    carrying.spawn(async move {
        awaited.awaits(&outbound).await?;
        socket(awaited, outbound.clone(), To::Unix(outbound)).await
    });
    seat.write(folder)?;
    tokio::select! {
        ended = live(life) => ended,
        Some(failed) = carrying.join_next() => failed.map_err(io::Error::other)?,
        _ = ended.recv() => Ok(()),
    }
}

/// The agent listens a moment after its pod has an address.
async fn begin(agent: &Agent, folder: &Path, faults: SocketAddr) -> io::Result<TcpStream> {
    loop {
        let hold = Ask::Hold { folder: folder.to_owned(), faults };
        match agent.ask(hold).await {
            Err(why) if matches!(why.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable) => {}
            asked => return asked,
        }
        // Whoever waits for us has a deadline of its own.
        look_again(BEAT / 10).await;
    }
}

/// Gives signs of life, until the pod ends.
async fn live(mut life: TcpStream) -> io::Result<()> {
    let gone = || io::Error::other("the pod has ended");
    let mut room = [0];
    loop {
        tokio::select! {
            read = life.read(&mut room) => if read.map_err(|_| gone())? == 0 { return Err(gone()) },
            () = look_again(BEAT) => life.write_all(b".").await.map_err(|_| gone())?,
        }
    }
}

/// A socket here that comes out there.
pub(super) async fn socket(agent: Agent, here: PathBuf, there: To) -> io::Result<()> {
    let listener = relay::listen(&here)?;
    let reach = move || {
        let (agent, there) = (agent.clone(), there.clone());
        async move { agent.reach(there).await }
    };
    relay::relay(listener, reach).await;
    Ok(())
}

/// The address of ours from which another is reached.
fn own_address(to: SocketAddr) -> io::Result<IpAddr> {
    let socket = std::net::UdpSocket::bind((std::net::Ipv4Addr::UNSPECIFIED, 0))?;
    // Nothing is sent: the kernel is asked which way it would go.
    socket.connect(to)?;
    Ok(socket.local_addr()?.ip())
}
