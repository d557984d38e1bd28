//! HTTP/1.1 as far as a stand-in needs it (RFC 9112): heads, the length of bodies, connections that persist.

mod body;
mod connection;
mod head;

pub(crate) use body::Framing;
pub(crate) use connection::{Connection, WireError};
pub(crate) use head::{RequestHead, ResponseHead};
