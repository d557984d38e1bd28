//! A request to a proxy's own listener, on a fresh connection, that reaches no upstream: which state is in force *there*.

use crate::{clock, render::PROBE};
use squall_mesh::Endpoint;
use squall_model::Stamp;
use std::io;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
};

/// Asks a listener for one of the probe's paths, and gives the body of the answer.
pub(crate) async fn ask(at: &Endpoint, path: &str, by: Stamp) -> io::Result<String> {
    let asking = async {
        match at {
            Endpoint::Unix(socket) => exchange(UnixStream::connect(socket).await?, path).await,
            Endpoint::Tcp(address) => exchange(TcpStream::connect(address).await?, path).await,
        }
    };
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer by the deadline");
    tokio::time::timeout_at(clock::instant(by), asking).await.map_err(late)?
}

/// Reads until the answer is whole, not until the connection ends: Envoy keeps a closing one open for a second, lest a client
/// lose what it has not read yet (`delayed_close_timeout`).
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {PROBE}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    loop {
        if let Some(whole) = body(&answer)? {
            return Ok(whole);
        }
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the answer broke off"));
        }
    }
}

/// The body of an answer; `None` while it is not whole.
fn body(answer: &[u8]) -> io::Result<Option<String>> {
    let garbled = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(begin) = head.parse(answer).map_err(|e| garbled(e.to_string()))? else {
        return Ok(None);
    };
    let status = head.code.unwrap_or(0);
    if !(200..300).contains(&status) {
        return Err(garbled(format!("it answers {status}")));
    }
    let length = head.headers.iter().find(|h| h.name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.and_then(|h| std::str::from_utf8(h.value).ok()?.parse().ok()).unwrap_or(0);
    let whole = answer.get(begin..begin + length);
    Ok(whole.map(|body| String::from_utf8_lossy(body).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_length_says_so() {
        assert_eq!(body(b"HTTP/1.1 200 OK\r\ncontent-le").unwrap(), None);
        assert_eq!(body(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab").unwrap(), None);
        assert_eq!(body(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc").unwrap().as_deref(), Some("abc"));
        assert_eq!(body(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().as_deref(), Some(""));
        assert!(body(b"HTTP/1.1 404 Not Found\r\n\r\n").is_err());
    }
}
