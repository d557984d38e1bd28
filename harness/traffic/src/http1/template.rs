//! A request as HTTP/1.1 writes it.

use crate::{
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
    pub(crate) fn new(request: &Request, id_prefix: &str, user_header: &str, seed: u64) -> Template {
        let Request { method, host, path, headers, .. } = request;
        let mut head = Pattern::default();
        head.push_text(&format!("{method} "));
        head.push(path);
        head.push_text(&format!(" HTTP/1.1\r\nhost: {host}\r\n"));
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("user-agent")) {
            head.push_text("user-agent: squall\r\n");
        }
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
        Template { seed, head, before_user, body: request.body().cloned() }
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
    use crate::pattern::{Context, Table};
    use bytes::Bytes;

    fn rendered(request: &Request, user: u32) -> String {
        String::from_utf8(Template::new(request, "r1.", "x-squall-user", 1).render(120, user)).unwrap()
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
