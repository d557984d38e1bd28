//! Onward calls over HTTP/2 and gRPC.

use super::{CONNECTION_WINDOW, MAX_GIVEN_UP, MAX_HEAD, STREAM_WINDOW, grpc, io::Io};
use crate::{
    Endpoint, REQUEST_ID, USER,
    ending::Answered,
    onward::{Ask, NoAnswer},
    socket::Stream,
};
use bytes::Bytes;
use h2::client::{self, ResponseFuture, SendRequest};
use http::{Method, Request, Uri, header};
use squall_model::{GRPC_METHOD, ServiceName};
use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
};
use tokio::sync::Mutex as Turns;

/// The connections to the proxy that leads to a service: as few as carry the calls in flight.
#[derive(Debug)]
pub(crate) struct Client {
    via: Endpoint,
    grpc: bool,
    connections: RefCell<Vec<Rc<Connection>>>,
    opening: Turns<()>,
}

/// A connection, which a task of its own drives to its end.
#[derive(Debug)]
struct Connection {
    sender: SendRequest<Bytes>,
    /// Held by that task, and gone with it.
    socket: Weak<Stream>,
    /// It has refused a call.
    refused: Cell<bool>,
    in_flight: Cell<usize>,
}

impl Client {
    pub(crate) fn new(via: Endpoint, grpc: bool) -> Client {
        Client { via, grpc, connections: RefCell::default(), opening: Turns::default() }
    }

    /// One request, one answer. Nothing is sent twice: a retry is the proxy's business, and seen in its logs. Dropped, it is
    /// given up, and its stream reset.
    pub(crate) async fn exchange(&self, service: &ServiceName, ask: &Ask<'_>) -> Result<Answered, NoAnswer> {
        let request = render(service, ask, self.grpc)?;
        let (_place, response) = self.send(request).await?;
        let (head, mut body) = response.await?.into_parts();
        let mut lone_head = true;
        while let Some(piece) = body.data().await {
            let length = piece?.len();
            lone_head &= length == 0;
            // An error would mean that more was released than came.
            let _ = body.flow_control().release_capacity(length);
        }
        let trailers = body.trailers().await?;
        let status = head.status.as_u16();
        Ok(match self.grpc {
            true => grpc::answered(status, &head.headers, trailers.as_ref(), lone_head),
            false => Answered { status, grpc: None },
        })
    }

    /// Hands the request over. A connection that has ended meanwhile takes none, and has sent nothing then.
    async fn send(&self, request: Request<()>) -> Result<(Place, ResponseFuture), NoAnswer> {
        loop {
            let (place, is_new) = self.place().await?;
            place.0.hear().await;
            match place.0.send(request.clone(), self.grpc) {
                Ok(response) => return Ok((place, response)),
                Err(error) if is_new => return Err(error.into()),
                Err(_) => {}
            }
        }
    }

    /// A place on a connection that has room, else on a new one, and whether it is new.
    async fn place(&self) -> Result<(Place, bool), NoAnswer> {
        if let Some(place) = self.free_place() {
            return Ok((place, false));
        }
        // One at a time: what is opened for one call is there for those that come meanwhile.
        let _turn = self.opening.lock().await;
        match self.free_place() {
            Some(place) => Ok((place, false)),
            None => Ok((Place::on(self.connect().await?), true)),
        }
    }

    fn free_place(&self) -> Option<Place> {
        let mut connections = self.connections.borrow_mut();
        connections.retain(|connection| !connection.is_over());
        connections.iter().find(|connection| connection.has_room()).map(|connection| Place::on(Rc::clone(connection)))
    }

    async fn connect(&self) -> Result<Rc<Connection>, NoAnswer> {
        let socket = Rc::new(Stream::connect(&self.via).await?);
        let weak = Rc::downgrade(&socket);
        let (sender, connection) = builder().handshake::<_, Bytes>(Io::new(socket)).await?;
        tokio::task::spawn_local(async move {
            // What went wrong is told to each call that it concerns.
            let _ = connection.await;
        });
        let open = Connection { sender, socket: weak, refused: Cell::new(false), in_flight: Cell::new(0) };
        let connection = Rc::new(open);
        self.connections.borrow_mut().push(Rc::clone(&connection));
        Ok(connection)
    }
}

impl Connection {
    fn is_over(&self) -> bool {
        self.refused.get() || self.socket.strong_count() == 0
    }

    fn has_room(&self) -> bool {
        self.in_flight.get() < self.sender.current_max_send_streams()
    }

    /// Lets the connection's own task read what has come in, if it has not: it may be the end of the connection.
    async fn hear(&self) {
        if self.socket.upgrade().is_some_and(|socket| !socket.is_quiet()) {
            tokio::task::yield_now().await;
        }
    }

