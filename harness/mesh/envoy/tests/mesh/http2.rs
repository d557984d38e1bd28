//! A client and a workload that speak HTTP/2 with prior knowledge, plainly and as gRPC does.

use crate::town::soon;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::{
    HeaderMap, Request, Response,
    body::{Bytes, Frame, Incoming},
    client::conn::http2::SendRequest,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use squall_mesh_envoy::now;
use std::{
    collections::BTreeMap,
    convert::Infallible,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::net::{UnixListener, UnixStream};

const HEALTH: &str = "/grpc.health.v1.Health/Check";

/// How the workload answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// With this status of HTTP, and its name.
    Http(u16),
    /// As gRPC does: so many messages, then this status; without a message it is in the head.
    Grpc(u32, usize),
    /// Never.
    Nothing,
}

#[derive(Debug)]
struct Shared {
    name: String,
    says: Mutex<Says>,
    serving: Mutex<bool>,
    served: Mutex<Vec<BTreeMap<String, String>>>,
    checked: Mutex<usize>,
}

#[derive(Debug, Clone)]
pub(crate) struct Http2Workload(Arc<Shared>);

impl Http2Workload {
    /// Says OK after one message, and that it is serving.
    pub(crate) fn start(name: &str, socket: &Path) -> Http2Workload {
        let workload = Http2Workload(Arc::new(Shared {
            name: name.into(),
            says: Mutex::new(Says::Grpc(0, 1)),
            serving: Mutex::new(true),
            served: Mutex::default(),
            checked: Mutex::default(),
        }));
        let listener = UnixListener::bind(socket).unwrap();
        let serving = workload.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let workload = serving.clone();
                let service = service_fn(move |request| workload.clone().answer(request));
                let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(connection), service);
                tokio::spawn(connection);
            }
        });
        workload
    }

    pub(crate) fn says(&self, says: Says) {
        *self.0.says.lock().unwrap() = says;
    }

    /// Whether it says that it is serving.
    pub(crate) fn serving(&self, serving: bool) {
        *self.0.serving.lock().unwrap() = serving;
    }

    pub(crate) fn served(&self) -> Vec<BTreeMap<String, String>> {
        self.0.served.lock().unwrap().clone()
    }

    pub(crate) fn checked(&self) -> usize {
        *self.0.checked.lock().unwrap()
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        if request.uri().path() == HEALTH {
            *self.0.checked.lock().unwrap() += 1;
            // HealthCheckResponse { status: SERVING | NOT_SERVING }.
            let status = if *self.0.serving.lock().unwrap() { 1 } else { 2 };
            return Ok(grpc(0, &[message(&[8, status])]));
        }
        let headers = request.headers().iter().map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned()));
        self.0.served.lock().unwrap().push(headers.collect());
        let says = *self.0.says.lock().unwrap();
        Ok(match says {
            Says::Http(status) => {
                let frames = vec![Frame::data(Bytes::from(self.0.name.clone()))];
                Response::builder()
                    .status(status)
                    .header("content-length", self.0.name.len())
                    .body(body(frames))
                    .unwrap()
            }
            Says::Grpc(status, messages) => {
                // A message of its name: field 1 of any.
                let mut named = vec![10, u8::try_from(self.0.name.len()).unwrap()];
                named.extend(self.0.name.bytes());
                grpc(status, &vec![message(&named); messages])
            }
            Says::Nothing => std::future::pending().await,
        })
    }
}

type Body = StreamBody<futures_util::stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;

fn body(frames: Vec<Frame<Bytes>>) -> Body {
    StreamBody::new(futures_util::stream::iter(frames.into_iter().map(Ok).collect::<Vec<_>>()))
}

/// A message with its prefix (gRPC over HTTP/2: compressed flag, length).
fn message(bytes: &[u8]) -> Bytes {
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    Bytes::from([&[0], &length[..], bytes].concat())
}

fn grpc(status: u32, messages: &[Bytes]) -> Response<Body> {
    let answer = Response::builder().header("content-type", "application/grpc");
    if messages.is_empty() {
        return answer.header("grpc-status", status).body(body(Vec::new())).unwrap();
    }
    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), status.into())]);
    let frames = messages.iter().cloned().map(Frame::data).chain([Frame::trailers(trailers)]);
    answer.body(body(frames.collect())).unwrap()
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    /// From the trailers, or from the head of an answer that is nothing but trailers.
    pub(crate) grpc: Option<u32>,
    pub(crate) body: String,
    pub(crate) took: Duration,
}

/// One connection to a caller's outbound listener.
pub(crate) struct Http2Client(SendRequest<Empty<Bytes>>);

impl Http2Client {
    pub(crate) async fn connect(socket: &Path) -> Http2Client {
        let stream = TokioIo::new(UnixStream::connect(socket).await.unwrap());
        let (send, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        Http2Client(send)
    }

    /// A gRPC call to `reviews`.
    pub(crate) async fn grpc(&self, id: &str, headers: &[(&str, &str)]) -> Answered {
        let grpc = [("content-type", "application/grpc"), ("te", "trailers")];
        self.call("POST", id, &[&grpc[..], headers].concat()).await
    }

    /// A call to `reviews`.
    pub(crate) async fn call(&self, method: &str, id: &str, headers: &[(&str, &str)]) -> Answered {
        let mut request =
            Request::builder().method(method).uri("http://reviews/shop.Reviews/Get").header("x-request-id", id);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let began = now();
        let sending = self.0.clone().send_request(request.body(Empty::new()).unwrap());
        let late = tokio::time::timeout(soon().since(began), sending).await;
        let (head, body) = late.expect("in time").unwrap().into_parts();
        let whole = tokio::time::timeout(soon().since(began), body.collect()).await.expect("in time").unwrap();
        let status = |map: &HeaderMap| map.get("grpc-status").and_then(|v| v.to_str().unwrap().parse().ok());
        let grpc = whole.trailers().and_then(status).or_else(|| status(&head.headers));
        let body = String::from_utf8_lossy(&whole.to_bytes()).into_owned();
        Answered { status: head.status.as_u16(), grpc, body, took: now().since(began) }
    }
}
