//! HTTP/1.1 as far as a stand-in needs it (RFC 9112): heads, the length of bodies, connections that persist.
//!
//! By hand on top of `httparse`, because half of what a stand-in must do (hang, reset, cut a body, answer with bytes that are not
//! HTTP) is what an HTTP library exists to prevent.

mod body;
mod client;
mod connection;
mod converse;
mod head;
mod reply;

pub(crate) use client::Client;
pub(crate) use connection::WireError;
pub(crate) use converse::converse;
