use crate::{
    Balance, Books, LawId, balances,
    dose::tests::{dose, spared},
    testing::{Hop, Scene, at, blocked, damage, faulty, plan, reviews, span, target, web},
};
use proptest::prelude::*;
use squall_model::{
    AccessRecord, Act, Condition, Damage, Dose, Edge, FaultId, FaultKind, Fraction, Place, Side, Spared, Unit, Which,
    Wire, WireEnd, Wires,
};
use std::time::Duration;

const SLOW: Damage = Damage::Slow { by: Duration::from_millis(50), jitter: Duration::from_millis(10) };
const RATE: Damage = Damage::Rate { bytes_per_second: 1_000 };
const SLOW_CLOSE: Damage = Damage::SlowClose(Duration::from_millis(40));

fn reset(percent: u32) -> Damage {
    Damage::Reset(Fraction::percent(percent))
}

/// The wire to instance 1 is damaged from 100 to 300 ms. A call every 10 ms, to it and to instance 2 in turn, those to
/// instance 1 so; one connection to each from the beginning to the end, that to instance 1 hurt so.
fn scene(by: Damage, hop: impl Fn(u64) -> Hop, hurt: &[(Damage, u64, u64)]) -> Scene {
    let mut scene = unconnected(by, hop);
    scene.connection(1, 0, None, WireEnd::Open, hurt);
    scene.connection(2, 0, None, WireEnd::Open, &[]);
    scene
}

fn unconnected(by: Damage, hop: impl Fn(u64) -> Hop) -> Scene {
    let mut scene = Scene::new(faulty(plan(), damage(Which::Instance(1), by), span(100, 300)));
    scene.happened(Act::Arm(FaultId(0)), 100, 102);
    scene.happened(Act::End(FaultId(0)), 300, 303);
    scene.calls(0, 10, 40, |n| if n % 2 == 0 { [hop(10 * n)] } else { [Hop::Ok(2)] });
    scene
}

fn meanwhile(hop: Hop) -> impl Fn(u64) -> Hop {
    move |ms| if (100..300).contains(&ms) { hop } else { Hop::Ok(1) }
}

/// But for the one that was sent at 200 ms.
fn but_one(hop: Hop, other: Hop) -> impl Fn(u64) -> Hop {
    move |ms| if ms == 200 { other } else { meanwhile(hop)(ms) }
}

fn broken(scene: &Scene) -> Vec<Balance> {
    let mut all = balances(&scene.plan, &scene.evidence());
    all.retain(|b| b.finding == Books::Broken);
    all
}

#[test]
fn over_a_silent_wire_nobody_is_answered() {
    for (by, hop) in [
        (Damage::Cut, Hop::Unheard(1, 30)),
        (Damage::SwallowRequests, Hop::Unheard(1, 30)),
        (Damage::SwallowAnswers, Hop::Unanswered(1, 30)),
    ] {
        let hurt = &[(by, 120, 280)];
        // Ten were sent from 100 to 290 ms; the one at 100 ms may have come before the damage.
        assert_eq!(dose(&scene(by, meanwhile(hop), hurt)), (Dose::Confirmed, 9, 9), "{by}");
        assert_eq!(dose(&scene(by, but_one(hop, Hop::Ok(1)), hurt)), (Dose::Weaker, 8, 9), "{by}");
        assert_eq!(dose(&scene(by, but_one(hop, Hop::Status(1, 503)), hurt)), (Dose::Weaker, 8, 9), "{by}");
        // What comes when it is over, or nearly so, says nothing against it.
        let mut over = scene(by, |ms| if ms == 280 { Hop::Slow(1, 30) } else { meanwhile(hop)(ms) }, hurt);
        if by != Damage::SwallowAnswers {
            let late = |l: &&mut AccessRecord| l.side == Side::Inbound && l.took > 20_000_000;
            over.seen.access.iter_mut().filter(late).for_each(|l| l.began = at(301));
        }
        assert_eq!(dose(&over).0, Dose::Confirmed, "{by}");
        assert_eq!(dose(&scene(by, meanwhile(hop), &[])), (Dose::Absent, 0, 9), "{by}: the link did nothing");
        assert_eq!(dose(&scene(by, meanwhile(Hop::Ok(2)), hurt)), (Dose::Absent, 0, 0), "{by}: no try was made");
    }
}

