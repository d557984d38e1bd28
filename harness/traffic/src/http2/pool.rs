//! The connections of one run to one proxy.
//!
//! As few as carry the calls in flight: a call takes a place on the first connection that has one, and opens another where the
//! proxy allows no more streams. So a call never waits for the answer to another one; the calls that come while a connection is
//! being opened wait for that, and no longer than they would for one of their own.

use super::connection::{Link, MAX_STREAMS};
use crate::{books::Ticket, clock, dial::Dialer, line::Endpoint, tls::Tls};
use squall_model::{ClientEnd, Leg, TlsFault};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::{Notify, OnceCell};

#[derive(Debug)]
pub(crate) struct Pool {
    dialer: Dialer,
    /// Most connections.
    cap: usize,
    connections: Mutex<Vec<Arc<Connection>>>,
    /// Streams that the proxy has allowed on a connection: taken to hold for the next one too until that has been told.
    allowed: AtomicUsize,
    /// A place has become free.
    freed: Notify,
}

/// A connection, from the moment somebody wants it.
#[derive(Debug, Default)]
struct Connection {
    /// Calls that have a place on it.
    taken: AtomicUsize,
    /// Empty until it is open.
    link: OnceCell<Link>,
}

impl Connection {
    /// Streams that may be open on it at a time, where it is open.
    fn allowed(&self) -> Option<usize> {
        self.link.get().map(Link::max_streams)
    }

    fn is_over(&self) -> bool {
        self.link.get().is_some_and(Link::is_over)
    }
}

impl Pool {
    pub(crate) fn new(endpoint: Endpoint, tls: Option<Tls>, cap: usize) -> Pool {
        Pool {
            dialer: Dialer::new(endpoint, tls),
            cap,
            connections: Mutex::default(),
            allowed: AtomicUsize::new(MAX_STREAMS),
            freed: Notify::new(),
        }
    }

    /// Leave to be in flight. Where every connection is full, and no more may be opened, the call waits, and the schedule has
    /// failed.
    pub(crate) async fn place(&self, ticket: &mut Ticket) -> Place<'_> {
        loop {
            if let Some(place) = self.free_place() {
                return place;
            }
            ticket.held(clock::now());
            self.freed.notified().await;
        }
    }

    fn free_place(&self) -> Option<Place<'_>> {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(|connection| !connection.is_over());
        if let Some(allowed) = connections.iter().find_map(|c| c.allowed()) {
            self.allowed.store(allowed, Ordering::Relaxed);
        }
        let has_room = |connection: &&Arc<Connection>| {
            connection.taken.load(Ordering::Relaxed) < connection.allowed().unwrap_or(self.allowed())
        };
        if let Some(connection) = connections.iter().find(has_room) {
            return Some(Place::take(self, Arc::clone(connection), false));
        }
        if connections.len() >= self.cap {
            return None;
        }
        let connection = Arc::<Connection>::default();
        connections.push(Arc::clone(&connection));
        Some(Place::take(self, connection, true))
    }

    fn allowed(&self) -> usize {
        self.allowed.load(Ordering::Relaxed)
    }
}

/// A call's place on a connection, held until the call has ended.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pool: &'a Pool,
    connection: Arc<Connection>,
    new: bool,
}

