//! One connection from its first request to its last.

use super::{
    body::Framing,
    connection::{Connection, WireError},
    head::RequestHead,
    reply::{self, Manner},
};
use crate::{caller::Caller, ending::Reply, job::Job, service::Service, socket::Stream};
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
            Ok(Some(request)) => serve(&service, &mut connection, &request).await,
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

/// Serves a try.
async fn serve(service: &Service, connection: &mut Connection, request: &RequestHead) -> Flow {
    let job = Job::take(service, &request.head);
    let mut asker = Asker { connection, framing: request.framing };
    match job.serve(&mut asker).await {
        Some(done) => reply::act(&done.ending, service, connection, Manner::of(request)).await,
        None => Flow::Close,
    }
}

/// Answers what is no request.
async fn refuse(service: &Service, connection: &mut Connection, error: &WireError) -> Flow {
    tracing::debug!(%error, "what came was no request");
    match error {
        WireError::Cut | WireError::Io(_) => Flow::Close,
        _ => reply::send(&Reply::status(400), service, connection, Manner::LAST).await,
    }
}

/// Whoever sent the request that was read last.
struct Asker<'a> {
    connection: &'a mut Connection,
    framing: Framing,
}

impl Caller for Asker<'_> {
    async fn finishes(&mut self) -> bool {
        self.connection.skip_body(self.framing).await.is_ok()
    }

    async fn gone(&mut self) {
        self.connection.gone().await;
    }
}
