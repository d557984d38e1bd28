//! One proxy's lease: an order, its delivery, its heartbeats, its end. No I/O, no clock.

use super::{
    ChannelEvent, Lapse, Layer, Timing, Unarmed,
    wire::{self, BLANK},
};
use crate::{
    bootstrap::FAULT_LAYER,
    stream::{Acked, Outlet},
};
use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use squall_model::Stamp;
use std::collections::{BTreeMap, HashMap};

/// An order that was given: what to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    pub(super) node: String,
    pub(super) number: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// Not sent, or sent on a stream that broke before the answer.
    Waiting,
    /// Sent on the present stream.
    Sent,
    /// Accepted; a lease runs unless the layer is empty.
    Armed,
    /// Refused, or lapsed.
    Void,
}

#[derive(Debug)]
struct Order {
    number: u64,
    layer: Layer,
    version: String,
    asked: Stamp,
    /// When the last message about it was sent: its lease ends one time to live later at the latest.
    last_sent: Stamp,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cargo {
    Order(u64),
    Heartbeat(u64),
    Blank,
}

#[derive(Debug)]
struct Stream {
    id: u64,
    outlet: Outlet,
    subscribed: bool,
    met: bool,
    last_nonce: u64,
    flights: BTreeMap<u64, (Cargo, Stamp)>,
}

#[derive(Debug)]
pub(super) struct Holder {
    node: String,
    timing: Timing,
    order: Option<Order>,
    stream: Option<Stream>,
    connected_once: bool,
    outcomes: BTreeMap<u64, Result<Acked, Unarmed>>,
}

impl Holder {
    pub(super) fn new(node: &str, timing: Timing) -> Holder {
        let outcomes = BTreeMap::new();
        Holder { node: node.into(), timing, order: None, stream: None, connected_once: false, outcomes }
    }

    /// Orders a layer in place of the one before.
    pub(super) fn set(&mut self, number: u64, layer: Layer, now: Stamp) {
        if let Some(before) = &self.order {
            self.outcomes.entry(before.number).or_insert_with(|| Err(Unarmed::Superseded(self.node.clone())));
        }
        let version = format!("{number}@{}", now.0);
        self.order = Some(Order { number, layer, version, asked: now, last_sent: now, phase: Phase::Waiting });
        if self.is_subscribed() {
            self.send_order(now);
        }
    }

    pub(super) fn open(&mut self, id: u64, outlet: Outlet) {
        self.close();
        self.connected_once = true;
        self.stream =
            Some(Stream { id, outlet, subscribed: false, met: false, last_nonce: 0, flights: BTreeMap::new() });
    }

    pub(super) fn close(&mut self) {
        self.stream = None;
        if let Some(order) = self.order.as_mut().filter(|order| order.phase == Phase::Sent) {
            order.phase = Phase::Waiting;
        }
    }

