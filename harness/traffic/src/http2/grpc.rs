//! What a client of gRPC makes of an answer (grpc/grpc, doc/PROTOCOL-HTTP2.md and doc/statuscodes.md). Pure.

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use squall_model::{Break, ClientEnd, GrpcStatus};
use std::{cmp::Ordering, time::Duration};

/// Where the status of an answer stands.
const STATUS: &str = "grpc-status";
/// Where a request says how long it may take.
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// As many digits as it may have.
const MOST: u128 = 99_999_999;
/// A flag, and the length of the message that follows in four bytes.
const PREFIX: usize = 5;

/// A message as it is sent: not compressed, its length before it. `None` where it is longer than four bytes can say.
pub(crate) fn framed(message: &[u8]) -> Option<Bytes> {
    let length = u32::try_from(message.len()).ok()?;
    let mut bytes = BytesMut::with_capacity(PREFIX + message.len());
    bytes.put_u8(0);
    bytes.put_u32(length);
    bytes.put_slice(message);
    Some(bytes.freeze())
}

/// Tells the server that so much of the call's time is left, unless the request says something else by itself.
pub(crate) fn tell(request: &mut http::Request<()>, left: Duration) {
    if let Ok(value) = HeaderValue::try_from(timeout(left)) {
        request.headers_mut().entry(TIMEOUT).or_insert(value);
    }
}

/// As exactly as it can be said, and rather less than more: but for what is over, which nobody could say.
fn timeout(left: Duration) -> String {
    let (micros, millis) = (left.as_micros().max(1), left.as_millis());
    match (micros, millis) {
        (..=MOST, _) => format!("{micros}u"),
        (_, ..=MOST) => format!("{millis}m"),
        _ => format!("{}S", u128::from(left.as_secs()).min(MOST)),
    }
}

/// The messages of one answer, counted as their bytes come in.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    whole: u64,
    prefix: [u8; PREFIX],
    /// Bytes of the prefix that have come.
    prefixed: usize,
    /// Bytes of the message that are to come, once its prefix is complete.
    left: u64,
    /// One was compressed, which nobody had said could be read.
    compressed: bool,
}

impl Messages {
    /// Takes the next bytes of the body.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.prefixed < PREFIX {
                self.prefix[self.prefixed] = bytes[0];
                self.prefixed += 1;
                bytes = &bytes[1..];
                if self.prefixed == PREFIX {
                    let [flag, length @ ..] = self.prefix;
                    self.compressed |= flag != 0;
                    self.left = u64::from(u32::from_be_bytes(length));
                }
            } else {
                let taken = self.left.min(bytes.len() as u64);
                self.left -= taken;
                bytes = &bytes[taken as usize..];
            }
            if self.prefixed == PREFIX && self.left == 0 {
                self.whole += 1;
                self.prefixed = 0;
            }
        }
    }

    /// No byte has come.
    fn are_none(&self) -> bool {
        self.whole == 0 && self.prefixed == 0
    }

    /// So many have come whole.
    pub(crate) fn whole(&self) -> u64 {
        self.whole
    }

    /// So many whole messages have come, and nothing else.
    pub(crate) fn are(&self, due: u64) -> bool {
        self.whole == due && self.prefixed == 0 && !self.compressed
    }

    /// What is wrong with their number, where it is that.
    pub(crate) fn miscounted(&self, due: u64) -> Option<Break> {
        match self.whole.cmp(&due) {
            Ordering::Less => Some(Break::Fewer),
            Ordering::Greater => Some(Break::More),
            Ordering::Equal => None,
        }
    }
}

/// How a call ended whose answer ended as HTTP/2 has it: by its status ([`GrpcStatus::of_answer`]).
///
/// OK without exactly as many messages as are due, of a unary call one, is a broken answer: [`ClientEnd::Cut`]. Clients call it a violation of the method's cardinality,
/// and make UNIMPLEMENTED of it by doc/statuscodes.md, INTERNAL in grpc-go and grpc-java: statuses that were never on the wire.
pub(crate) fn end(
    status: u16,
    head: &HeaderMap,
    trailers: Option<&HeaderMap>,
    messages: &Messages,
    due: u64,
) -> ClientEnd {
    match GrpcStatus::of_answer(status, said(head), trailers.map(said), messages.are_none()) {
        GrpcStatus::Ok if !messages.are(due) => ClientEnd::Cut(status),
        said => ClientEnd::Grpc(said),
    }
}

