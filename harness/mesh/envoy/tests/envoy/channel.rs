//! The fault channel.

use crate::{
    lab::{Lab, NODE, get, holds_until, is_lapse, next, soon, until, upstream},
    resources::leading_to,
};
use nix::sys::signal::Signal;
use squall_mesh_envoy::now;
use squall_mesh_proxy::channel::{ChannelEvent, Lapse, Layer, RuntimeValue, Timing, Unarmed};
use squall_model::Fraction;
use std::time::Duration;

/// A lease that is short enough for tests and long enough for a busy machine.
const TIMING: Timing = Timing { ttl: Duration::from_millis(1500), heartbeat: Duration::from_millis(250) };

fn aborts(share: Fraction) -> Layer {
    Layer::from([
        ("f.abort.pct".into(), RuntimeValue::Fraction(share)),
        ("f.abort.status".into(), RuntimeValue::Integer(418)),
    ])
}

fn all() -> Layer {
    aborts(Fraction::ALL)
}

async fn arm(lab: &Lab, layer: Layer) {
    let push = lab.faults.set(NODE, layer.clone());
    lab.faults.wait(&push, soon()).await.unwrap();
    until("the layer is in force", async || lab.holds(&layer).await).await;
}

#[tokio::test]
async fn a_fault_is_armed_seen_effective_and_ended() {
    let Some(lab) = Lab::live(TIMING).await else { return };
    lab.apply(leading_to("a", upstream("A").await)).await;
    let address = lab.outbound().await;
    assert!(lab.holds(&Layer::new()).await);
    arm(&lab, all()).await;
    until("calls are aborted", async || get(address).await.0 == 418).await;
    assert!(lab.admin.stats().await.unwrap()["http.out.fault.aborts_injected"] >= 1);
    arm(&lab, aborts(Fraction::percent(30))).await;
    arm(&lab, Layer::new()).await;
    until("calls pass", async || get(address).await == (200, "A".into())).await;
}

#[tokio::test]
async fn heartbeats_hold_a_fault_without_loading_it_again() {
    let Some(lab) = Lab::live(TIMING).await else { return };
    let mut events = lab.faults.events();
    arm(&lab, all()).await;
    let loads = lab.admin.stats().await.unwrap()["runtime.load_success"];
    holds_until(now() + TIMING.ttl * 3, "the fault is armed", async || lab.holds(&all()).await).await;
    assert_eq!(lab.admin.stats().await.unwrap()["runtime.load_success"], loads);
    while let Ok(event) = events.try_recv() {
        assert!(!is_lapse(&event), "{event:?}");
    }
}

#[tokio::test]
async fn the_control_plane_dies_and_the_fault_lives() {
    let Some(lab) = Lab::live(TIMING).await else { return };
    lab.apply(leading_to("a", upstream("A").await)).await;
    let address = lab.outbound().await;
    arm(&lab, all()).await;
    until("calls are aborted", async || get(address).await.0 == 418).await;
    lab.ads.stop().unwrap();
    holds_until(now() + TIMING.ttl * 2, "calls are aborted", async || get(address).await.0 == 418).await;
    arm(&lab, Layer::new()).await;
    until("calls pass", async || get(address).await == (200, "A".into())).await;
}

#[tokio::test]
async fn the_channel_dies_and_the_fault_ends_by_itself() {
    let Some(lab) = Lab::live(TIMING).await else { return };
    arm(&lab, all()).await;
    let mut events = lab.faults.events();
    let died = now();
    lab.faults.stop().unwrap();
    let mut armed_at = died;
    loop {
        let asked = now();
        if lab.holds(&Layer::new()).await {
            break;
        }
        armed_at = asked;
    }
    // By when it was last armed for sure: a test that is starved sees the end late.
    let lasted = armed_at.since(died);
    assert!(lasted < TIMING.ttl + Duration::from_millis(500), "{lasted:?}");
    assert!(lasted > TIMING.ttl / 3, "the lease, not the end of the stream, ended it: {lasted:?}");

    lab.faults.resume().unwrap();
    let lapse = next(&mut events, is_lapse).await;
    assert!(matches!(lapse, ChannelEvent::Lapsed { why: Lapse::Lost | Lapse::Disconnected, .. }), "{lapse:?}");
    holds_until(now() + TIMING.ttl, "it is not armed again", async || lab.holds(&Layer::new()).await).await;
    arm(&lab, all()).await;
}

