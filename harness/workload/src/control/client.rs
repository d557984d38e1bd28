//! The runner's end of the control socket.

use super::{Ask, Ready, Say, State};
use squall_child::{Connection, ControlError};
use squall_model::{Behaviour, Stamp};
use std::{path::Path, time::Duration};

/// A control connection to a workload that is ready. What is said of a question that is dropped holds of every call: see
/// [`Connection`].
#[derive(Debug)]
pub struct Control {
    connection: Connection,
    ready: Ready,
}

impl Control {
    /// Connects as soon as the workload is ready, at the latest within `within`.
    ///
    /// # Errors
    /// [`ControlError::NotReady`] if it was not.
    pub async fn connect(path: &Path, within: Duration) -> Result<Control, ControlError> {
        let (connection, ready) = Connection::connect("workload", path, within, |said| match said {
            Say::Ready(ready) => Ok(ready),
            other => Err(other),
        })
        .await?;
        Ok(Control { connection, ready })
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
        self.done(&Ask::Set(behaviour.clone())).await
    }

    /// Has a marker with this text written into the ledger; returns when that was done: every try that had ended by then is on
    /// an earlier line.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub async fn mark(&mut self, text: &str) -> Result<Stamp, ControlError> {
        self.done(&Ask::Mark(text.to_owned())).await
    }

    /// What the workload is doing.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub async fn state(&mut self) -> Result<State, ControlError> {
        match self.connection.ask(&Ask::State {}).await? {
            Say::State(state) => Ok(state),
            other => Err(self.connection.unexpected(&other)),
        }
    }

    /// Asks the workload to end as if by SIGTERM: it accepts no more, and finishes what is in flight.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub async fn quit(mut self) -> Result<(), ControlError> {
        match self.connection.ask(&Ask::Quit {}).await? {
            Say::Bye {} => Ok(()),
            other => Err(self.connection.unexpected(&other)),
        }
    }

    async fn done(&mut self, ask: &Ask) -> Result<Stamp, ControlError> {
        match self.connection.ask(ask).await? {
            Say::Done(stamp) => Ok(stamp),
            other => Err(self.connection.unexpected(&other)),
        }
    }
}
