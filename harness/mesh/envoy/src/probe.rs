//! A request to a proxy's own listener, on a fresh connection, that reaches no upstream: which state is in force *there*.

use crate::render::PROBE;
use squall_mesh::Endpoint;
use std::io;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
};

/// Asks a listener for one of the probe's paths, and gives the body of the answer.
pub(crate) async fn ask(at: &Endpoint, path: &str) -> io::Result<String> {
    match at {
        Endpoint::Unix(socket) => exchange(UnixStream::connect(socket).await?, path).await,
        Endpoint::Tcp(address) => exchange(TcpStream::connect(address).await?, path).await,
    }
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {PROBE}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let text = String::from_utf8_lossy(&answer);
    let garbled = || io::Error::new(io::ErrorKind::InvalidData, "the answer is no HTTP");
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(garbled)?;
    if !head.starts_with("HTTP/1.1 2") {
        return Err(io::Error::other(head.lines().next().unwrap_or_default().to_owned()));
    }
    Ok(body.to_owned())
}
