//! Each damage, from both ends.

use crate::rig::{DEADLINE, End, FOR_EVER, Rig, now, wire};
use squall_model::{Damage, Fraction, WireEnd, WireRecord};
use std::{io::Read as _, net::TcpStream, time::Duration};

/// What damage did to a connection.
fn hurts(record: &WireRecord) -> Vec<Damage> {
    record.hurt.iter().map(|hurt| hurt.by).collect()
}

#[tokio::test]
async fn a_cut_wire_is_silent_both_ways_and_all_arrives_when_it_ends() {
    let mut rig = Rig::start().await;
    let (mut caller, mut callee) = rig.connect();
    let idle = rig.connect();
    let cut = rig.damage(&[Damage::Cut]).await;
    let met = now();
    caller.says("one");
    callee.says("two");
    caller.hears_nothing();
    callee.hears_nothing();
    caller.says("three");
    caller.finishes();
    callee.hears_nothing();
    let ending = now();
    let clean = rig.clean().await;
    callee.hears("onethree");
    callee.hears_the_end();
    caller.hears("two");
    drop(callee);
    drop(idle);
    let ended = rig.ended(2);
    let hurt = ended.iter().find(|record| record.sent == 8).unwrap().hurt[0];
    assert_eq!(hurt.by, Damage::Cut);
    assert!(cut <= met && met <= hurt.first && ending <= hurt.last && hurt.last <= clean);
    let idle = ended.iter().find(|record| record.sent == 0).unwrap();
    assert_eq!(hurts(idle), [], "it carried nothing");
}

#[tokio::test]
async fn a_reset_is_held_by_a_cut_too() {
    let mut rig = Rig::start().await;
    let ((caller, mut callee), (mut other_caller, other_callee)) = (rig.connect(), rig.connect());
    rig.damage(&[Damage::Cut]).await;
    caller.resets();
    other_callee.resets();
    callee.hears_nothing();
    other_caller.hears_nothing();
    rig.clean().await;
    callee.hears_a_reset();
    other_caller.hears_a_reset();
    assert!(rig.ended(2).iter().all(|record| record.end == WireEnd::Reset && hurts(record) == [Damage::Cut]));
}

#[tokio::test]
async fn who_came_right_before_a_cut_is_served_after_it() {
    let mut rig = Rig::start().await;
    let mut caller = End(TcpStream::connect_timeout(&rig.door(1), DEADLINE).unwrap());
    rig.damage(&[Damage::Cut]).await;
    caller.says("hello");
    caller.hears_nothing();
    rig.clean().await;
    rig.accept(1).hears("hello");
}

#[tokio::test]
async fn a_wire_that_refuses_carries_what_is_open() {
    let mut rig = Rig::start().await;
    let (mut caller, mut callee) = rig.connect();
    rig.damage(&[Damage::Refuse]).await;
    rig.is_refusing();
    caller.says("one");
    callee.hears("one");
    callee.says("two");
    caller.hears("two");
    drop((caller, callee));
    assert_eq!(hurts(&rig.ended(1)[0]), []);
    rig.clean().await;
    rig.is_good();
}

#[tokio::test]
async fn a_connection_is_reset_when_it_carries_something_and_not_before() {
    let mut rig = Rig::start().await;
    let (mut caller, mut callee) = rig.connect();
    let reset = Damage::Reset(Fraction::ALL);
    rig.damage(&[reset]).await;
    callee.says("unasked");
    caller.hears("unasked");
    caller.hears_nothing();
    caller.says("question");
    caller.hears_a_reset();
    callee.hears_a_reset();
    let (mut caller, mut callee) = rig.connect();
    caller.says("question");
    caller.hears_a_reset();
    callee.hears_a_reset();
    for record in rig.ended(2) {
        assert_eq!((record.end, record.sent, hurts(&record)), (WireEnd::Damage, 0, vec![reset]));
    }
}

