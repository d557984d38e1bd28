//! A proxy in miniature: a layer with a time to live, as Envoy's incremental client keeps it.

use super::TIMING;
use crate::{
    bootstrap::FAULT_LAYER,
    channel::{ChannelEvent, Layer, Unarmed, holder::Holder, wire::BLANK},
    stream::Acked,
};
use envoy_types::pb::{
    envoy::service::{
        discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse},
        runtime::v3::Runtime,
    },
    google::rpc::Status as Detail,
};
use prost::Message;
use squall_model::Stamp;
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// What a proxy has of the layer.
#[derive(Debug, Clone)]
struct Held {
    version: String,
    empty: bool,
    until: Option<Stamp>,
}

/// A lease and a proxy, messages delivered one at a time, time passing by hand.
pub(super) struct Pair {
    pub(super) holder: Holder,
    pub(super) now: Stamp,
    pub(super) lapses: usize,
    orders: u64,
    streams: u64,
    responses: Option<UnboundedReceiver<Result<DeltaDiscoveryResponse, tonic::Status>>>,
    requests: VecDeque<DeltaDiscoveryRequest>,
    held: Option<Held>,
}

impl Pair {
    pub(super) fn new() -> Pair {
        let (holder, requests) = (Holder::new("p", TIMING), VecDeque::new());
        Pair { holder, now: Stamp(0), lapses: 0, orders: 0, streams: 0, responses: None, requests, held: None }
    }

    pub(super) fn connected() -> Pair {
        let mut pair = Pair::new();
        pair.connect();
        pair.drain();
        pair
    }

    /// A live fault.
    pub(super) fn armed() -> Pair {
        let mut pair = Pair::connected();
        pair.set(super::layer(30));
        pair.drain();
        assert!(pair.has_faults());
        pair
    }

    pub(super) fn set(&mut self, layer: Layer) -> u64 {
        self.orders += 1;
        self.holder.set(self.orders, layer, self.now);
        self.orders
    }

    pub(super) fn outcome(&self, order: u64) -> Option<Result<Acked, Unarmed>> {
        self.holder.outcome(order)
    }

    pub(super) fn connect(&mut self) {
        self.disconnect();
        let (outlet, responses) = unbounded_channel();
        self.streams += 1;
        self.holder.open(self.streams, outlet);
        self.responses = Some(responses);
        let kept = self.held.iter().map(|held| (FAULT_LAYER.to_owned(), held.version.clone()));
        self.requests.push_back(DeltaDiscoveryRequest {
            resource_names_subscribe: vec![FAULT_LAYER.into()],
            initial_resource_versions: kept.collect::<HashMap<_, _>>(),
            ..DeltaDiscoveryRequest::default()
        });
    }

    pub(super) fn disconnect(&mut self) {
        self.holder.close();
        self.responses = None;
        self.requests.clear();
    }

    /// The proxy dies and starts again, with nothing.
    pub(super) fn restart(&mut self) {
        self.held = None;
        self.connect();
    }

    /// Time passes for both, without a heartbeat.
    pub(super) fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        if self.held.as_ref().and_then(|held| held.until).is_some_and(|until| until < self.now) {
            self.held = None;
        }
    }

    pub(super) fn beat(&mut self) -> Option<ChannelEvent> {
        let event = self.holder.beat(self.now);
        self.count(event)
    }

    pub(super) fn deliver_request(&mut self) -> Option<Option<ChannelEvent>> {
        let request = self.requests.pop_front()?;
        let event = self.holder.request(request, self.now);
        Some(self.count(event))
    }

    pub(super) fn deliver_response(&mut self) -> Option<DeltaDiscoveryResponse> {
        let response = self.responses.as_mut()?.try_recv().ok()?.unwrap();
        let refused = response.resources.iter().find_map(|one| self.take(one).err());
        self.requests.push_back(DeltaDiscoveryRequest {
            response_nonce: response.nonce.clone(),
            error_detail: refused.map(|words| Detail { message: words.into(), ..Detail::default() }),
            ..DeltaDiscoveryRequest::default()
        });
        Some(response)
    }

    /// Delivers everything, both ways. Gives what the proxy received, and what was told of it.
    pub(super) fn drain(&mut self) -> (Vec<&'static str>, Vec<ChannelEvent>) {
        let (mut received, mut told) = (Vec::new(), Vec::new());
        for _ in 0..10_000 {
            let response = self.deliver_response();
            let request = self.deliver_request();
            if response.is_none() && request.is_none() {
                return (received, told);
            }
            received.extend(response.as_ref().map(shown));
            told.extend(request.flatten());
        }
        panic!("it never ends: {:?}", &received[..20]);
    }

    pub(super) fn has_faults(&self) -> bool {
        self.held.as_ref().is_some_and(|held| !held.empty)
    }

    fn take(&mut self, one: &envoy_types::pb::envoy::service::discovery::v3::Resource) -> Result<(), &'static str> {
        let ttl =
            one.ttl.as_ref().map(|ttl| Duration::new(ttl.seconds.try_into().unwrap(), ttl.nanos.try_into().unwrap()));
        let until = ttl.map(|ttl| self.now + ttl);
        if let Some(body) = &one.resource {
            let runtime = Runtime::decode(body.value.as_slice()).unwrap();
            let empty = runtime.layer.unwrap().fields.is_empty();
            self.held = Some(Held { version: one.version.clone(), empty, until });
            return Ok(());
        }
        let held = self.held.as_mut().filter(|held| held.version == one.version).ok_or("no such version")?;
        held.until = until;
        Ok(())
    }

    fn count(&mut self, event: Option<ChannelEvent>) -> Option<ChannelEvent> {
        self.lapses += usize::from(matches!(event, Some(ChannelEvent::Lapsed { .. })));
        event
    }
}

fn shown(response: &DeltaDiscoveryResponse) -> &'static str {
    match response.resources.as_slice() {
        [one] if one.version == BLANK && one.resource.is_some() && one.ttl.is_none() => "blank",
        [one] if one.resource.is_some() && one.ttl.is_some() => "lease",
        [one] if one.resource.is_some() => "whole",
        [one] if one.ttl.is_some() => "heartbeat",
        _ => "something else",
    }
}