    fn send(&self, request: Request<()>, grpc: bool) -> Result<ResponseFuture, h2::Error> {
        let sent = self.sender.clone().send_request(request, !grpc);
        let (response, mut body) = sent.inspect_err(|_| self.refused.set(true))?;
        if grpc {
            // If the stream has ended already, its answer says how.
            let _ = body.send_data(grpc::EMPTY, true);
        }
        Ok(response)
    }
}

/// A call's place on a connection, held until the call has ended.
#[derive(Debug)]
struct Place(Rc<Connection>);

impl Place {
    fn on(connection: Rc<Connection>) -> Place {
        connection.in_flight.set(connection.in_flight.get() + 1);
        Place(connection)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get() - 1);
    }
}

fn builder() -> client::Builder {
    let mut builder = client::Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEAD)
        .max_concurrent_reset_streams(MAX_GIVEN_UP)
        .max_local_error_reset_streams(None)
        .data_frame_budget(usize::MAX);
    builder
}

fn render(service: &ServiceName, ask: &Ask<'_>, grpc: bool) -> Result<Request<()>, http::Error> {
    let path = if grpc && ask.path == "/" { GRPC_METHOD } else { ask.path };
    let uri = Uri::builder().scheme("http").authority(service.as_str()).path_and_query(path).build()?;
    let mut request = Request::builder().uri(uri);
    if grpc {
        let of_grpc = request.method(Method::POST).header(header::TE, "trailers");
        request = of_grpc.header(header::CONTENT_TYPE, grpc::CONTENT_TYPE);
    }
    if !ask.id.is_empty() {
        request = request.header(REQUEST_ID, ask.id);
    }
    if let Some(user) = ask.user {
        request = request.header(USER, user);
    }
    if let Some((name, value)) = ask.deadline.header() {
        request = request.header(name, value);
    }
    request.body(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadline::Deadline;
    use std::{future::poll_fn, os::unix::net::UnixListener, sync::mpsc, task::Poll};
    use tokio::runtime::{Builder, LocalOptions};

    fn rendered(path: &str, grpc: bool) -> String {
        let deadline = Deadline::read(|name| (name == "x-envoy-expected-rq-timeout-ms").then_some(b"250"));
        let ask = Ask { id: "run-7.ratings.1", path, user: Some("user-3"), deadline };
        let request = render(&"ratings".into(), &ask, grpc).unwrap();
        let mut text = format!("{} {}", request.method(), request.uri());
        for (name, value) in request.headers() {
            text += &format!("\n{name}: {}", value.to_str().unwrap());
        }
        text
    }

    #[test]
    fn requests_are_rendered() {
        let fields = "\nx-request-id: run-7.ratings.1\nx-squall-user: user-3\ngrpc-timeout: 250000u";
        assert_eq!(rendered("/5?x=1", false), format!("GET http://ratings/5?x=1{fields}"));
        let call = "te: trailers\ncontent-type: application/grpc";
        assert_eq!(rendered("/", true), format!("POST http://ratings/squall.Service/Call\n{call}{fields}"));
        assert_eq!(rendered("/a.B/C", true), format!("POST http://ratings/a.B/C\n{call}{fields}"));
    }

    /// Accepts a connection and answers one call; closes it once it is told to, and tells that it has.
    fn serve_one(listener: &UnixListener, told: &mpsc::Receiver<()>, tells: &mpsc::Sender<()>) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (stream, _) = listener.accept().unwrap();
            stream.set_nonblocking(true).unwrap();
            let stream = tokio::net::UnixStream::from_std(stream).unwrap();
            let mut connection = h2::server::handshake(stream).await.unwrap();
            let (_, mut response) = connection.accept().await.unwrap().unwrap();
            response.send_response(http::Response::new(()), true).unwrap();
            let answered = poll_fn(|cx| {
                assert!(connection.poll_accept(cx).is_pending());
                Poll::Ready(())
            });
            answered.await;
            told.recv().unwrap();
        });
        tells.send(()).unwrap();
    }

    /// Not even a turn of tokio's poll lies between the close and the call.
    #[test]
    fn a_call_after_an_idle_close_is_sent_on_a_new_connection() {
        let folder = tempfile::tempdir().unwrap();
        let via = folder.path().join("out");
        let listener = UnixListener::bind(&via).unwrap();
        let ((go, told), (tells, gone)) = (mpsc::channel(), mpsc::channel());
        let proxy = std::thread::spawn(move || (0..2).for_each(|_| serve_one(&listener, &told, &tells)));
        let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
        // On a task, as every try is.
        let calls = async move {
            let client = Client::new(Endpoint::Unix(via), false);
            for _ in 0..2 {
                let ask = Ask { id: "", path: "/", user: None, deadline: Deadline::default() };
                let answered = client.exchange(&"ratings".into(), &ask).await.unwrap();
                assert_eq!(answered.status, 200);
                go.send(()).unwrap();
                gone.recv().unwrap();
            }
        };
        runtime.block_on(async { tokio::task::spawn_local(calls).await.unwrap() });
        proxy.join().unwrap();
    }
}
