//! What is sent: one request, the same for every call of a line but for its id and its user.

use thiserror::Error;

/// Headers that say how the message is framed or who it is; the engine writes them itself.
const RESERVED: [&str; 6] = ["host", "connection", "content-length", "transfer-encoding", "upgrade", "x-request-id"];

/// Why a text cannot be part of an HTTP/1.1 request.
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
}

/// A request without a body, known to be well-formed: nothing in it can end a line or the head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    method: String,
    host: String,
    path: String,
    headers: Vec<(String, String)>,
}

impl Request {
    /// For example `Request::new("GET", "reviews", "/")`. The path has its query with it.
    ///
    /// # Errors
    /// Where a part is not what RFC 9110 allows in its place.
    pub fn new(method: &str, host: &str, path: &str) -> Result<Request, RequestError> {
        if !is_token(method) || method == "CONNECT" {
            return Err(RequestError::Method(method.into()));
        }
        if !is_visible(host) {
            return Err(RequestError::Host(host.into()));
        }
        if !is_visible(path) || !path.starts_with('/') {
            return Err(RequestError::Path(path.into()));
        }
        Ok(Request { method: method.into(), host: host.into(), path: path.into(), headers: Vec::new() })
    }

    /// With one more header; the same name twice sends it twice.
    ///
    /// # Errors
    /// Where the name or the value is malformed, or the header is the engine's own: `host`, `x-request-id`, and whatever frames
    /// a message.
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Request, RequestError> {
        check_header_name(name)?;
        if !value.bytes().all(|b| matches!(b, b'\t' | b' '..=b'~')) {
            return Err(RequestError::HeaderValue(value.into()));
        }
        self.headers.push((name.into(), value.into()));
        Ok(self)
    }

    /// True where the answer will have no body whatever its headers say.
    pub(crate) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// Methods that mean a body say that theirs is empty (RFC 9110 section 8.6).
    fn wants_length(&self) -> bool {
        matches!(&*self.method, "POST" | "PUT" | "PATCH")
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

/// A request written out once, with two places left open.
#[derive(Debug)]
pub(crate) struct Template {
    /// Up to and with the prefix of the id.
    before_seq: Vec<u8>,
    /// From the end of the id up to and with `user-`.
    before_user: Vec<u8>,
}

impl Template {
    pub(crate) fn new(request: &Request, id_prefix: &str, user_header: &str) -> Template {
        let Request { method, host, path, headers } = request;
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("user-agent")) {
            head += "user-agent: squall\r\n";
        }
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        if request.wants_length() {
            head += "content-length: 0\r\n";
        }
        head.extend(["x-request-id: ", id_prefix]);
        Template { before_seq: head.into_bytes(), before_user: format!("\r\n{user_header}: user-").into_bytes() }
    }

    /// The whole request; user 0 is nobody.
    pub(crate) fn render(&self, seq: u64, user: u32) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.before_seq.len() + self.before_user.len() + 40);
        bytes.extend_from_slice(&self.before_seq);
        push_decimal(&mut bytes, seq);
        if user > 0 {
            bytes.extend_from_slice(&self.before_user);
            push_decimal(&mut bytes, u64::from(user));
        }
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes
    }
}

fn push_decimal(bytes: &mut Vec<u8>, mut number: u64) {
    let from = bytes.len();
    loop {
        bytes.push(b'0' + (number % 10) as u8);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    bytes[from..].reverse();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rendered(request: &Request, user: u32) -> String {
        String::from_utf8(Template::new(request, "r1.", "x-squall-user").render(120, user)).unwrap()
    }

    #[test]
    fn a_request_on_the_wire() {
        let request = Request::new("GET", "reviews", "/a?b=1").unwrap().with_header("x-tier", "gold, silver").unwrap();
        assert_eq!(
            rendered(&request, 0),
            "GET /a?b=1 HTTP/1.1\r\nhost: reviews\r\nuser-agent: squall\r\nx-tier: gold, silver\r\n\
             x-request-id: r1.120\r\n\r\n"
        );
        let request = Request::new("POST", "reviews", "/").unwrap().with_header("User-Agent", "curl").unwrap();
        assert_eq!(
            rendered(&request, 7),
            "POST / HTTP/1.1\r\nhost: reviews\r\nUser-Agent: curl\r\ncontent-length: 0\r\n\
             x-request-id: r1.120\r\nx-squall-user: user-7\r\n\r\n"
        );
    }

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

    proptest! {
        #[test]
        fn decimals(number: u64) {
            let mut bytes = Vec::new();
            push_decimal(&mut bytes, number);
            prop_assert_eq!(String::from_utf8(bytes).unwrap(), number.to_string());
        }
    }
}
