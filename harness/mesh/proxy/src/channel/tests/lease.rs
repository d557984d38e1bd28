//! How a lease begins, goes on and ends.

use super::{TIMING, layer, proxy::Pair};
use crate::channel::{ChannelEvent, Lapse, Layer, Unarmed};
use std::time::Duration;

const INSTANT: Duration = Duration::from_millis(1);

fn lapse(event: Option<ChannelEvent>) -> Option<Lapse> {
    match event? {
        ChannelEvent::Lapsed { why, .. } => Some(why),
        _ => None,
    }
}

fn void(why: Lapse) -> Option<Result<crate::stream::Acked, Unarmed>> {
    Some(Err(Unarmed::Lapsed { node: "p".into(), why }))
}

#[test]
fn a_proxy_without_an_order_has_an_empty_layer_and_no_lease() {
    let mut pair = Pair::new();
    pair.connect();
    assert_eq!(pair.drain().0, ["blank"]);
    assert_eq!((pair.beat(), pair.drain().0), (None, vec![]));
}

#[test]
fn a_lease_is_kept_by_heartbeats() {
    let mut pair = Pair::connected();
    let order = pair.set(layer(30));
    assert_eq!(pair.outcome(order), None);
    let (received, told) = pair.drain();
    assert_eq!(received, ["lease"]);
    assert!(matches!(told[..], [ChannelEvent::Acked { .. }]), "{told:?}");
    assert!(matches!(pair.outcome(order), Some(Ok(_))));
    for _ in 0..20 {
        pair.pass(TIMING.heartbeat);
        assert_eq!((pair.beat(), pair.drain().0), (None, vec!["heartbeat"]));
    }
    assert!(pair.has_faults());
}

#[test]
fn an_empty_layer_ends_a_fault_and_needs_no_lease() {
    let mut pair = Pair::armed();
    let order = pair.set(Layer::new());
    assert_eq!(pair.drain().0, ["whole"]);
    assert!(!pair.has_faults() && pair.outcome(order).unwrap().is_ok());
    pair.pass(TIMING.ttl * 3);
    assert_eq!((pair.beat(), pair.drain().0, pair.lapses), (None, vec![], 0));
}

#[test]
fn a_refused_heartbeat_is_a_lapse_told_once_and_not_armed_again() {
    let mut pair = Pair::armed();
    pair.pass(TIMING.ttl + INSTANT);
    assert_eq!(pair.beat(), None);
    let (received, told) = pair.drain();
    assert_eq!(received, ["heartbeat", "blank"]);
    assert_eq!(told.into_iter().find_map(|event| lapse(Some(event))), Some(Lapse::Expired("no such version".into())));
    for _ in 0..5 {
        pair.pass(TIMING.heartbeat);
        assert_eq!((pair.beat(), pair.drain().0), (None, vec![]));
    }
    assert_eq!((pair.lapses, pair.has_faults()), (1, false));
    pair.set(layer(20));
    pair.drain();
    assert!(pair.has_faults(), "a new order arms");
}

#[test]
fn silence_for_a_whole_lease_is_a_lapse_and_what_is_on_its_way_is_undone() {
    let mut pair = Pair::armed();
    for _ in 0..6 {
        assert_eq!(pair.beat(), None);
        pair.pass(TIMING.heartbeat);
    }
    pair.pass(INSTANT);
    assert_eq!(lapse(pair.beat()), Some(Lapse::Unanswered));
    let received = pair.drain().0;
    assert_eq!(received.last(), Some(&"blank"));
    assert_eq!((pair.lapses, pair.has_faults()), (1, false));
}

#[test]
fn an_order_that_is_obeyed_too_late_is_undone() {
    let mut pair = Pair::connected();
    let order = pair.set(layer(30));
    pair.pass(TIMING.ttl + INSTANT);
    assert_eq!(pair.drain().0, ["lease", "blank"]);
    assert_eq!((pair.outcome(order), pair.has_faults()), (void(Lapse::Stale), false));
}

#[test]
fn an_order_that_nobody_took_in_time_is_void() {
    let mut pair = Pair::new();
    let order = pair.set(layer(30));
    assert_eq!(pair.holder.lag(order), Unarmed::NeverConnected("p".into()));
    pair.pass(TIMING.ttl);
    assert_eq!(pair.beat(), None);
    pair.pass(INSTANT);
    assert_eq!(lapse(pair.beat()), Some(Lapse::Stale));
    assert_eq!(pair.outcome(order), void(Lapse::Stale));
    pair.connect();
    assert_eq!(pair.drain().0, ["blank"]);
}

#[test]
fn a_proxy_that_comes_before_the_heartbeat_notices_is_not_given_an_old_order_either() {
    let mut pair = Pair::new();
    pair.set(layer(30));
    pair.pass(TIMING.ttl + INSTANT);
    pair.connect();
    assert_eq!(pair.drain().0, ["blank"]);
    assert_eq!(pair.lapses, 1);
}

#[test]
fn a_fresh_order_is_given_to_a_proxy_that_comes() {
    let mut pair = Pair::new();
    let order = pair.set(layer(30));
    pair.pass(TIMING.ttl);
    pair.connect();
    assert_eq!(pair.drain().0, ["lease"]);
    assert!(pair.outcome(order).unwrap().is_ok());
}

#[test]
fn a_lease_goes_on_over_a_short_loss_of_the_stream() {
    let mut pair = Pair::armed();
    pair.disconnect();
    pair.pass(TIMING.ttl - INSTANT);
    pair.connect();
    assert_eq!(pair.drain().0, ["heartbeat"], "at once");
    pair.pass(TIMING.ttl - INSTANT);
    assert!(pair.has_faults() && pair.lapses == 0);
}

#[test]
fn a_lease_that_ran_out_without_a_stream_is_a_lapse() {
    let mut pair = Pair::armed();
    pair.disconnect();
    pair.pass(TIMING.ttl + INSTANT);
    assert_eq!(lapse(pair.beat()), Some(Lapse::Disconnected));
    pair.connect();
    assert_eq!((pair.drain().0, pair.lapses), (vec!["blank"], 1));
}

#[test]
fn a_proxy_that_comes_back_without_its_faults_is_not_given_them_again() {
    let mut pair = Pair::armed();
    pair.restart();
    let (received, told) = pair.drain();
    assert_eq!(received, ["blank"]);
    assert_eq!(told.into_iter().find_map(|event| lapse(Some(event))), Some(Lapse::Lost));
}

#[test]
fn an_acknowledgement_that_was_lost_with_the_stream_is_read_from_the_next() {
    let mut pair = Pair::connected();
    let order = pair.set(layer(30));
    pair.deliver_response().unwrap();
    pair.connect();
    assert_eq!(pair.drain().0, ["heartbeat"]);
    assert!(pair.outcome(order).unwrap().is_ok());
}

#[test]
fn a_later_order_takes_the_place_of_one_that_is_not_in_force() {
    let mut pair = Pair::new();
    let (first, second) = (pair.set(layer(10)), pair.set(layer(20)));
    assert_eq!(pair.outcome(first), Some(Err(Unarmed::Superseded("p".into()))));
    pair.connect();
    pair.drain();
    assert!(pair.outcome(second).unwrap().is_ok());
    let third = pair.set(layer(30));
    assert!(pair.outcome(second).unwrap().is_ok(), "what was in force was in force");
    assert_eq!(pair.holder.lag(third), Unarmed::Unanswered("p".into()));
    assert_eq!(pair.holder.lag(second), Unarmed::Unknown("p".into()));
}
