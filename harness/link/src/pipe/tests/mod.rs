mod random;
mod rig;

use super::{Close, Step, TURNS, queue::ROOM};
use crate::harm::Way;
use rig::{Rig, SCRATCH};
use squall_model::{Damage, Hurt};
use std::time::Duration;

const IDLE: Step = Step::Wait { is_full: false, until: None };
const FULL: Step = Step::Wait { is_full: true, until: None };

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn slow(by: u64, jitter: u64) -> Damage {
    Damage::Slow { by: ms(by), jitter: ms(jitter) }
}

#[test]
fn a_clean_wire_passes_on_what_comes_and_then_the_end() {
    for close in [Close::Fin, Close::Rst] {
        let mut rig = Rig::new(Way::ToCallee);
        assert_eq!((rig.come(b"one"), rig.arrived().as_str()), (IDLE, "one"));
        rig.from.come(b"two");
        assert_eq!((rig.close(close), rig.arrived().as_str()), (Step::Ended(close), "two"));
        assert!(rig.pipe.is_over() && rig.pump() == IDLE);
        assert_eq!((rig.pipe.passed(), rig.pipe.ending(), rig.hurts()), (6, Some(close), vec![]));
    }
}

#[test]
fn who_has_closed_may_still_answer_with_a_reset() {
    let mut rig = Rig::new(Way::ToCallee);
    assert_eq!((rig.close(Close::Fin), rig.pump()), (Step::Ended(Close::Fin), IDLE));
    rig.suffer(&[Damage::Cut]);
    assert_eq!((rig.pump(), rig.hurts()), (IDLE, vec![]));
    assert_eq!((rig.close(Close::Rst), rig.hurts().len()), (IDLE, 1));
    assert_eq!((rig.suffer(&[]), rig.pump()), (Step::Ended(Close::Rst), IDLE));
}

#[test]
fn what_a_cut_holds_passes_when_it_ends() {
    let mut rig = Rig::new(Way::ToCallee);
    rig.suffer(&[Damage::Cut]);
    rig.now = rig.now + ms(1);
    let met = rig.now;
    assert_eq!((rig.come(b"one"), rig.come(b"two"), rig.close(Close::Fin)), (IDLE, IDLE, IDLE));
    assert_eq!(rig.arrived(), "");
    rig.now = rig.now + ms(5);
    assert_eq!(rig.suffer(&[]), Step::Ended(Close::Fin));
    assert_eq!(rig.arrived(), "onetwo");
    assert_eq!(rig.hurts(), [Hurt { by: Damage::Cut, first: met, last: met + ms(5) }]);
}

#[test]
fn damage_that_met_nothing_did_nothing() {
    let all = [
        Damage::Cut,
        Damage::SwallowAnswers,
        slow(10, 0),
        Damage::Rate { bytes_per_second: 100 },
        Damage::SlowClose(ms(10)),
    ];
    for damage in all {
        let mut rig = Rig::new(Way::ToCaller);
        rig.come(b"before");
        rig.suffer(&[damage]);
        rig.after(ms(100));
        rig.suffer(&[]);
        rig.come(b"after");
        assert_eq!((rig.arrived().as_str(), rig.hurts()), ("beforeafter", vec![]), "{damage}");
    }
}

#[test]
fn an_answer_is_swallowed_and_a_request_is_not() {
    let mut rig = Rig::new(Way::ToCallee);
    rig.suffer(&[Damage::SwallowAnswers]);
    rig.come(b"one");
    assert_eq!((rig.arrived().as_str(), rig.hurts()), ("one", vec![]));
    let mut rig = Rig::new(Way::ToCaller);
    rig.suffer(&[Damage::SwallowAnswers]);
    rig.come(b"one");
    assert_eq!((rig.arrived().as_str(), rig.hurts().len()), ("", 1));
    rig.suffer(&[]);
    assert_eq!(rig.arrived(), "one");
}

#[test]
fn a_slow_answer_is_late_by_so_much_and_so_is_its_end() {
    let mut rig = Rig::new(Way::ToCaller);
    rig.suffer(&[slow(20, 0)]);
    let begin = rig.now;
    let until = |at: u64| Step::Wait { is_full: false, until: Some(begin + ms(at)) };
    assert_eq!(rig.come(b"one"), until(20));
    rig.now = begin + ms(5);
    rig.from.come(b"two");
    assert_eq!(rig.close(Close::Rst), until(20));
    rig.now = begin + ms(19);
    assert_eq!((rig.pump(), rig.arrived().as_str()), (until(20), ""));
    rig.now = begin + ms(20);
    assert_eq!((rig.pump(), rig.arrived().as_str()), (until(25), "one"));
    rig.now = begin + ms(25);
    assert_eq!((rig.pump(), rig.arrived().as_str()), (Step::Ended(Close::Rst), "two"));
    assert_eq!(rig.hurts(), [Hurt { by: slow(20, 0), first: begin, last: begin + ms(25) }]);
}

#[test]
fn jitter_keeps_the_order() {
    let mut rig = Rig::new(Way::ToCaller);
    rig.suffer(&[slow(10, 10)]);
    let mut sent = String::new();
    for n in 0..100 {
        sent.push_str(&format!("{n},"));
        rig.come(format!("{n},").as_bytes());
        rig.after(ms(1));
    }
    assert_eq!(rig.after(ms(20)), IDLE);
    assert_eq!(rig.arrived(), sent);
}

