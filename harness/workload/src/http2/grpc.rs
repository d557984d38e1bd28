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
/// Where an onward call goes that names no method.
pub(crate) const METHOD: &str = "/squall.Service/Call";
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

/// Of a complete answer: its status, or what a client makes of an answer without one.
pub(crate) fn answered(status: u16, head: &HeaderMap, trailers: Option<&HeaderMap>) -> Answered {
    let said = trailers.unwrap_or(head).get(STATUS);
    let number = |value: &HeaderValue| value.to_str().ok()?.parse().ok();
    let known = |value| number(value).and_then(GrpcStatus::from_number).unwrap_or(GrpcStatus::Unknown);
    Answered { status, grpc: Some(said.map_or_else(|| GrpcStatus::of_http(status), known)) }
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
        let grpc =
            |status, head: &HeaderMap, trailers: Option<&HeaderMap>| answered(status, head, trailers).grpc.unwrap();
        assert_eq!(grpc(200, &none, Some(&said("0"))), GrpcStatus::Ok);
        assert_eq!(grpc(200, &said("14"), None), GrpcStatus::Unavailable);
        assert_eq!(grpc(503, &none, None), GrpcStatus::Unavailable);
        assert_eq!(grpc(200, &none, Some(&none)), GrpcStatus::Unknown);
        assert_eq!(grpc(200, &none, Some(&said("99"))), GrpcStatus::Unknown);
    }
}
