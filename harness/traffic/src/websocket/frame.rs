//! Frames as they stand on the wire (RFC 6455 section 5.2). Pure.

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// More of the message that was begun.
    More,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Kind {
    const ALL: [(u8, Kind); 6] =
        [(0, Kind::More), (1, Kind::Text), (2, Kind::Binary), (8, Kind::Close), (9, Kind::Ping), (10, Kind::Pong)];

    fn code(self) -> u8 {
        Kind::ALL.iter().find(|(_, kind)| *kind == self).map_or(0, |(code, _)| *code)
    }

    /// It may stand in the middle of a message, and is none itself.
    pub(super) fn is_control(self) -> bool {
        matches!(self, Kind::Close | Kind::Ping | Kind::Pong)
    }
}

/// What stands before the bytes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(super) kind: Kind,
    /// The last of its message.
    pub(super) is_last: bool,
    /// Bytes of the head itself.
    pub(super) size: usize,
    /// Bytes that follow it.
    pub(super) length: u64,
}

/// No server sends that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Head {
    /// The head of a server's frame; `None` where it is not all there. A server masks nothing, and nothing was agreed on that would
    /// give the three bits a meaning.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Head>, Malformed> {
        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        if first & 0x70 != 0 || second & 0x80 != 0 {
            return Err(Malformed);
        }
        let (_, kind) = Kind::ALL.into_iter().find(|(code, _)| *code == first & 0x0f).ok_or(Malformed)?;
        let (size, length) = match (second, rest) {
            (126, &[a, b, ..]) => (4, u64::from(u16::from_be_bytes([a, b]))),
            (127, _) => match rest.first_chunk::<8>() {
                Some(length) => (10, u64::from_be_bytes(*length)),
                None => return Ok(None),
            },
            (126, _) => return Ok(None),
            (length, _) => (2, u64::from(length)),
        };
        let is_last = first & 0x80 != 0;
        let fits = length >> 63 == 0 && (!kind.is_control() || is_last && length <= 125);
        if fits { Ok(Some(Head { kind, is_last, size, length })) } else { Err(Malformed) }
    }
}

/// A whole frame of a caller: masked, as RFC 6455 section 5.3 asks, so that nothing between the two takes it for something else.
pub(crate) fn masked(kind: Kind, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + 14);
    bytes.push(0x80 | kind.code());
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..126), _) => bytes.push(0x80 | length),
        (_, Ok(length)) => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 6455 section 5.7.
    #[test]
    fn frames_of_the_standard() {
        assert_eq!(
            masked(Kind::Text, b"Hello", [0x37, 0xfa, 0x21, 0x3d]),
            [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]
        );
        let head = |kind, is_last, size, length| Ok(Some(Head { kind, is_last, size, length }));
        assert_eq!(Head::read(b"\x81\x05Hello"), head(Kind::Text, true, 2, 5));
        assert_eq!(Head::read(b"\x01\x03Hel"), head(Kind::Text, false, 2, 3));
        assert_eq!(Head::read(b"\x80\x02lo"), head(Kind::More, true, 2, 2));
        assert_eq!(Head::read(b"\x89\x05Hello"), head(Kind::Ping, true, 2, 5));
        assert_eq!(Head::read(b"\x82\x7e\x01\x00"), head(Kind::Binary, true, 4, 256));
        assert_eq!(Head::read(b"\x82\x7f\0\0\0\0\0\x01\0\0"), head(Kind::Binary, true, 10, 65_536));
        for part in [&b""[..], b"\x81", b"\x82\x7e\x01", b"\x82\x7f\0\0\0\0\0\x01\0"] {
            assert_eq!(Head::read(part), Ok(None));
        }
    }

    #[test]
    fn lengths_are_said_in_as_few_bytes_as_may_be() {
        for (length, size) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let frame = masked(Kind::Binary, &vec![7; length], [0; 4]);
            assert_eq!(frame.len(), size + 4 + length);
            // As a server would say it: without a mask.
            let bytes = [&[frame[0], frame[1] & 0x7f], &frame[2..]].concat();
            let head = Head::read(&bytes).unwrap().unwrap();
            assert_eq!((head.size, head.length), (size, length as u64));
        }
    }

    #[test]
    fn what_no_server_sends() {
        for bytes in [
            &b"\xc1\x00"[..],
            b"\x81\x80",
            b"\x83\x00",
            b"\x09\x00",
            b"\x89\x7e\x00\x7e",
            b"\x82\x7f\x80\0\0\0\0\0\0\0",
        ] {
            assert_eq!(Head::read(bytes), Err(Malformed), "{bytes:?}");
        }
    }
}
