//! A request that was sent, as it is sent on to where its answer leads. Pure.
//!
//! Made of the very bytes that were sent: whatever a call was filled with, it says again.

use crate::redirect::Next;
use bytes::Bytes;

const LENGTH: &[u8] = b"content-length:";

/// Method and path of a request.
pub(crate) fn asked(request: &[u8]) -> (&str, &str) {
    let end = request.iter().position(|b| *b == b'\r').unwrap_or(request.len());
    let mut words = str::from_utf8(&request[..end]).unwrap_or_default().split(' ');
    (words.next().unwrap_or_default(), words.next().unwrap_or_default())
}

/// The same with another path, and where that is asked for with GET and nothing behind its head.
pub(crate) fn onward(request: &[u8], next: &Next) -> Bytes {
    let method = if next.with_get { "GET" } else { asked(request).0 };
    let mut made = format!("{method} {} HTTP/1.1\r\n", next.path).into_bytes();
    let headers = request.iter().position(|b| *b == b'\n').map_or(&[][..], |end| &request[end + 1..]);
    if next.with_get {
        bodyless(headers, &mut made);
    } else {
        made.extend_from_slice(headers);
    }
    made.into()
}

/// The headers of a request that has no body any more.
fn bodyless(headers: &[u8], made: &mut Vec<u8>) {
    for line in headers.split_inclusive(|b| *b == b'\n') {
        if !line.starts_with(LENGTH) {
            made.extend_from_slice(line);
        }
        if line == b"\r\n" {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(with_get: bool) -> Next {
        Next { with_get, path: "/there?a".into() }
    }

    #[test]
    fn all_but_the_first_line_is_said_again() {
        let request = b"PUT /a HTTP/1.1\r\nhost: b\r\ncontent-length: 9\r\n\r\ntwo\r\n\r\nok";
        assert_eq!(asked(request), ("PUT", "/a"));
        let expected = "PUT /there?a HTTP/1.1\r\nhost: b\r\ncontent-length: 9\r\n\r\ntwo\r\n\r\nok";
        assert_eq!(onward(request, &next(false)), expected);
    }

    #[test]
    fn with_get_it_has_no_body_and_says_none() {
        let request =
            b"POST /a HTTP/1.1\r\nhost: b\r\ncontent-length: 5\r\nx-request-id: 1\r\n\r\ncontent-length: 5\r\n";
        let expected = "GET /there?a HTTP/1.1\r\nhost: b\r\nx-request-id: 1\r\n\r\n";
        assert_eq!(onward(request, &next(true)), expected);
    }
}