    pub(super) fn is_stream(&self, id: u64) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.id == id)
    }

    /// Takes a request in: an answer, a subscription, or both.
    pub(super) fn request(&mut self, request: DeltaDiscoveryRequest, now: Stamp) -> Option<ChannelEvent> {
        let words = request.error_detail.map(|detail| detail.message);
        let event = self.answered(&request.response_nonce, words, now);
        let Some(stream) = &mut self.stream else { return event };
        let (ours, others): (Vec<_>, Vec<_>) =
            request.resource_names_subscribe.into_iter().partition(|name| name == FAULT_LAYER || name == "*");
        let wildcard = !std::mem::replace(&mut stream.met, true) && others.is_empty();
        if request.resource_names_unsubscribe.iter().any(|name| name == FAULT_LAYER) {
            stream.subscribed = false;
        }
        if !others.is_empty() {
            stream.last_nonce += 1;
            drop(stream.outlet.send(Ok(wire::missing(stream.last_nonce, others))));
        }
        if ours.is_empty() && !wildcard {
            return event;
        }
        stream.subscribed = true;
        let lapsed = self.subscribed(&request.initial_resource_versions, now);
        event.or(lapsed)
    }

    /// The heart beats: renews the lease, or notices that it cannot be renewed any more.
    pub(super) fn beat(&mut self, now: Stamp) -> Option<ChannelEvent> {
        let subscribed = self.is_subscribed();
        let late = self.is_answer_overdue(now);
        let ttl = self.timing.ttl;
        let order = self.order.as_mut().filter(|order| !order.layer.is_empty())?;
        match order.phase {
            Phase::Void => None,
            Phase::Waiting if now.since(order.asked) > ttl => self.lapse(Lapse::Stale, now),
            Phase::Waiting => None,
            Phase::Sent | Phase::Armed if late => self.lapse(Lapse::Unanswered, now),
            Phase::Sent => None,
            Phase::Armed if subscribed => {
                order.last_sent = now;
                let (number, version) = (order.number, order.version.clone());
                self.send(Cargo::Heartbeat(number), now, |nonce| wire::heartbeat(nonce, &version, ttl));
                None
            }
            Phase::Armed if now.since(order.last_sent) > ttl => self.lapse(Lapse::Disconnected, now),
            Phase::Armed => None,
        }
    }

    /// Whether the faults that were ordered last are void: they lapsed, or were refused.
    pub(super) fn is_void(&self) -> bool {
        self.order.as_ref().is_some_and(|order| order.phase == Phase::Void && !order.layer.is_empty())
    }

    pub(super) fn outcome(&self, number: u64) -> Option<Result<Acked, Unarmed>> {
        self.outcomes.get(&number).cloned()
    }

    /// Why there is no outcome yet.
    pub(super) fn lag(&self, number: u64) -> Unarmed {
        let node = self.node.clone();
        if self.order.as_ref().is_none_or(|order| order.number != number) {
            return Unarmed::Unknown(node);
        }
        match &self.stream {
            None if self.connected_once => Unarmed::Disconnected(node),
            None => Unarmed::NeverConnected(node),
            Some(stream) if !stream.subscribed => Unarmed::NotSubscribed(node),
            Some(_) => Unarmed::Unanswered(node),
        }
    }

    /// The proxy asks for the layer and says which version it has, if any.
    fn subscribed(&mut self, claims: &HashMap<String, String>, now: Stamp) -> Option<ChannelEvent> {
        let claim = claims.get(FAULT_LAYER);
        let Some(order) = &mut self.order else {
            self.send_blank(now);
            return None;
        };
        let held = claim == Some(&order.version);
        match order.phase {
            Phase::Waiting | Phase::Sent if held => {
                order.phase = Phase::Armed;
                self.outcomes.entry(order.number).or_insert(Ok(Acked { at: now }));
                self.beat(now)
            }
            Phase::Armed if held => self.beat(now),
            Phase::Void => {
                self.send_blank(now);
                None
            }
            _ if order.layer.is_empty() => {
                self.send_order(now);
                None
            }
            Phase::Armed => self.lapse(Lapse::Lost, now),
            Phase::Waiting | Phase::Sent if now.since(order.asked) > self.timing.ttl => self.lapse(Lapse::Stale, now),
            Phase::Waiting | Phase::Sent => {
                self.send_order(now);
                None
            }
        }
    }

    /// An ACK or NACK, told by its nonce.
    fn answered(&mut self, nonce: &str, words: Option<String>, now: Stamp) -> Option<ChannelEvent> {
        let (cargo, sent) = self.stream.as_mut()?.flights.remove(&nonce.parse().ok()?)?;
        let node = self.node.clone();
        let order = self.order.as_mut();
        match (cargo, words) {
            (Cargo::Order(number), None) => {
                let order = order.filter(|order| order.number == number && order.phase == Phase::Sent)?;
                if !order.layer.is_empty() && now.since(order.asked) > self.timing.ttl {
                    return self.lapse(Lapse::Stale, now);
                }
                order.phase = Phase::Armed;
                self.outcomes.insert(number, Ok(Acked { at: now }));
                Some(ChannelEvent::Acked { node, took: now.since(sent), at: now })
            }
            (Cargo::Order(number), Some(words)) => {
                if let Some(order) = order.filter(|order| order.number == number) {
                    order.phase = Phase::Void;
                    let rejected = Unarmed::Rejected { node: node.clone(), words: words.clone() };
                    self.outcomes.insert(number, Err(rejected));
                }
                Some(ChannelEvent::Rejected { node, words, at: now })
            }
            (Cargo::Heartbeat(number), Some(words)) => {
                order.filter(|order| order.number == number && order.phase == Phase::Armed)?;
                self.lapse(Lapse::Expired(words), now)
            }
            (Cargo::Blank, Some(words)) => Some(ChannelEvent::Rejected { node, words, at: now }),
            (Cargo::Heartbeat(_) | Cargo::Blank, None) => None,
        }
    }

    /// The order is void. The proxy is told to have no faults, for it may still obey what is on its way.
    fn lapse(&mut self, why: Lapse, now: Stamp) -> Option<ChannelEvent> {
        let order = self.order.as_mut()?;
        order.phase = Phase::Void;
        let node = self.node.clone();
        let lapsed = Unarmed::Lapsed { node: node.clone(), why: why.clone() };
        self.outcomes.entry(order.number).or_insert(Err(lapsed));
        if self.is_subscribed() {
            self.send_blank(now);
        }
        Some(ChannelEvent::Lapsed { node, why, at: now })
    }

    /// Whether something about the present order was sent a whole lease ago and is not answered.
    fn is_answer_overdue(&self, now: Stamp) -> bool {
        let Some((stream, order)) = self.stream.as_ref().zip(self.order.as_ref()) else { return false };
        let ours = |cargo: Cargo| matches!(cargo, Cargo::Order(n) | Cargo::Heartbeat(n) if n == order.number);
        let mut overdue = stream.flights.values().filter(|(_, sent)| now.since(*sent) > self.timing.ttl);
        overdue.any(|(cargo, _)| ours(*cargo))
    }

    fn is_subscribed(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.subscribed)
    }

    fn send_order(&mut self, now: Stamp) {
        let Some(order) = &mut self.order else { return };
        order.phase = Phase::Sent;
        order.last_sent = now;
        let (number, version, layer, ttl) = (order.number, order.version.clone(), order.layer.clone(), self.timing.ttl);
        self.send(Cargo::Order(number), now, |nonce| wire::whole(nonce, &version, &layer, ttl));
    }

    fn send_blank(&mut self, now: Stamp) {
        let ttl = self.timing.ttl;
        self.send(Cargo::Blank, now, |nonce| wire::whole(nonce, BLANK, &Layer::new(), ttl));
    }

    fn send(&mut self, cargo: Cargo, now: Stamp, message: impl FnOnce(u64) -> DeltaDiscoveryResponse) {
        let Some(stream) = &mut self.stream else { return };
        stream.last_nonce += 1;
        stream.flights.insert(stream.last_nonce, (cargo, now));
        // A closed outlet is a stream that ends: its end is told to us by the task that reads it.
        drop(stream.outlet.send(Ok(message(stream.last_nonce))));
    }
}
