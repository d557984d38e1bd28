//! How a connection becomes one of WebSocket (RFC 6455 section 4). Pure.

use crate::{
    http1,
    line::Line,
    request::Request,
    turns::{Read, Reading},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{Buf as _, BytesMut};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use squall_model::ClientEnd;

/// What a server shows it has understood by.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// A longer head is taken for garbage.
const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 128;

/// What asks for it: the request of a line, but for its body, which is what calls are then.
#[derive(Debug)]
pub(crate) struct Upgrade {
    template: http1::Template,
}

impl Upgrade {
    pub(crate) fn new(line: &Line, request: &Request) -> Upgrade {
        Upgrade { template: http1::Template::upgrading(line, &request.bodyless()) }
    }

    /// The request, and the reading of what is to answer it; made for this call.
    pub(crate) fn render(&self, seq: u64, user: u32) -> (Vec<u8>, Agreement) {
        let key = STANDARD.encode(rand::random::<[u8; 16]>());
        let mut bytes = self.template.render(seq, user);
        // Before the empty line that ends the head.
        bytes.truncate(bytes.len() - 2);
        bytes.extend_from_slice(format!("sec-websocket-key: {key}\r\n\r\n").as_bytes());
        (bytes, Agreement { accept: accept(&key), answer: None })
    }
}

/// What shows that a server has read the key.
fn accept(key: &str) -> String {
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key.as_bytes(), GUID].concat()))
}

/// The reading of what a server answers to that.
#[derive(Debug)]
pub(crate) struct Agreement {
    accept: String,
    answer: Option<ClientEnd>,
}

impl Agreement {
    /// The end of a call that was to be made on the connection; `None`: it can be.
    fn refusal(&self, response: &httparse::Response<'_, '_>) -> Option<ClientEnd> {
        let header = |name: &str| {
            let found = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            found.map(|header| header.value.trim_ascii())
        };
        let speaks = header("upgrade").is_some_and(|value| value.eq_ignore_ascii_case(b"websocket"));
        match response.code {
            Some(101) if speaks && header("sec-websocket-accept") == Some(self.accept.as_bytes()) => None,
            Some(status @ 400..) => Some(ClientEnd::Answered(status)),
            // A good answer to something that was not asked.
            _ => Some(ClientEnd::Garbled),
        }
    }
}

impl Reading for Agreement {
    fn read(&mut self, bytes: &mut BytesMut) -> Read {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let length = match response.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if bytes.len() <= MAX_HEAD => return Read::More,
            Ok(httparse::Status::Partial) | Err(_) => return Read::Broken(ClientEnd::Garbled),
        };
        self.answer = self.refusal(&response);
        bytes.advance(length);
        match self.answer {
            None => Read::Whole { reuse: true },
            Some(end) => Read::Broken(end),
        }
    }

    fn whole(&self) -> ClientEnd {
        ClientEnd::Answered(101)
    }

    fn closed(&self) -> ClientEnd {
        ClientEnd::Reset
    }

    fn reset(&self) -> ClientEnd {
        ClientEnd::Reset
    }

    fn has_begun(&self) -> bool {
        self.answer.is_some()
    }

    fn body(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Shape;

    /// RFC 6455 section 1.3, and RFC 4648 section 10.
    #[test]
    fn what_shows_that_the_key_was_read() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        for (text, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(STANDARD.encode(text), encoded);
        }
    }

    #[test]
    fn what_is_asked_for() {
        let request = Request::new("GET", "chat", "/room").unwrap().with_body("hi");
        let line = Line::new(0, vec![], request.clone(), Shape::Serial { calls: 1 });
        let (bytes, _) = Upgrade::new(&line, &request).render(7, 0);
        let text = String::from_utf8(bytes).unwrap();
        let (head, key) = text.split_once("sec-websocket-key: ").unwrap();
        assert_eq!(
            head,
            "GET /room HTTP/1.1\r\nhost: chat\r\nuser-agent: squall\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nx-request-id: 7\r\n"
        );
        assert!(key.len() == 28 && key.ends_with("==\r\n\r\n"), "{key:?}");
    }

    #[test]
    fn what_is_agreed_on() {
        let read = |text: &str| {
            let mut agreement = Agreement { accept: "yes".into(), answer: None };
            let mut bytes = BytesMut::from(text);
            (agreement.read(&mut bytes), bytes.len())
        };
        let agreed = "HTTP/1.1 101 x\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: yes\r\n\r\n";
        assert_eq!(read(agreed), (Read::Whole { reuse: true }, 0));
        assert_eq!(read(&format!("{agreed}\u{1}")), (Read::Whole { reuse: true }, 1), "what follows is left");
        assert_eq!(read(&agreed[..30]).0, Read::More);
        for (text, end) in [
            (agreed.replace("yes", "no"), ClientEnd::Garbled),
            (agreed.replace("WebSocket\r", "h2c\r"), ClientEnd::Garbled),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into(), ClientEnd::Garbled),
            ("HTTP/1.1 403 Forbidden\r\n\r\n".into(), ClientEnd::Answered(403)),
            ("SSH-2.0-OpenSSH_9.6\r\n".into(), ClientEnd::Garbled),
        ] {
            assert_eq!(read(&text).0, Read::Broken(end), "{text:?}");
        }
    }
}
