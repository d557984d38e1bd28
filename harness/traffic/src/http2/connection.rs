//! One connection to a proxy.

use super::{answer, io::Io};
use crate::{books::Ticket, dial::Dialer, socket::Socket};
use bytes::Bytes;
use h2::client::{self, ResponseFuture, SendRequest};
use squall_model::{ClientEnd, TlsFault};
use std::{
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::oneshot;

/// Streams that a proxy is taken to allow before it has said anything. RFC 9113 section 6.5.2 recommends that it be no fewer.
pub(crate) const MAX_STREAMS: usize = 100;
/// What a proxy may send ahead of our reading: on one stream, and on all of them together.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 1 << 26;
/// A longer head is an error of the protocol. Envoy's own limit is 60 KiB (`max_response_headers_kb`).
const MAX_HEAD: u32 = 64 * 1024;
/// Streams given up whose answers may still be under way.
const MAX_GIVEN_UP: usize = 1 << 16;
/// For the last frames of a connection that nobody needs any more, if the proxy does not read them.
const FAREWELL: Duration = Duration::from_secs(1);

/// An open connection.
#[derive(Debug)]
pub(crate) struct Link {
    sender: SendRequest<Bytes>,
    /// Held by the task that drives the connection, and gone with it.
    socket: Weak<Socket>,
    /// It has refused a request.
    refused: AtomicBool,
    /// What ended it, if TLS did.
    fault: Arc<OnceLock<TlsFault>>,
    /// Dropped with the last hold on the connection.
    _needed: oneshot::Sender<()>,
}

impl Link {
    /// `max_streams` holds until the proxy has said how many.
    pub(crate) async fn open(dialer: &Dialer, max_streams: usize, ticket: &mut Ticket) -> Result<Link, ClientEnd> {
        // Boxed, for a call that finds a connection has no use for the room that this takes.
        let socket = Arc::new(Box::pin(dialer.dial(ticket)).await?);
        let (weak, fault) = (Arc::downgrade(&socket), socket.fault());
        let (sender, connection) = builder(max_streams).handshake(Io::new(socket)).await.map_err(|error| {
            ticket.course().broken = answer::break_of(&error);
            ClientEnd::Reset
        })?;
        let (needed, unneeded) = oneshot::channel();
        tokio::spawn(drive(connection, unneeded));
        Ok(Link { sender, socket: weak, refused: AtomicBool::new(false), fault, _needed: needed })
    }

    /// Streams that may be open at a time.
    pub(crate) fn max_streams(&self) -> usize {
        self.sender.current_max_send_streams()
    }

    /// No stream can be opened any more.
    pub(crate) fn is_over(&self) -> bool {
        self.refused.load(Ordering::Relaxed) || self.socket.strong_count() == 0
    }

    /// What ended it, if TLS did.
    pub(crate) fn fault(&self) -> Option<TlsFault> {
        self.fault.get().copied()
    }

    /// Lets the connection's own task read what has come in, if it has not: it may be the end of the connection.
    ///
    /// tokio goes on with a task that has yielded only after a look at the poll, and after whoever that look has woken.
    pub(crate) async fn hear(&self) {
        if self.socket.upgrade().is_some_and(|socket| !socket.is_quiet()) {
            tokio::task::yield_now().await;
        }
    }

    /// Hands a request over, with all of its body.
    ///
    /// # Errors
    /// The connection takes none any more: nothing has been sent. It is over, and the error says why.
    pub(crate) fn send(&self, request: http::Request<()>, body: Option<Bytes>) -> Result<ResponseFuture, h2::Error> {
        let sent = self.sender.clone().send_request(request, body.is_none());
        let (response, mut stream) = sent.inspect_err(|_| self.refused.store(true, Ordering::Relaxed))?;
        if let Some(body) = body {
            // If the stream has ended already, its answer says how.
            let _ = stream.send_data(body, true);
        }
        Ok(response)
    }
}

fn builder(max_streams: usize) -> client::Builder {
    let mut builder = client::Builder::new();
    builder
        .enable_push(false)
        .initial_max_send_streams(max_streams)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEAD)
        // Guards against a hostile peer, which would end the connection: here a proxy that answers too late is what is measured.
        .max_concurrent_reset_streams(MAX_GIVEN_UP)
        .max_local_error_reset_streams(None)
        .data_frame_budget(usize::MAX);
    builder
}

/// Reads and writes until the connection has ended, or is not needed any more and has said so to the proxy.
async fn drive(mut connection: client::Connection<Io, Bytes>, unneeded: oneshot::Receiver<()>) {
    tokio::select! {
        // What went wrong is told to each call that it concerns.
        _ended = &mut connection => {}
        _dropped = unneeded => drop(tokio::time::timeout(FAREWELL, connection).await),
    }
}
