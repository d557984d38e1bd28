//! A delta stream of a proxy: read here, written by whoever changes the state behind it.

use crate::bootstrap::NODE;
use envoy_types::pb::{
    envoy::{
        config::core::v3::Node,
        service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse},
    },
    google::protobuf::{Value, value::Kind},
};
use squall_model::Stamp;
use std::{collections::HashMap, sync::Arc};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// A proxy has what was asked for, or something newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acked {
    /// When the last acknowledgement arrived. Workers apply up to a few milliseconds later: only a probe proves effect.
    pub at: Stamp,
}

/// What a client is told that speaks the state of the world.
pub const DELTA_ONLY: &str = "only the incremental protocol is served here: set `api_type: DELTA_GRPC`";

/// Where responses go. Unbounded: there are few of them, and whoever changes a state must never wait for a proxy.
pub type Outlet = UnboundedSender<Result<DeltaDiscoveryResponse, Status>>;

/// What a proxy receives.
pub type Inlet = UnboundedReceiverStream<Result<DeltaDiscoveryResponse, Status>>;

/// The state that proxies' streams lead to.
pub trait Desk: Send + Sync + 'static {
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
pub fn serve<D: Desk>(desk: &Arc<D>, requests: Request<Streaming<DeltaDiscoveryRequest>>) -> Response<Inlet> {
    let (outlet, responses) = mpsc::unbounded_channel();
    tokio::spawn(read(Arc::clone(desk), requests.into_inner(), outlet));
    Response::new(UnboundedReceiverStream::new(responses))
}

/// The name that a proxy has here: its id, unless its metadata, or the labels of its pod among them, say that it has another.
fn name(node: &Node) -> String {
    let text = |fields: &HashMap<String, Value>| match fields.get(NODE)?.kind.as_ref()? {
        Kind::StringValue(name) => Some(name.clone()),
        _ => None,
    };
    let labels = |fields: &HashMap<String, Value>| match fields.get("LABELS")?.kind.as_ref()? {
        Kind::StructValue(labels) => text(&labels.fields),
        _ => None,
    };
    let own = node.metadata.as_ref().and_then(|metadata| text(&metadata.fields).or_else(|| labels(&metadata.fields)));
    own.unwrap_or_else(|| node.id.clone())
}

async fn read<D: Desk>(desk: Arc<D>, mut requests: Streaming<DeltaDiscoveryRequest>, outlet: Outlet) {
    let Ok(Some(first)) = requests.message().await else { return };
    let Some(node) = first.node.as_ref().map(name).filter(|name| !name.is_empty()) else {
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
