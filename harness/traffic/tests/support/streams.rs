//! A server that speaks HTTP/2 and does as a test says, on a Unix socket in a folder of its own.

use super::{Seen, Watch, get};
use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, server};
use http::{HeaderMap, HeaderValue, Request, Response};
use squall_model::Protocol;
use squall_traffic::{Endpoint, Line, Shape};
use std::{future::poll_fn, rc::Rc, sync::Arc};
use tempfile::TempDir;
use tokio::{
    net::{UnixListener, UnixStream},
    sync::mpsc,
    task::LocalSet,
};

pub(crate) struct StreamServer {
    pub(crate) endpoint: Endpoint,
    pub(crate) watch: Arc<Watch>,
    _folder: TempDir,
}

/// One call as the server has it.
pub(crate) struct Exchange {
    pub(crate) seen: Seen,
    pub(crate) request: Request<RecvStream>,
    pub(crate) response: server::SendResponse<Bytes>,
    pub(crate) watch: Arc<Watch>,
    connection: mpsc::UnboundedSender<Act>,
}

/// What a call may have its whole connection do.
enum Act {
    /// GOAWAY, and what is open is finished.
    GoAway,
    /// Close without a word.
    Close,
}

impl StreamServer {
    pub(crate) fn start(answer: impl AsyncFn(Exchange) + Send + 'static) -> StreamServer {
        StreamServer::with(server::Builder::new(), answer)
    }

    pub(crate) fn with(builder: server::Builder, answer: impl AsyncFn(Exchange) + Send + 'static) -> StreamServer {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("proxy.sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        let watch = Arc::<Watch>::default();
        let watching = Arc::clone(&watch);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            LocalSet::new().block_on(&runtime, accept(listener, builder, Rc::new(answer), watching));
        });
        StreamServer { endpoint: Endpoint::Unix(path), watch, _folder: folder }
    }

    /// One that answers every request at once.
    pub(crate) fn prompt() -> StreamServer {
        StreamServer::start(async |exchange| exchange.ok())
    }

    /// A line of traffic to this server.
    pub(crate) fn line(&self, protocol: Protocol, shape: Shape) -> Line {
        Line { protocol, ..Line::new(0, vec![self.endpoint.clone()], get(), shape) }
    }
}

async fn accept<A: AsyncFn(Exchange) + 'static>(
    listener: std::os::unix::net::UnixListener,
    builder: server::Builder,
    answer: Rc<A>,
    watch: Arc<Watch>,
) {
    let listener = UnixListener::from_std(listener).unwrap();
    for connection in 0.. {
        let (stream, _) = listener.accept().await.unwrap();
        watch.log.lock().unwrap().open += 1;
        let (answer, watch, builder) = (Rc::clone(&answer), Arc::clone(&watch), builder.clone());
        tokio::task::spawn_local(async move {
            serve(stream, connection, &builder, answer, &watch).await;
            watch.log.lock().unwrap().open -= 1;
            watch.changed.notify_all();
        });
    }
}

async fn serve<A: AsyncFn(Exchange) + 'static>(
    stream: UnixStream,
    connection: usize,
    builder: &server::Builder,
    answer: Rc<A>,
    watch: &Arc<Watch>,
) {
    let Ok(mut open) = builder.handshake::<_, Bytes>(stream).await else { return };
    let (acts, mut inbox) = mpsc::unbounded_channel();
    loop {
        let accepted = tokio::select! {
            biased;
            act = inbox.recv() => match act {
                Some(Act::GoAway) => {
                    open.graceful_shutdown();
                    continue;
                }
                Some(Act::Close) | None => return,
            },
            accepted = open.accept() => accepted,
        };
        let Some(Ok((request, response))) = accepted else { return };
        let seen = note(&request, connection, watch);
        let exchange = Exchange { seen, request, response, watch: Arc::clone(watch), connection: acts.clone() };
        let answer = Rc::clone(&answer);
        tokio::task::spawn_local(async move { answer(exchange).await });
    }
}

fn note(request: &Request<RecvStream>, connection: usize, watch: &Watch) -> Seen {
    let mut head = format!("{} {}\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        head += &format!("{name}: {}\n", value.to_str().unwrap());
    }
    let mut log = watch.log.lock().unwrap();
    let seen = Seen { order: log.seen.len(), connection, head, at: squall_traffic::now() };
    log.seen.push(seen.clone());
    watch.changed.notify_all();
    seen
}

impl Exchange {
    /// Sends a head of this status; the body is to follow.
    pub(crate) fn head(&mut self, status: u16) -> SendStream<Bytes> {
        self.response.send_response(response(status, &[]), false).unwrap()
    }

    /// Sends a head and nothing else.
    pub(crate) fn only(mut self, status: u16, headers: &[(&'static str, &str)]) {
        self.response.send_response(response(status, headers), true).unwrap();
    }

    pub(crate) fn ok(mut self) {
        self.head(200).send_data("ok".into(), true).unwrap();
    }

    /// A whole answer of gRPC.
    pub(crate) fn grpc(mut self, status: &str) {
        let mut body = self.head(200);
        body.send_data(MESSAGE, false).unwrap();
        body.send_trailers(trailers(status)).unwrap();
    }

    /// Waits for the end of the stream, and says why it ended; `None`: with its connection.
    pub(crate) async fn reset_by_peer(&mut self) -> Option<Reason> {
        poll_fn(|cx| self.response.poll_reset(cx)).await.ok()
    }

    /// Reads the body of the request to its end.
    pub(crate) async fn body(&mut self) -> Vec<u8> {
        let (mut whole, body) = (Vec::new(), self.request.body_mut());
        while let Some(piece) = body.data().await {
            whole.extend_from_slice(&piece.unwrap());
        }
        whole
    }

    pub(crate) fn go_away(&self) {
        assert!(self.connection.send(Act::GoAway).is_ok());
    }

    pub(crate) fn close(&self) {
        assert!(self.connection.send(Act::Close).is_ok());
    }
}

/// Lets the connection send what it has.
pub(crate) async fn flushed() {
    tokio::task::yield_now().await;
}

/// A message of gRPC.
pub(crate) const MESSAGE: Bytes = Bytes::from_static(b"\0\0\0\0\x02ok");

pub(crate) fn trailers(status: &str) -> HeaderMap {
    HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_str(status).unwrap())])
}

fn response(status: u16, headers: &[(&'static str, &str)]) -> Response<()> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(()).unwrap()
}

/// A frame as it stands on the wire (RFC 9113 section 4.1), for what no library would send.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

pub(crate) const SETTINGS: u8 = 4;
pub(crate) const GOAWAY: u8 = 7;
