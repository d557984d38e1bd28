//! WebSocket (RFC 6455): a call is one message and what answers it, on a connection that was upgraded once.

mod answer;
mod frame;
mod upgrade;

pub(crate) use answer::{Answer, Said, control, farewell};
pub(crate) use upgrade::Upgrade;

use crate::{request::Body, tcp};
use bytes::Bytes;
use frame::{Kind, masked};

/// What a server in order says when a connection has no more use (RFC 6455 section 7.4.1).
pub(crate) const NO_MORE: u16 = 1000;

/// What is taken for the answer to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reply {
    /// A message of the very bytes that were sent.
    #[default]
    Echo,
    /// The next message, whatever it is.
    Any,
}

/// What a call says.
#[derive(Debug)]
pub(crate) struct Message {
    bytes: tcp::Message,
    kind: Kind,
}

impl Message {
    /// A text, where it is one.
    pub(crate) fn new(body: Body, seed: u64) -> Message {
        let is_text = match &body {
            Body::Fixed(bytes) => str::from_utf8(bytes).is_ok(),
            Body::Filled(_) => true,
        };
        Message { bytes: tcp::Message::new(body, seed), kind: if is_text { Kind::Text } else { Kind::Binary } }
    }

    /// What it says, and the frame that says it.
    pub(crate) fn render(&self, seq: u64) -> (Bytes, Bytes) {
        let bytes = self.bytes.render(seq);
        let frame = masked(self.kind, &bytes, rand::random());
        (bytes, frame.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{Context, Pattern, Table};

    #[test]
    fn a_text_is_sent_as_one() {
        for (body, first) in [(&b"hi"[..], 0x81), (b"", 0x81), (b"\xff", 0x82)] {
            let (bytes, frame) = Message::new(Body::Fixed(Bytes::from_static(body)), 1).render(0);
            assert_eq!((&bytes[..], frame[0], frame.len()), (body, first, body.len() + 6));
        }
        let pattern = Pattern::parse("n{seq}", &Table::default(), Context::Body).unwrap();
        assert_eq!(Message::new(Body::Filled(pattern), 1).render(120).0, "n120");
    }
}