fn said(of: &HeaderMap) -> Option<&[u8]> {
    of.get(STATUS).map(HeaderValue::as_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(status: &str) -> HeaderMap {
        HeaderMap::from_iter([(http::HeaderName::from_static(STATUS), HeaderValue::from_str(status).unwrap())])
    }

    fn messages(bodies: &[&[u8]]) -> Messages {
        let mut messages = Messages::default();
        bodies.iter().for_each(|body| messages.take(&framed(body).unwrap()));
        messages
    }

    #[test]
    fn a_message_is_prefixed_with_its_length() {
        assert_eq!(&framed(b"abc").unwrap()[..], b"\0\0\0\0\x03abc");
        assert_eq!(&framed(b"").unwrap()[..], b"\0\0\0\0\0");
    }

    #[test]
    fn the_status_is_that_of_the_trailers_or_of_a_lone_head() {
        let (none, one, two) = (messages(&[]), messages(&[b"a"]), messages(&[b"a", b""]));
        let empty = HeaderMap::new();
        let grpc = ClientEnd::Grpc;
        for (status, head, trailers, messages, expected) in [
            (200, &empty, Some(&said("0")), &one, grpc(GrpcStatus::Ok)),
            (200, &empty, Some(&said("14")), &none, grpc(GrpcStatus::Unavailable)),
            (200, &empty, Some(&said("14")), &one, grpc(GrpcStatus::Unavailable)),
            (200, &said("8"), None, &none, grpc(GrpcStatus::ResourceExhausted)),
            // Whatever the HTTP status.
            (503, &said("7"), None, &none, grpc(GrpcStatus::PermissionDenied)),
            // None at all.
            (503, &empty, None, &none, grpc(GrpcStatus::Unavailable)),
            (404, &empty, None, &one, grpc(GrpcStatus::Unimplemented)),
            (200, &empty, None, &one, grpc(GrpcStatus::Unknown)),
            (200, &empty, Some(&empty), &one, grpc(GrpcStatus::Unknown)),
            // A head that something follows is not where the status stands.
            (200, &said("0"), None, &one, grpc(GrpcStatus::Unknown)),
            (200, &said("0"), Some(&said("5")), &none, grpc(GrpcStatus::NotFound)),
            // No known number.
            (200, &empty, Some(&said("17")), &one, grpc(GrpcStatus::Unknown)),
            (200, &empty, Some(&said("-1")), &one, grpc(GrpcStatus::Unknown)),
            (200, &empty, Some(&said("OK")), &one, grpc(GrpcStatus::Unknown)),
            // OK needs its message.
            (200, &empty, Some(&said("0")), &none, ClientEnd::Cut(200)),
            (200, &said("0"), None, &none, ClientEnd::Cut(200)),
            (200, &empty, Some(&said("0")), &two, ClientEnd::Cut(200)),
        ] {
            assert_eq!(
                end(status, head, trailers, messages, 1),
                expected,
                "{status} {head:?} {trailers:?} {messages:?}"
            );
        }
    }

    #[test]
    fn half_a_message_or_a_compressed_one_is_none() {
        for body in [&b"\0\0\0\0\x03ab"[..], b"\0\0\0", b"\x01\0\0\0\x01a"] {
            let mut messages = Messages::default();
            messages.take(body);
            let ended = |said| end(200, &HeaderMap::new(), Some(&said), &messages, 1);
            assert_eq!(ended(said("0")), ClientEnd::Cut(200), "{body:?}");
            assert_eq!(ended(said("13")), ClientEnd::Grpc(GrpcStatus::Internal));
        }
    }

    #[test]
    fn a_stream_has_as_many_messages_as_are_due() {
        let (two, empty) = (messages(&[b"a", b"b"]), HeaderMap::new());
        for (due, ended, miscounted) in [
            (1, ClientEnd::Cut(200), Some(Break::More)),
            (2, ClientEnd::Grpc(GrpcStatus::Ok), None),
            (3, ClientEnd::Cut(200), Some(Break::Fewer)),
        ] {
            assert_eq!(end(200, &empty, Some(&said("0")), &two, due), ended, "{due}");
            assert_eq!(two.miscounted(due), miscounted);
        }
        // That it failed says more than how far it came.
        assert_eq!(end(200, &empty, Some(&said("8")), &two, 3), ClientEnd::Grpc(GrpcStatus::ResourceExhausted));
    }

    #[test]
    fn who_says_a_time_of_its_own_is_not_corrected() {
        for (given, told) in [(None, "7u"), (Some("5S"), "5S")] {
            let mut request = http::Request::new(());
            given.map(|given| request.headers_mut().insert(TIMEOUT, HeaderValue::from_static(given)));
            tell(&mut request, Duration::from_micros(7));
            assert_eq!(request.headers().get_all(TIMEOUT).iter().collect::<Vec<_>>(), [told]);
        }
    }

    #[test]
    fn what_is_left_is_said_in_eight_digits() {
        for (left, told) in [
            (Duration::ZERO, "1u"),
            (Duration::from_nanos(1_999), "1u"),
            (Duration::from_millis(250), "250000u"),
            (Duration::from_nanos(99_999_999_999), "99999999u"),
            (Duration::from_millis(100_000), "100000m"),
            (Duration::from_secs(100_000), "100000S"),
            (Duration::MAX, "99999999S"),
        ] {
            assert_eq!(timeout(left), told);
        }
    }

    proptest! {
        /// However the network cuts a body into pieces, it has the same messages.
        #[test]
        fn pieces_do_not_matter(
            bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..5),
            piece in 1usize..20, cut in 0usize..12,
        ) {
            let whole: Vec<u8> = bodies.iter().flat_map(|body| framed(body).unwrap()).collect();
            let bytes = &whole[..whole.len().saturating_sub(cut)];
            let mut messages = Messages::default();
            bytes.chunks(piece).for_each(|piece| messages.take(piece));
            let mut rest = bytes.len();
            let complete = bodies.iter().map(|body| PREFIX + body.len()).take_while(|length| {
                let fits = rest >= *length;
                rest -= if fits { *length } else { 0 };
                fits
            });
            prop_assert_eq!(messages.whole, complete.count() as u64);
            prop_assert_eq!(messages.prefixed == 0, rest == 0);
            prop_assert_eq!(messages.are_none(), bytes.is_empty());
        }
    }
}