#[tokio::test]
async fn a_channel_that_is_back_within_the_lease_goes_on_without_a_gap() {
    let Some(lab) = Lab::live(TIMING).await else { return };
    arm(&lab, all()).await;
    let mut events = lab.faults.events();
    lab.faults.stop().unwrap();
    lab.faults.resume().unwrap();
    holds_until(now() + TIMING.ttl * 2, "the fault is armed", async || lab.holds(&all()).await).await;
    while let Ok(event) = events.try_recv() {
        assert!(!is_lapse(&event), "{event:?}");
    }
}

#[tokio::test]
async fn a_stalled_channel_learns_that_its_lease_ran_out() {
    let Some(lab) = Lab::live(TIMING).await else { return };
    arm(&lab, all()).await;
    let mut events = lab.faults.events();
    lab.faults.stall();
    until("the layer is empty", async || lab.holds(&Layer::new()).await).await;
    lab.faults.unstall();
    let ChannelEvent::Lapsed { node, why: Lapse::Expired(words), .. } = next(&mut events, is_lapse).await else {
        panic!("the proxy refuses the heartbeat");
    };
    assert_eq!(node, NODE);
    assert!(!words.is_empty());
    holds_until(now() + TIMING.ttl, "it is not armed again", async || lab.holds(&Layer::new()).await).await;
    assert!(!std::iter::from_fn(|| events.try_recv().ok()).any(|event| is_lapse(&event)), "it is told once");
    arm(&lab, all()).await;
}

#[tokio::test]
async fn a_frozen_proxy_wakes_without_its_faults() {
    let Some(lab) = Lab::live(TIMING).await else { return };
    arm(&lab, all()).await;
    let mut events = lab.faults.events();
    lab.signal(Signal::SIGSTOP);
    let lapse = next(&mut events, is_lapse).await;
    lab.signal(Signal::SIGCONT);
    assert!(matches!(lapse, ChannelEvent::Lapsed { why: Lapse::Unanswered, .. }), "{lapse:?}");
    until("the layer is empty", async || lab.holds(&Layer::new()).await).await;
    holds_until(now() + TIMING.ttl, "it stays empty", async || lab.holds(&Layer::new()).await).await;
    assert!(!std::iter::from_fn(|| events.try_recv().ok()).any(|event| is_lapse(&event)), "it is told once");
    arm(&lab, all()).await;
}

#[tokio::test]
async fn an_order_to_a_frozen_proxy_is_not_obeyed_when_it_wakes() {
    let Some(lab) = Lab::live(TIMING).await else { return };
    let loads = lab.admin.stats().await.unwrap()["runtime.load_success"];
    lab.signal(Signal::SIGSTOP);
    let push = lab.faults.set(NODE, all());
    let Err(Unarmed::Lapsed { why, .. }) = lab.faults.wait(&push, soon()).await else { panic!("a lapse") };
    assert_eq!(why, Lapse::Unanswered);
    lab.signal(Signal::SIGCONT);
    let read = async || lab.admin.stats().await.unwrap()["runtime.load_success"];
    until("it has read the order and its end", async || read().await == loads + 2).await;
    holds_until(now() + TIMING.ttl, "it stays empty", async || lab.holds(&Layer::new()).await).await;
}

#[tokio::test]
async fn an_old_order_is_not_given_to_a_proxy_that_comes_late() {
    let Some(mut lab) = Lab::new(TIMING) else { return };
    let push = lab.faults.set(NODE, all());
    let lag = lab.faults.wait(&push, now() + Duration::from_millis(20)).await.unwrap_err();
    assert_eq!(lag, Unarmed::NeverConnected(NODE.into()));
    let lapsed = lab.faults.wait(&push, soon()).await.unwrap_err();
    assert_eq!(lapsed, Unarmed::Lapsed { node: NODE.into(), why: Lapse::Stale });
    lab.boot().await;
    assert!(lab.holds(&Layer::new()).await);
}

#[tokio::test]
async fn a_fresh_order_is_given_to_a_proxy_that_starts() {
    let Some(mut lab) = Lab::new(Timing::default()) else { return };
    let (_, push) = (lab.boot().await, lab.faults.set(NODE, all()));
    lab.faults.wait(&push, soon()).await.unwrap();
    until("the layer is in force", async || lab.holds(&all()).await).await;
}
