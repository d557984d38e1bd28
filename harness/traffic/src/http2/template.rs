//! A request as HTTP/2 sends it.

use super::grpc;
use crate::{
    line::{Line, LineError},
    pattern::{Filling, Pattern},
    request::{Body, Request, RequestError},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header, uri::PathAndQuery};
use squall_model::{GRPC_METHOD, Protocol};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Apart from the draws of the path.
const OF_BODY: u64 = 0x626f_6479;
const OF_HEADERS: u64 = 0x6865_6164;

/// A request made once, with places left open.
#[derive(Debug)]
pub(crate) struct Template {
    seed: u64,
    request: http::Request<()>,
    /// Where it has places.
    path: Option<Pattern>,
    /// Those that have places.
    headers: Vec<(HeaderName, Pattern)>,
    id_prefix: String,
    user_header: HeaderName,
    /// The whole body: of gRPC the message with what frames it.
    body: Option<Body>,
}

impl Template {
    /// Of a line that speaks HTTP/2 or gRPC.
    pub(crate) fn new(line: &Line, request: &Request) -> Result<Template, LineError> {
        let grpc = line.protocol == Protocol::Grpc;
        if grpc && request.body().is_some() {
            return Err(LineError::Body);
        }
        let scheme = if line.tls.is_some() { "https" } else { "http" };
        let (made, body) = match (grpc, request.message()) {
            (true, message) => (call(request, scheme)?, Some(Body::Fixed(framed(message.unwrap_or_default(), line)?))),
            (false, None) => (plain(request, scheme)?, request.body().cloned()),
            (false, Some(_)) => return Err(LineError::Message),
        };
        let path = request.path.literal().is_none().then(|| request.path.clone());
        if let Some(path) = &path {
            check_filled(path, line.seed)?;
        }
        let open = request.headers.iter().filter(|(_, value)| value.literal().is_none());
        Ok(Template {
            seed: line.seed,
            request: made,
            path,
            headers: open
                .map(|(name, value)| Ok((header_name(name)?, value.clone())))
                .collect::<Result<_, LineError>>()?,
            id_prefix: line.id_prefix.clone(),
            user_header: header_name(&line.user_header)?,
            body,
        })
    }

    /// Head and body of a call; user 0 is nobody.
    pub(crate) fn render(&self, seq: u64, user: u32) -> (http::Request<()>, Option<Bytes>) {
        let mut request = self.request.clone();
        if let Some(path) = &self.path {
            fill_path(request.uri_mut(), filled(path, self.seed, seq));
        }
        let body = match &self.body {
            None => None,
            Some(Body::Fixed(body)) => Some(body.clone()),
            Some(Body::Filled(pattern)) => Some(Bytes::from(filled(pattern, self.seed ^ OF_BODY, seq))),
        };
        let headers = request.headers_mut();
        for (place, (name, value)) in (1..).zip(&self.headers) {
            headers.append(name.clone(), visible(filled(value, self.seed ^ (OF_HEADERS << 32 | place), seq)));
        }
        if let (Some(Body::Filled(_)), Some(body)) = (&self.body, &body) {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        headers.insert(REQUEST_ID, visible(format!("{}{seq}", self.id_prefix)));
        if user > 0 {
            headers.insert(self.user_header.clone(), visible(format!("user-{user}")));
        }
        (request, body)
    }
}

fn filled(pattern: &Pattern, seed: u64, seq: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    pattern.render(Filling { seed, seq }, &mut bytes);
    bytes
}

/// Of one call stands for all: what differs is digits, and what was encoded.
fn check_filled(path: &Pattern, seed: u64) -> Result<(), RequestError> {
    let bytes = filled(path, seed, 0);
    let malformed = || RequestError::Path(String::from_utf8_lossy(&bytes).into_owned());
    let parsed = PathAndQuery::try_from(&bytes[..]).map_err(|_| malformed())?;
    if parsed.as_str().as_bytes() == bytes { Ok(()) } else { Err(malformed()) }
}

/// What a call fills a path with is visible ASCII, and no path that was checked has a place where that could end it.
#[expect(clippy::expect_used, reason = "the texts of a path were checked, and what is filled in is encoded")]
fn fill_path(uri: &mut Uri, path: Vec<u8>) {
    let mut parts = std::mem::take(uri).into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path).expect("a path"));
    *uri = Uri::from_parts(parts).expect("the parts of a URI");
}

/// As often as a call says it.
fn framed(message: &[u8], line: &Line) -> Result<Bytes, LineError> {
    let one = grpc::framed(message).ok_or(LineError::LongMessage(message.len()))?;
    Ok(if line.messages.sent == 1 { one } else { one.repeat(line.messages.sent as usize).into() })
}

