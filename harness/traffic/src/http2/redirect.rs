//! A request that was sent, as it is sent on to where its answer leads. Pure.

use super::Sent;
use crate::redirect::Next;
use http::{Method, Uri, header, uri::PathAndQuery};
use squall_model::Astray;

/// Method and path of a request.
pub(super) fn asked(request: &http::Request<()>) -> (&str, &str) {
    (request.method().as_str(), request.uri().path_and_query().map_or("/", PathAndQuery::as_str))
}

/// The same with another path, and where that is asked for with GET without a body.
pub(super) fn onward((mut request, body): Sent, next: &Next) -> Result<Sent, Astray> {
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(&*next.path).map_err(|_| Astray::Nowhere)?);
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| Astray::Nowhere)?;
    if !next.with_get {
        return Ok((request, body));
    }
    *request.method_mut() = Method::GET;
    request.headers_mut().remove(header::CONTENT_LENGTH);
    Ok((request, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn sent() -> Sent {
        let request = http::Request::post("http://a:1/b?c").header("content-length", 2).header("x-n", "1");
        (request.body(()).unwrap(), Some(Bytes::from_static(b"hi")))
    }

    fn next(path: &str, with_get: bool) -> Next {
        Next { with_get, path: path.into() }
    }

    #[test]
    fn what_is_sent_on() {
        assert_eq!(asked(&sent().0), ("POST", "/b?c"));
        let (request, body) = onward(sent(), &next("/d?e", false)).unwrap();
        assert_eq!((request.method(), request.uri().to_string().as_str()), (&Method::POST, "http://a:1/d?e"));
        assert_eq!((request.headers()["content-length"].as_bytes(), body), (&b"2"[..], sent().1));
        let (request, body) = onward(sent(), &next("/d", true)).unwrap();
        assert_eq!((request.method(), request.uri().to_string().as_str()), (&Method::GET, "http://a:1/d"));
        assert_eq!((request.headers().get("content-length"), body), (None, None));
        assert_eq!(request.headers()["x-n"], "1");
        assert_eq!(onward(sent(), &next("/\u{7f}", false)).unwrap_err(), Astray::Nowhere);
    }
}
