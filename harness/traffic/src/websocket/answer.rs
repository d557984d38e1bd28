//! Reading what answers a message: one message, in as many frames as it takes, with whatever a server has to say in between. Pure.

use super::{
    Reply,
    frame::{Head, Kind, Malformed, masked},
};
use crate::{
    client::MAX_BODY,
    turns::{Read, Reading},
};
use bytes::{Buf as _, Bytes, BytesMut};
use squall_model::{Break, ClientEnd};

/// What a server says that gives no reason for closing (RFC 6455 section 7.1.5).
const NO_CODE: u16 = 1005;

/// One answer, as far as it has been read.
#[derive(Debug)]
pub(crate) struct Answer {
    reply: Reply,
    /// What was sent.
    sent: Bytes,
    read: u64,
    state: State,
    /// The server has closed, and said this.
    closed: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing of it has come.
    Before,
    /// In a frame of it, with so many bytes to come.
    Within { left: u64, is_last: bool },
    /// Between two of its frames.
    Between,
}

impl Answer {
    /// Nothing read yet.
    pub(crate) fn new(reply: Reply, sent: Bytes) -> Answer {
        Answer { reply, sent, read: 0, state: State::Before, closed: None }
    }

    /// Where a frame begins. `None`: it was taken, go on.
    fn frame(&mut self, bytes: &mut BytesMut) -> Option<Read> {
        match control(bytes) {
            Err(Malformed) => Some(Read::Broken(ClientEnd::Garbled)),
            Ok(Said::Nothing) => Some(Read::More),
            Ok(Said::Pong) => None,
            Ok(Said::Ping(pong)) => Some(Read::Say(pong)),
            Ok(Said::Close(code)) => {
                self.closed = Some(code);
                Some(Read::Say(farewell(code)))
            }
            Ok(Said::Data(Head { kind, is_last, size, length })) => {
                if (kind == Kind::More) != (self.state == State::Between) {
                    return Some(Read::Broken(ClientEnd::Garbled));
                }
                bytes.advance(size);
                self.state = State::Within { left: length, is_last };
                None
            }
        }
    }

    /// Takes what has come of a frame; false where it is not what was sent.
    fn take(&mut self, bytes: &mut BytesMut, left: u64) -> bool {
        let taken = left.min(bytes.len() as u64) as usize;
        let from = self.read as usize;
        let is_right = self.reply == Reply::Any || self.sent.get(from..from + taken) == Some(&bytes[..taken]);
        self.read += taken as u64;
        bytes.advance(taken);
        is_right
    }

    fn is_whole_echo(&self) -> bool {
        self.reply == Reply::Any || self.read == self.sent.len() as u64
    }
}

impl Reading for Answer {
    fn read(&mut self, bytes: &mut BytesMut) -> Read {
        loop {
            match self.state {
                _ if self.closed.is_some() => return Read::Broken(self.reset()),
                State::Within { left: 0, is_last: true } if self.is_whole_echo() => return Read::Whole { reuse: true },
                State::Within { left: 0, is_last: true } => return Read::Broken(ClientEnd::Garbled),
                State::Within { left: 0, .. } => self.state = State::Between,
                State::Within { .. } if bytes.is_empty() => return Read::More,
                State::Within { .. } if self.read > MAX_BODY => return Read::Broken(self.reset()),
                State::Within { left, is_last } => {
                    let before = bytes.len();
                    if !self.take(bytes, left) {
                        return Read::Broken(ClientEnd::Garbled);
                    }
                    self.state = State::Within { left: left - (before - bytes.len()) as u64, is_last };
                }
                State::Before | State::Between => {
                    if let Some(read) = self.frame(bytes) {
                        return read;
                    }
                }
            }
        }
    }

    fn whole(&self) -> ClientEnd {
        ClientEnd::Answered(0)
    }

    fn closed(&self) -> ClientEnd {
        self.reset()
    }

    fn reset(&self) -> ClientEnd {
        if self.has_begun() { ClientEnd::Cut(0) } else { ClientEnd::Reset }
    }

    fn has_begun(&self) -> bool {
        self.state != State::Before
    }

    fn is_coming(&self) -> bool {
        self.has_begun()
    }

    fn body(&self) -> u64 {
        self.read
    }

    fn broken(&self) -> Option<Break> {
        self.closed.map(Break::WebSocket)
    }
}

/// What stands at the beginning of what has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Not enough to say.
    Nothing,
    /// The beginning of a frame of a message, which is left where it is.
    Data(Head),
    /// A ping: this is its pong.
    Ping(Bytes),
    Pong,
    /// The end of the connection, for this reason.
    Close(u16),
}

/// Looks at the next frame, and takes it if it belongs to no message.
pub(crate) fn control(bytes: &mut BytesMut) -> Result<Said, Malformed> {
    let Some(head) = Head::read(bytes)? else { return Ok(Said::Nothing) };
    if !head.kind.is_control() {
        return Ok(Said::Data(head));
    }
    if ((bytes.len() - head.size) as u64) < head.length {
        return Ok(Said::Nothing);
    }
    bytes.advance(head.size);
    let payload = bytes.split_to(head.length as usize);
    Ok(match (head.kind, payload.first_chunk::<2>()) {
        (Kind::Ping, _) => Said::Ping(masked(Kind::Pong, &payload, rand::random()).into()),
        (Kind::Close, code) => Said::Close(code.map_or(NO_CODE, |code| u16::from_be_bytes(*code))),
        _ => Said::Pong,
    })
}

