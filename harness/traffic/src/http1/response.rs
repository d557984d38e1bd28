//! Reading an HTTP/1.1 answer: framing only, as RFC 9112 section 6.3 has it.
//!
//! No I/O here. Bytes come in whatever pieces the network made of them; the head is parsed, the body counted and dropped.

use crate::{
    client::MAX_BODY,
    turns::{Read, Reading},
};
use bytes::{Buf as _, BytesMut};
use squall_model::ClientEnd;

/// A longer head is taken for garbage. Envoy's own limit is 60 KiB (`max_response_headers_kb`).
const MAX_HEAD: usize = 64 * 1024;
/// A chunk's size with its extensions, or one trailer.
const MAX_LINE: usize = 16 * 1024;
const MAX_HEADERS: usize = 128;

/// One answer, as far as it has been read.
#[derive(Debug)]
pub(crate) struct Answer {
    state: State,
    status: u16,
    reuse: bool,
    body: u64,
    /// The answer to a HEAD request describes a body and has none.
    to_head: bool,
    /// Where it leads to; kept only where somebody would go there.
    location: Kept,
}

#[derive(Debug)]
enum Kept {
    No,
    Yes(Option<Box<[u8]>>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    Length(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailers,
    UntilClose,
    Whole,
}

/// One step of reading: the state moved, or it cannot without more bytes, or never will.
enum Step {
    On,
    Starved,
    Broken(ClientEnd),
}

impl Answer {
    /// Nothing read yet.
    pub(crate) fn new(to_head: bool) -> Answer {
        Answer { state: State::Head, status: 0, reuse: true, body: 0, to_head, location: Kept::No }
    }

    /// Nothing read yet, by somebody who may go on to where it leads.
    pub(crate) fn leading(to_head: bool) -> Answer {
        Answer { location: Kept::Yes(None), ..Answer::new(to_head) }
    }

    /// Where it leads to.
    pub(crate) fn location(&self) -> Option<&[u8]> {
        match &self.location {
            Kept::Yes(location) => location.as_deref(),
            Kept::No => None,
        }
    }

    fn step(&mut self, bytes: &mut BytesMut) -> Step {
        match self.state {
            State::Head => self.head(bytes),
            State::Length(0) => self.goes_to(State::Whole),
            State::Length(left) => self.data(bytes, left, State::Length),
            State::UntilClose => self.data(bytes, u64::MAX, |_| State::UntilClose),
            State::ChunkSize => self.chunk_size(bytes),
            State::ChunkData(0) => self.goes_to(State::ChunkEnd),
            State::ChunkData(left) => self.data(bytes, left, State::ChunkData),
            State::ChunkEnd => self.chunk_end(bytes),
            State::Trailers => self.trailer(bytes),
            State::Whole => Step::Starved,
        }
    }

    fn goes_to(&mut self, state: State) -> Step {
        self.state = state;
        Step::On
    }

    fn head(&mut self, bytes: &mut BytesMut) -> Step {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let length = match response.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if bytes.len() <= MAX_HEAD => return Step::Starved,
            Ok(httparse::Status::Partial) | Err(_) => return Step::Broken(ClientEnd::Garbled),
        };
        let status = response.code.unwrap_or_default();
        let Some(framing) = Framing::of(response.headers) else { return Step::Broken(ClientEnd::Garbled) };
        let http_1_0 = response.version == Some(0);
        if let Kept::Yes(location) = &mut self.location {
            let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("location"));
            *location = header.map(|header| header.value.into());
        }
        bytes.advance(length);
        match status {
            // An upgrade, which nobody asked for.
            101 => return Step::Broken(ClientEnd::Garbled),
            100..=199 => return Step::On,
            _ => {}
        }
        self.status = status;
        self.reuse = !framing.close && (!http_1_0 || framing.keep_alive);
        let bodyless = self.to_head || status == 204 || status == 304;
        self.state = match framing.body {
            _ if bodyless => State::Whole,
            Body::Length(length) => State::Length(length),
            Body::Chunked => State::ChunkSize,
            Body::UntilClose => State::UntilClose,
        };
        Step::On
    }

    fn data(&mut self, bytes: &mut BytesMut, left: u64, rest: impl FnOnce(u64) -> State) -> Step {
        if bytes.is_empty() {
            return Step::Starved;
        }
        let taken = left.min(bytes.len() as u64);
        bytes.advance(taken as usize);
        self.body += taken;
        if self.body > MAX_BODY {
            return Step::Broken(ClientEnd::Cut(self.status));
        }
        self.goes_to(rest(left - taken))
    }

