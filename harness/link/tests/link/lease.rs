//! Damage under a lease.

use crate::rig::{DEADLINE, FOR_EVER, Rig, now, wire};
use serde_json::{Value, json};
use squall_link::{Control, ControlError};
use squall_model::{Damage, Stamp};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
    time::Duration,
};

/// A runner that speaks for itself: no heart beats for it.
struct Heartless(BufReader<UnixStream>);

impl Heartless {
    fn connect(rig: &Rig) -> Heartless {
        let stream = UnixStream::connect(&rig.config.control).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut heartless = Heartless(BufReader::new(stream));
        assert_eq!(heartless.hear()["ready"]["pid"], rig.child.id());
        heartless
    }

    fn ask(&mut self, ask: &Value) -> Value {
        writeln!(self.0.get_mut(), "{ask}").unwrap();
        self.hear()
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Has the first wire cut.
    fn cut(&mut self) -> Value {
        self.ask(&json!({"damage": [[wire(1), [Damage::Cut]]]}))
    }
}

#[tokio::test]
async fn damage_ends_by_itself_without_a_heartbeat_and_its_runner_is_told_once() {
    // Shorter than between two beats of the rig's own heart, which beats for everybody.
    let rig = Rig::start_with(Duration::from_millis(300)).await;
    let mut runner = Heartless::connect(&rig);
    let (mut caller, mut callee) = rig.connect();
    let cut = Stamp(runner.cut()["done"].as_u64().unwrap());
    caller.says("held");
    callee.hears("held");
    let told = runner.cut();
    let lapsed = Stamp(told["lapsed"].as_u64().unwrap_or_else(|| panic!("{told}")));
    assert!(lapsed.since(cut) >= Duration::from_millis(300) && lapsed < now());
    assert_eq!(runner.ask(&json!({"renew": {}})), json!({"renewed": {"lapsed": lapsed}}));
    let again = runner.cut();
    assert!(again["done"].as_u64().is_some(), "{again}");
    callee.says("held too");
    caller.hears("held too");
    assert!(runner.cut()["lapsed"].as_u64() > again["done"].as_u64());
}

#[tokio::test]
async fn damage_ends_with_its_runner() {
    let mut rig = Rig::start_with(FOR_EVER).await;
    let (mut caller, mut callee) = rig.connect();
    rig.damage(&[Damage::Cut]).await;
    caller.says("held");
    callee.hears_nothing();
    drop(std::mem::replace(&mut rig.control, Control::connect(&rig.config.control, DEADLINE).await.unwrap()));
    callee.hears("held");
    rig.is_good();
    // Nobody is left who would have to be told.
    rig.damage(&[Damage::Cut]).await;
    assert_eq!(rig.control.lapsed(), None);
}

#[tokio::test]
async fn a_runner_that_stalled_learns_it() {
    let mut rig = Rig::start_with(Duration::from_millis(1)).await;
    let (mut caller, mut callee) = rig.connect();
    // No heart beats that fast.
    rig.damage(&[Damage::Cut]).await;
    caller.says("held");
    callee.hears("held");
    let Err(ControlError::Lapsed { at }) = rig.control.damage(&[]).await else { panic!("it was not told") };
    assert_eq!(rig.control.lapsed(), Some(at));
    rig.clean().await;
    assert_eq!(rig.control.lapsed(), Some(at));
}

#[tokio::test]
async fn a_runner_learns_by_its_heartbeat_too() {
    let mut rig = Rig::start_with(Duration::from_millis(1)).await;
    let cut = rig.damage(&[Damage::Cut]).await;
    let by = std::time::Instant::now() + DEADLINE;
    while rig.control.lapsed().is_none() {
        assert!(std::time::Instant::now() < by, "it never learnt");
        std::thread::yield_now();
    }
    assert!(rig.control.lapsed() > Some(cut));
}
