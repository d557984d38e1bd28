//! What is sent: a request, the same for every call but for its id, its user, and the places that it leaves open.

use crate::pattern::Pattern;
use bytes::Bytes;
use thiserror::Error;

/// Headers that say how the message is framed or who it is; the engine writes them itself.
const RESERVED: [&str; 6] = ["host", "connection", "content-length", "transfer-encoding", "upgrade", "x-request-id"];

/// Why a text cannot be part of a request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RequestError {
    /// Not a token (RFC 9110 section 5.6.2).
    #[error("`{0}` is no method")]
    Method(String),
    /// Does not begin with a slash, or has blanks, control or non-ASCII characters.
    #[error("`{0}` is no path: it begins with / and has neither blanks nor characters beyond ASCII")]
    Path(String),
    /// Empty, or with blanks, control or non-ASCII characters.
    #[error("`{0}` is no host")]
    Host(String),
    /// Not a token.
    #[error("`{0}` is no name of a header")]
    HeaderName(String),
    /// Control or non-ASCII characters.
    #[error("`{0}` is no value of a header")]
    HeaderValue(String),
    /// A header that the engine writes itself.
    #[error("header `{0}` is written by the load engine itself")]
    Reserved(String),
    /// No request, a weight of zero, or more than 65,535 of them.
    #[error("a mix has from one to 65,535 requests, each with a weight of at least 1")]
    Weights,
    /// A header that HTTP/2 does not allow (RFC 9113 section 8.2.2).
    #[error("header `{0}` speaks of the connection, and HTTP/2 has no place for that")]
    OfConnection(String),
}

/// A request, known to be well-formed: nothing in it can end a line or the head. It has a body, or as a call of gRPC a message,
/// only where it is given one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub(crate) method: String,
    pub(crate) host: String,
    pub(crate) path: Pattern,
    pub(crate) headers: Vec<(String, Pattern)>,
    message: Option<Bytes>,
    body: Option<Body>,
}

/// What follows the head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    /// The same bytes each time.
    Fixed(Bytes),
    /// Made anew for each call.
    Filled(Pattern),
}

impl Request {
    /// For example `Request::new("GET", "reviews", "/")`. The path has its query with it.
    ///
    /// # Errors
    /// Where a part is not what RFC 9110 allows in its place.
    pub fn new(method: &str, host: &str, path: impl Into<Pattern>) -> Result<Request, RequestError> {
        let path = path.into();
        if !is_token(method) || method == "CONNECT" {
            return Err(RequestError::Method(method.into()));
        }
        if !is_visible(host) {
            return Err(RequestError::Host(host.into()));
        }
        if !path.beginning().starts_with('/') || !path.texts().all(|text| text.is_empty() || is_visible(text)) {
            return Err(RequestError::Path(path.texts().collect()));
        }
        Ok(Request { method: method.into(), host: host.into(), path, headers: Vec::new(), message: None, body: None })
    }

    /// With one more header; the same name twice sends it twice.
    ///
    /// # Errors
    /// Where the name or the value is malformed, or the header is the engine's own: `host`, `x-request-id`, and whatever frames
    /// a message.
    pub fn with_header(mut self, name: &str, value: impl Into<Pattern>) -> Result<Request, RequestError> {
        let value = value.into();
        check_header_name(name)?;
        let fits = |text: &str| text.bytes().all(|b| matches!(b, b'\t' | b' '..=b'~'));
        if let Some(text) = value.texts().find(|text| !fits(text)) {
            return Err(RequestError::HeaderValue(text.into()));
        }
        self.headers.push((name.into(), value));
        Ok(self)
    }

    /// With this message, which only a call of gRPC has: the bytes of one, without what frames it. Without it, it is empty.
    #[must_use]
    pub fn with_message(mut self, message: &[u8]) -> Request {
        self.message = Some(Bytes::copy_from_slice(message));
        self
    }

    /// With this body, which a call of gRPC has not: the same bytes each time, their length said before them.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Request {
        self.body = Some(Body::Fixed(body.into()));
        self
    }

    /// With a body that is made anew for each call; a call of gRPC has none.
    #[must_use]
    pub fn with_filled_body(mut self, body: Pattern) -> Request {
        self.body = Some(Body::Filled(body));
        self
    }

    /// The same without what follows its head.
    pub(crate) fn bodyless(&self) -> Request {
        Request { message: None, body: None, ..self.clone() }
    }

    /// The body that was given.
    pub(crate) fn body(&self) -> Option<&Body> {
        self.body.as_ref()
    }

    /// The message that was given.
    pub(crate) fn message(&self) -> Option<&[u8]> {
        self.message.as_deref()
    }

    /// True where the answer will have no body whatever its headers say.
    pub(crate) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// The length that the head of every call says. Methods that mean a body say that theirs is empty (RFC 9110 section 8.6).
    pub(crate) fn length(&self) -> Option<usize> {
        match &self.body {
            Some(Body::Fixed(body)) => Some(body.len()),
            Some(Body::Filled(_)) => None,
            None => matches!(&*self.method, "POST" | "PUT" | "PATCH").then_some(0),
        }
    }
}

/// Accepts the name of a header that a line may set.
pub(crate) fn check_header_name(name: &str) -> Result<(), RequestError> {
    if !is_token(name) {
        return Err(RequestError::HeaderName(name.into()));
    }
    if RESERVED.iter().any(|r| r.eq_ignore_ascii_case(name)) {
        return Err(RequestError::Reserved(name.into()));
    }
    Ok(())
}

/// True where a text may stand in an id: visible ASCII, or nothing.
pub(crate) fn is_id_prefix(text: &str) -> bool {
    text.is_empty() || is_visible(text)
}

fn is_visible(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_line_that_is_not_ours() {
        let request = Request::new("GET", "reviews", "/").unwrap();
        for (error, result) in [
            (RequestError::Method("GE T".into()), Request::new("GE T", "a", "/")),
            (RequestError::Method("CONNECT".into()), Request::new("CONNECT", "a", "/")),
            (RequestError::Host("a\r\nb: c".into()), Request::new("GET", "a\r\nb: c", "/")),
            (RequestError::Host(String::new()), Request::new("GET", "", "/")),
            (RequestError::Path("a".into()), Request::new("GET", "a", "a")),
            (RequestError::Path("/ HTTP/1.1\r\n".into()), Request::new("GET", "a", "/ HTTP/1.1\r\n")),
            (RequestError::HeaderName("a:".into()), request.clone().with_header("a:", "b")),
            (RequestError::HeaderValue("b\r\nc: d".into()), request.clone().with_header("a", "b\r\nc: d")),
            (RequestError::Reserved("Content-Length".into()), request.with_header("Content-Length", "5")),
        ] {
            assert_eq!(result, Err(error));
        }
    }
}
