//! Bytes over TCP: how a request is written, and how much of what comes back is its answer.

use crate::{
    pattern::{Filling, Pattern},
    request::Body,
    turns::{Read, Reading},
};
use bytes::{Buf as _, Bytes, BytesMut};
use squall_model::ClientEnd;

/// How much of what a server sends is the answer to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Until {
    /// The very bytes that it was sent.
    #[default]
    Echo,
    /// Up to and with the end of a line.
    Line,
    /// So many bytes.
    Length(u64),
}

/// A longer line is not read to its end.
const MAX_LINE: usize = 1 << 20;

/// What a call sends.
#[derive(Debug)]
pub(crate) struct Message {
    seed: u64,
    body: Body,
}

impl Message {
    pub(crate) fn new(body: Body, seed: u64) -> Message {
        Message { seed, body }
    }

    pub(crate) fn render(&self, seq: u64) -> Bytes {
        match &self.body {
            Body::Fixed(bytes) => bytes.clone(),
            Body::Filled(pattern) => filled(pattern, Filling { seed: self.seed, seq }),
        }
    }
}

fn filled(pattern: &Pattern, filling: Filling) -> Bytes {
    let mut bytes = Vec::new();
    pattern.render(filling, &mut bytes);
    bytes.into()
}

/// One answer, as far as it has been read.
#[derive(Debug)]
pub(crate) struct Answer {
    until: Until,
    /// What is to come back, where that is said.
    echo: Bytes,
    read: u64,
}

impl Answer {
    /// Nothing read yet.
    pub(crate) fn new(until: Until, sent: Bytes) -> Answer {
        Answer { until, echo: sent, read: 0 }
    }

    fn take(&mut self, bytes: &mut BytesMut, most: u64) -> bool {
        let taken = most.min(bytes.len() as u64);
        self.read += taken;
        bytes.advance(taken as usize);
        taken == most
    }

    fn whole(bytes: &BytesMut) -> Read {
        // Bytes that nobody asked for would be taken for the next call's answer.
        Read::Whole { reuse: bytes.is_empty() }
    }
}

impl Reading for Answer {
    fn read(&mut self, bytes: &mut BytesMut) -> Read {
        let is_whole = match self.until {
            Until::Echo => {
                let (read, most) = (self.read as usize, bytes.len().min(self.echo.len() - self.read as usize));
                if bytes[..most] != self.echo[read..read + most] {
                    return Read::Broken(ClientEnd::Garbled);
                }
                self.take(bytes, self.echo.len() as u64 - self.read)
            }
            Until::Length(length) => self.take(bytes, length - self.read),
            Until::Line => match bytes.iter().position(|b| *b == b'\n') {
                Some(end) => self.take(bytes, end as u64 + 1),
                None if bytes.len() > MAX_LINE => return Read::Broken(self.end_cut()),
                None => false,
            },
        };
        if is_whole { Answer::whole(bytes) } else { Read::More }
    }

    fn whole(&self) -> ClientEnd {
        ClientEnd::Answered(0)
    }

    fn closed(&self) -> ClientEnd {
        self.reset()
    }

    fn reset(&self) -> ClientEnd {
        if self.has_begun() { self.end_cut() } else { ClientEnd::Reset }
    }

    fn has_begun(&self) -> bool {
        self.read > 0
    }

    fn body(&self) -> u64 {
        self.read
    }
}

impl Answer {
    fn end_cut(&self) -> ClientEnd {
        ClientEnd::Cut(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads pieces until something has come of them.
    fn of(until: Until, sent: &'static [u8], pieces: &[&[u8]]) -> (Read, u64) {
        let (mut answer, mut buffer) = (Answer::new(until, Bytes::from_static(sent)), BytesMut::new());
        for piece in pieces {
            buffer.extend_from_slice(piece);
            match answer.read(&mut buffer) {
                Read::More => {}
                other => return (other, answer.body()),
            }
        }
        (Read::More, answer.body())
    }

    #[test]
    fn how_much_is_an_answer() {
        const WHOLE: Read = Read::Whole { reuse: true };
        const MORE: Read = Read::Whole { reuse: false };
        assert_eq!(of(Until::Echo, b"ping", &[b"pi", b"ng"]), (WHOLE, 4));
        assert_eq!(of(Until::Echo, b"ping", &[b"pi"]), (Read::More, 2));
        assert_eq!(of(Until::Echo, b"ping", &[b"pi", b"nk"]).0, Read::Broken(ClientEnd::Garbled));
        assert_eq!(of(Until::Echo, b"ping", &[b"pinging"]), (MORE, 4));
        assert_eq!(of(Until::Line, b"x", &[b"o", b"k\n"]), (WHOLE, 3));
        assert_eq!(of(Until::Line, b"x", &[b"ok\nmore"]), (MORE, 3));
        assert_eq!(of(Until::Line, b"x", &[b"ok"]).0, Read::More);
        assert_eq!(of(Until::Length(3), b"x", &[b"ab", b"c"]), (WHOLE, 3));
        assert_eq!(of(Until::Length(3), b"x", &[b"abcd"]), (MORE, 3));
    }

    proptest! {
        /// However a network cuts it, an echo is an echo.
        #[test]
        fn an_echo_in_pieces(sent in proptest::collection::vec(any::<u8>(), 1..200), piece in 1usize..50) {
            let (mut answer, mut buffer) = (Answer::new(Until::Echo, Bytes::from(sent.clone())), BytesMut::new());
            let mut last = Read::More;
            for piece in sent.chunks(piece) {
                prop_assert_eq!(last, Read::More);
                buffer.extend_from_slice(piece);
                last = answer.read(&mut buffer);
            }
            prop_assert_eq!(last, Read::Whole { reuse: true });
        }
    }
}
