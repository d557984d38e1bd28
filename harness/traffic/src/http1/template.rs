//! A request as HTTP/1.1 writes it.

use crate::request::Request;
use bytes::Bytes;

/// A request written out once, with two places left open.
#[derive(Debug)]
pub(crate) struct Template {
    /// Up to and with the prefix of the id.
    before_seq: Vec<u8>,
    /// From the end of the id up to and with `user-`.
    before_user: Vec<u8>,
    body: Bytes,
}

impl Template {
    pub(crate) fn new(request: &Request, id_prefix: &str, user_header: &str) -> Template {
        let Request { method, host, path, headers, .. } = request;
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("user-agent")) {
            head += "user-agent: squall\r\n";
        }
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        if let Some(length) = request.length() {
            head += &format!("content-length: {length}\r\n");
        }
        head.extend(["x-request-id: ", id_prefix]);
        Template {
            before_seq: head.into_bytes(),
            before_user: format!("\r\n{user_header}: user-").into_bytes(),
            body: request.body().cloned().unwrap_or_default(),
        }
    }

    /// The whole request; user 0 is nobody.
    pub(crate) fn render(&self, seq: u64, user: u32) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.before_seq.len() + self.before_user.len() + 40 + self.body.len());
        bytes.extend_from_slice(&self.before_seq);
        push_decimal(&mut bytes, seq);
        if user > 0 {
            bytes.extend_from_slice(&self.before_user);
            push_decimal(&mut bytes, u64::from(user));
        }
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes.extend_from_slice(&self.body);
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
    fn a_body_follows_the_head_that_tells_its_length() {
        let request = Request::new("POST", "reviews", "/").unwrap().with_body(Bytes::from_static(b"five!"));
        assert_eq!(
            rendered(&request, 0),
            "POST / HTTP/1.1\r\nhost: reviews\r\nuser-agent: squall\r\ncontent-length: 5\r\nx-request-id: r1.120\r\n\r\nfive!"
        );
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
