//! The gRPC side: one task a stream, which only reads; responses are written by whoever changes the state.

use super::state::AdsState;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
    aggregated_discovery_service_server::AggregatedDiscoveryService,
};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// What a client is told that speaks the state of the world.
pub(crate) const DELTA_ONLY: &str = "only the incremental protocol is served here: set `api_type: DELTA_GRPC`";

#[derive(Debug, Clone)]
pub(crate) struct Ads(pub(crate) Arc<AdsState>);

/// Tells the state that a stream has ended, however it did.
struct Attached {
    state: Arc<AdsState>,
    node: String,
    session: u64,
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.state.close(&self.node, self.session);
    }
}

#[tonic::async_trait]
impl AggregatedDiscoveryService for Ads {
    type StreamAggregatedResourcesStream = UnboundedReceiverStream<Result<DiscoveryResponse, Status>>;
    type DeltaAggregatedResourcesStream = UnboundedReceiverStream<Result<DeltaDiscoveryResponse, Status>>;

    async fn stream_aggregated_resources(
        &self,
        _: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        Err(Status::unimplemented(DELTA_ONLY))
    }

    async fn delta_aggregated_resources(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        let (outlet, responses) = mpsc::unbounded_channel();
        let (state, mut requests) = (Arc::clone(&self.0), request.into_inner());
        // The response's headers must go out before the first message is read: some clients wait for them.
        tokio::spawn(async move {
            let Ok(Some(first)) = requests.message().await else { return };
            let Some(node) = first.node.as_ref().map(|node| node.id.clone()).filter(|id| !id.is_empty()) else {
                let refusal = Status::invalid_argument("the first request of a stream must carry the node's id");
                return drop(outlet.send(Err(refusal)));
            };
            let session = state.open(&node, outlet);
            let attached = Attached { state, node, session };
            let mut next = Some(first);
            while let Some(request) = next {
                if !attached.state.request(&attached.node, session, request) {
                    return;
                }
                next = requests.message().await.ok().flatten();
            }
        });
        Ok(Response::new(UnboundedReceiverStream::new(responses)))
    }
}
