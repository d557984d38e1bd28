//! What a stand-in wants to know of the head of a message. Pure.

use super::Framing;
use crate::{ATTEMPT, CALLER, MARKER, REQUEST_ID, USER};
use httparse::{Error, Header, Request, Response, Status};

/// More header fields than any proxy adds.
const MOST_FIELDS: usize = 128;

/// A head and its length; `None` if it takes more bytes.
pub(crate) type Parsed<T> = Result<Option<(usize, T)>, Error>;

/// The head of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestHead {
    /// The method is HEAD: the answer has no body.
    pub(crate) is_head: bool,
    pub(crate) path: String,
    pub(crate) id: String,
    /// 0 where the header is absent.
    pub(crate) attempt: u32,
    pub(crate) caller: String,
    pub(crate) user: Option<String>,
    /// A mirrored copy.
    pub(crate) is_copy: bool,
    pub(crate) marker: Option<String>,
    /// From a proxy's or a kubelet's own checks, not for a call.
    pub(crate) is_check: bool,
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
        Ok(Some((
            length,
            RequestHead {
                is_head: request.method == Some("HEAD"),
                path: request.path.unwrap_or("/").to_owned(),
                id: fields.text(REQUEST_ID).unwrap_or_default(),
                attempt: fields.number(ATTEMPT).unwrap_or(0),
                caller: fields.text(CALLER).unwrap_or_default(),
                user: fields.text(USER),
                is_copy: fields.get("host").is_some_and(is_shadow),
                marker: fields.text(MARKER),
                is_check: fields.get("user-agent").is_some_and(is_checker),
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

/// Envoy names the host of a mirrored copy `HOST-shadow`, before the port if there is one.
fn is_shadow(host: &[u8]) -> bool {
    let name = host.split(|&b| b == b':').next().unwrap_or(host);
    name.ends_with(b"-shadow")
}

fn is_checker(agent: &[u8]) -> bool {
    agent.starts_with(b"Envoy/HC") || agent.starts_with(b"kube-probe/")
}

/// The header fields of a message.
struct Fields<'a>(&'a [Header<'a>]);

impl<'a> Fields<'a> {
    fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.0.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        std::str::from_utf8(self.get(name)?).ok()?.trim().parse().ok()
    }

    /// `None` where no header says how long the body is.
    fn framing(&self) -> Result<Option<Framing>, Error> {
        if self.get("transfer-encoding").is_some_and(|value| has_token(value, "chunked")) {
            return Ok(Some(Framing::Chunked));
        }
        match self.get("content-length") {
            None => Ok(None),
            Some(_) => match self.number("content-length") {
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
    fn a_try_is_read_from_what_the_proxies_add() {
        let head = request(
            "POST /ratings/1 HTTP/1.1\r\nHost: reviews-shadow:80\r\nX-Request-Id: run-7\r\nx-envoy-attempt-count: 3\r\n\
             x-squall-caller: web\r\nx-squall-user: user-4\r\ntransfer-encoding: chunked\r\n\r\n",
        );
        assert_eq!(
            head,
            RequestHead {
                is_head: false,
                path: "/ratings/1".into(),
                id: "run-7".into(),
                attempt: 3,
                caller: "web".into(),
                user: Some("user-4".into()),
                is_copy: true,
                marker: None,
                is_check: false,
                framing: Framing::Chunked,
                keep_alive: true,
            }
        );
    }

    #[test]
    fn what_is_absent_is_empty() {
        let head = request("HEAD / HTTP/1.1\r\nhost: reviews\r\nconnection: Close\r\ncontent-length: 4\r\n\r\n");
        assert!(head.is_head && head.id.is_empty() && head.caller.is_empty() && !head.is_copy && !head.keep_alive);
        assert_eq!((head.attempt, head.user, head.framing), (0, None, Framing::Length(4)));
        assert!(!request("GET / HTTP/1.0\r\n\r\n").keep_alive);
    }

    #[test]
    fn checks_are_known_by_their_agent() {
        assert!(request("GET / HTTP/1.1\r\nuser-agent: Envoy/HC\r\n\r\n").is_check);
        assert!(!request("GET /healthz HTTP/1.1\r\nuser-agent: curl/8\r\n\r\n").is_check);
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