#[test]
fn what_arrives_tells_swallowed_answers_from_swallowed_requests() {
    for (by, expected) in [
        (Damage::Cut, Dose::Weaker),
        (Damage::SwallowRequests, Dose::Weaker),
        (Damage::SwallowAnswers, Dose::Confirmed),
    ] {
        let arrived = but_one(Hop::Unheard(1, 30), Hop::Unanswered(1, 30));
        assert_eq!(dose(&scene(by, arrived, &[(by, 120, 280)])).0, expected, "{by}");
    }
}

#[test]
fn a_cut_before_any_connection_leaves_only_callers_who_find_nobody() {
    let nobody = meanwhile(Hop::Nobody(1, 30));
    assert_eq!(dose(&unconnected(Damage::Cut, &nobody)), (Dose::Confirmed, 9, 9));
    assert_eq!(dose(&unconnected(Damage::Cut, meanwhile(Hop::Refused(1)))), (Dose::Confirmed, 9, 9));
    // With a connection at hand somebody would have been found: then it is the link's word that counts.
    assert_eq!(dose(&scene(Damage::Cut, &nobody, &[])).0, Dose::Absent);
    assert_eq!(dose(&unconnected(Damage::SwallowRequests, nobody)).0, Dose::Absent);
}

#[test]
fn a_wire_that_only_checks_go_over_is_damaged_all_the_same() {
    let away = |told: bool| {
        let mut scene = scene(Damage::Cut, meanwhile(Hop::Ok(2)), &[(Damage::Cut, 120, 280)]);
        if told {
            scene.told(1, Condition::Unhealthy, true, 150);
        }
        dose(&scene)
    };
    assert_eq!(away(false), (Dose::Absent, 0, 0));
    assert_eq!(away(true), (Dose::Confirmed, 1, 1));
}

#[test]
fn over_a_slow_wire_no_answer_is_back_too_soon() {
    let hurt = &[(SLOW, 120, 340)];
    let took = |ms| dose(&scene(SLOW, but_one(Hop::Slow(1, 60), Hop::Slow(1, ms)), hurt));
    assert_eq!(took(60), (Dose::Confirmed, 9, 9));
    // 50 ms, give or take 10.
    assert_eq!(took(40), (Dose::Confirmed, 9, 9));
    assert_eq!(took(39), (Dose::Weaker, 8, 9));
    assert_eq!(dose(&scene(SLOW, meanwhile(Hop::Slow(1, 60)), &[])).0, Dose::Absent);
    assert_eq!(dose(&scene(SLOW, meanwhile(Hop::TimedOut(1, 30)), hurt)).0, Dose::Confirmed, "nobody waited so long");
}

#[test]
fn a_wire_carries_no_more_than_its_rate() {
    let slow = || scene(RATE, meanwhile(Hop::Slow(1, 20)), &[(RATE, 120, 280)]);
    assert_eq!(dose(&slow()), (Dose::Confirmed, 1, 1));
    assert_eq!(dose(&scene(RATE, meanwhile(Hop::Ok(1)), &[])).0, Dose::Absent);
    // One that is open before and after, as those of a pool are.
    let carried = |each: u64, connections: u64| {
        let mut scene = slow();
        for _ in 0..connections {
            scene.connection(1, 0, None, WireEnd::Open, &[(RATE, 120, 280)]);
            scene.rated(1_000, 100, 300, each);
        }
        dose(&scene).0
    };
    // A fifth of a second, and a packet at once.
    assert_eq!(carried(1_700, 1), Dose::Confirmed);
    assert_eq!(carried(1_701, 1), Dose::Weaker);
    assert_eq!(carried(850, 2), Dose::Confirmed);
    assert_eq!(carried(851, 2), Dose::Weaker, "all its connections together");
    let mut other = slow();
    other.connection(2, 0, None, WireEnd::Open, &[]);
    other.rated(1_000, 100, 300, 9_000);
    assert_eq!(dose(&other).0, Dose::Confirmed, "another wire is not of this fault");
}

#[test]
fn a_wire_may_carry_its_rate_in_each_of_its_times() {
    let twice = |answered: u64| {
        let mut scene = Scene::new(blocked(plan(), damage(Which::Instance(1), RATE)));
        scene.switched(10);
        scene.calls(0, 5, 400, |_| [Hop::Slow(1, 20)]);
        scene.connection(1, 0, None, WireEnd::Open, &[(RATE, 260, 740), (RATE, 1_260, 1_740)]);
        scene.rated(1_000, 255, 755, 1_900);
        scene.rated(1_000, 1_255, 1_755, answered);
        dose(&scene).0
    };
    assert_eq!(twice(1_900), Dose::Confirmed);
    assert_eq!(twice(2_100), Dose::Weaker, "the pause between them gives it no more");
}

