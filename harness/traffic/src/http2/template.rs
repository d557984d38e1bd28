//! A request as HTTP/2 sends it.

use super::grpc;
use crate::{
    line::{Line, LineError},
    request::{Request, RequestError},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header};
use squall_model::{GRPC_METHOD, Protocol};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request made once, with two headers left open.
#[derive(Debug)]
pub(crate) struct Template {
    request: http::Request<()>,
    id_prefix: String,
    user_header: HeaderName,
    /// The whole body.
    message: Option<Bytes>,
}

impl Template {
    /// Of a line that speaks HTTP/2 or gRPC.
    pub(crate) fn new(line: &Line) -> Result<Template, LineError> {
        let grpc = line.protocol == Protocol::Grpc;
        if grpc && line.request.body().is_some() {
            return Err(LineError::Body);
        }
        let scheme = if line.tls.is_some() { "https" } else { "http" };
        let (request, message) = match (grpc, line.request.message()) {
            (true, message) => (call(&line.request, scheme)?, Some(framed(message.unwrap_or_default())?)),
            (false, None) => (plain(&line.request, scheme)?, line.request.body().cloned()),
            (false, Some(_)) => return Err(LineError::Message),
        };
        let user_header = header_name(&line.user_header)?;
        Ok(Template { request, id_prefix: line.id_prefix.clone(), user_header, message })
    }

    /// The head of a call; user 0 is nobody.
    pub(crate) fn render(&self, seq: u64, user: u32) -> http::Request<()> {
        let mut request = self.request.clone();
        let headers = request.headers_mut();
        headers.insert(REQUEST_ID, visible(format!("{}{seq}", self.id_prefix)));
        if user > 0 {
            headers.insert(self.user_header.clone(), visible(format!("user-{user}")));
        }
        request
    }

    /// The body of every call, if it has one.
    pub(crate) fn message(&self) -> Option<Bytes> {
        self.message.clone()
    }
}

fn framed(message: &[u8]) -> Result<Bytes, LineError> {
    grpc::framed(message).ok_or(LineError::LongMessage(message.len()))
}

/// A request that is no call of gRPC.
fn plain(request: &Request, scheme: &str) -> Result<http::Request<()>, RequestError> {
    let method = Method::from_bytes(request.method.as_bytes());
    let method = method.map_err(|_| RequestError::Method(request.method.clone()))?;
    let mut made = head(method, scheme, request, &request.path)?;
    if let Some(length) = request.length() {
        made.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(made)
}

/// A call of gRPC: whatever the method, it is POST (grpc/grpc, doc/PROTOCOL-HTTP2.md, "Requests").
fn call(request: &Request, scheme: &str) -> Result<http::Request<()>, RequestError> {
    let path = if request.path == "/" { GRPC_METHOD } else { &request.path };
    let mut made = head(Method::POST, scheme, request, path)?;
    let headers = made.headers_mut();
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/grpc"));
    Ok(made)
}

fn head(method: Method, scheme: &str, request: &Request, path: &str) -> Result<http::Request<()>, RequestError> {
    let mut made = http::Request::new(());
    *made.method_mut() = method;
    *made.uri_mut() = uri(scheme, &request.host, path)?;
    *made.version_mut() = Version::HTTP_2;
    *made.headers_mut() = headers(request)?;
    Ok(made)
}

fn uri(scheme: &str, host: &str, path: &str) -> Result<Uri, RequestError> {
    let authority = host.parse::<http::uri::Authority>().map_err(|_| RequestError::Host(host.into()))?;
    let malformed = || RequestError::Path(path.into());
    let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build();
    let uri = uri.map_err(|_| malformed())?;
    // A fragment is no error to the parser, but it would be left out.
    if uri.path_and_query().is_some_and(|parsed| parsed.as_str() == path) { Ok(uri) } else { Err(malformed()) }
}

fn headers(request: &Request) -> Result<HeaderMap, RequestError> {
    let mut headers = HeaderMap::with_capacity(request.headers.len() + 6);
    for (name, value) in &request.headers {
        let value = HeaderValue::from_str(value).map_err(|_| RequestError::HeaderValue(value.clone()))?;
        headers.append(header_name(name)?, value);
    }
    headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static("squall"));
    Ok(headers)
}

