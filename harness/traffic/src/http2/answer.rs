//! Reading an answer to its end.

use super::grpc::{self, Messages};
use crate::{books::Ticket, client::MAX_BODY, clock, line::Messages as CallMessages};
use h2::client::ResponseFuture;
use http::{HeaderMap, HeaderValue, header};
use squall_model::{Break, ClientEnd, Leg};

/// What is known of the data of an answer while they come.
trait Data {
    /// Its head has come; true where there are no data to come.
    fn begin(&mut self, head: &HeaderMap) -> bool;
    /// More of them have come; true where they are complete.
    fn take(&mut self, piece: &[u8], ticket: &mut Ticket) -> bool;
}

/// Those of HTTP: how many are to come, where the head says so.
#[derive(Default)]
struct Plain(Option<u64>);

impl Data for Plain {
    fn begin(&mut self, head: &HeaderMap) -> bool {
        let length = head.get(header::CONTENT_LENGTH);
        self.0 = length.and_then(|length| length.to_str().ok()?.parse().ok());
        self.0 == Some(0)
    }

    fn take(&mut self, piece: &[u8], _: &mut Ticket) -> bool {
        // More than was said is an error of the protocol before it comes here.
        self.0 = self.0.map(|left| left.saturating_sub(piece.len() as u64));
        self.0 == Some(0)
    }
}

/// Those of gRPC.
struct OfGrpc {
    messages: Messages,
    due: u64,
    /// Its answer begins with the first of its messages, and not with its head.
    streams: bool,
}

impl Data for OfGrpc {
    fn begin(&mut self, _: &HeaderMap) -> bool {
        false
    }

    fn take(&mut self, piece: &[u8], ticket: &mut Ticket) -> bool {
        let before = self.messages.whole();
        self.messages.take(piece);
        if self.streams && before == 0 && self.messages.whole() > 0 {
            ticket.course().first_byte = Some(clock::now());
        }
        self.messages.are(self.due)
    }
}

/// The answer to a call over HTTP.
pub(crate) async fn of_http(response: ResponseFuture, ticket: &mut Ticket) -> ClientEnd {
    match read(response, ticket, &mut Plain::default()).await {
        Ok(whole) => ClientEnd::Answered(whole.status),
        Err(end) => end,
    }
}

/// The same, and where it leads to.
pub(crate) async fn leading(response: ResponseFuture, ticket: &mut Ticket) -> (ClientEnd, Option<HeaderValue>) {
    match read(response, ticket, &mut Plain::default()).await {
        Ok(mut whole) => (ClientEnd::Answered(whole.status), whole.head.remove(header::LOCATION)),
        Err(end) => (end, None),
    }
}

/// The answer to a call of gRPC that has so many messages.
pub(crate) async fn of_grpc(response: ResponseFuture, of: CallMessages, ticket: &mut Ticket) -> ClientEnd {
    let (due, streams) = (u64::from(of.answered), of != CallMessages::UNARY);
    let mut data = OfGrpc { messages: Messages::default(), due, streams };
    match read(response, ticket, &mut data).await {
        Ok(whole) => {
            let end = grpc::end(whole.status, &whole.head, whole.trailers.as_ref(), &data.messages, due);
            if let ClientEnd::Cut(_) = end {
                ticket.course().broken = data.messages.miscounted(due);
            }
            end
        }
        Err(end) => end,
    }
}

/// An answer that ended as it should.
struct Whole {
    status: u16,
    head: HeaderMap,
    trailers: Option<HeaderMap>,
}

async fn read(response: ResponseFuture, ticket: &mut Ticket, data: &mut impl Data) -> Result<Whole, ClientEnd> {
    let (head, mut body) = response.await.map_err(|error| broken(&error, None, ticket))?.into_parts();
    ticket.answering(clock::now());
    let status = head.status.as_u16();
    let mut is_complete = data.begin(&head.headers);
    let mut length = 0;
    loop {
        ticket.course().leg = if is_complete { Leg::Trailing } else { Leg::Answering };
        let Some(piece) = body.data().await else { break };
        let piece = piece.map_err(|error| broken(&error, Some(status), ticket))?;
        // An error would mean that more was released than came.
        let _ = body.flow_control().release_capacity(piece.len());
        length += piece.len() as u64;
        ticket.course().received = length;
        if length > MAX_BODY {
            return Err(ClientEnd::Cut(status));
        }
        is_complete = data.take(&piece, ticket);
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