#[test]
fn what_is_under_way_arrives_when_the_wire_is_slow_no_more() {
    let mut rig = Rig::new(Way::ToCaller);
    rig.suffer(&[slow(20, 0)]);
    rig.come(b"one");
    assert_eq!(rig.suffer(&[]), IDLE);
    assert_eq!(rig.arrived(), "one");
}

#[test]
fn a_slow_wire_keeps_no_more_than_there_is_room_for() {
    let mut rig = Rig::new(Way::ToCaller);
    rig.suffer(&[slow(20, 0)]);
    rig.from.come(&vec![7; ROOM + 10]);
    while rig.pump() == Step::Again {}
    rig.after(ms(20));
    while rig.pump() == Step::Again {}
    assert_eq!(rig.to.bytes.len(), ROOM);
    rig.after(ms(20));
    assert_eq!(rig.to.bytes.len(), ROOM + 10);
}

#[test]
fn only_the_end_of_a_slow_close_is_late() {
    let mut rig = Rig::new(Way::ToCallee);
    rig.suffer(&[Damage::SlowClose(ms(30))]);
    rig.from.come(b"one");
    let (begin, due) = (rig.now, rig.now + ms(30));
    assert_eq!(rig.close(Close::Fin), Step::Wait { is_full: false, until: Some(due) });
    assert_eq!((rig.arrived().as_str(), rig.after(ms(30))), ("one", Step::Ended(Close::Fin)));
    assert_eq!(rig.hurts(), [Hurt { by: Damage::SlowClose(ms(30)), first: begin, last: due }]);
}

#[test]
fn a_full_sink_is_waited_for_and_nothing_is_read_meanwhile() {
    let mut rig = Rig::new(Way::ToCallee);
    rig.to.room = 2;
    assert_eq!(rig.come(b"one"), FULL);
    assert_eq!(rig.come(b"two"), FULL);
    assert_eq!(rig.close(Close::Fin), FULL);
    assert_eq!(rig.arrived(), "on");
    rig.to.room = 2;
    assert_eq!((rig.pump(), rig.arrived().as_str()), (FULL, "et"));
    rig.to.room = 99;
    assert_eq!((rig.pump(), rig.arrived().as_str()), (Step::Ended(Close::Fin), "wo"));
}

#[test]
fn a_sink_that_is_gone_takes_what_comes_with_it() {
    let mut rig = Rig::new(Way::ToCallee);
    rig.suffer(&[Damage::SlowClose(ms(30))]);
    rig.to.is_dead = true;
    assert_eq!((rig.come(b"one"), rig.come(b"two")), (IDLE, IDLE));
    // Nobody is there to whom the end could be late.
    assert_eq!((rig.close(Close::Fin), rig.pipe.passed()), (Step::Ended(Close::Fin), 0));
}

#[test]
fn what_is_severed_loses_what_comes_and_says_by_what() {
    let mut rig = Rig::new(Way::ToCallee);
    rig.to.room = 0;
    rig.come(b"one");
    rig.pipe.sever(Damage::HalfOpen);
    rig.to.room = 99;
    assert_eq!((rig.pump(), rig.hurts()), (IDLE, vec![]));
    rig.come(b"two");
    assert_eq!((rig.arrived().as_str(), rig.hurts().len()), ("", 1));
    assert_eq!(rig.close(Close::Rst), Step::Ended(Close::Rst));
}

#[test]
fn bytes_meet_with_a_reset_and_an_end_does_not() {
    let mut rig = Rig::new(Way::ToCallee);
    rig.is_mined = true;
    assert_eq!((rig.pump(), rig.come(b"one"), rig.arrived().as_str()), (IDLE, Step::Mined, ""));
    let mut rig = Rig::new(Way::ToCallee);
    rig.is_mined = true;
    assert_eq!(rig.close(Close::Fin), Step::Ended(Close::Fin));
}

#[test]
fn a_rate_holds_back_what_is_too_much() {
    let mut rig = Rig::new(Way::ToCallee);
    let rate = Damage::Rate { bytes_per_second: 1_000 };
    rig.suffer(&[rate]);
    // A packet's worth at once, and that is no hurt.
    rig.come(&[b'a'; 1_500]);
    assert_eq!((rig.to.bytes.len(), rig.hurts()), (1_500, vec![]));
    let begin = rig.now;
    rig.from.come(&[b'b'; 100]);
    rig.close(Close::Fin);
    assert_eq!(rig.to.bytes.len(), 1_500);
    assert_eq!(rig.throttle.as_ref().unwrap().next(), Some(begin + ms(100)));
    assert_eq!(rig.after(ms(99)), IDLE);
    assert_eq!((rig.after(ms(1)), rig.to.bytes.len()), (Step::Ended(Close::Fin), 1_600));
    assert_eq!(rig.hurts(), [Hurt { by: rate, first: begin, last: begin + ms(100) }]);
}

#[test]
fn who_has_much_lets_others_have_their_turn() {
    let mut rig = Rig::new(Way::ToCallee);
    assert_eq!(rig.come(&[0; SCRATCH * TURNS + 1]), Step::Again);
    assert_eq!(rig.to.bytes.len(), SCRATCH * TURNS);
    assert_eq!(rig.pump(), IDLE);
    assert_eq!(rig.to.bytes.len(), SCRATCH * TURNS + 1);
}
