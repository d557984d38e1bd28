//! The gRPC side of the fault channel.

use super::state::ChannelState;
use crate::stream::{self, DELTA_ONLY, Inlet};
use envoy_types::pb::envoy::service::{
    discovery::v3::{DeltaDiscoveryRequest, DiscoveryRequest, DiscoveryResponse},
    runtime::v3::runtime_discovery_service_server::RuntimeDiscoveryService,
};
use std::sync::Arc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Response, Status, Streaming};

#[derive(Debug, Clone)]
pub(super) struct Rtds(pub(super) Arc<ChannelState>);

#[tonic::async_trait]
impl RuntimeDiscoveryService for Rtds {
    type StreamRuntimeStream = UnboundedReceiverStream<Result<DiscoveryResponse, Status>>;
    type DeltaRuntimeStream = Inlet;

    async fn stream_runtime(
        &self,
        _: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamRuntimeStream>, Status> {
        Err(Status::unimplemented(DELTA_ONLY))
    }

    async fn delta_runtime(
        &self,
        requests: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Inlet>, Status> {
        Ok(stream::serve(&self.0, requests))
    }

    async fn fetch_runtime(&self, _: Request<DiscoveryRequest>) -> Result<Response<DiscoveryResponse>, Status> {
        Err(Status::unimplemented(DELTA_ONLY))
    }
}
