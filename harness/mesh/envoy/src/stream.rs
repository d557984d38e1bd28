//! A delta stream of a proxy: read here, written by whoever changes the state behind it.

use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use std::sync::Arc;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// What a client is told that speaks the state of the world.
pub(crate) const DELTA_ONLY: &str = "only the incremental protocol is served here: set `api_type: DELTA_GRPC`";

/// Where responses go. Unbounded: there are few of them, and whoever changes a state must never wait for a proxy.
pub(crate) type Outlet = UnboundedSender<Result<DeltaDiscoveryResponse, Status>>;

/// What a proxy receives.
pub(crate) type Inlet = UnboundedReceiverStream<Result<DeltaDiscoveryResponse, Status>>;

/// The state that proxies' streams lead to.
pub(crate) trait Desk: Send + Sync + 'static {
    /// Waits until a proxy may open a stream: at once, but for one that is severed.
    fn admit(&self, node: &str) -> impl Future<Output = ()> + Send;

    /// A proxy opens a stream, in place of any it had; gives the stream's number.
    fn open(&self, node: &str, outlet: Outlet) -> u64;

    /// A proxy says something. `false`: the stream is not the proxy's any more, and is to end.
    fn request(&self, node: &str, stream: u64, request: DeltaDiscoveryRequest) -> bool;

    /// A stream has ended, however it did.
    fn close(&self, node: &str, stream: u64);
}

/// Serves one stream by a task of its own. The response's headers go out before the first request is read: some clients
/// wait for them.
pub(crate) fn serve<D: Desk>(desk: &Arc<D>, requests: Request<Streaming<DeltaDiscoveryRequest>>) -> Response<Inlet> {
    let (outlet, responses) = mpsc::unbounded_channel();
    tokio::spawn(read(Arc::clone(desk), requests.into_inner(), outlet));
    Response::new(UnboundedReceiverStream::new(responses))
}

async fn read<D: Desk>(desk: Arc<D>, mut requests: Streaming<DeltaDiscoveryRequest>, outlet: Outlet) {
    let Ok(Some(first)) = requests.message().await else { return };
    let Some(node) = first.node.as_ref().map(|node| node.id.clone()).filter(|id| !id.is_empty()) else {
        let refusal = Status::invalid_argument("the first request of a stream must carry the node's id");
        return drop(outlet.send(Err(refusal)));
    };
    tokio::select! {
        () = desk.admit(&node) => {}
        // The proxy has given up waiting, or is gone.
        () = outlet.closed() => return,
    }
    let stream = desk.open(&node, outlet);
    let attached = Attached { desk, node, stream };
    let mut next = Some(first);
    while let Some(request) = next {
        if !attached.desk.request(&attached.node, stream, request) {
            return;
        }
        next = requests.message().await.ok().flatten();
    }
}

/// Tells the desk that a stream has ended, also when the whole server is dropped.
struct Attached<D: Desk> {
    desk: Arc<D>,
    node: String,
    stream: u64,
}

impl<D: Desk> Drop for Attached<D> {
    fn drop(&mut self) {
        self.desk.close(&self.node, self.stream);
    }
}
