//! What a server of WebSocket has to know (RFC 6455 section 4.2.2), and its frames.

#![allow(dead_code, reason = "each test file uses its part")]

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use std::io::{Read, Write};

pub(crate) const TEXT: u8 = 0x81;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;

/// What agrees to an upgrade with this key.
pub(crate) fn agreement(key: &str) -> String {
    let shown = digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11").as_bytes());
    let head = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept";
    format!("{head}: {}\r\n\r\n", base64(shown.as_ref()))
}

/// Bit by bit, and so by another way than the client's.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
    let mut text: String = bits
        .chunks(6)
        .map(|six| char::from(DIGITS[(0..6).fold(0, |n, at| n << 1 | usize::from(*six.get(at).unwrap_or(&0)))]))
        .collect();
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// The first byte of a short frame of a caller, and what it says; `None`: it has gone.
pub(crate) fn frame(stream: &mut impl Read) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 6];
    stream.read_exact(&mut head).ok()?;
    assert!((0x80..0x80 + 126).contains(&head[1]), "masked, and short");
    let mut payload = vec![0; usize::from(head[1] & 0x7f)];
    stream.read_exact(&mut payload).ok()?;
    payload.iter_mut().zip(head[2..].iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Some((head[0], payload))
}

/// Short frames, all at once; a client that has gone away is no matter here.
pub(crate) fn tell(stream: &mut impl Write, frames: &[(u8, &[u8])]) {
    let bytes: Vec<u8> =
        frames.iter().flat_map(|(first, payload)| [&[*first, payload.len() as u8], *payload].concat()).collect();
    let _ = stream.write_all(&bytes);
}