#[tokio::test]
async fn a_share_of_connections_is_reset_each_drawn_once_by_the_seed() {
    let mut patterns = Vec::new();
    for _ in 0..2 {
        let mut rig = Rig::start().await;
        let mut open: Vec<(End, End)> = (0..15).map(|_| rig.connect()).collect();
        rig.damage(&[Damage::Reset(Fraction::percent(40))]).await;
        open.extend((0..15).map(|_| rig.connect()));
        let mut pattern = Vec::new();
        for (caller, callee) in &mut open {
            // One that is not drawn is never reset, however often it is asked.
            let survives = (0..5).all(|_| {
                caller.says("question");
                let mut heard = [0; 8];
                callee.0.set_read_timeout(Some(DEADLINE)).unwrap();
                callee.0.read_exact(&mut heard).is_ok()
            });
            pattern.push(survives);
        }
        patterns.push(pattern);
    }
    assert_eq!(patterns[0], patterns[1]);
    let reset = patterns[0].iter().filter(|survives| !**survives).count();
    assert!((5..20).contains(&reset), "{reset} of 30");
}

#[tokio::test]
async fn answers_of_a_slow_wire_are_late_and_requests_are_not() {
    let mut rig = Rig::start().await;
    let (mut caller, mut callee) = rig.connect();
    rig.damage(&[Damage::Slow { by: FOR_EVER, jitter: Duration::ZERO }]).await;
    caller.says("question");
    callee.hears("question");
    callee.says("answer");
    caller.hears_nothing();
    rig.clean().await;
    caller.hears("answer");

    let by = Duration::from_millis(80);
    let slow = Damage::Slow { by, jitter: Duration::from_millis(20) };
    rig.damage(&[slow]).await;
    let (begin, least) = (now(), Duration::from_millis(60));
    callee.says("late");
    caller.hears("late");
    assert!(now().since(begin) >= least);
    let begin = now();
    drop(callee);
    caller.hears_the_end();
    assert!(now().since(begin) >= least, "its end is as late");
    drop(caller);
    let first_slow = Damage::Slow { by: FOR_EVER, jitter: Duration::ZERO };
    assert_eq!(hurts(&rig.ended(1)[0]), [first_slow, slow]);
}

#[tokio::test]
async fn a_rate_is_for_all_connections_of_the_wire_together() {
    let mut rig = Rig::start().await;
    let (one, two, other) = (rig.connect(), rig.connect(), {
        let caller = End(TcpStream::connect_timeout(&rig.door(2), DEADLINE).unwrap());
        (caller, rig.accept(2))
    });
    let rate = Damage::Rate { bytes_per_second: 1_000_000 };
    rig.damage(&[rate]).await;
    let payload = "x".repeat(50_000);
    for way in [|(caller, callee): (End, End)| (caller, callee), |(caller, callee): (End, End)| (callee, caller)] {
        let clone = |(a, b): &(End, End)| (End(a.0.try_clone().unwrap()), End(b.0.try_clone().unwrap()));
        let (mut one, mut two) = (way(clone(&one)), way(clone(&two)));
        let begin = now();
        one.0.says(&payload);
        two.0.says(&payload);
        one.1.hears(&payload);
        two.1.hears(&payload);
        // 100 KB less a burst of 10 ms.
        assert!(now().since(begin) >= Duration::from_millis(90));
    }
    let (mut caller, mut callee) = other;
    caller.says(&payload);
    callee.hears(&payload);
    // What passes when it is over is no part of what it was held to.
    rig.damage(&[]).await;
    let (mut one, mut two) = (one, two);
    one.0.says(&payload);
    one.1.hears(&payload);
    two.0.says("more");
    two.1.hears("more");
    drop((one, two, caller, callee));
    for record in rig.ended(3) {
        let is_rated = record.wire == wire(1);
        assert_eq!(hurts(&record), if is_rated { vec![rate] } else { vec![] });
        let rated: Vec<_> = record.rated.iter().map(|r| (r.bytes_per_second, r.sent, r.answered)).collect();
        assert_eq!(rated, if is_rated { vec![(1_000_000, 50_000, 50_000)] } else { vec![] });
        assert!(record.rated.iter().all(|r| r.to.since(r.from) >= Duration::from_millis(180)), "{record:?}");
    }
}

#[tokio::test]
async fn what_is_swallowed_one_way_passes_the_other() {
    let mut rig = Rig::start().await;
    let (mut caller, mut callee) = rig.connect();
    rig.damage(&[Damage::SwallowAnswers]).await;
    caller.says("question");
    callee.hears("question");
    callee.says("answer");
    caller.hears_nothing();
    let (_new_caller, _new_callee) = rig.connect();
    rig.damage(&[Damage::SwallowRequests]).await;
    caller.hears("answer");
    caller.says("again");
    callee.hears_nothing();
    callee.says("unasked");
    caller.hears("unasked");
    let (_new_caller, _new_callee) = rig.connect();
    rig.clean().await;
    callee.hears("again");
    drop((caller, callee));
    assert_eq!(hurts(&rig.ended(1)[0]), [Damage::SwallowAnswers, Damage::SwallowRequests]);
}