    fn chunk_size(&mut self, bytes: &mut BytesMut) -> Step {
        match httparse::parse_chunk_size(bytes) {
            Ok(httparse::Status::Complete((length, size))) => {
                bytes.advance(length);
                self.goes_to(if size == 0 { State::Trailers } else { State::ChunkData(size) })
            }
            Ok(httparse::Status::Partial) if bytes.len() <= MAX_LINE => Step::Starved,
            Ok(httparse::Status::Partial) | Err(_) => Step::Broken(ClientEnd::Garbled),
        }
    }

    fn chunk_end(&mut self, bytes: &mut BytesMut) -> Step {
        match bytes.get(..2) {
            Some(b"\r\n") => {
                bytes.advance(2);
                self.goes_to(State::ChunkSize)
            }
            Some(_) => Step::Broken(ClientEnd::Garbled),
            None => Step::Starved,
        }
    }

    fn trailer(&mut self, bytes: &mut BytesMut) -> Step {
        match bytes.iter().position(|b| *b == b'\n') {
            Some(end) => {
                let empty = matches!(&bytes[..end], b"" | b"\r");
                bytes.advance(end + 1);
                self.goes_to(if empty { State::Whole } else { State::Trailers })
            }
            None if bytes.len() <= MAX_LINE => Step::Starved,
            None => Step::Broken(ClientEnd::Garbled),
        }
    }
}

impl Reading for Answer {
    fn read(&mut self, bytes: &mut BytesMut) -> Read {
        while self.state != State::Whole {
            match self.step(bytes) {
                Step::On => {}
                Step::Starved => return Read::More,
                Step::Broken(end) => return Read::Broken(end),
            }
        }
        // Bytes that nobody asked for would be taken for the next call's answer.
        Read::Whole { reuse: self.reuse && bytes.is_empty() }
    }

    fn closed(&self) -> ClientEnd {
        match self.state {
            State::Head => ClientEnd::Reset,
            State::UntilClose | State::Whole => ClientEnd::Answered(self.status),
            _ => ClientEnd::Cut(self.status),
        }
    }

    fn reset(&self) -> ClientEnd {
        match self.state {
            State::Head => ClientEnd::Reset,
            _ => ClientEnd::Cut(self.status),
        }
    }

    fn body(&self) -> u64 {
        self.body
    }

    fn has_begun(&self) -> bool {
        self.state != State::Head
    }

    fn lacks_trailers(&self) -> bool {
        self.state == State::Trailers
    }

    fn whole(&self) -> ClientEnd {
        ClientEnd::Answered(self.status)
    }
}

/// What an answer's headers say of its body and of the connection.
struct Framing {
    body: Body,
    close: bool,
    keep_alive: bool,
}

enum Body {
    Length(u64),
    Chunked,
    UntilClose,
}

