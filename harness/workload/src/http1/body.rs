//! Finds the end of a body, and throws the body away. Pure.

use httparse::{InvalidChunkSize, Status};

/// How the end of a body is known (RFC 9112, 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// So many bytes.
    Length(u64),
    /// In chunks.
    Chunked,
    /// When the connection ends.
    UntilClose,
}

/// A line of a chunk's size or of a trailer may be so long.
const LONGEST_LINE: usize = 8 * 1024;

/// What is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Bytes(u64),
    ChunkSize,
    /// Bytes of a chunk with the line end after it.
    Chunk(u64),
    Trailers,
    Endless,
}

/// Reads over one body, fed with whatever has arrived.
#[derive(Debug)]
pub(crate) struct Skip(Rest);

impl Skip {
    pub(crate) fn new(framing: Framing) -> Skip {
        Skip(match framing {
            Framing::Length(n) => Rest::Bytes(n),
            Framing::Chunked => Rest::ChunkSize,
            Framing::UntilClose => Rest::Endless,
        })
    }

    /// The body was read to its end.
    pub(crate) fn is_done(&self) -> bool {
        self.0 == Rest::Bytes(0)
    }

    /// The end of the connection is the end of the body.
    pub(crate) fn ends_with_connection(&self) -> bool {
        self.0 == Rest::Endless
    }

    /// How many of the first bytes of `buf` are the body's. What is left was not understood yet, or comes after it.
    pub(crate) fn eat(&mut self, buf: &[u8]) -> Result<usize, InvalidChunkSize> {
        let mut eaten = 0;
        while let Some(n) = self.step(&buf[eaten..])? {
            eaten += n;
        }
        Ok(eaten)
    }

    /// One part of the body; `None` if it takes more bytes, or none at all.
    fn step(&mut self, buf: &[u8]) -> Result<Option<usize>, InvalidChunkSize> {
        if buf.is_empty() || self.is_done() {
            return Ok(None);
        }
        match self.0 {
            Rest::Endless => Ok(Some(buf.len())),
            Rest::Bytes(rest) => Ok(Some(self.take(buf, rest, Rest::Bytes))),
            Rest::Chunk(rest) => {
                let n = self.take(buf, rest, Rest::Chunk);
                if self.0 == Rest::Chunk(0) {
                    self.0 = Rest::ChunkSize;
                }
                Ok(Some(n))
            }
            Rest::ChunkSize => match httparse::parse_chunk_size(buf)? {
                Status::Partial if buf.len() > LONGEST_LINE => Err(InvalidChunkSize),
                Status::Partial => Ok(None),
                Status::Complete((n, size)) => {
                    self.0 = if size == 0 { Rest::Trailers } else { Rest::Chunk(size.saturating_add(2)) };
                    Ok(Some(n))
                }
            },
            Rest::Trailers => match buf.iter().position(|&b| b == b'\n') {
                None if buf.len() > LONGEST_LINE => Err(InvalidChunkSize),
                None => Ok(None),
                Some(end) => {
                    if buf[..end].iter().all(|&b| b == b'\r') {
                        self.0 = Rest::Bytes(0);
                    }
                    Ok(Some(end + 1))
                }
            },
        }
    }

    fn take(&mut self, buf: &[u8], rest: u64, state: fn(u64) -> Rest) -> usize {
        let n = usize::try_from(rest).unwrap_or(usize::MAX).min(buf.len());
        self.0 = state(rest - n as u64);
        n
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds `message` in pieces cut at `cuts`; says how many bytes were the body's.
    fn feed(framing: Framing, message: &[u8], cuts: &[usize]) -> (usize, bool) {
        let mut skip = Skip::new(framing);
        let mut ends: Vec<usize> = cuts.iter().map(|c| c % (message.len() + 1)).collect();
        ends.push(message.len());
        ends.sort_unstable();
        let mut at = 0;
        for end in ends {
            at += skip.eat(&message[at..end]).unwrap();
        }
        (at, skip.is_done())
    }

    fn chunked(chunks: &[Vec<u8>], trailers: &[String]) -> Vec<u8> {
        let mut message = Vec::new();
        for chunk in chunks.iter().filter(|c| !c.is_empty()) {
            message.extend_from_slice(format!("{:x};ext=1\r\n", chunk.len()).as_bytes());
            message.extend_from_slice(chunk);
            message.extend_from_slice(b"\r\n");
        }
        message.extend_from_slice(b"0\r\n");
        for trailer in trailers {
            message.extend_from_slice(format!("{trailer}: x\r\n").as_bytes());
        }
        message.extend_from_slice(b"\r\n");
        message
    }

    proptest! {
        #[test]
        fn chunks_are_read_to_their_end_and_no_further(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..6),
            trailers in proptest::collection::vec("[a-z]{1,8}", 0..3),
            after in proptest::collection::vec(any::<u8>(), 0..20),
            cuts in proptest::collection::vec(any::<usize>(), 0..20),
        ) {
            let mut message = chunked(&chunks, &trailers);
            let body = message.len();
            message.extend_from_slice(&after);
            prop_assert_eq!(feed(Framing::Chunked, &message, &cuts), (body, true));
            // Without its last byte it is not over.
            prop_assert!(!feed(Framing::Chunked, &message[..body - 1], &cuts).1);
        }

        #[test]
        fn a_length_is_read_to_its_end_and_no_further(
            length in 0usize..100, after in 0usize..20, cuts in proptest::collection::vec(any::<usize>(), 0..9)
        ) {
            let message = vec![b'x'; length + after];
            prop_assert_eq!(feed(Framing::Length(length as u64), &message, &cuts), (length, true));
        }
    }

    #[test]
    fn a_senseless_chunk_size_is_refused() {
        assert!(Skip::new(Framing::Chunked).eat(b"zz\r\n").is_err());
    }

    #[test]
    fn without_a_length_only_the_close_ends_it() {
        let mut skip = Skip::new(Framing::UntilClose);
        assert_eq!(skip.eat(b"anything").unwrap(), 8);
        assert!(!skip.is_done() && skip.ends_with_connection());
    }
}
