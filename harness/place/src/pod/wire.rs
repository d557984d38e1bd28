//! How a holder and an agent speak: each connection begins with one line that asks and one that answers, and is bytes from there.

use super::LEASE;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use squall_model::Stamp;
use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// No line is longer: configurations of workloads are in them.
const LONGEST: usize = 1 << 20;

/// Said on the connection of a process: it is to end in order. The end of the connection kills it.
pub(super) const ASK_TO_END: u8 = b'T';

/// Said on the connection of what stands still: it is to go on.
pub(super) const ASK_TO_GO_ON: u8 = b'C';

/// What a connection begins with.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    /// The run's own secret: an agent obeys its own run alone.
    pub(super) token: String,
    pub(super) ask: Ask,
}

/// What a connection is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ask {
    /// The pod's life hangs on this connection. `folder` is to be there; connections to a socket of this name in the pod's home
    /// come to `faults`.
    Hold { folder: PathBuf, faults: SocketAddr },
    /// Bytes to a socket and back.
    Reach(To),
    /// What a file says, from its begin on and as it grows.
    Follow(PathBuf),
    /// Waits until there is a socket.
    Await(PathBuf),
    /// A process of the agent's own program, whose life hangs on this connection: files to write first, then its arguments.
    Run { files: Vec<(PathBuf, String)>, args: Vec<String>, log: PathBuf },
    /// Has processes stand still for as long as this connection gives signs of life: who forgets them wakes them.
    Freeze(Freeze),
}

/// Which processes of a pod stand still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// The proxy; not what starts and configures it.
    pub proxy: bool,
    /// The workload beside it.
    pub workload: bool,
}

/// A socket in the pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum To {
    Unix(PathBuf),
    /// A port of the pod's own loopback.
    Port(u16),
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// It is done, or begins. The machine's boot, since clocks are compared.
    Yes {
        boot: String,
    },
    No(String),
}

/// What is said on the connection of what stands still, a line each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Said {
    /// One has ended, the proxy or the workload: the others stand still all the same.
    Ended { what: String, at: Stamp },
    /// They have gone on since then: no sign of life came.
    Lapsed { at: Stamp },
    /// They go on, as they were told to.
    GoOn,
}

/// Which boot of which machine this is: two processes with the same one have the same monotonic clock.
pub(super) fn boot() -> io::Result<String> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned())
}

/// Writes one line.
pub(super) async fn write_line<T: Serialize>(to: &mut TcpStream, line: &T) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    to.write_all(&text).await
}

/// Reads one line, byte by byte: what comes after it is somebody else's.
pub(super) async fn read_line<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin)) -> io::Result<T> {
    let mut line = Vec::new();
    loop {
        match from.read_u8().await? {
            b'\n' => return Ok(serde_json::from_slice(&line)?),
            byte if line.len() < LONGEST => line.push(byte),
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "a line without an end")),
        }
    }
}

/// An agent, as a holder finds it.
#[derive(Debug, Clone)]
pub(super) struct Agent {
    pub(super) at: SocketAddr,
    pub(super) token: String,
}

impl Agent {
    /// Begins a connection for this; an agent that refuses says why.
    pub(super) async fn ask(&self, ask: Ask) -> io::Result<TcpStream> {
        let connecting = timeout(LEASE, TcpStream::connect(self.at)).await;
        let mut stream = connecting.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        stream.set_nodelay(true)?;
        let hello = Hello { token: self.token.clone(), ask };
        write_line(&mut stream, &hello).await?;
        match read_line(&mut stream).await? {
            Answer::Yes { boot: theirs } if theirs == boot()? => Ok(stream),
            Answer::Yes { .. } => Err(io::Error::other(
                "the pod is on another machine than the runner: their clocks cannot be compared, and no call could be told from another",
            )),
            Answer::No(why) => Err(io::Error::other(why)),
        }
    }

    /// Bytes to a socket in the pod.
    pub(super) async fn reach(&self, to: To) -> io::Result<TcpStream> {
        self.ask(Ask::Reach(to)).await
    }

    /// Waits until there is such a socket.
    pub(super) async fn awaits(&self, socket: &Path) -> io::Result<()> {
        self.ask(Ask::Await(socket.to_owned())).await.map(drop)
    }
}
