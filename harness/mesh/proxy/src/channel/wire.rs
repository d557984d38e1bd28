//! The messages of the channel.

use super::{Layer, layer};
use crate::bootstrap::FAULT_LAYER;
use envoy_types::pb::{
    envoy::service::{
        discovery::v3::{DeltaDiscoveryResponse, Resource},
        runtime::v3::Runtime,
    },
    google::protobuf::{Any, Duration as WireDuration},
};
use prost::{Message, Name};
use std::time::Duration;

/// Version of the empty layer that a proxy has by default and after a lapse.
pub(super) const BLANK: &str = "blank";

/// A whole layer; one with a time to live unless it is empty.
pub(super) fn whole(nonce: u64, version: &str, layer: &Layer, ttl: Duration) -> DeltaDiscoveryResponse {
    let runtime = Runtime { name: FAULT_LAYER.into(), layer: Some(layer::wire(layer)) };
    response(
        nonce,
        Resource {
            resource: Some(Any { type_url: Runtime::type_url(), value: runtime.encode_to_vec() }),
            ttl: (!layer.is_empty()).then(|| wire_duration(ttl)),
            ..named(version)
        },
    )
}

/// A heartbeat: the version that the proxy has, a new lease, and no body.
pub(super) fn heartbeat(nonce: u64, version: &str, ttl: Duration) -> DeltaDiscoveryResponse {
    response(nonce, Resource { ttl: Some(wire_duration(ttl)), ..named(version) })
}

/// Layers that do not exist: a proxy that waits for one may go on.
pub(super) fn missing(nonce: u64, names: Vec<String>) -> DeltaDiscoveryResponse {
    DeltaDiscoveryResponse {
        type_url: Runtime::type_url(),
        nonce: nonce.to_string(),
        removed_resources: names,
        ..DeltaDiscoveryResponse::default()
    }
}

fn response(nonce: u64, resource: Resource) -> DeltaDiscoveryResponse {
    DeltaDiscoveryResponse {
        type_url: Runtime::type_url(),
        nonce: nonce.to_string(),
        resources: vec![resource],
        ..DeltaDiscoveryResponse::default()
    }
}

fn named(version: &str) -> Resource {
    Resource { name: FAULT_LAYER.into(), version: version.into(), ..Resource::default() }
}

fn wire_duration(duration: Duration) -> WireDuration {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    let nanos = i32::try_from(duration.subsec_nanos()).unwrap_or(0);
    WireDuration { seconds, nanos }
}
