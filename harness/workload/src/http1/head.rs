//! The heads of messages. Pure.

use super::body::Framing;
use crate::head::Head;
use httparse::{Error, Header, Request, Response, Status};

/// More header fields than any proxy adds.
const MOST_FIELDS: usize = 128;

/// A head and its length; `None` if it takes more bytes.
pub(crate) type Parsed<T> = Result<Option<(usize, T)>, Error>;

/// The head of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestHead {
    pub(crate) head: Head,
    pub(crate) framing: Framing,
    pub(crate) keep_alive: bool,
}

impl RequestHead {
    /// The head at the beginning of `buf`.
    pub(crate) fn parse(buf: &[u8]) -> Parsed<RequestHead> {
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut request = Request::new(&mut fields);
        let Status::Complete(length) = request.parse(buf)? else { return Ok(None) };
        let fields = Fields(request.headers);
        let (method, path) = (request.method.unwrap_or_default(), request.path.unwrap_or("/"));
        Ok(Some((
            length,
            RequestHead {
                head: Head::new(method, path, fields.get("host"), |name| fields.get(name)),
                framing: fields.framing()?.unwrap_or(Framing::Length(0)),
                keep_alive: fields.keep_alive(request.version),
            },
        )))
    }
}

/// The head of an answer to GET.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResponseHead {
    pub(crate) status: u16,
    pub(crate) framing: Framing,
    pub(crate) keep_alive: bool,
}

impl ResponseHead {
    /// The head at the beginning of `buf`.
    pub(crate) fn parse(buf: &[u8]) -> Parsed<ResponseHead> {
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut response = Response::new(&mut fields);
        let Status::Complete(length) = response.parse(buf)? else { return Ok(None) };
        let status = response.code.unwrap_or(0);
        let fields = Fields(response.headers);
        let framing = match status {
            100..=199 | 204 | 304 => Framing::Length(0),
            _ => fields.framing()?.unwrap_or(Framing::UntilClose),
        };
        let keep_alive = fields.keep_alive(response.version) && framing != Framing::UntilClose;
        Ok(Some((length, ResponseHead { status, framing, keep_alive })))
    }
}

/// The header fields of a message.
struct Fields<'a>(&'a [Header<'a>]);

impl<'a> Fields<'a> {
    fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.0.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }

    /// `None` where no header says how long the body is.
    fn framing(&self) -> Result<Option<Framing>, Error> {
        if self.get("transfer-encoding").is_some_and(|value| has_token(value, "chunked")) {
            return Ok(Some(Framing::Chunked));
        }
        match self.get("content-length") {
            None => Ok(None),
            Some(length) => match decimal(length) {
                Some(length) => Ok(Some(Framing::Length(length))),
                None => Err(Error::HeaderValue),
            },
        }
    }

    /// HTTP/1.1 connections persist unless they say otherwise, HTTP/1.0 ones do not.
    fn keep_alive(&self, minor: Option<u8>) -> bool {
        let says = |token| self.get("connection").is_some_and(|value| has_token(value, token));
        match minor {
            Some(1) => !says("close"),
            _ => says("keep-alive"),
        }
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.trim().parse().ok()
}

fn has_token(list: &[u8], token: &str) -> bool {
    list.split(|&b| b == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> RequestHead {
        let (length, head) = RequestHead::parse(text.as_bytes()).unwrap().unwrap();
        assert_eq!(length, text.len());
        head
    }

    #[test]
    fn names_of_headers_are_read_in_any_case() {
        let read = request(
            "POST /ratings/1 HTTP/1.1\r\nHost: reviews-shadow:80\r\nX-Request-Id: run-7\r\nx-envoy-attempt-count: 3\r\n\
             grpc-timeout: 1S\r\ntransfer-encoding: chunked\r\n\r\n",
        );
        assert_eq!((read.framing, read.keep_alive), (Framing::Chunked, true));
        let head = read.head;
        assert_eq!(
            (head.path.as_str(), head.id.as_str(), head.attempt, head.is_copy),
            ("/ratings/1", "run-7", 3, true)
        );
        assert_eq!(head.deadline.header(), Some(("grpc-timeout", "1000000u".to_owned())));
    }

    #[test]
    fn what_is_absent_is_the_default() {
        let read = request("HEAD / HTTP/1.1\r\nhost: reviews\r\nconnection: Close\r\ncontent-length: 4\r\n\r\n");
        assert!(read.head.is_head && !read.keep_alive);
        assert_eq!(read.framing, Framing::Length(4));
        assert!(!request("GET / HTTP/1.0\r\n\r\n").keep_alive);
    }

    #[test]
    fn half_a_head_takes_more_and_nonsense_is_refused() {
        assert_eq!(RequestHead::parse(b"GET / HTTP/1.1\r\nho"), Ok(None));
        assert!(RequestHead::parse(b"\x16\x03\x01\r\n\r\n").is_err());
        assert!(RequestHead::parse(b"GET / HTTP/1.1\r\ncontent-length: many\r\n\r\n").is_err());
    }

    #[test]
    fn answers_say_where_they_end() {
        let head = |text: &str| ResponseHead::parse(text.as_bytes()).unwrap().unwrap().1;
        let known = head("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
        assert_eq!(known, ResponseHead { status: 200, framing: Framing::Length(5), keep_alive: true });
        let endless = head("HTTP/1.1 200 OK\r\n\r\n");
        assert_eq!(endless, ResponseHead { status: 200, framing: Framing::UntilClose, keep_alive: false });
        assert_eq!(head("HTTP/1.1 204 No Content\r\n\r\n").framing, Framing::Length(0));
        assert!(!head("HTTP/1.1 503 \r\ncontent-length: 0\r\nconnection: close\r\n\r\n").keep_alive);
    }
}
