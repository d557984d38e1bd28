//! The runner's end of the control socket.

use super::{
    Ask, Ready, Say,
    heartbeat::{Heartbeat, Lapse},
};
use crate::clock;
use squall_model::{Damage, Stamp, Wire};
use std::{io, net::SocketAddr, path::Path, time::Duration};
use thiserror::Error;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
    time::{Instant, MissedTickBehavior, interval, timeout, timeout_at},
};

/// A link that runs answers within this; one that does not is paused, starved or dead.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often the socket is tried until the link is there.
const TICK: Duration = Duration::from_millis(2);

/// Why a link could not be talked to, or did not do what it was asked.
#[derive(Debug, Error)]
pub enum ControlError {
    /// It was not ready in time.
    #[error("link not ready within {within:?}: {last}")]
    NotReady {
        /// How long was waited.
        within: Duration,
        /// What the last attempt met with.
        last: String,
    },
    /// It did not answer in time; the connection is given up.
    #[error("no answer from the link within {PATIENCE:?}")]
    Silent,
    /// The connection broke, now or earlier.
    #[error("control connection: {0}")]
    Io(#[from] io::Error),
    /// The lease on the damage before ran out: the wires have been clean since. Nothing was changed; the next attempt is good.
    #[error("the lease on damage ran out, and the wires are clean")]
    Lapsed {
        /// Since when they are.
        at: Stamp,
    },
    /// It refused.
    #[error("refused by the link: {0}")]
    Refused(String),
    /// It answered with something else than what was asked.
    #[error("unexpected answer from the link: `{0}`")]
    Unexpected(String),
}

/// A control connection to a link that is ready, and the heartbeat that keeps alive the damage that it asks for. When it is
/// dropped all damage ends.
///
/// A call that is dropped before it is answered, or is not answered in time, breaks the connection: what came next could
/// not be told apart from its answer.
#[derive(Debug)]
pub struct Control {
    /// `None` while a question is open.
    stream: Option<BufReader<UnixStream>>,
    ready: Ready,
    lapse: Lapse,
    _heartbeat: Heartbeat,
}

impl Control {
    /// Connects as soon as the link is ready, at the latest within `patience`.
    ///
    /// # Errors
    /// [`ControlError::NotReady`] if it was not.
    pub async fn connect(path: &Path, patience: Duration) -> Result<Control, ControlError> {
        let by = Instant::now() + patience;
        let mut last = "no attempt was made".to_owned();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let attempts = async {
            loop {
                ticks.tick().await;
                match greet(path).await {
                    Ok(control) => return control,
                    Err(error) => last = format!("{}: {error}", path.display()),
                }
            }
        };
        match timeout_at(by, attempts).await {
            Ok(control) => Ok(control),
            Err(_) => Err(ControlError::NotReady { within: patience, last }),
        }
    }

    /// What the link said of itself when it was ready.
    #[must_use]
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Has exactly this done to the wires, several damages of different kinds at once where there are several; wires that are
    /// not named are clean. Returns when it was in place for every connection, open or new.
    ///
    /// # Errors
    /// See [`ControlError`]; [`Lapsed`](ControlError::Lapsed) once after the lease on earlier damage ran out; refused if a wire
    /// is not the link's or is named twice, or if its damages do not go together.
    pub async fn damage(&mut self, wires: &[(Wire, Vec<Damage>)]) -> Result<Stamp, ControlError> {
        self.done(&Ask::Damage(wires.to_vec())).await
    }

    /// Leads new connections over a wire somewhere else; open ones stay where they are. `None`: nobody is there, and who
    /// connects is refused by the kernel.
    ///
    /// # Errors
    /// See [`ControlError`]; refused if the wire is not the link's.
    pub async fn lead(&mut self, wire: &Wire, to: Option<SocketAddr>) -> Result<Stamp, ControlError> {
        self.done(&Ask::Lead { wire: wire.clone(), to }).await
    }

    /// Writes a line for each connection that is still open into the records, and a marker after them. When this returns they
    /// are in the file.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub async fn mark(&mut self, text: &str) -> Result<Stamp, ControlError> {
        self.done(&Ask::Mark(text.to_owned())).await
    }

    /// When the lease on damage of this runner last ran out, so that all wires became clean; `None` if it never did. Known
    /// within a heartbeat (0.5 s) of this runner being well again.
    #[must_use]
    pub fn lapsed(&self) -> Option<Stamp> {
        self.lapse.get()
    }

    /// Asks the link to end as if by SIGTERM.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub async fn quit(mut self) -> Result<(), ControlError> {
        match self.ask(&Ask::Quit {}).await? {
            Say::Bye {} => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    async fn done(&mut self, ask: &Ask) -> Result<Stamp, ControlError> {
        match self.ask(ask).await? {
            Say::Done(at) => Ok(at),
            Say::Lapsed(at) => {
                self.lapse.tell(at);
                Err(ControlError::Lapsed { at })
            }
            other => Err(unexpected(&other)),
        }
    }

    async fn ask(&mut self, ask: &Ask) -> Result<Say, ControlError> {
        let broken = || io::Error::new(io::ErrorKind::NotConnected, "broken by an earlier failure");
        let mut stream = self.stream.take().ok_or_else(broken)?;
        let exchange = async {
            let mut line = serde_json::to_vec(ask).map_err(io::Error::from)?;
            line.push(b'\n');
            stream.write_all(&line).await?;
            hear(&mut stream).await
        };
        let said = timeout(PATIENCE, exchange).await.map_err(|_| ControlError::Silent)??;
        self.stream = Some(stream);
        match said {
            Say::Refused(why) => Err(ControlError::Refused(why)),
            said => Ok(said),
        }
    }
}

async fn greet(path: &Path) -> Result<Control, ControlError> {
    let mut stream = BufReader::new(UnixStream::connect(path).await?);
    match hear(&mut stream).await? {
        Say::Ready(ready) => {
            let lapse = Lapse::default();
            let heartbeat = Heartbeat::start(path, lapse.clone(), clock::now())?;
            Ok(Control { stream: Some(stream), ready, lapse, _heartbeat: heartbeat })
        }
        other => Err(unexpected(&other)),
    }
}

async fn hear(stream: &mut BufReader<UnixStream>) -> Result<Say, ControlError> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    serde_json::from_str(&line).map_err(|_| ControlError::Unexpected(line.trim_end().to_owned()))
}

fn unexpected(said: &Say) -> ControlError {
    ControlError::Unexpected(format!("{said:?}"))
}
