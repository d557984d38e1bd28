//! The runner's end of a child's control socket: one JSON object a line, asked by the runner, answered by the child.

use serde::{Serialize, de::DeserializeOwned};
use std::{fmt, io, path::Path, time::Duration};
use thiserror::Error;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
    time::{Instant, MissedTickBehavior, interval, timeout, timeout_at},
};

/// A child that runs answers within this; one that does not is paused, starved or dead.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often the socket is tried until the child is there.
const TICK: Duration = Duration::from_millis(2);

/// Why a child could not be talked to. Each has the child's kind: `workload`, `link`.
#[derive(Debug, Error)]
pub enum ControlError {
    /// It was not ready in time.
    #[error("{who} not ready within {within:?}: {last}")]
    NotReady {
        /// Who.
        who: &'static str,
        /// How long was waited.
        within: Duration,
        /// What the last attempt met with.
        last: String,
    },
    /// It did not answer in time; the connection is given up.
    #[error("no answer from the {0} within {PATIENCE:?}")]
    Silent(&'static str),
    /// The connection broke, now or earlier.
    #[error("control connection: {0}")]
    Io(#[from] io::Error),
    /// It refused.
    #[error("refused by the {who}: {why}")]
    Refused {
        /// Who.
        who: &'static str,
        /// In its own words.
        why: String,
    },
    /// It answered with something else than what was asked.
    #[error("unexpected answer from the {who}: `{said}`")]
    Unexpected {
        /// Who.
        who: &'static str,
        /// What it said.
        said: String,
    },
}

/// What a child says.
pub trait Say: DeserializeOwned + fmt::Debug {
    /// Itself, or why the child refuses.
    ///
    /// # Errors
    /// The child's own words.
    fn unless_refused(self) -> Result<Self, String>;
}

/// A control connection to a child that is ready.
///
/// A question that is dropped before it is answered, or is not answered in time, breaks the connection: what came next could
/// not be told apart from its answer.
#[derive(Debug)]
pub struct Connection {
    who: &'static str,
    /// `None` while a question is open.
    stream: Option<BufReader<UnixStream>>,
}

impl Connection {
    /// Connects as soon as the child is ready, at the latest within `within`; returns its greeting as well, which `ready` knows.
    ///
    /// # Errors
    /// [`ControlError::NotReady`] if it was not.
    pub async fn connect<S: Say, Ready>(
        who: &'static str,
        path: &Path,
        within: Duration,
        ready: impl Fn(S) -> Result<Ready, S>,
    ) -> Result<(Connection, Ready), ControlError> {
        let by = Instant::now() + within;
        let mut last = "no attempt was made".to_owned();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let attempts = async {
            loop {
                ticks.tick().await;
                match greeted(who, path, &ready).await {
                    Ok(greeted) => return greeted,
                    Err(error) => last = format!("{}: {error}", path.display()),
                }
            }
        };
        let connected = timeout_at(by, attempts).await;
        connected.map_err(|_| ControlError::NotReady { who, within, last })
    }

    /// Asks, and hears the answer.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub async fn ask<S: Say>(&mut self, ask: &impl Serialize) -> Result<S, ControlError> {
        let broken = || io::Error::new(io::ErrorKind::NotConnected, "broken by an earlier failure");
        let mut stream = self.stream.take().ok_or_else(broken)?;
        let exchange = async {
            let mut line = serde_json::to_vec(ask).map_err(io::Error::from)?;
            line.push(b'\n');
            stream.write_all(&line).await?;
            hear::<S>(self.who, &mut stream).await
        };
        let said = timeout(PATIENCE, exchange).await.map_err(|_| ControlError::Silent(self.who))??;
        self.stream = Some(stream);
        said.unless_refused().map_err(|why| ControlError::Refused { who: self.who, why })
    }

    /// That this is no answer to what was asked.
    pub fn unexpected(&self, said: &impl Say) -> ControlError {
        unexpected(self.who, said)
    }
}

async fn greeted<S: Say, Ready>(
    who: &'static str,
    path: &Path,
    ready: impl Fn(S) -> Result<Ready, S>,
) -> Result<(Connection, Ready), ControlError> {
    let mut stream = BufReader::new(UnixStream::connect(path).await?);
    let said = hear(who, &mut stream).await?;
    let ready = ready(said).map_err(|other| unexpected(who, &other))?;
    Ok((Connection { who, stream: Some(stream) }, ready))
}

async fn hear<S: Say>(who: &'static str, stream: &mut BufReader<UnixStream>) -> Result<S, ControlError> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    serde_json::from_str(&line).map_err(|_| ControlError::Unexpected { who, said: line.trim_end().to_owned() })
}

fn unexpected(who: &'static str, said: &impl Say) -> ControlError {
    ControlError::Unexpected { who, said: format!("{said:?}") }
}
