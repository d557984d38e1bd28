//! One connection from its first try to its last.

use super::{CONNECTION_WINDOW, MAX_GIVEN_UP, MAX_HEAD, STREAM_WINDOW, grpc, io::Io, reply};
use crate::{caller::Caller, head::Head, job::Job, service::Service, socket::Stream};
use bytes::Bytes;
use h2::{
    RecvStream,
    server::{self, SendResponse},
};
use http::request::Parts;
use squall_model::Protocol;
use std::{cell::Cell, future::poll_fn, rc::Rc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Serves the tries of one connection, each in a task of its own, until either side has had enough.
pub(crate) async fn converse(service: Rc<Service>, stream: Stream, tries: TaskTracker) {
    let socket = Rc::new(stream);
    let hangup = Rc::new(Hangup::default());
    if let Err(error) = listen(&service, &socket, &hangup, &tries).await {
        tracing::debug!(%error, "a connection failed");
    }
    // Whether the peer reads them or not, it is hung up on.
    let _ = socket.write(hangup.last_words.get()).await;
}

/// The end of a connection at a try's wish: no GOAWAY, and whatever is open on it is over.
#[derive(Debug, Default)]
pub(crate) struct Hangup {
    wished: CancellationToken,
    last_words: Cell<&'static [u8]>,
}

impl Hangup {
    pub(crate) fn after(&self, last_words: &'static [u8]) {
        self.last_words.set(last_words);
        self.wished.cancel();
    }
}

async fn listen(
    service: &Rc<Service>,
    socket: &Rc<Stream>,
    hangup: &Rc<Hangup>,
    tries: &TaskTracker,
) -> Result<(), h2::Error> {
    let builder = builder();
    let mut connection = tokio::select! {
        biased;
        connection = builder.handshake(Io::new(Rc::clone(socket))) => connection?,
        () = service.stop.cancelled() => return Ok(()),
    };
    let mut leaving = false;
    loop {
        // A try that has arrived is served even when the process is to end.
        let accepted = tokio::select! {
            biased;
            () = hangup.wished.cancelled() => return Ok(()),
            accepted = connection.accept() => accepted,
            () = service.stop.cancelled(), if !leaving => {
                leaving = true;
                connection.graceful_shutdown();
                continue;
            }
        };
        let Some(accepted) = accepted else { return Ok(()) };
        let (request, response) = accepted?;
        let (parts, body) = request.into_parts();
        tries.spawn_local(serve(Rc::clone(service), parts, Asker { body, response }, Rc::clone(hangup)));
    }
}

fn builder() -> server::Builder {
    let mut builder = server::Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEAD)
        .max_concurrent_reset_streams(MAX_GIVEN_UP)
        .max_pending_accept_reset_streams(MAX_GIVEN_UP)
        .max_local_error_reset_streams(None)
        .data_frame_budget(usize::MAX);
    builder
}

/// Serves a try.
async fn serve(service: Rc<Service>, parts: Parts, mut asker: Asker, hangup: Rc<Hangup>) {
    let head = read(&parts, service.protocol);
    let done = Job::take(&service, &head).serve(&mut asker).await;
    if let Some(done) = &done {
        reply::act(&done.ending, &service, &head, asker.response, &hangup).await;
    }
}

fn read(parts: &Parts, protocol: Protocol) -> Head {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let field = |name: &'static str| Some(parts.headers.get(name)?.as_bytes());
    // RFC 9113 section 8.3.1: either may name the host.
    let host = parts.uri.authority().map(|authority| authority.as_str().as_bytes()).or(field("host"));
    let head = Head::new(parts.method.as_str(), path, host, field);
    let is_check = head.is_check || protocol == Protocol::Grpc && head.path == grpc::HEALTH_CHECK;
    Head { is_check, ..head }
}

/// Whoever sent a request, and the stream to answer on.
struct Asker {
    body: RecvStream,
    response: SendResponse<Bytes>,
}

impl Caller for Asker {
    async fn finishes(&mut self) -> bool {
        while let Some(piece) = self.body.data().await {
            let Ok(piece) = piece else { return false };
            // An error would mean that more was released than came.
            let _ = self.body.flow_control().release_capacity(piece.len());
        }
        self.body.trailers().await.is_ok()
    }

    /// By RST_STREAM, or with the connection.
    async fn gone(&mut self) {
        let _ = poll_fn(|cx| self.response.poll_reset(cx)).await;
    }
}
