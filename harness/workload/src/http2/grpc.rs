//! gRPC as far as a stand-in needs it (grpc/grpc, doc/PROTOCOL-HTTP2.md). Pure.

use crate::ending::Answered;
use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use squall_model::GrpcStatus;

/// The status of an answer: in the trailers, or in a head that is all there is.
pub(crate) const STATUS: HeaderName = HeaderName::from_static("grpc-status");
pub(crate) const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");
/// The method of gRPC's own health checks (grpc/grpc, doc/health-checking.md).
pub(crate) const HEALTH_CHECK: &str = "/grpc.health.v1.Health/Check";
/// A message without a field.
pub(crate) const EMPTY: Bytes = Bytes::from_static(b"\0\0\0\0\0");
/// `HealthCheckResponse` with the status SERVING.
pub(crate) const SERVING: Bytes = Bytes::from_static(b"\0\0\0\0\x02\x08\x01");

/// The one message of a good answer: the name of the instance as a `google.protobuf.StringValue`, which any reader of protobuf
/// can take, if only to find no field that it knows.
pub(crate) fn message(instance: &str) -> Bytes {
    let mut field = BytesMut::with_capacity(instance.len() + 8);
    // Field 1, length-delimited.
    field.put_u8(0x0a);
    put_varint(&mut field, instance.len());
    field.put_slice(instance.as_bytes());
    let mut framed = BytesMut::with_capacity(field.len() + 5);
    // Not compressed.
    framed.put_u8(0);
    framed.put_u32(u32::try_from(field.len()).unwrap_or(u32::MAX));
    framed.put(field);
    framed.freeze()
}

fn put_varint(bytes: &mut BytesMut, mut number: usize) {
    while number >= 0x80 {
        bytes.put_u8((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.put_u8(number as u8);
}

/// Of a complete answer, to which no byte belonged if it was a lone head: its status ([`GrpcStatus::of_answer`]).
pub(crate) fn answered(status: u16, head: &HeaderMap, trailers: Option<&HeaderMap>, lone_head: bool) -> Answered {
    let grpc = GrpcStatus::of_answer(status, said(head), trailers.map(said), lone_head);
    Answered { status, grpc: Some(grpc) }
}

fn said(of: &HeaderMap) -> Option<&[u8]> {
    of.get(STATUS).map(HeaderValue::as_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_protobuf_in_its_frame() {
        assert_eq!(&message("web-1")[..], b"\0\0\0\0\x07\x0a\x05web-1");
        let long = "w".repeat(300);
        assert_eq!(message(&long)[..8], *b"\0\0\0\x01\x2f\x0a\xac\x02");
    }

    #[test]
    fn a_status_is_read_wherever_it_stands() {
        let said = |status: &'static str| HeaderMap::from_iter([(STATUS, HeaderValue::from_static(status))]);
        let none = HeaderMap::new();
        let grpc = |status, head: &HeaderMap, trailers: Option<&HeaderMap>| {
            answered(status, head, trailers, true).grpc.unwrap()
        };
        assert_eq!(grpc(200, &none, Some(&said("0"))), GrpcStatus::Ok);
        assert_eq!(grpc(200, &said("14"), None), GrpcStatus::Unavailable);
        assert_eq!(grpc(503, &none, None), GrpcStatus::Unavailable);
        assert_eq!(grpc(200, &none, Some(&none)), GrpcStatus::Unknown);
        assert_eq!(grpc(200, &none, Some(&said("99"))), GrpcStatus::Unknown);
        // A head that bytes follow is not where it stands.
        assert_eq!(answered(200, &said("14"), None, false).grpc, Some(GrpcStatus::Unknown));
    }
}