impl Framing {
    /// `None` where the headers contradict each other, which RFC 9112 section 6.3 calls unrecoverable.
    fn of(headers: &[httparse::Header<'_>]) -> Option<Framing> {
        let (mut close, mut keep_alive) = (false, false);
        let (mut length, mut codings) = (None, None);
        for header in headers {
            if header.name.eq_ignore_ascii_case("content-length") {
                for value in elements(header.value) {
                    let value = decimal(value)?;
                    if length.replace(value).is_some_and(|before| before != value) {
                        return None;
                    }
                }
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                codings = elements(header.value).last();
            } else if header.name.eq_ignore_ascii_case("connection") {
                close |= elements(header.value).any(|e| e.eq_ignore_ascii_case(b"close"));
                keep_alive |= elements(header.value).any(|e| e.eq_ignore_ascii_case(b"keep-alive"));
            }
        }
        let body = match (codings, length) {
            (Some(last), _) if last.eq_ignore_ascii_case(b"chunked") => Body::Chunked,
            (Some(_), _) | (None, None) => Body::UntilClose,
            (None, Some(length)) => Body::Length(length),
        };
        // Both at once is how answers are smuggled: the connection is not to be trusted any further.
        close |= codings.is_some() && length.is_some();
        Some(Framing { body, close, keep_alive })
    }
}

/// The elements of a comma-separated header value.
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|b| *b == b',').map(<[u8]>::trim_ascii)
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WHOLE: Read = Read::Whole { reuse: true };
    const WHOLE_ONCE: Read = Read::Whole { reuse: false };
    const GARBLED: Read = Read::Broken(ClientEnd::Garbled);

    fn read(text: &str) -> (Read, Answer) {
        let mut answer = Answer::new(false);
        (answer.read(&mut BytesMut::from(text)), answer)
    }

    #[test]
    fn whole_answers() {
        for (text, expected, status) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", WHOLE, 200),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", WHOLE, 200),
            ("HTTP/1.1 204 No Content\r\n\r\n", WHOLE, 204),
            ("HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", WHOLE, 304),
            ("HTTP/1.1 503 x\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx", WHOLE_ONCE, 503),
            ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: x, Close\r\n\r\nx", WHOLE_ONCE, 200),
            ("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx", WHOLE_ONCE, 200),
            ("HTTP/1.0 200 OK\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\nx", WHOLE, 200),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
                WHOLE,
                200,
            ),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\n\r\n", WHOLE, 200),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\ngrpc-status: 0\r\n\r\n", WHOLE, 200),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n", WHOLE_ONCE, 200),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok", WHOLE, 200),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok and more", WHOLE_ONCE, 200),
        ] {
            let (end, answer) = read(text);
            assert_eq!((end, answer.status), (expected, status), "{text:?}");
        }
    }

    #[test]
    fn an_answer_to_head_has_no_body() {
        let mut answer = Answer::new(true);
        assert_eq!(answer.read(&mut BytesMut::from("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")), WHOLE);
    }

    /// Of the answer, and not of what was said before it.
    #[test]
    fn where_it_leads_is_kept_if_somebody_would_go_there() {
        let text =
            "HTTP/1.1 103 Early\r\nlocation: /a\r\n\r\nHTTP/1.1 302 Found\r\nLocation: /b\r\ncontent-length: 0\r\n\r\n";
        for (mut answer, location) in [(Answer::new(false), None), (Answer::leading(false), Some(&b"/b"[..]))] {
            assert_eq!(answer.read(&mut BytesMut::from(text)), WHOLE);
            assert_eq!(answer.location(), location);
        }
        let mut nowhere = Answer::leading(false);
        nowhere.read(&mut BytesMut::from("HTTP/1.1 103 Early\r\nlocation: /a\r\n\r\nHTTP/1.1 204 None\r\n\r\n"));
        assert_eq!(nowhere.location(), None);
    }

    #[test]
    fn garbage() {
        for text in [
            "\u{15}\u{3}\u{1}\u{0}\u{2}",
            "SSH-2.0-OpenSSH_9.6\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
            "HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nxyz",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        ] {
            assert_eq!(read(text).0, GARBLED, "{text:?}");
        }
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(MAX_HEAD));
        assert_eq!(read(&endless).0, GARBLED);
    }

    #[test]
    fn what_a_close_means_depends_on_how_far_the_answer_is() {
        for (text, closed, reset) in [
            ("", ClientEnd::Reset, ClientEnd::Reset),
            ("HTTP/1.1 20", ClientEnd::Reset, ClientEnd::Reset),
            ("HTTP/1.1 100 Continue\r\n\r\n", ClientEnd::Reset, ClientEnd::Reset),
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok", ClientEnd::Cut(200), ClientEnd::Cut(200)),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n",
                ClientEnd::Cut(200),
                ClientEnd::Cut(200),
            ),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", ClientEnd::Cut(200), ClientEnd::Cut(200)),
            ("HTTP/1.1 200 OK\r\n\r\nok", ClientEnd::Answered(200), ClientEnd::Cut(200)),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nok", ClientEnd::Answered(200), ClientEnd::Cut(200)),
        ] {
            let (end, answer) = read(text);
            assert_eq!((end, answer.closed(), answer.reset()), (Read::More, closed, reset), "{text:?}");
        }
    }

    proptest! {
        /// However the network cuts an answer into pieces, it is the same answer, and no prefix of it is whole.
        #[test]
        fn pieces_do_not_matter(
            which in 0usize..4, cuts in proptest::collection::vec(1usize..20, 0..40),
        ) {
            let text = [
                "HTTP/1.1 200 OK\r\ncontent-length: 12\r\nx-a: b\r\n\r\nhello, world",
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n7;x\r\n, world\r\n0\r\nt: 1\r\n\r\n",
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Unavailable\r\ncontent-length: 3\r\n\r\nbad",
                "HTTP/1.1 204 No Content\r\ndate: today\r\n\r\n",
            ][which];
            let mut answer = Answer::new(false);
            let (mut buffer, mut rest) = (BytesMut::new(), text.as_bytes());
            let mut cuts = cuts.into_iter();
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(cuts.next().unwrap_or(rest.len()).min(rest.len()));
                buffer.extend_from_slice(piece);
                rest = after;
                let expected = if rest.is_empty() { WHOLE } else { Read::More };
                prop_assert_eq!(answer.read(&mut buffer), expected);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut answer = Answer::new(false);
            let _ = answer.read(&mut BytesMut::from(&b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"[..]));
            let _ = answer.read(&mut BytesMut::from(&bytes[..]));
            let _ = Answer::new(false).read(&mut BytesMut::from(&bytes[..]));
        }
    }
}