#[test]
fn a_wire_that_refuses_lets_open_connections_live_and_no_new_one_come() {
    let refused = |hop| {
        let mut scene = scene(Damage::Refuse, meanwhile(hop), &[]);
        scene.connection(1, 200, Some(200), WireEnd::Damage, &[(Damage::Refuse, 200, 200)]);
        scene
    };
    assert_eq!(dose(&refused(Hop::Ok(1))), (Dose::Confirmed, 1, 1));
    let mut came = refused(Hop::Ok(1));
    came.connection(1, 210, None, WireEnd::Open, &[]);
    assert_eq!(dose(&came), (Dose::Weaker, 1, 2));
    let mut old = refused(Hop::Ok(1));
    old.connection(1, 50, Some(220), WireEnd::Damage, &[(Damage::Refuse, 220, 220)]);
    assert_eq!(dose(&old).0, Dose::Stronger);
    // A link that does not listen leaves no record.
    assert_eq!(dose(&scene(Damage::Refuse, meanwhile(Hop::Refused(1)), &[])), (Dose::Confirmed, 9, 9));
    assert_eq!(dose(&scene(Damage::Refuse, meanwhile(Hop::Ok(1)), &[])).0, Dose::Absent, "nobody wanted a new one");
    assert_eq!(dose(&unconnected(Damage::Refuse, meanwhile(Hop::Ok(2)))).0, Dose::Absent);
}

#[test]
fn what_needs_a_connection_to_come_or_go_says_that_none_did() {
    let with = |by: Damage, hop| scene(by, meanwhile(hop), &[]);
    assert_eq!(spared(&with(Damage::Refuse, Hop::Ok(1))), Some(Spared::NoNewConnection { open: 1 }));
    assert_eq!(spared(&with(Damage::Refuse, Hop::Refused(1))), None, "somebody was refused");
    assert_eq!(spared(&with(Damage::Refuse, Hop::Ok(2))), None, "nobody was there");
    assert_eq!(spared(&with(SLOW_CLOSE, Hop::Ok(1))), Some(Spared::NoneClosed { open: 1 }));
    let mut late = unconnected(Damage::HalfOpen, meanwhile(Hop::Ok(1)));
    late.connection(1, 110, None, WireEnd::Open, &[]);
    assert_eq!(spared(&late), Some(Spared::NoneWasOpen));
}

#[test]
fn of_few_connections_a_share_may_take_none() {
    let of = |by: Damage, open: u64| {
        let mut scene = unconnected(by, meanwhile(Hop::Ok(1)));
        (0..open).for_each(|_| scene.connection(1, 0, None, WireEnd::Open, &[]));
        spared(&scene)
    };
    let by_chance = |ppm| Some(Spared::NoneDrawn { unit: Unit::Connection, chance: Fraction::from_ppm(ppm).unwrap() });
    assert_eq!(of(reset(20), 3), by_chance(512_000));
    assert_eq!(of(reset(20), 1), by_chance(800_000));
    let mut taken = unconnected(reset(20), meanwhile(Hop::Ok(1)));
    (0..2).for_each(|_| taken.connection(1, 0, None, WireEnd::Open, &[]));
    taken.connection(1, 0, Some(151), WireEnd::Damage, &[(reset(20), 151, 151)]);
    assert_eq!(spared(&taken), None, "one was taken");
    assert_eq!(of(reset(20), 60), None, "no chance: it was not in place");
    assert_eq!(of(reset(100), 3), None, "each is taken");
}

/// New connections at 150 ms, of which the first so many are reset.
fn drawn(percent: u32, new: u64, hit: u64) -> (Dose, u64, u64) {
    let by = reset(percent);
    let mut scene = unconnected(by, meanwhile(Hop::Broken(1)));
    for n in 0..new {
        match n < hit {
            true => scene.connection(1, 150, Some(151), WireEnd::Damage, &[(by, 151, 151)]),
            false => scene.connection(1, 150, None, WireEnd::Open, &[]),
        }
    }
    dose(&scene)
}

