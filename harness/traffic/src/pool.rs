//! The connections of one run to one proxy.
//!
//! As many as there are calls in flight: a call never waits for the answer to another one. Idle ones are kept, the last used
//! first, until the run is over.

use crate::{books::Ticket, clock, connection::Connection, line::Endpoint};
use std::{
    io,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{Mutex as Turns, Semaphore, SemaphorePermit};

/// Between two looks whether a proxy, or the machine, has room for a connection again.
const LOOK: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(crate) struct Pool {
    endpoint: Endpoint,
    idle: Mutex<Vec<Connection>>,
    /// One permit a call in flight.
    room: Semaphore,
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

impl Pool {
    pub(crate) fn new(endpoint: Endpoint, cap: usize) -> Pool {
        let room = Semaphore::new(cap.min(Semaphore::MAX_PERMITS));
        Pool { endpoint, idle: Mutex::default(), room, queue: Turns::default() }
    }

    /// Leave to be in flight. Where the cap is reached the call waits, and the schedule has failed.
    pub(crate) async fn room(&self, ticket: &mut Ticket) -> Option<SemaphorePermit<'_>> {
        if let Ok(permit) = self.room.try_acquire() {
            return Some(permit);
        }
        ticket.starved();
        self.room.acquire().await.ok()
    }

    /// An idle connection that the proxy has not closed in the meantime.
    pub(crate) fn idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(connection) = idle.pop() {
            if connection.is_fresh() {
                return Some(connection);
            }
        }
        None
    }

    pub(crate) fn give_back(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    /// A new connection, however long the proxy lets it wait.
    pub(crate) async fn connect(&self, ticket: &mut Ticket) -> Result<Connection, Refused> {
        let mut turn = None;
        loop {
            match Connection::open(&self.endpoint).await {
                Ok(connection) => return Ok(connection),
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