#[tokio::test]
async fn a_caller_that_goes_away_unheard_is_seen_to_have_gone_in_the_end() {
    let mut rig = Rig::start().await;
    let (caller, mut callee) = rig.connect();
    rig.damage(&[Damage::SwallowRequests]).await;
    caller.resets();
    // The link writes to a connection that was reset, and must not tell.
    callee.says("one");
    callee.says("two");
    callee.hears_nothing();
    rig.clean().await;
    callee.hears_a_reset();
    let record = rig.ended(1).remove(0);
    assert_eq!((record.end, hurts(&record)), (WireEnd::Reset, vec![Damage::SwallowRequests]));
}

#[tokio::test]
async fn the_caller_is_not_told_that_a_connection_is_half_open() {
    let mut rig = Rig::start().await;
    let ((mut caller, mut callee), (mut other, mut other_callee)) = (rig.connect(), rig.connect());
    let half_open = rig.damage(&[Damage::HalfOpen]).await;
    callee.hears_a_reset();
    other_callee.hears_a_reset();
    rig.is_good();
    caller.says("lost");
    caller.hears_nothing();
    caller.finishes();
    caller.hears_the_end();
    let records = rig.ended(2);
    let record = records.iter().find(|record| record.hurt.len() == 1).unwrap();
    assert_eq!((record.end, record.sent, hurts(record)), (WireEnd::Caller, 0, vec![Damage::HalfOpen]));
    assert!(record.hurt[0].first <= half_open && half_open <= record.hurt[0].last);
    // One that stays is told in the end.
    other.hears_nothing();
    rig.clean().await;
    other.hears_a_reset();
    assert!(rig.ended(3).iter().any(|record| record.end == WireEnd::Damage));
}

#[tokio::test]
async fn a_slow_close_is_heard_of_late_both_ways() {
    let mut rig = Rig::start().await;
    let late = Duration::from_millis(80);
    rig.damage(&[Damage::SlowClose(late)]).await;
    for is_reset in [false, true] {
        for is_caller in [false, true] {
            let (caller, callee) = rig.connect();
            let (mut closes, mut hears) = if is_caller { (caller, callee) } else { (callee, caller) };
            closes.says("bye");
            let begin = now();
            if is_reset {
                closes.resets();
                hears.hears("bye");
                hears.hears_a_reset();
            } else {
                closes.finishes();
                hears.hears("bye");
                hears.hears_the_end();
            }
            assert!(now().since(begin) >= late);
        }
    }
    assert!(rig.ended(4).iter().all(|record| hurts(record)[0] == Damage::SlowClose(late)));
}

#[tokio::test]
async fn damages_go_together_and_each_is_told_of() {
    let mut rig = Rig::start().await;
    let (mut caller, mut callee) = rig.connect();
    let (by, rate) = (Duration::from_millis(50), Damage::Rate { bytes_per_second: 1_000_000 });
    let slow = Damage::Slow { by, jitter: Duration::ZERO };
    rig.damage(&[slow, rate]).await;
    let (begin, payload) = (now(), "x".repeat(40_000));
    callee.says(&payload);
    caller.hears(&payload);
    assert!(now().since(begin) >= Duration::from_millis(80));
    drop((caller, callee));
    let record = rig.ended(1).remove(0);
    assert_eq!(record.hurt.len(), 2);
    assert!(hurts(&record).contains(&slow) && hurts(&record).contains(&rate));
}

#[tokio::test]
async fn another_wire_is_not_touched() {
    let mut rig = Rig::start().await;
    rig.damage(&[Damage::Cut, Damage::Reset(Fraction::ALL)]).await;
    let mut caller = End(TcpStream::connect_timeout(&rig.door(2), DEADLINE).unwrap());
    let mut callee = rig.accept(2);
    caller.says("question");
    callee.hears("question");
    callee.says("answer");
    caller.hears("answer");
    // And what is not named again is clean.
    rig.control.damage(&[(wire(2), vec![Damage::Cut])]).await.unwrap();
    rig.is_good();
    caller.says("question");
    callee.hears_nothing();
}
