//! HTTP/2 with prior knowledge (RFC 9113), and gRPC on top of it: frames by `h2`, what must go wrong on purpose beside it.
//!
//! Many tries share a connection. One that is reset, or cut, ends by RST_STREAM and leaves the others alone; one that is to close
//! the connection, or to send garbage, takes them with it: they see their caller go away.

mod client;
mod converse;
mod grpc;
mod io;
mod reply;

pub(crate) use client::Client;
pub(crate) use converse::converse;

/// What a peer may send ahead of our reading: on one stream, and on all of them together.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 1 << 26;
/// A head may be so long.
const MAX_HEAD: u32 = 64 * 1024;
/// Streams given up whose last frames may still be under way. The guards of `h2` against a hostile peer, which would end the
/// connection, are for a service that faces one: here everything is given up by the dozen, on purpose.
const MAX_GIVEN_UP: usize = 1 << 16;
