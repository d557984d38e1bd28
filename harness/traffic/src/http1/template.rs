//! A request as HTTP/1.1 writes it.

use crate::{
    line::Line,
    pattern::{Filling, Pattern, push_decimal},
    request::{Body, Request},
};

/// Apart from the draws of the head.
const OF_BODY: u64 = 0x626f_6479;

/// A request written out once, with places left open.
#[derive(Debug)]
pub(crate) struct Template {
    seed: u64,
    /// Up to and with the id.
    head: Pattern,
    /// From the end of the id up to and with `user-`.
    before_user: Vec<u8>,
    body: Option<Body>,
}

impl Template {
    /// Of one of a line's requests.
    pub(crate) fn new(line: &Line, request: &Request) -> Template {
        let last = "connection: close\r\n";
        Template::saying(line, request, if line.keep_alive { "" } else { last })
    }

    /// Of a request that asks for its connection to become one of WebSocket.
    pub(crate) fn upgrading(line: &Line, request: &Request) -> Template {
        let asks = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n";
        Template::saying(line, request, asks)
    }

    /// With these headers, which say what is to become of the connection.
    fn saying(line: &Line, request: &Request, of_connection: &str) -> Template {
        let Line { id_prefix, user_header, .. } = line;
        let Request { method, host, path, headers, .. } = request;
        let mut head = Pattern::default();
        head.push_text(&format!("{method} "));
        head.push(path);
        head.push_text(&format!(" HTTP/1.1\r\nhost: {host}\r\n"));
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("user-agent")) {
            head.push_text("user-agent: squall\r\n");
        }
        head.push_text(of_connection);
        for (name, value) in headers {
            head.push_text(&format!("{name}: "));
            head.push(value);
            head.push_text("\r\n");
        }
        if let Some(length) = request.length() {
            head.push_text(&format!("content-length: {length}\r\n"));
        }
        head.push_text(&format!("x-request-id: {id_prefix}"));
        head.push_seq();
        let before_user = format!("\r\n{user_header}: user-").into_bytes();
        Template { seed: line.seed, head, before_user, body: request.body().cloned() }
    }

    /// The whole request; user 0 is nobody.
    pub(crate) fn render(&self, seq: u64, user: u32) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(512);
        self.head.render(Filling { seed: self.seed, seq }, &mut bytes);
        if user > 0 {
            bytes.extend_from_slice(&self.before_user);
            push_decimal(&mut bytes, u64::from(user));
        }
        match &self.body {
            None => bytes.extend_from_slice(b"\r\n\r\n"),
            Some(Body::Fixed(body)) => {
                bytes.extend_from_slice(b"\r\n\r\n");
                bytes.extend_from_slice(body);
            }
            Some(Body::Filled(pattern)) => {
                let mut body = Vec::new();
                pattern.render(Filling { seed: self.seed ^ OF_BODY, seq }, &mut body);
                bytes.extend_from_slice(b"\r\ncontent-length: ");
                push_decimal(&mut bytes, body.len() as u64);
                bytes.extend_from_slice(b"\r\n\r\n");
                bytes.extend_from_slice(&body);
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        line::Shape,
        pattern::{Context, Table},
    };
    use bytes::Bytes;

    fn line(request: &Request) -> Line {
        let line = Line::new(0, vec![], request.clone(), Shape::Serial { calls: 1 });
        Line { id_prefix: "r1.".into(), ..line }
    }

    fn of(line: &Line, request: &Request, user: u32) -> String {
        String::from_utf8(Template::new(line, request).render(120, user)).unwrap()
    }

    fn rendered(request: &Request, user: u32) -> String {
        of(&line(request), request, user)
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
    fn the_last_on_its_connection_says_so() {
        let request = Request::new("GET", "reviews", "/").unwrap();
        assert_eq!(
            of(&Line { keep_alive: false, ..line(&request) }, &request, 0),
            "GET / HTTP/1.1\r\nhost: reviews\r\nuser-agent: squall\r\nconnection: close\r\nx-request-id: r1.120\r\n\r\n"
        );
    }

    #[test]
    fn a_body_follows_the_head_that_tells_its_length() {
        let request = Request::new("POST", "reviews", "/").unwrap().with_body(Bytes::from_static(b"five!"));
        assert_eq!(
            rendered(&request, 0),
            "POST / HTTP/1.1\r\nhost: reviews\r\nuser-agent: squall\r\ncontent-length: 5\r\nx-request-id: r1.120\r\n\r\nfive!"
        );
    }

    #[test]
    fn places_are_filled_and_the_length_is_that_of_the_call() {
        let pattern = |text: &str, context| Pattern::parse(text, &Table::default(), context).unwrap();
        let request = Request::new("PUT", "reviews", pattern("/{seq}", Context::Path)).unwrap();
        let request = request.with_header("x-n", pattern("n{seq}", Context::Header)).unwrap();
        let request = request.with_filled_body(pattern("{\"n\": {seq}}", Context::Body));
        assert_eq!(
            rendered(&request, 7),
            "PUT /120 HTTP/1.1\r\nhost: reviews\r\nuser-agent: squall\r\nx-n: n120\r\nx-request-id: r1.120\r\n\
             x-squall-user: user-7\r\ncontent-length: 10\r\n\r\n{\"n\": 120}"
        );
    }
}