#[test]
fn connections_are_drawn_as_units() {
    for (percent, new, hit, expected) in [
        (50, 100, 50, Dose::Confirmed),
        (50, 100, 71, Dose::Confirmed),
        (50, 100, 75, Dose::Stronger),
        (50, 100, 25, Dose::Weaker),
        (50, 3, 3, Dose::Confirmed),
        (50, 3, 0, Dose::Absent),
        (100, 50, 50, Dose::Confirmed),
        (100, 50, 20, Dose::Weaker),
    ] {
        assert_eq!(drawn(percent, new, hit), (expected, hit, new), "{percent}% of {new}");
    }
}

#[test]
fn an_idle_connection_may_have_been_drawn_and_never_tells() {
    let with_idle = |idle: u64| {
        let by = reset(80);
        let mut scene = unconnected(by, meanwhile(Hop::Broken(1)));
        (0..idle).for_each(|_| scene.connection(1, 0, None, WireEnd::Open, &[]));
        for n in 0..20 {
            scene.connection(1, 150, Some(151), WireEnd::Damage, &[(by, 151, 151)]);
            if n % 5 == 0 {
                scene.connection(1, 150, None, WireEnd::Open, &[]);
            }
        }
        dose(&scene).0
    };
    assert_eq!([with_idle(0), with_idle(100)], [Dose::Confirmed, Dose::Confirmed]);
}

#[test]
fn a_new_connection_that_carries_nothing_tells_nothing_either() {
    let with_unused = |sent: u64| {
        let by = reset(80);
        let mut scene = unconnected(by, meanwhile(Hop::Broken(1)));
        (0..10).for_each(|_| scene.connection(1, 150, Some(151), WireEnd::Damage, &[(by, 151, 151)]));
        (0..20).for_each(|_| scene.connection(1, 150, None, WireEnd::Open, &[]));
        scene.seen.wires.iter_mut().filter(|r| r.hurt.is_empty()).for_each(|r| r.sent = sent);
        dose(&scene).0
    };
    assert_eq!([with_unused(0), with_unused(100)], [Dose::Confirmed, Dose::Weaker]);
}

#[test]
fn a_try_may_be_answered_where_only_some_connections_are_reset() {
    let by = reset(50);
    let mut scene = scene(by, meanwhile(Hop::Ok(1)), &[]);
    scene.connection(1, 150, Some(151), WireEnd::Damage, &[(by, 151, 151)]);
    assert_eq!(dose(&scene).0, Dose::Confirmed);
}

#[test]
fn whoever_is_drawn_is_reset_and_of_all_nobody_is_spared() {
    let by = reset(100);
    let all = |at_200: Hop| {
        let mut scene = unconnected(by, but_one(Hop::Broken(1), at_200));
        scene.connection(1, 0, Some(110), WireEnd::Damage, &[(by, 110, 110)]);
        scene
    };
    assert_eq!(dose(&all(Hop::Broken(1))).0, Dose::Confirmed);
    assert_eq!(dose(&all(Hop::Ok(1))).0, Dose::Weaker);
    let mut lived = all(Hop::Broken(1));
    lived.seen.wires[0].end = WireEnd::Caller;
    assert_eq!(dose(&lived).0, Dose::Weaker, "drawn, and not reset");
}

#[test]
fn half_open_connections_carry_nothing_and_new_ones_do() {
    let by = Damage::HalfOpen;
    let hurt = &[(by, 110, 280)];
    let lost = || scene(by, meanwhile(Hop::Unheard(1, 30)), hurt);
    assert_eq!(dose(&lost()), (Dose::Confirmed, 1, 1));
    assert_eq!(dose(&scene(by, meanwhile(Hop::Ok(2)), &[])).0, Dose::Absent);
    let some = |connect: bool| {
        let mut scene = scene(by, but_one(Hop::Unheard(1, 30), Hop::Ok(1)), hurt);
        if connect {
            scene.connection(1, 195, None, WireEnd::Open, &[]);
        }
        dose(&scene).0
    };
    assert_eq!([some(true), some(false)], [Dose::Confirmed, Dose::Weaker]);
    // A new connection over another wire carried nothing over this one.
    let mut other = scene(by, but_one(Hop::Unheard(1, 30), Hop::Ok(1)), hurt);
    other.plan.faults[0].does = damage(Which::Service, by);
    other.connection(2, 105, None, WireEnd::Open, &[]);
    assert_eq!(dose(&other).0, Dose::Weaker);
    let mut new = lost();
    new.connection(1, 150, None, WireEnd::Open, &[(by, 160, 160)]);
    assert_eq!(dose(&new).0, Dose::Stronger, "new ones are good");
}

