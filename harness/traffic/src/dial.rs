//! Connecting to a proxy.

use crate::{books::Ticket, clock, line::Endpoint, rest::Rest, socket::Socket, tls::Tls};
use squall_model::{ClientEnd, Leg};
use std::{io, sync::Arc, time::Duration};
use tokio::sync::Mutex as Turns;

/// Between two looks whether a proxy, or the machine, has room for a connection again.
const LOOK: Duration = Duration::from_millis(5);

/// Opens the connections of one run to one proxy.
#[derive(Debug)]
pub(crate) struct Dialer {
    endpoint: Endpoint,
    /// How they are secured; `None`: not at all.
    tls: Option<Tls>,
    /// What is not taken while a connection is opened, for nobody stamps the moment of that; what then comes in on it is stamped.
    rest: Option<Arc<Rest>>,
    /// Calls that wait for a place in the proxy's accept queue: one looks, the rest stand in line.
    queue: Turns<()>,
}

/// Why there is no connection.
enum Obstacle {
    Refused,
    /// The accept queue is full. A Unix socket says so; TCP would wait in silence.
    Queue,
    /// Out of file descriptors, ports or memory: our machine, not the proxy.
    Machine,
}

impl Dialer {
    pub(crate) fn new(endpoint: Endpoint, tls: Option<Tls>) -> Dialer {
        Dialer { endpoint, tls, rest: None, queue: Turns::default() }
    }

    /// What comes in over TCP is known by when it came, however late it is read: the thread rests while answers are waited for.
    pub(crate) fn rest(&mut self, rest: Arc<Rest>) {
        self.rest = Some(rest);
    }

    /// A new connection, secured if it is to be, however long the proxy lets it wait. Else how the call has ended.
    pub(crate) async fn dial(&self, ticket: &mut Ticket) -> Result<Socket, ClientEnd> {
        ticket.course().leg = Leg::Connecting;
        let _awake = self.rest.as_ref().map(Rest::awake);
        let began = clock::now();
        let mut socket = self.connect(ticket).await?;
        let connected = clock::now();
        ticket.connected(connected.since(began));
        if let Some(tls) = &self.tls {
            ticket.course().leg = Leg::Handshaking;
            socket.secure(tls).await.map_err(ClientEnd::Insecure)?;
            ticket.secured(clock::now().since(connected));
        }
        Ok(socket)
    }

    async fn connect(&self, ticket: &mut Ticket) -> Result<Socket, ClientEnd> {
        let mut turn = None;
        loop {
            match Socket::connect(&self.endpoint, self.rest.is_some()).await {
                Ok(socket) => return Ok(socket),
                Err(error) => match Obstacle::of(&error) {
                    Obstacle::Refused => return Err(ClientEnd::Refused),
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
