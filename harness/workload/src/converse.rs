//! One connection from its first request to its last.

use crate::{
    job::Job,
    reply::Reply,
    service::Service,
    socket::Stream,
    wire::{Connection, RequestHead, WireError},
};
use std::rc::Rc;

/// Serves the tries of one connection until either side has had enough.
pub(crate) async fn converse(service: Rc<Service>, stream: Stream) {
    let mut connection = Connection::new(stream);
    loop {
        // A try that has arrived is served even when the process is to end.
        let head = tokio::select! {
            biased;
            head = connection.head(RequestHead::parse) => head,
            () = service.stop.cancelled() => return,
        };
        let flow = match head {
            Ok(Some(head)) => match &head.marker {
                Some(text) => mark(&service, &mut connection, &head, text).await,
                None => Job::take(&service, &head).serve(&mut connection).await,
            },
            Ok(None) => Flow::Close,
            Err(error) => refuse(&service, &mut connection, &error).await,
        };
        match flow {
            Flow::Next => {}
            Flow::Close => return,
            Flow::Reset => return connection.reset(),
        }
    }
}

/// What becomes of the connection after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Next,
    Close,
    Reset,
}

/// Answers what is no request.
async fn refuse(service: &Service, connection: &mut Connection, error: &WireError) -> Flow {
    tracing::debug!(%error, "what came was no request");
    match error {
        WireError::Cut | WireError::Io(_) => Flow::Close,
        _ => Reply { status: 400, keep_alive: false, ..Reply::new(service) }.send(service, connection).await,
    }
}

/// Writes a marker into the ledger, then answers: whoever has seen the answer finds the line.
async fn mark(service: &Service, connection: &mut Connection, head: &RequestHead, text: &str) -> Flow {
    if connection.skip_body(head.framing).await.is_err() {
        return Flow::Close;
    }
    service.ledger.mark(text);
    let reply = Reply { status: 204, keep_alive: head.keep_alive, ..Reply::new(service) };
    reply.send(service, connection).await
}