#[test]
fn a_slow_close_is_felt_when_something_closes() {
    let mut scene = scene(SLOW_CLOSE, meanwhile(Hop::Ok(1)), &[]);
    assert_eq!(dose(&scene), (Dose::Absent, 0, 0));
    scene.connection(1, 50, Some(290), WireEnd::Caller, &[(SLOW_CLOSE, 250, 290)]);
    assert_eq!(dose(&scene), (Dose::Confirmed, 1, 1));
    // One that closes at the last moment is told of after the end.
    scene.connection(1, 50, Some(340), WireEnd::Caller, &[(SLOW_CLOSE, 300, 340)]);
    assert_eq!(dose(&scene).0, Dose::Confirmed);
    scene.connection(1, 50, Some(350), WireEnd::Caller, &[(SLOW_CLOSE, 303, 350)]);
    assert_eq!(dose(&scene).0, Dose::Leaked(edge("web", "reviews")));
}

fn edge(from: &str, to: &str) -> Edge {
    Edge { from: from.into(), to: to.into() }
}

#[test]
fn damage_where_none_was_ordered_is_a_leak() {
    let cut = || scene(Damage::Cut, meanwhile(Hop::Unheard(1, 30)), &[(Damage::Cut, 120, 280)]);
    let leaked = Dose::Leaked(edge("web", "reviews"));
    let mut other_wire = cut();
    other_wire.connection(2, 0, None, WireEnd::Open, &[(Damage::Cut, 120, 120)]);
    assert_eq!(dose(&other_wire).0, leaked);
    let mut other_damage = cut();
    other_damage.connection(1, 0, None, WireEnd::Open, &[(SLOW, 120, 120)]);
    assert_eq!(dose(&other_damage).0, leaked);
    for (first, last) in [(99, 120), (280, 304), (304, 304)] {
        let mut other_time = cut();
        other_time.connection(1, 0, None, WireEnd::Open, &[(Damage::Cut, first, last)]);
        assert_eq!(dose(&other_time).0, leaked, "{first} to {last} ms");
    }
    let mut foreign = cut();
    let ratings = squall_model::InstanceId { service: "ratings".into(), number: 1 };
    foreign.connection(1, 0, None, WireEnd::Open, &[(Damage::Cut, 120, 120)]);
    foreign.seen.wires.last_mut().unwrap().wire = Wire { from: reviews(1), to: ratings };
    assert_eq!(dose(&foreign).0, Dose::Leaked(edge("reviews", "ratings")));
}

#[test]
fn a_plan_that_damages_no_wire_has_no_damage_in_its_books() {
    let mut scene = Scene::new(plan());
    scene.calls(0, 10, 10, |_| [Hop::Ok(1)]);
    scene.connection(1, 0, None, WireEnd::Open, &[]);
    assert_eq!(broken(&scene), []);
    scene.connection(1, 0, None, WireEnd::Open, &[(Damage::Cut, 20, 30)]);
    assert_eq!(broken(&scene).iter().map(|b| b.law).collect::<Vec<_>>(), [LawId::DamageOwned]);
    // A reset that the link did and can put down to nothing, in whatever plan.
    let mut reset = unconnected(reset(50), meanwhile(Hop::Broken(1)));
    reset.connection(1, 150, Some(151), WireEnd::Damage, &[]);
    let broken: Vec<_> = broken(&reset).iter().map(|b| (b.law, b.left, b.right)).collect();
    assert_eq!(broken, [(LawId::DamageOwned, 1, 0)]);
}

#[test]
fn the_wires_of_a_place_cross_its_border() {
    let east = Place::zone("east");
    let mut scene = scene(Damage::Cut, meanwhile(Hop::Unheard(1, 30)), &[(Damage::Cut, 120, 280)]);
    scene.plan.faults[0].does = FaultKind::Wire { of: Wires::Of(east.clone()), damage: Damage::Cut };
    let mut placed = |ids: &[squall_model::InstanceId]| {
        for service in &mut scene.plan.topology.services {
            let ids: Vec<bool> = service.ids().map(|id| ids.contains(&id)).collect();
            for (instance, here) in service.instances.iter_mut().zip(ids) {
                instance.place = here.then(|| east.clone());
            }
        }
        dose(&scene).0
    };
    assert_eq!(placed(&[reviews(1)]), Dose::Confirmed);
    assert_eq!(placed(&[web(), reviews(2), reviews(3)]), Dose::Confirmed, "the caller is inside");
    assert_eq!(placed(&[web(), reviews(1)]), Dose::Leaked(edge("web", "reviews")), "both are inside");
    assert_eq!(placed(&[web()]), Dose::Weaker, "the wire to instance 2 was spared");
}

