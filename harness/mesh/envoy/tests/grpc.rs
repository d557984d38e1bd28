//! What a client meets that is no well-behaved Envoy.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail")]

use envoy_types::pb::envoy::{
    config::core::v3::Node,
    service::{
        discovery::v3::{
            DeltaDiscoveryRequest, DiscoveryRequest,
            aggregated_discovery_service_client::AggregatedDiscoveryServiceClient,
        },
        runtime::v3::runtime_discovery_service_client::RuntimeDiscoveryServiceClient,
    },
};
use squall_mesh_envoy::xds::{AdsServer, Kind, Resources, XdsEvent};
use squall_mesh_proxy::channel::{FaultChannel, Timing};
use std::{path::Path, time::Duration};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};

async fn client(socket: &Path) -> Channel {
    Endpoint::try_from(format!("unix:{}", socket.display())).unwrap().connect().await.unwrap()
}

fn hello(node: &str) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest {
        node: Some(Node { id: node.into(), ..Node::default() }),
        type_url: Kind::Cluster.url().into(),
        ..DeltaDiscoveryRequest::default()
    }
}

#[tokio::test]
async fn the_state_of_the_world_is_refused_with_the_cure() {
    let folder = tempfile::tempdir().unwrap();
    let ads = AdsServer::start(&folder.path().join("a")).unwrap();
    let faults = FaultChannel::start(&folder.path().join("f"), Timing::default()).unwrap();
    let asked = || tokio_stream::iter([DiscoveryRequest::default()]);
    let mut one = AggregatedDiscoveryServiceClient::new(client(ads.socket()).await);
    let mut other = RuntimeDiscoveryServiceClient::new(client(faults.socket()).await);
    for refusal in [
        one.stream_aggregated_resources(asked()).await.unwrap_err(),
        other.stream_runtime(asked()).await.unwrap_err(),
        other.fetch_runtime(DiscoveryRequest::default()).await.unwrap_err(),
    ] {
        assert_eq!(refusal.code(), Code::Unimplemented);
        assert!(refusal.message().contains("DELTA_GRPC"), "{refusal}");
    }
}

#[tokio::test]
async fn who_does_not_say_its_name_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ads = AdsServer::start(&folder.path().join("a")).unwrap();
    let faults = FaultChannel::start(&folder.path().join("f"), Timing::default()).unwrap();
    let mut one = AggregatedDiscoveryServiceClient::new(client(ads.socket()).await);
    let mut other = RuntimeDiscoveryServiceClient::new(client(faults.socket()).await);
    let nameless = || tokio_stream::iter([hello("")]);
    let one = one.delta_aggregated_resources(nameless()).await.unwrap().into_inner().message().await;
    let other = other.delta_runtime(nameless()).await.unwrap().into_inner().message().await;
    for refusal in [one.unwrap_err(), other.unwrap_err()] {
        assert_eq!(refusal.code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn a_second_stream_of_a_proxy_ends_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let ads = AdsServer::start(&folder.path().join("a")).unwrap();
    let mut events = ads.events();
    let mut client = AggregatedDiscoveryServiceClient::new(client(ads.socket()).await);
    let mut streams = Vec::new();
    let mut senders = Vec::new();
    for _ in 0..2 {
        let (sender, requests) = tokio::sync::mpsc::unbounded_channel();
        sender.send(hello("p")).unwrap();
        let requests = UnboundedReceiverStream::new(requests);
        streams.push(client.delta_aggregated_resources(requests).await.unwrap().into_inner());
        senders.push(sender);
        while !matches!(events.recv().await.unwrap(), XdsEvent::Connected { .. }) {}
    }
    assert!(streams[0].message().await.unwrap().is_some(), "its first answer");
    assert!(streams[0].message().await.unwrap().is_none(), "its end");
    assert!(streams[1].message().await.unwrap().is_some());
    ads.set("p", Resources::new());
    drop(senders);
    while !matches!(events.recv().await.unwrap(), XdsEvent::Disconnected { .. }) {}
}

#[tokio::test]
async fn a_severed_proxy_is_kept_waiting_and_may_give_up() {
    let folder = tempfile::tempdir().unwrap();
    let ads = AdsServer::start(&folder.path().join("a")).unwrap();
    let mut events = ads.events();
    let mut client = AggregatedDiscoveryServiceClient::new(client(ads.socket()).await);
    let mut open = async || {
        let (sender, requests) = tokio::sync::mpsc::unbounded_channel();
        sender.send(hello("p")).unwrap();
        let requests = UnboundedReceiverStream::new(requests);
        (sender, client.delta_aggregated_resources(requests).await.unwrap().into_inner())
    };
    let (sender, mut before) = open().await;
    assert!(before.message().await.unwrap().is_some());
    ads.sever("p");
    assert!(before.message().await.unwrap().is_none(), "its stream is closed");
    drop((sender, before));
    while !matches!(events.recv().await.unwrap(), XdsEvent::Disconnected { .. }) {}
    let impatient = open().await;
    let (_sender, mut patient) = open().await;
    let waiting = tokio::time::timeout(Duration::from_millis(50), patient.message()).await;
    assert!(waiting.is_err(), "{waiting:?}");
    drop(impatient);
    ads.rejoin("p");
    assert!(patient.message().await.unwrap().is_some());
    assert!(!ads.is_severed("p"));
}
