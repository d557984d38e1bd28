//! Peers of a workload that speak HTTP/2.

use super::rig::{DEADLINE, Rig};
use crate::{Endpoint, socket::bind_unix};
use bytes::{Bytes, BytesMut};
use h2::{
    RecvStream, SendStream,
    client::{self, ResponseFuture, SendRequest},
    server,
};
use http::{HeaderMap, Method, Request, Response};
use std::path::Path;
use tokio::{
    net::{TcpStream, UnixStream},
    sync::mpsc,
    task::{AbortHandle, JoinHandle},
    time::timeout,
};

/// A connection to a workload.
pub(super) struct Caller {
    sender: SendRequest<Bytes>,
    driver: JoinHandle<Result<(), h2::Error>>,
}

/// A request that was sent.
pub(super) struct Asked {
    pub(super) body: SendStream<Bytes>,
    response: ResponseFuture,
}

/// An answer that was read whole.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) status: u16,
    pub(super) head: HeaderMap,
    pub(super) body: Bytes,
    pub(super) trailers: Option<HeaderMap>,
}

/// What came of an answer before it broke off.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) status: Option<u16>,
    pub(super) body: Bytes,
    pub(super) error: h2::Error,
}

pub(super) fn get(path: &str, id: &str) -> Request<()> {
    let uri = format!("http://reviews{path}");
    Request::builder().uri(uri).header("x-request-id", id).body(()).unwrap()
}

/// A call of gRPC, whose message is still to come.
pub(super) fn post(path: &str, id: &str) -> Request<()> {
    let mut request = get(path, id);
    *request.method_mut() = Method::POST;
    request.headers_mut().insert("te", "trailers".parse().unwrap());
    request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    request
}

pub(super) fn with(mut request: Request<()>, name: &'static str, value: &str) -> Request<()> {
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

impl Rig {
    /// A new connection to it that speaks HTTP/2.
    pub(super) async fn streams(&self) -> Caller {
        match &self.control.ready().listen {
            Endpoint::Unix(path) => Caller::new(UnixStream::connect(path).await.unwrap()).await,
            Endpoint::Tcp(address) => Caller::new(TcpStream::connect(address).await.unwrap()).await,
        }
    }
}

impl Caller {
    async fn new<T>(stream: T) -> Caller
    where
        T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = client::handshake(stream).await.unwrap();
        Caller { sender, driver: tokio::spawn(connection) }
    }

    /// Sends a request without a body.
    pub(super) fn ask(&mut self, request: Request<()>) -> Asked {
        let (response, body) = self.sender.send_request(request, true).unwrap();
        Asked { body, response }
    }

    /// Sends a request whose body is still to come.
    pub(super) fn begin(&mut self, request: Request<()>) -> Asked {
        let (response, body) = self.sender.send_request(request, false).unwrap();
        Asked { body, response }
    }

    /// Makes a call of gRPC with an empty message.
    pub(super) fn call(&mut self, request: Request<()>) -> Asked {
        let mut asked = self.begin(request);
        asked.body.send_data(Bytes::from_static(b"\0\0\0\0\0"), true).unwrap();
        asked
    }

    /// Waits for the end of the connection, and says why no call can be made on it any more.
    pub(super) async fn ended(mut self) -> h2::Error {
        // How it ended for the one who drove it depends on who closed first.
        let _ = timeout(DEADLINE, self.driver).await.expect("the connection stays open").unwrap();
        self.sender.send_request(get("/", ""), true).expect_err("it has ended")
    }
}

impl Asked {
    pub(super) async fn hear(self) -> Heard {
        self.listen().await.unwrap()
    }

    pub(super) async fn listen(self) -> Result<Heard, Broken> {
        timeout(DEADLINE, read(self.response)).await.expect("no answer")
    }
}

impl Heard {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.get(name).map(|value| value.to_str().unwrap())
    }

    /// The status of gRPC in the trailers.
    pub(super) fn trailing_status(&self) -> Option<&str> {
        self.trailers.as_ref()?.get("grpc-status").map(|value| value.to_str().unwrap())
    }
}

async fn read(response: ResponseFuture) -> Result<Heard, Broken> {
    let (mut status, mut body) = (None, BytesMut::new());
    let heard = async {
        let (head, mut stream) = response.await?.into_parts();
        status = Some(head.status.as_u16());
        while let Some(piece) = stream.data().await {
            body.extend_from_slice(&piece?);
        }
        Ok((head, stream.trailers().await?))
    };
    match heard.await {
        Ok((head, trailers)) => {
            let status = head.status.as_u16();
            Ok(Heard { status, head: head.headers, body: body.freeze(), trailers })
        }
        Err(error) => Err(Broken { status, body: body.freeze(), error }),
    }
}

/// A service that is called: its proxy's socket, where the test answers what comes.
pub(super) struct Upstream {
    calls: mpsc::UnboundedReceiver<Call>,
}

/// A call that came in.
pub(super) struct Call {
    pub(super) request: Request<RecvStream>,
    pub(super) response: server::SendResponse<Bytes>,
    /// On which connection, from 0.
    pub(super) connection: usize,
    task: AbortHandle,
}

impl Upstream {
    pub(super) fn bind(path: &Path) -> Upstream {
        let listener = bind_unix(path).unwrap();
        let (came, calls) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let came = came.clone();
                let (told, task) = tokio::sync::oneshot::channel();
                let serving = tokio::spawn(async move {
                    let task: AbortHandle = task.await.unwrap();
                    let mut line = server::handshake(stream).await.unwrap();
                    while let Some(Ok((request, response))) = line.accept().await {
                        let call = Call { request, response, connection, task: task.clone() };
                        came.send(call).unwrap_or_else(|_| panic!("a call that no test waits for"));
                    }
                });
                told.send(serving.abort_handle()).unwrap();
            }
        });
        Upstream { calls }
    }

    pub(super) async fn next(&mut self) -> Call {
        timeout(DEADLINE, self.calls.recv()).await.expect("nobody calls").unwrap()
    }
}

impl Call {
    /// Answers with a head and nothing else.
    pub(super) fn answer(mut self, status: u16, grpc: Option<&str>) {
        let mut head = Response::builder().status(status);
        if let Some(grpc) = grpc {
            head = head.header("grpc-status", grpc);
        }
        self.response.send_response(head.body(()).unwrap(), true).unwrap();
    }

    /// Answers with a message, and its status after that.
    pub(super) fn answer_late(mut self, grpc: &str) {
        let mut body = self.response.send_response(Response::new(()), false).unwrap();
        body.send_data(Bytes::from_static(b"\0\0\0\0\0"), false).unwrap();
        body.send_trailers(HeaderMap::from_iter([("grpc-status".parse().unwrap(), grpc.parse().unwrap())])).unwrap();
    }

    /// Ends its connection without a word.
    pub(super) fn hang_up(self) {
        self.task.abort();
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.request.headers().get(name).map(|value| value.to_str().unwrap())
    }
}