/// RFC 9113 section 8.2.2 allows no header that speaks of the connection. `te` may say `trailers`, which calls of gRPC say anyway.
fn header_name(name: &str) -> Result<HeaderName, RequestError> {
    if ["te", "keep-alive", "proxy-connection"].iter().any(|of| of.eq_ignore_ascii_case(name)) {
        return Err(RequestError::OfConnection(name.into()));
    }
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| RequestError::HeaderName(name.into()))
}

#[expect(clippy::expect_used, reason = "a prefix is visible ASCII once its line was checked, and so are digits")]
fn visible(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Shape;

    fn line(protocol: Protocol, request: Request) -> Line {
        let line = Line::new(0, vec![], request, Shape::Serial { calls: 1 });
        Line { protocol, id_prefix: "r1.".into(), ..line }
    }

    /// Head and body, as lines.
    fn rendered(protocol: Protocol, request: Request, user: u32) -> String {
        let template = Template::new(&line(protocol, request)).unwrap();
        let request = template.render(120, user);
        let mut text = format!("{} {}\n", request.method(), request.uri());
        for (name, value) in request.headers() {
            text += &format!("{name}: {}\n", value.to_str().unwrap());
        }
        text + &template.message().map_or(String::new(), |message| format!("{message:?}"))
    }

    fn request(method: &str, path: &str) -> Request {
        Request::new(method, "reviews", path).unwrap()
    }

    #[test]
    fn a_request_without_a_body() {
        assert_eq!(
            rendered(Protocol::Http2, request("GET", "/a?b=1").with_header("X-Tier", "gold, silver").unwrap(), 0),
            "GET http://reviews/a?b=1\nx-tier: gold, silver\nuser-agent: squall\nx-request-id: r1.120\n"
        );
        assert_eq!(
            rendered(Protocol::Http2, request("POST", "/").with_header("User-Agent", "curl").unwrap(), 7),
            "POST http://reviews/\nuser-agent: curl\ncontent-length: 0\nx-request-id: r1.120\nx-squall-user: user-7\n"
        );
    }

    #[test]
    fn a_request_with_a_body() {
        assert_eq!(
            rendered(Protocol::Http2, request("PUT", "/").with_body(Bytes::from_static(b"hi")), 0),
            "PUT http://reviews/\nuser-agent: squall\ncontent-length: 2\nx-request-id: r1.120\nb\"hi\""
        );
        let body = request("POST", "/").with_body(Bytes::from_static(b"hi"));
        assert_eq!(Template::new(&line(Protocol::Grpc, body)).unwrap_err(), LineError::Body);
    }

    #[test]
    fn a_call_of_grpc() {
        assert_eq!(
            rendered(Protocol::Grpc, request("GET", "/"), 0),
            "POST http://reviews/squall.Service/Call\nuser-agent: squall\nte: trailers\ncontent-type: application/grpc\n\
             x-request-id: r1.120\nb\"\\0\\0\\0\\0\\0\""
        );
        let given = request("POST", "/a.B/C").with_message(b"hi").with_header("content-type", "application/grpc+proto");
        assert_eq!(
            rendered(Protocol::Grpc, given.unwrap(), 0),
            "POST http://reviews/a.B/C\ncontent-type: application/grpc+proto\nuser-agent: squall\nte: trailers\n\
             x-request-id: r1.120\nb\"\\0\\0\\0\\0\\x02hi\""
        );
    }

    #[test]
    fn what_cannot_be_said_in_http_2() {
        let with = |name: &str, value: &str| request("GET", "/").with_header(name, value).unwrap();
        for (error, request) in [
            (RequestError::Host("a/b".into()), Request::new("GET", "a/b", "/").unwrap()),
            (RequestError::Path("/a#b".into()), request("GET", "/a#b")),
            (RequestError::OfConnection("TE".into()), with("TE", "gzip")),
            (RequestError::OfConnection("keep-alive".into()), with("keep-alive", "5")),
        ] {
            assert_eq!(Template::new(&line(Protocol::Http2, request)).unwrap_err(), error.into());
        }
        let message = request("POST", "/").with_message(b"hi");
        assert_eq!(Template::new(&line(Protocol::Http2, message)).unwrap_err(), LineError::Message);
    }
}
