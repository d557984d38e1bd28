//! The runner's end of the control socket.

use super::{Ask, Ready, Say, State};
use squall_model::{Behaviour, Stamp};
use std::{io, path::Path, time::Duration};
use thiserror::Error;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
    time::{Instant, MissedTickBehavior, interval, timeout, timeout_at},
};

/// A workload that runs answers within this; one that does not is paused, starved or dead.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often the socket is tried until the workload is there.
const TICK: Duration = Duration::from_millis(2);

/// Why a workload could not be talked to.
#[derive(Debug, Error)]
pub enum ControlError {
    /// It was not ready in time.
    #[error("workload not ready within {within:?}: {last}")]
    NotReady {
        /// How long was waited.
        within: Duration,
        /// What the last attempt met with.
        last: String,
    },
    /// It did not answer in time; the connection is given up.
    #[error("no answer from the workload within {PATIENCE:?}")]
    Silent,
    /// The connection broke, now or earlier.
    #[error("control connection: {0}")]
    Io(#[from] io::Error),
    /// It refused.
    #[error("refused by the workload: {0}")]
    Refused(String),
    /// It answered with something else than what was asked.
    #[error("unexpected answer from the workload: `{0}`")]
    Unexpected(String),
}

/// A control connection to a workload that is ready.
///
/// A call that is dropped before it is answered, or is not answered in time, breaks the connection: what came next could
/// not be told apart from its answer.
#[derive(Debug)]
pub struct Control {
    /// `None` while a question is open.
    stream: Option<BufReader<UnixStream>>,
    ready: Ready,
}

impl Control {
    /// Connects as soon as the workload is ready, at the latest within `within`.
    ///
    /// # Errors
    /// [`ControlError::NotReady`] if it was not.
    pub async fn connect(path: &Path, within: Duration) -> Result<Control, ControlError> {
        let by = Instant::now() + within;
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
            Err(_) => Err(ControlError::NotReady { within, last }),
        }
    }

    /// What the workload said of itself when it was ready.
    #[must_use]
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Changes the behaviour; returns when it took effect: tries whose head is read after that moment have it.
    ///
    /// # Errors
    /// See [`ControlError`]; refused if the behaviour makes no sense.
    pub async fn set(&mut self, behaviour: &Behaviour) -> Result<Stamp, ControlError> {
        match self.ask(&Ask::Set(behaviour.clone())).await? {
            Say::Done(stamp) => Ok(stamp),
            other => Err(unexpected(&other)),
        }
    }

    /// Has a marker with this text written into the ledger; returns when that was done: every try that had ended by then is on
    /// an earlier line.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub async fn mark(&mut self, text: &str) -> Result<Stamp, ControlError> {
        match self.ask(&Ask::Mark(text.to_owned())).await? {
            Say::Done(stamp) => Ok(stamp),
            other => Err(unexpected(&other)),
        }
    }

    /// What the workload is doing.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub async fn state(&mut self) -> Result<State, ControlError> {
        match self.ask(&Ask::State {}).await? {
            Say::State(state) => Ok(state),
            other => Err(unexpected(&other)),
        }
    }

    /// Asks the workload to end as if by SIGTERM: it accepts no more, and finishes what is in flight.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub async fn quit(mut self) -> Result<(), ControlError> {
        match self.ask(&Ask::Quit {}).await? {
            Say::Bye {} => Ok(()),
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
        Say::Ready(ready) => Ok(Control { stream: Some(stream), ready }),
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