impl<'a> Place<'a> {
    fn take(pool: &'a Pool, connection: Arc<Connection>, new: bool) -> Place<'a> {
        connection.taken.fetch_add(1, Ordering::Relaxed);
        Place { pool, connection, new }
    }

    /// The connection, once it is open. Whoever needs it first opens it; if that call is given up, or is refused, the next tries.
    pub(crate) async fn link(&self, ticket: &mut Ticket) -> Result<&Link, ClientEnd> {
        let Pool { dialer, .. } = self.pool;
        ticket.course().leg = Leg::Connecting;
        self.connection.link.get_or_try_init(|| Link::open(dialer, self.pool.allowed(), ticket)).await
    }

    /// What ended the connection, if TLS did.
    pub(crate) fn fault(&self) -> Option<TlsFault> {
        self.connection.link.get()?.fault()
    }

    /// The connection was made for this call.
    pub(crate) fn is_on_a_new_connection(&self) -> bool {
        self.new
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.connection.taken.fetch_sub(1, Ordering::Relaxed);
        self.pool.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::Pool;
    use crate::{
        books::Books,
        call::{ActiveLine, Numbers},
        client::Client,
        clock, http2,
        line::{Endpoint, Line, Shape},
        request::Request,
    };
    use bytes::Bytes;
    use h2::{
        Reason,
        server::{self, Connection, SendResponse},
    };
    use squall_model::{ClientEnd, Protocol, Stamp};
    use std::{
        os::unix::net,
        sync::{Arc, mpsc},
    };
    use tempfile::TempDir;
    use tokio::net::UnixStream;

    /// A pool, and the listener of its proxy.
    fn pool() -> (Arc<Pool>, net::UnixListener, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proxy.sock");
        let listener = net::UnixListener::bind(&path).unwrap();
        (Arc::new(Pool::new(Endpoint::Unix(path), None, 10)), listener, folder)
    }

    /// Makes one call.
    async fn call(pool: Arc<Pool>) -> ClientEnd {
        let request = Request::new("GET", "a", "/").unwrap();
        let line = Line { protocol: Protocol::Http2, ..Line::new(0, vec![], request, Shape::Serial { calls: 1 }) };
        let client = Client::Http2(http2::Client::new(&line, vec![pool]).unwrap());
        let active = ActiveLine::new(&line, client, Numbers { first: 0, step: 1 });
        let books = Books::new(Stamp(0), 0);
        let ticket = active.open(&books.source(Stamp(0)), clock::now(), None).unwrap();
        active.make(ticket).await;
        let mut records = Vec::new();
        books.drain_into(&mut records);
        records[0].end
    }

    /// Accepts a connection and answers one call, on a thread of its own; says goodbye once it is told to, and tells that it has.
    fn serve_one(listener: &net::UnixListener) -> (mpsc::Sender<()>, mpsc::Receiver<()>) {
        let listener = listener.try_clone().unwrap();
        let ((go, told), (gone, tells)) = (mpsc::channel(), mpsc::channel());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut connection = accept(&listener, &server::Builder::new()).await;
                let (_, response) = connection.accept().await.unwrap().unwrap();
                answer(response);
                flush(&mut connection).await;
                // A test that is over by now wants no goodbye.
                if told.recv().is_err() {
                    return;
                }
                connection.abrupt_shutdown(Reason::NO_ERROR);
                assert!(connection.accept().await.is_none_or(|ended| ended.is_err()));
            });
            gone.send(()).ok();
        });
        (go, tells)
    }

    async fn accept(listener: &net::UnixListener, builder: &server::Builder) -> Connection<UnixStream, Bytes> {
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        builder.handshake(UnixStream::from_std(stream).unwrap()).await.unwrap()
    }

    async fn flush(connection: &mut Connection<UnixStream, Bytes>) {
        tokio::select! {
            biased;
            _ = connection.accept() => panic!("another call, or the end"),
            () = std::future::ready(()) => {}
        }
    }

    fn answer(mut response: SendResponse<Bytes>) {
        response.send_response(http::Response::new(()), true).unwrap();
    }

    /// Not even a turn of tokio's poll lies between the close and the call.
    #[tokio::test]
    async fn a_call_after_an_idle_close_is_sent_on_a_new_connection() {
        let (pool, listener, _folder) = pool();
        let (go, gone) = serve_one(&listener);
        assert_eq!(call(Arc::clone(&pool)).await, ClientEnd::Answered(200));
        go.send(()).unwrap();
        gone.recv().unwrap();
        let (_go, _gone) = serve_one(&listener);
        // On a task, as every call is.
        assert_eq!(tokio::spawn(call(pool)).await.unwrap(), ClientEnd::Answered(200));
    }

    /// What the proxy allows counts from the moment at which it has said so, which is before its first answer.
    #[tokio::test]
    async fn a_connection_carries_as_many_streams_as_its_proxy_allows() {
        let (pool, listener, _folder) = pool();
        let (counted, counts) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut builder = server::Builder::new();
                builder.max_concurrent_streams(3);
                let mut first = accept(&listener, &builder).await;
                answer(first.accept().await.unwrap().unwrap().1);
                // Nobody is answered before all three connections have what they are to have.
                let mut open = Vec::new();
                for _ in 0..3 {
                    open.push(first.accept().await.unwrap().unwrap());
                }
                let (mut second, mut third) = (accept(&listener, &builder).await, accept(&listener, &builder).await);
                for _ in 0..3 {
                    open.push(second.accept().await.unwrap().unwrap());
                }
                open.push(third.accept().await.unwrap().unwrap());
                open.into_iter().for_each(|(_, response)| answer(response));
                for connection in [&mut first, &mut second, &mut third] {
                    flush(connection).await;
                }
                counted.send(()).unwrap();
                let _ = tokio::join!(first.accept(), second.accept(), third.accept());
            });
        });
        assert_eq!(call(Arc::clone(&pool)).await, ClientEnd::Answered(200));
        let calls: Vec<_> = (0..7).map(|_| tokio::spawn(call(Arc::clone(&pool)))).collect();
        for call in calls {
            assert_eq!(call.await.unwrap(), ClientEnd::Answered(200));
        }
        counts.recv().unwrap();
    }
}
