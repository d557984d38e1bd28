//! The runner's end of the control socket.

use super::{
    Ask, Ready, Say,
    heartbeat::{Heartbeat, Lapse},
};
use crate::clock;
use squall_child::{Connection, ControlError as Failure};
use squall_model::{Damage, Stamp, Wire};
use std::{net::SocketAddr, path::Path, time::Duration};
use thiserror::Error;

/// Why a link could not be talked to, or did not do what it was asked.
#[derive(Debug, Error)]
pub enum ControlError {
    /// As any child.
    #[error(transparent)]
    Child(#[from] Failure),
    /// The lease on the damage before ran out: the wires have been clean since. Nothing was changed; the next attempt is good.
    #[error("the lease on damage ran out, and the wires are clean")]
    Lapsed {
        /// Since when they are.
        at: Stamp,
    },
}

/// A control connection to a link that is ready, and the heartbeat that keeps alive the damage that it asks for. When it is
/// dropped all damage ends. What is said of a question that is dropped holds of every call: see [`Connection`].
#[derive(Debug)]
pub struct Control {
    connection: Connection,
    ready: Ready,
    lapse: Lapse,
    _heartbeat: Heartbeat,
}

impl Control {
    /// Connects as soon as the link is ready, at the latest within `patience`.
    ///
    /// # Errors
    /// [`NotReady`](Failure::NotReady) if it was not.
    pub async fn connect(path: &Path, patience: Duration) -> Result<Control, ControlError> {
        let (connection, ready) = Connection::connect("link", path, patience, |said| match said {
            Say::Ready(ready) => Ok(ready),
            other => Err(other),
        })
        .await?;
        let lapse = Lapse::default();
        let heartbeat = Heartbeat::start(path, lapse.clone(), clock::now()).map_err(Failure::from)?;
        Ok(Control { connection, ready, lapse, _heartbeat: heartbeat })
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
        match self.connection.ask(&Ask::Quit {}).await? {
            Say::Bye {} => Ok(()),
            other => Err(self.connection.unexpected(&other).into()),
        }
    }

    async fn done(&mut self, ask: &Ask) -> Result<Stamp, ControlError> {
        match self.connection.ask(ask).await? {
            Say::Done(at) => Ok(at),
            Say::Lapsed(at) => {
                self.lapse.tell(at);
                Err(ControlError::Lapsed { at })
            }
            other => Err(self.connection.unexpected(&other).into()),
        }
    }
}