/// A request that is no call of gRPC.
fn plain(request: &Request, scheme: &str) -> Result<http::Request<()>, RequestError> {
    let method = Method::from_bytes(request.method.as_bytes());
    let method = method.map_err(|_| RequestError::Method(request.method.clone()))?;
    // One with places is made for each call.
    let path = request.path.literal().unwrap_or("/");
    let mut made = head(method, scheme, request, path)?;
    if let Some(length) = request.length() {
        made.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(made)
}

/// A call of gRPC: whatever the method, it is POST (grpc/grpc, doc/PROTOCOL-HTTP2.md, "Requests").
fn call(request: &Request, scheme: &str) -> Result<http::Request<()>, RequestError> {
    let path = request.path.literal().filter(|path| *path != "/").unwrap_or(GRPC_METHOD);
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
        let Some(value) = value.literal() else { continue };
        let value = HeaderValue::from_str(value).map_err(|_| RequestError::HeaderValue(value.into()))?;
        headers.append(header_name(name)?, value);
    }
    if !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("user-agent")) {
        headers.insert(header::USER_AGENT, HeaderValue::from_static("squall"));
    }
    Ok(headers)
}

/// RFC 9113 section 8.2.2 allows no header that speaks of the connection. `te` may say `trailers`, which calls of gRPC say anyway.
fn header_name(name: &str) -> Result<HeaderName, RequestError> {
    if ["te", "keep-alive", "proxy-connection"].iter().any(|of| of.eq_ignore_ascii_case(name)) {
        return Err(RequestError::OfConnection(name.into()));
    }
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| RequestError::HeaderName(name.into()))
}

#[expect(
    clippy::expect_used,
    reason = "prefixes and values are visible ASCII once they were checked, and so are digits"
)]
fn visible(text: impl Into<Bytes>) -> HeaderValue {
    HeaderValue::from_maybe_shared(text.into()).expect("visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        line::{Messages, Shape},
        pattern::{Context, Table},
    };

    fn line(protocol: Protocol, request: Request) -> Line {
        let line = Line::new(0, vec![], request, Shape::Serial { calls: 1 });
        Line { protocol, id_prefix: "r1.".into(), ..line }
    }

    /// Head and body, as lines.
    fn rendered(protocol: Protocol, request: Request, user: u32) -> String {
        let line = line(protocol, request);
        let template = Template::new(&line, &line.requests.requests()[0]).unwrap();
        let (request, body) = template.render(120, user);
        let mut text = format!("{} {}\n", request.method(), request.uri());
        for (name, value) in request.headers() {
            text += &format!("{name}: {}\n", value.to_str().unwrap());
        }
        text + &body.map_or(String::new(), |body| format!("{body:?}"))
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
        assert_eq!(Template::new(&line(Protocol::Grpc, body.clone()), &body).unwrap_err(), LineError::Body);
    }

    #[test]
    fn places_are_filled() {
        let pattern = |text: &str, context| Pattern::parse(text, &Table::default(), context).unwrap();
        let request = Request::new("PUT", "reviews", pattern("/a/{seq}?b", Context::Path)).unwrap();
        let request = request.with_header("x-n", pattern("n{seq}", Context::Header)).unwrap();
        assert_eq!(
            rendered(Protocol::Http2, request.with_filled_body(pattern("n: {seq}", Context::Body)), 0),
            "PUT http://reviews/a/120?b\nuser-agent: squall\nx-n: n120\ncontent-length: 6\nx-request-id: r1.120\nb\"n: 120\""
        );
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
    fn a_stream_of_grpc_is_one_message_after_another() {
        let request = request("POST", "/a.B/C").with_message(b"hi");
        let messages = Messages { sent: 3, answered: 1 };
        let line = Line { messages, ..line(Protocol::Grpc, request.clone()) };
        let (_, body) = Template::new(&line, &request).unwrap().render(1, 0);
        assert_eq!(body.unwrap(), b"\0\0\0\0\x02hi".repeat(3));
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
            assert_eq!(Template::new(&line(Protocol::Http2, request.clone()), &request).unwrap_err(), error.into());
        }
        let open = Pattern::parse("/a#b{seq}", &Table::default(), Context::Path).unwrap();
        let open = Request::new("GET", "a", open).unwrap();
        let error = Template::new(&line(Protocol::Http2, open.clone()), &open).unwrap_err();
        assert_eq!(error, RequestError::Path("/a#b0".into()).into());
        let message = request("POST", "/").with_message(b"hi");
        assert_eq!(Template::new(&line(Protocol::Http2, message.clone()), &message).unwrap_err(), LineError::Message);
    }
}
