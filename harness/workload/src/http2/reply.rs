//! Answers as HTTP/2 and gRPC send them, and the other ways to end a try.

use super::{converse::Hangup, grpc};
use crate::{
    INSTANCE, ONWARD, OVERLOAD,
    ending::{Ending, GARBAGE, Grpc, Note, Reply},
    head::Head,
    service::Service,
};
use bytes::Bytes;
use h2::{Reason, server::SendResponse};
use http::{HeaderMap, HeaderValue, Response, header, response::Builder};
use squall_model::GrpcStatus;
use thiserror::Error;

/// Why an answer could not be given.
#[derive(Debug, Error)]
enum Unsaid {
    /// The caller went away.
    #[error(transparent)]
    Gone(#[from] h2::Error),
    /// It cannot be said in HTTP/2.
    #[error(transparent)]
    Malformed(#[from] http::Error),
}

/// Ends a try.
pub(crate) async fn act(ending: &Ending, service: &Service, head: &Head, mut to: SendResponse<Bytes>, hangup: &Hangup) {
    let said = match ending {
        Ending::Reply(reply) => say(reply, service, head, &mut to),
        Ending::CutBody(reply) => cut(reply, service, head, &mut to).await,
        // What a server sends whose handler has failed.
        Ending::Reset => return to.send_reset(Reason::INTERNAL_ERROR),
        Ending::Close => return hangup.after(b""),
        Ending::Garbage => return hangup.after(GARBAGE),
        // It was to last until the caller went away, and so it has.
        Ending::Hang => return,
    };
    if let Err(error) = said {
        tracing::debug!(%error, "an answer was not taken");
    }
}

fn say(reply: &Reply, service: &Service, head: &Head, to: &mut SendResponse<Bytes>) -> Result<(), Unsaid> {
    match reply.grpc {
        Some(Grpc { status, messages: 0 }) => {
            let all = grpc_head(reply, service).header(grpc::STATUS, number(status)).body(())?;
            to.send_response(all, true)?;
        }
        Some(Grpc { status, messages }) => {
            let mut body = to.send_response(grpc_head(reply, service).body(())?, false)?;
            let message = message(service, head);
            for _ in 0..messages {
                body.send_data(message.clone(), false)?;
            }
            body.send_trailers(HeaderMap::from_iter([(grpc::STATUS, number(status))]))?;
        }
        None => {
            let body = body(reply, service);
            let silent = head.is_head || body.is_none();
            let response = http_head(reply, service, body.as_ref().map(Bytes::len)).body(())?;
            let mut stream = to.send_response(response, silent)?;
            if let Some(body) = body.filter(|_| !silent) {
                stream.send_data(body, true)?;
            }
        }
    }
    Ok(())
}

/// Sends the head and half of the body, then resets the stream: its neighbours on the connection go on.
async fn cut(reply: &Reply, service: &Service, head: &Head, to: &mut SendResponse<Bytes>) -> Result<(), Unsaid> {
    let (response, half) = match reply.grpc {
        Some(_) => {
            let mut half = message(service, head);
            half.truncate(half.len() / 2);
            (grpc_head(reply, service).body(())?, half)
        }
        None => {
            let half = body(reply, service).unwrap_or_default();
            (http_head(reply, service, Some(2 * half.len())).body(())?, half)
        }
    };
    let mut stream = to.send_response(response, false)?;
    stream.send_data(half, false)?;
    // A reset overtakes what its connection has not taken yet. The connection's task, woken by the above, goes first.
    tokio::task::yield_now().await;
    stream.send_reset(Reason::INTERNAL_ERROR);
    Ok(())
}

/// The body of an answer that is not one of gRPC. RFC 9110, 8.6 and 15.4.5: no length where there can be none.
fn body(reply: &Reply, service: &Service) -> Option<Bytes> {
    (!matches!(reply.status, 204 | 304)).then(|| Bytes::from(format!("{}\n", service.instance)))
}

fn http_head(reply: &Reply, service: &Service, length: Option<usize>) -> Builder {
    let head = common_head(reply, service);
    match length {
        Some(length) => head.header(header::CONTENT_TYPE, "text/plain").header(header::CONTENT_LENGTH, length),
        None => head,
    }
}

fn grpc_head(reply: &Reply, service: &Service) -> Builder {
    common_head(reply, service).header(header::CONTENT_TYPE, grpc::CONTENT_TYPE)
}

fn common_head(reply: &Reply, service: &Service) -> Builder {
    let head = Response::builder().status(reply.status).header(INSTANCE, &service.instance);
    match &reply.note {
        Some(Note::Overload) => head.header(OVERLOAD, "true"),
        Some(Note::Onward(failure)) => head.header(ONWARD, failure.to_string()),
        None => head,
    }
}

fn number(status: GrpcStatus) -> HeaderValue {
    HeaderValue::from(u16::from(status.number()))
}

/// What a good answer of gRPC has to say.
fn message(service: &Service, head: &Head) -> Bytes {
    if head.path == grpc::HEALTH_CHECK { grpc::SERVING } else { grpc::message(&service.instance) }
}