/// The frame that ends a connection, for this reason.
pub(crate) fn farewell(code: u16) -> Bytes {
    let code = code.to_be_bytes();
    let payload = if u16::from_be_bytes(code) == NO_CODE { &[][..] } else { &code };
    masked(Kind::Close, payload, rand::random()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WHOLE: Read = Read::Whole { reuse: true };
    const GARBLED: Read = Read::Broken(ClientEnd::Garbled);

    /// Reads until something comes of it; with what was said meanwhile, as a server has it.
    fn read(reply: Reply, sent: &'static [u8], text: &[u8]) -> (Read, Answer, Vec<Vec<u8>>) {
        let (mut answer, mut bytes) = (Answer::new(reply, Bytes::from_static(sent)), BytesMut::from(text));
        let mut said = Vec::new();
        loop {
            match answer.read(&mut bytes) {
                Read::Say(frame) => said.push(unmasked(&frame)),
                other => return (other, answer, said),
            }
        }
    }

    /// Kind and payload of a short frame of a caller.
    fn unmasked(frame: &[u8]) -> Vec<u8> {
        let payload = frame[6..].iter().zip(frame[2..6].iter().cycle()).map(|(byte, mask)| byte ^ mask);
        std::iter::once(frame[0]).chain(payload).collect()
    }

    #[test]
    fn an_echo_is_what_was_sent_and_any_answer_is_one_message() {
        for (text, echo, any) in [
            (&b"\x81\x04ping"[..], WHOLE, WHOLE),
            (b"\x82\x04ping", WHOLE, WHOLE),
            (b"\x01\x02pi\x80\x02ng", WHOLE, WHOLE),
            (b"\x01\x02pi\x00\x00\x80\x02ng", WHOLE, WHOLE),
            (b"\x81\x04pong", GARBLED, WHOLE),
            (b"\x81\x05pings", GARBLED, WHOLE),
            (b"\x81\x02pi", GARBLED, WHOLE),
            (b"\x81\x04pi", Read::More, Read::More),
            (b"\x01\x02pi", Read::More, Read::More),
            (b"\x80\x04ping", GARBLED, GARBLED),
            (b"\x01\x02pi\x81\x02ng", GARBLED, GARBLED),
            (b"HTTP/1.1", GARBLED, GARBLED),
        ] {
            assert_eq!(
                (read(Reply::Echo, b"ping", text).0, read(Reply::Any, b"ping", text).0),
                (echo, any),
                "{text:?}"
            );
        }
        assert_eq!(read(Reply::Echo, b"", b"\x81\x00").0, WHOLE);
    }

    #[test]
    fn a_ping_is_answered_wherever_it_comes() {
        let (end, _, said) = read(Reply::Echo, b"ping", b"\x89\x01a\x01\x02pi\x89\x02bc\x8a\x00\x80\x02ng");
        assert_eq!((end, said), (WHOLE, vec![b"\x8aa".to_vec(), b"\x8abc".to_vec()]));
    }

    #[test]
    fn a_close_is_answered_and_says_why() {
        for (text, end, code, said) in [
            (&b"\x88\x05\x03\xf3bad"[..], ClientEnd::Reset, 1011, &b"\x88\x03\xf3"[..]),
            (b"\x88\x00", ClientEnd::Reset, 1005, b"\x88"),
            (b"\x01\x02pi\x88\x02\x03\xe9", ClientEnd::Cut(0), 1001, b"\x88\x03\xe9"),
        ] {
            let (read, answer, told) = read(Reply::Echo, b"ping", text);
            assert_eq!((read, answer.broken()), (Read::Broken(end), Some(Break::WebSocket(code))), "{text:?}");
            assert_eq!(told, [said]);
        }
    }

    #[test]
    fn the_end_of_the_connection_depends_on_how_far_it_came() {
        for (text, end) in
            [(&b""[..], ClientEnd::Reset), (b"\x89\x00", ClientEnd::Reset), (b"\x81\x04p", ClientEnd::Cut(0))]
        {
            let (_, answer, _) = read(Reply::Echo, b"ping", text);
            assert_eq!((answer.closed(), answer.reset(), answer.broken()), (end, end, None), "{text:?}");
        }
    }

    proptest! {
        /// However the network cuts it, an answer is an answer, and no prefix of it is whole.
        #[test]
        fn pieces_do_not_matter(cuts in proptest::collection::vec(1usize..6, 0..40)) {
            let text = b"\x89\x01a\x01\x02pi\x8a\x00\x80\x02ng";
            let (mut answer, mut bytes) = (Answer::new(Reply::Echo, Bytes::from_static(b"ping")), BytesMut::new());
            let (mut rest, mut cuts) = (&text[..], cuts.into_iter());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(cuts.next().unwrap_or(rest.len()).min(rest.len()));
                bytes.extend_from_slice(piece);
                rest = after;
                let mut read = answer.read(&mut bytes);
                while let Read::Say(_) = read {
                    read = answer.read(&mut bytes);
                }
                prop_assert_eq!(read, if rest.is_empty() { WHOLE } else { Read::More });
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let (mut answer, mut bytes) = (Answer::new(Reply::Any, Bytes::new()), BytesMut::from(&bytes[..]));
            while let Read::Say(_) = answer.read(&mut bytes) {}
        }
    }
}
