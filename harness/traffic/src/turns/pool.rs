//! The connections of one run to one proxy.
//!
//! As many as there are calls in flight: a call never waits for the answer to another one. Idle ones are kept, the last used
//! first, until the run is over.

use super::connection::Connection;
use crate::{books::Ticket, clock, dial::Dialer, line::Endpoint, rest::Rest, tls::Tls};
use squall_model::ClientEnd;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, SemaphorePermit};

#[derive(Debug)]
pub(crate) struct Pool {
    dialer: Dialer,
    idle: Mutex<Vec<Connection>>,
    /// One permit a call in flight.
    room: Semaphore,
    /// Its connections are upgraded to WebSocket.
    upgraded: bool,
}

impl Pool {
    pub(crate) fn new(endpoint: Endpoint, tls: Option<Tls>, cap: usize) -> Pool {
        let room = Semaphore::new(cap.min(Semaphore::MAX_PERMITS));
        Pool { dialer: Dialer::new(endpoint, tls), idle: Mutex::default(), room, upgraded: false }
    }

    /// The same of connections that are upgraded to WebSocket.
    pub(crate) fn upgraded(endpoint: Endpoint, tls: Option<Tls>, cap: usize) -> Pool {
        let mut pool = Pool::new(endpoint, tls, cap);
        pool.upgraded = true;
        pool
    }

    /// Of connections that know when what they read came in.
    pub(crate) fn resting(mut self, rest: Arc<Rest>) -> Pool {
        self.dialer.rest(rest);
        self
    }

    /// Leave to be in flight; `None` where the run was aborted meanwhile. Where the cap is reached the call waits, and the schedule has failed.
    pub(crate) async fn room(&self, ticket: &mut Ticket) -> Option<SemaphorePermit<'_>> {
        if let Ok(permit) = self.room.try_acquire() {
            return Some(permit);
        }
        ticket.held(clock::now());
        let permit = self.room.acquire().await.ok()?;
        (!ticket.came_too_late()).then_some(permit)
    }

    /// An idle connection that the proxy has not closed in the meantime.
    pub(crate) fn idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(mut connection) = idle.pop() {
            let is_good = if self.upgraded { connection.is_attended() } else { connection.is_fresh() };
            if is_good {
                return Some(connection);
            }
        }
        None
    }

    pub(crate) fn give_back(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    /// A new connection, however long the proxy lets it wait.
    pub(crate) async fn connect(&self, ticket: &mut Ticket) -> Result<Connection, ClientEnd> {
        // Boxed, for a call that finds a connection has no use for the room that this takes.
        Box::pin(self.dialer.dial(ticket)).await.map(Connection::new)
    }
}

/// A WebSocket is not left without a word.
impl Drop for Pool {
    fn drop(&mut self) {
        if self.upgraded {
            let idle = self.idle.get_mut().unwrap_or_else(PoisonError::into_inner);
            idle.iter().for_each(Connection::take_leave);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        books::{Books, tests::record},
        call::{ActiveLine, Numbers},
        client::Client,
        http1,
        line::{Line, Shape},
        request::Request,
        socket::Socket,
        turns,
    };
    use squall_model::Stamp;
    use std::{
        io::{Read as _, Write as _},
        net::{TcpListener, TcpStream},
    };

    const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

    /// A pool with an idle connection in it, and the other end of that.
    ///
    /// Over TCP, where the kernel takes a first write for a connection that the other side has closed.
    async fn idle() -> (Arc<Pool>, TcpListener, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::Tcp(listener.local_addr().unwrap());
        let connection = Connection::new(Socket::connect(&endpoint, false).await.unwrap());
        let pool = Arc::new(Pool::new(endpoint, None, 10));
        pool.give_back(connection);
        let (proxy, _) = listener.accept().unwrap();
        (pool, listener, proxy)
    }

    /// Makes one call; whoever accepts the next connection answers it.
    async fn call(pool: &Arc<Pool>, listener: TcpListener) -> ClientEnd {
        let line = Line::new(0, vec![], Request::new("GET", "a", "/").unwrap(), Shape::Serial { calls: 1 });
        let client = Client::Turns(turns::Client::new(&line, vec![Arc::clone(pool)]).unwrap());
        let active = ActiveLine::new(&line, client, Numbers { first: 0, step: 1 });
        let books = Books::new(Stamp(0), 0);
        let ticket = active.open(&books.source(Stamp(0)), clock::now(), None).unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
            stream.write_all(OK).unwrap();
        });
        active.make(ticket).await;
        let mut records = Vec::new();
        books.drain_into(&mut records);
        records[0].end
    }

    #[tokio::test]
    async fn an_open_idle_connection_is_used_again() {
        let (pool, _listener, _proxy) = idle().await;
        assert!(pool.idle().is_some());
        assert!(pool.idle().is_none());
    }

    /// Not even a turn of tokio's poll lies between the close and the call.
    #[tokio::test]
    async fn a_call_after_an_idle_close_is_sent_on_a_new_connection() {
        let (pool, listener, proxy) = idle().await;
        drop(proxy);
        assert_eq!(call(&pool, listener).await, ClientEnd::Answered(200));
    }

    /// What was said on an idle connection would be taken for the answer to the next call.
    #[tokio::test]
    async fn a_connection_that_spoke_unasked_is_not_used() {
        let (pool, listener, mut proxy) = idle().await;
        proxy.write_all(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n").unwrap();
        assert_eq!(call(&pool, listener).await, ClientEnd::Answered(200));
    }

    /// Once the proxy's side has the request, its end is the call's end, on a used connection as on a new one.
    #[tokio::test]
    async fn a_close_after_the_request_is_a_reset() {
        let (pool, _listener, mut proxy) = idle().await;
        let mut connection = pool.idle().unwrap();
        connection.send(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert!(proxy.read(&mut [0; 1024]).unwrap() > 0);
        drop(proxy);
        let books = Books::new(Stamp(0), 0);
        let mut ticket = books.source(Stamp(0)).open(record(0, 0)).unwrap();
        assert_eq!(connection.receive(&mut http1::Answer::new(false), &mut ticket).await, (ClientEnd::Reset, false));
    }

    /// The race that no look beforehand can win: as long as the kernel takes no byte, the call has not been sent.
    #[tokio::test]
    async fn a_close_before_the_first_byte_is_told_from_one_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proxy.sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let mut connection = Connection::new(Socket::connect(&Endpoint::Unix(path), false).await.unwrap());
        drop(listener.accept().unwrap());
        assert_eq!(
            connection.send(b"GET / HTTP/1.1\r\n\r\n").await,
            Err(super::super::connection::SendFailure::Nothing)
        );
    }
}
