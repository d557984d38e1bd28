//! Connecting to a proxy.

use crate::{books::Ticket, clock, line::Endpoint, socket::Socket};
use std::{io, time::Duration};
use tokio::sync::Mutex as Turns;

/// Between two looks whether a proxy, or the machine, has room for a connection again.
const LOOK: Duration = Duration::from_millis(5);

/// Opens the connections of one run to one proxy.
#[derive(Debug)]
pub(crate) struct Dialer {
    endpoint: Endpoint,
    /// Calls that wait for a place in the proxy's accept queue: one looks, the rest stand in line.
    queue: Turns<()>,
}

/// The proxy does not take connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

/// Why there is no connection.
enum Obstacle {
    Refused,
    /// The accept queue is full. A Unix socket says so; TCP would wait in silence.
    Queue,
    /// Out of file descriptors, ports or memory: our machine, not the proxy.
    Machine,
}

impl Dialer {
    pub(crate) fn new(endpoint: Endpoint) -> Dialer {
        Dialer { endpoint, queue: Turns::default() }
    }

    /// A new connection, however long the proxy lets it wait.
    pub(crate) async fn dial(&self, ticket: &mut Ticket) -> Result<Socket, Refused> {
        let mut turn = None;
        loop {
            match Socket::connect(&self.endpoint).await {
                Ok(socket) => return Ok(socket),
                Err(error) => match Obstacle::of(&error) {
                    Obstacle::Refused => return Err(Refused),
                    Obstacle::Queue => {}
                    Obstacle::Machine => ticket.starved(),
                },
            }
            if turn.is_none() {
                turn = Some(self.queue.lock().await);
            } else {
                tokio::time::sleep_until(clock::instant(clock::now() + LOOK)).await;
            }
        }
    }
}

impl Obstacle {
    fn of(error: &io::Error) -> Obstacle {
        use nix::libc::{EADDRNOTAVAIL, EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM};
        match error.raw_os_error() {
            Some(EAGAIN) => Obstacle::Queue,
            Some(EMFILE | ENFILE | ENOBUFS | ENOMEM | EADDRNOTAVAIL) => Obstacle::Machine,
            _ if error.kind() == io::ErrorKind::WouldBlock => Obstacle::Queue,
            _ => Obstacle::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn obstacles() {
        use nix::libc;
        let of = |code| Obstacle::of(&io::Error::from_raw_os_error(code));
        assert!(matches!(of(libc::ECONNREFUSED), Obstacle::Refused));
        assert!(matches!(of(libc::ENOENT), Obstacle::Refused));
        assert!(matches!(of(libc::EAGAIN), Obstacle::Queue));
        assert!(matches!(of(libc::EMFILE), Obstacle::Machine));
    }
}
