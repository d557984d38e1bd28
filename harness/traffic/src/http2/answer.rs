//! Reading an answer to its end.

use super::grpc::{self, Messages};
use crate::{books::Ticket, client::MAX_BODY, clock};
use h2::client::ResponseFuture;
use http::HeaderMap;
use squall_model::{Break, ClientEnd};

/// The answer to a call over HTTP.
pub(crate) async fn of_http(response: ResponseFuture, ticket: &mut Ticket) -> ClientEnd {
    match read(response, ticket, |_| {}).await {
        Ok(whole) => ClientEnd::Answered(whole.status),
        Err(end) => end,
    }
}

/// The answer to a unary call of gRPC.
pub(crate) async fn of_grpc(response: ResponseFuture, ticket: &mut Ticket) -> ClientEnd {
    let mut messages = Messages::default();
    match read(response, ticket, |piece| messages.take(piece)).await {
        Ok(whole) => grpc::end(whole.status, &whole.head, whole.trailers.as_ref(), &messages),
        Err(end) => end,
    }
}

/// An answer that ended as it should.
struct Whole {
    status: u16,
    head: HeaderMap,
    trailers: Option<HeaderMap>,
}

async fn read(response: ResponseFuture, ticket: &mut Ticket, mut each: impl FnMut(&[u8])) -> Result<Whole, ClientEnd> {
    let (head, mut body) = response.await.map_err(|error| broken(&error, None, ticket))?.into_parts();
    ticket.answering(clock::now());
    let status = head.status.as_u16();
    let mut length = 0;
    while let Some(piece) = body.data().await {
        let piece = piece.map_err(|error| broken(&error, Some(status), ticket))?;
        // An error would mean that more was released than came.
        let _ = body.flow_control().release_capacity(piece.len());
        length += piece.len() as u64;
        ticket.course().received = length;
        if length > MAX_BODY {
            return Err(ClientEnd::Cut(status));
        }
        each(&piece);
    }
    let trailers = body.trailers().await.map_err(|error| broken(&error, Some(status), ticket))?;
    Ok(Whole { status, head: head.headers, trailers })
}

/// What a failure means to a call that has seen a head with this status, or none.
///
/// That the other side does not keep to the protocol is found out on our side of the connection. Else it reset the stream, went
/// away with the connection, or refused the stream by its GOAWAY: a client of gRPC would make a status of that (grpc/grpc,
/// doc/PROTOCOL-HTTP2.md, "Errors"), but what is recorded is what happened on the wire.
pub(crate) fn broken(error: &h2::Error, head: Option<u16>, ticket: &mut Ticket) -> ClientEnd {
    ticket.course().broken = break_of(error);
    match head {
        _ if error.is_library() => ClientEnd::Garbled,
        None => ClientEnd::Reset,
        Some(status) => ClientEnd::Cut(status),
    }
}

/// How the stream, or its connection, was ended by the other side; `None`: it was not.
pub(crate) fn break_of(error: &h2::Error) -> Option<Break> {
    if let Some(io) = error.get_io() {
        let reset = io.kind() == std::io::ErrorKind::ConnectionReset;
        return Some(if reset { Break::Reset } else { Break::Closed });
    }
    let code = error.reason()?.into();
    match (error.is_library(), error.is_go_away()) {
        (true, _) => None,
        (false, true) => Some(Break::Goaway(code)),
        (false, false) => Some(Break::Stream(code)),
    }
}
