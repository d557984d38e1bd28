//! One of the services that are called, in its own protocol.

use super::Ask;
use crate::{
    Onward,
    ending::Answered,
    http1::{self, WireError},
    http2,
};
use squall_model::{Protocol, ServiceName};
use std::io;
use thiserror::Error;

/// Why an onward call had no answer.
#[derive(Debug, Error)]
pub(crate) enum NoAnswer {
    #[error(transparent)]
    Http1(#[from] WireError),
    #[error(transparent)]
    Http2(#[from] h2::Error),
    /// A path or an id that HTTP/2 cannot say.
    #[error(transparent)]
    Unsayable(#[from] http::Error),
    #[error(transparent)]
    Connect(#[from] io::Error),
}

/// A service, and the connections to the proxy that leads there.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) service: ServiceName,
    client: Client,
}

#[derive(Debug)]
enum Client {
    Http1(http1::Client),
    Http2(http2::Client),
}

impl Target {
    pub(super) fn new(onward: &Onward) -> Target {
        let client = match onward.protocol {
            Protocol::Grpc => Client::Http2(http2::Client::new(onward.via.clone(), true)),
            Protocol::Http2 => Client::Http2(http2::Client::new(onward.via.clone(), false)),
            // Bytes over TCP are refused with the configuration.
            Protocol::Http | Protocol::Tcp => Client::Http1(http1::Client::new(onward.via.clone())),
        };
        Target { service: onward.service.clone(), client }
    }

    /// One request, one answer. Nothing is sent twice.
    pub(super) async fn exchange(&self, ask: &Ask<'_>) -> Result<Answered, NoAnswer> {
        match &self.client {
            Client::Http1(client) => {
                let status = client.exchange(&self.service, ask).await?;
                Ok(Answered { status, grpc: None })
            }
            Client::Http2(client) => client.exchange(&self.service, ask).await,
        }
    }
}