#[test]
fn an_instance_that_came_by_growth_has_its_wire_too() {
    let mut scene = scene(Damage::Cut, |ms| meanwhile(Hop::Unheard(4, 30))(ms), &[]);
    scene.plan.faults[0].does = damage(Which::Service, Damage::Cut);
    scene.seen.calls.retain(|c| c.seq % 2 == 0);
    scene.connection(4, 0, None, WireEnd::Open, &[(Damage::Cut, 120, 280)]);
    assert_eq!(dose(&scene).0, Dose::Confirmed);
    scene.plan.faults[0].does =
        FaultKind::Wire { of: Wires::Between { from: None, to: target(Which::Instance(4)) }, damage: Damage::Cut };
    assert_eq!(dose(&scene).0, Dose::Confirmed);
}

#[test]
fn the_books_balance_with_every_damage_in_place() {
    let cases: &[(Damage, Hop)] = &[
        (Damage::Cut, Hop::Unheard(1, 30)),
        (Damage::Cut, Hop::Nobody(1, 30)),
        (Damage::Cut, Hop::Refused(1)),
        (Damage::SwallowRequests, Hop::Unheard(1, 30)),
        (Damage::SwallowAnswers, Hop::Unanswered(1, 30)),
        (Damage::SwallowAnswers, Hop::TimedOut(1, 30)),
        (Damage::Refuse, Hop::Refused(1)),
        (Damage::Refuse, Hop::Broken(1)),
        (reset(100), Hop::Broken(1)),
        (SLOW, Hop::Slow(1, 60)),
        (SLOW, Hop::TimedOut(1, 30)),
        (SLOW, Hop::Unanswered(1, 30)),
        (RATE, Hop::Slow(1, 60)),
        (Damage::HalfOpen, Hop::Unheard(1, 30)),
        (SLOW_CLOSE, Hop::Ok(1)),
    ];
    for (by, hop) in cases {
        let scene = scene(*by, meanwhile(*hop), &[(*by, 120, 280)]);
        assert_eq!(broken(&scene), [], "{by} {hop:?}");
        // What was held back arrives when the damage ends: its caller has gone by then.
        let mut late = scene.clone();
        if *hop == Hop::Unheard(1, 30) {
            let sent = late.seen.tries.iter().filter(|t| t.flags == "UT").cloned().collect::<Vec<_>>();
            for t in sent {
                let line = late.seen.access.iter().find(|l| l.side == Side::Inbound).unwrap().clone();
                let (flags, details) = ("DC".into(), "downstream_remote_disconnect".into());
                let began = at(304);
                let line = AccessRecord { id: t.id, status: 0, proxy: reviews(1), flags, details, began, ..line };
                late.seen.access.push(line);
            }
        }
        assert_eq!(broken(&late), [], "{by} {hop:?}, later");
    }
}

proptest! {
    #[test]
    fn no_hurt_of_another_wire_is_ever_overlooked(wire in 2u32..4, first in 0u64..400, lasts in 0u64..400) {
        let mut scene = scene(Damage::Cut, meanwhile(Hop::Unheard(1, 30)), &[(Damage::Cut, 120, 280)]);
        scene.connection(wire, 0, None, WireEnd::Open, &[(Damage::Cut, first, first + lasts)]);
        prop_assert_eq!(dose(&scene).0, Dose::Leaked(edge("web", "reviews")));
    }

    #[test]
    fn the_order_of_connections_does_not_matter(turn in 0usize..30, hit in 0u64..30) {
        let by = reset(50);
        let mut scene = unconnected(by, meanwhile(Hop::Broken(1)));
        for n in 0..30 {
            let hurt: &[_] = if n < hit { &[(by, 151, 151)] } else { &[] };
            let end = if n < hit { WireEnd::Damage } else { WireEnd::Caller };
            scene.connection(1, 150, Some(160), end, hurt);
        }
        let straight = dose(&scene);
        scene.seen.wires.rotate_left(turn);
        prop_assert_eq!(straight, dose(&scene));
    }
}
