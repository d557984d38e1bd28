use super::*;
use crate::testing::{Hop, Scene, at, faulty, plan, reviews, span, target, web};
use proptest::prelude::*;
use squall_model::{FaultId, Members, Part, Place, Policy, PolicyId, Probe, StateRecord, When, Which};

const EJECTED: Condition = Condition::Ejected;

/// A call every 10 ms for 400 ms, in turn over three instances.
fn scene() -> Scene {
    let mut scene = Scene::new(plan());
    scene.calls(0, 10, 40, |n| [Hop::Ok(1 + n as u32 % 3)]);
    scene
}

/// From when to when instance 2 was in a condition, in milliseconds as told, and whether the harness ended it.
fn seen(scene: &Scene, is: Condition) -> Vec<(u64, Option<u64>, bool)> {
    let ms = |border: Border| border.middle().since(at(0)).as_millis() as u64;
    let mut of_two = spells(&scene.plan, &scene.evidence(), is);
    of_two.retain(|s| s.of == reviews(2) && s.by == web());
    assert!(of_two.iter().zip(1..).all(|(spell, nth)| spell.nth == nth), "{of_two:?}");
    of_two.into_iter().map(|s| (ms(s.from), s.to.map(ms), s.cut)).collect()
}

#[test]
fn a_spell_lasts_from_its_beginning_to_its_end() {
    let mut scene = scene();
    for (begins, ms) in [(true, 50), (false, 100), (true, 200)] {
        scene.told(2, EJECTED, begins, ms);
    }
    assert_eq!(seen(&scene, EJECTED), [(50, Some(100), false), (200, None, false)]);
    assert_eq!(seen(&scene, Condition::Unhealthy), []);
    let spell = &spells(&scene.plan, &scene.evidence(), EJECTED)[0];
    assert_eq!((spell.from.asked, spell.from.settled), (at(49), at(51)), "give or take the clock error");
}

#[test]
fn what_changes_nothing_is_passed_over() {
    let mut scene = scene();
    for (begins, ms) in [(false, 40), (true, 50), (true, 60), (false, 100), (false, 110)] {
        scene.told(2, EJECTED, begins, ms);
    }
    assert_eq!(seen(&scene, EJECTED), [(50, Some(100), false)]);
}

#[test]
fn what_was_over_before_the_traffic_is_not_of_it() {
    let mut scene = scene();
    for (begins, before) in [(true, 500), (false, 300), (true, 100)] {
        let at = at(0) - Duration::from_millis(before);
        scene.seen.states.push(StateRecord { by: web(), of: reviews(2), what: EJECTED, begins, at });
    }
    scene.told(2, EJECTED, false, 30);
    assert_eq!(spells(&scene.plan, &scene.evidence(), EJECTED).len(), 1);
    assert_eq!(seen(&scene, EJECTED)[0].1, Some(30));
}

#[test]
fn each_proxy_holds_each_instance_for_itself() {
    let mut scene = scene();
    scene.told(2, EJECTED, true, 50);
    scene.told(3, EJECTED, true, 60);
    let other = InstanceId { number: 2, ..web() };
    scene.seen.states.push(StateRecord { by: other.clone(), of: reviews(2), what: EJECTED, begins: false, at: at(70) });
    scene.seen.states.push(StateRecord { by: other, of: reviews(2), what: EJECTED, begins: true, at: at(80) });
    let all = spells(&scene.plan, &scene.evidence(), EJECTED);
    let who: Vec<_> = all.iter().map(|s| format!("{} {} {}", s.by, s.of, s.to.is_none())).collect();
    assert_eq!(who, ["web-1 reviews-2 true", "web-1 reviews-3 true", "web-2 reviews-2 true"]);
}

/// Instance 2 goes down, or is restarted, and is back at 200 ms.
fn returning(does: FaultKind) -> Scene {
    let mut scene = Scene::new(faulty(plan(), does, span(100, 200)));
    scene.happened(Act::Arm(FaultId(0)), 100, 102);
    scene.happened(Act::End(FaultId(0)), 200, 202);
    scene.calls(0, 10, 40, |n| [Hop::Ok(1 + n as u32 % 3)]);
    scene
}

fn down(how: Down, part: Part) -> FaultKind {
    FaultKind::Down { how, part, of: Members::Of(target(Which::Instance(2))) }
}

#[test]
fn an_instance_that_comes_back_elsewhere_is_a_new_one_to_outlier_detection() {
    let ejected = |does: FaultKind| {
        let mut scene = returning(does);
        scene.told(2, EJECTED, true, 110);
        seen(&scene, EJECTED)
    };
    assert_eq!(ejected(down(Down::Killed, Part::Instance)), [(110, Some(201), true)]);
    assert_eq!(ejected(down(Down::Stopped, Part::Proxy)), [(110, Some(201), true)]);
    assert_eq!(ejected(down(Down::Killed, Part::Workload)), [(110, None, false)], "its address stays");
    assert_eq!(ejected(down(Down::Paused, Part::Instance)), [(110, None, false)]);
    let restarted = FaultKind::Restarted { part: Part::Instance, of: Members::Of(target(Which::Instance(2))) };
    let mut scene = returning(restarted);
    scene.told(2, EJECTED, true, 50);
    assert_eq!(seen(&scene, EJECTED), [(50, Some(101), true)]);
    // What it is told of afterwards is another spell.
    scene.told(2, EJECTED, true, 150);
    assert_eq!(seen(&scene, EJECTED), [(50, Some(101), true), (150, None, false)]);
}

#[test]
fn one_that_came_by_growth_comes_back_elsewhere_as_well() {
    let east = Place::zone("east");
    for of in [Members::Of(target(Which::Every)), Members::In(east.clone())] {
        let mut scene = returning(FaultKind::Down { how: Down::Killed, part: Part::Instance, of });
        scene.plan.topology.services[1].instances[2].place = Some(east.clone());
        let size = FaultKind::Resized { service: "reviews".into(), to: 4 };
        scene.plan = faulty(scene.plan, size, When::At(Duration::from_millis(50)));
        scene.told(4, EJECTED, true, 160);
        let is_cut = |grown: u64| {
            let mut scene = scene.clone();
            scene.happened(Act::Arm(FaultId(1)), grown, grown + 2);
            let all = spells(&scene.plan, &scene.evidence(), EJECTED);
            matches!(&all[..], [only] if only.of == reviews(4) && only.cut)
        };
        assert!(is_cut(50));
        assert!(!is_cut(150), "it came when the others were dead, and stayed where it was");
    }
}

#[test]
fn a_proxy_that_dies_forgets() {
    let mut scene = scene();
    scene.told(2, EJECTED, true, 50);
    scene.killed(web(), Process::Proxy, 100);
    scene.told(2, EJECTED, true, 200);
    assert_eq!(seen(&scene, EJECTED), [(50, Some(100), true), (200, None, false)]);
}

fn checked(mut scene: Scene) -> Scene {
    let says = PolicyKind::Check {
        of: "reviews".into(),
        every: Duration::from_millis(10),
        by: Probe::Http("/healthz".into()),
        out_after: 1,
        back_after: 1,
    };
    scene.plan.policies.push(Policy { id: PolicyId(0), own: true, says });
    scene
}

#[test]
fn an_instance_that_is_checked_is_healthy_until_its_checks_fail() {
    let scene = |checks: bool| if checks { checked(scene()) } else { scene() };
    assert_eq!(seen(&scene(true), Condition::Healthy), [(0, None, false)]);
    assert_eq!(seen(&scene(false), Condition::Healthy), [], "nobody checks");
    let mut failing = scene(true);
    failing.told(2, Condition::Unhealthy, true, 50);
    failing.told(2, Condition::Unhealthy, false, 100);
    assert_eq!(seen(&failing, Condition::Healthy), [(0, Some(50), false), (100, None, false)]);
    assert_eq!(seen(&failing, Condition::Unhealthy), [(50, Some(100), false)]);
}

#[test]
fn a_check_that_passes_first_at_a_new_address_is_no_end_of_a_failing() {
    let mut back = checked(returning(down(Down::Killed, Part::Instance)));
    back.told(2, Condition::Unhealthy, false, 210);
    assert_eq!(seen(&back, Condition::Unhealthy), []);
    assert_eq!(seen(&back, Condition::Healthy), [(0, None, false)]);
    // And one that was found unhealthy stays so until a check passes, wherever it is.
    back.told(2, Condition::Unhealthy, true, 120);
    assert_eq!(seen(&back, Condition::Unhealthy), [(120, Some(210), false)]);
}

#[test]
fn those_who_send_and_those_who_tell_have_to_do_with_an_instance() {
    let mut scene = scene();
    let who = |scene: &Scene, of| watchers(&scene.evidence(), &reviews(of)).into_iter().cloned().collect::<Vec<_>>();
    assert_eq!(who(&scene, 2), [web()]);
    assert_eq!(who(&scene, 4), []);
    scene.told(4, EJECTED, true, 50);
    assert_eq!(who(&scene, 4), [web()]);
}

#[test]
fn absences_are_told_with_the_tries_that_came_late() {
    let mut scene = Scene::new(plan());
    // To instance 2 until 150 ms and from 300 ms on; it is ejected at 100 and let in at 250 ms.
    scene.calls(0, 10, 40, |n| if (15..30).contains(&n) { [Hop::Ok(1)] } else { [Hop::Ok(2)] });
    scene.call(99, &[Hop::Slow(2, 30)]);
    // Within the clock error: it may have been before.
    scene.call(102, &[Hop::Ok(2)]);
    scene.told(2, EJECTED, true, 102);
    scene.told(2, EJECTED, false, 250);
    scene.told(3, Condition::Unhealthy, true, 350);
    let ms = |ns: u64| ns / 1_000_000;
    let [first, second] = &absences(&scene.plan, &scene.evidence())[..] else { panic!("two absences") };
    assert_eq!((&first.by, &first.of, first.what, first.nth), (&web(), &reviews(2), EJECTED, 1));
    assert_eq!((ms(first.at), first.lasted.map(ms)), (102, Some(148)));
    // Those of 99, 100 and 102 ms were in flight; 110 to 140 ms are four that came late.
    assert_eq!((first.in_flight, first.late_tries, first.last_late.map(ms)), (3, 4, Some(38)));
    assert_eq!((&second.of, second.what, second.lasted), (&reviews(3), Condition::Unhealthy, None));
    assert_eq!((second.in_flight, second.late_tries, second.last_late), (0, 0, None));
}

#[test]
fn that_a_mesh_tells_nothing_is_not_that_there_was_nothing() {
    let mut scene = scene();
    assert!(!scene.evidence().tells_states());
    scene.seen.tells_states = true;
    assert!(scene.evidence().tells_states());
    let mut telling = self::scene();
    telling.told(2, EJECTED, true, 50);
    telling.seen.tells_states = false;
    assert!(telling.evidence().tells_states());
}

proptest! {
    #[test]
    fn the_order_of_records_does_not_matter(told in prop::collection::vec((1u32..4, any::<bool>(), 0u64..20), 0..30), turn in 0usize..30) {
        let mut straight = scene();
        for (of, begins, ms) in told {
            straight.told(of, EJECTED, begins, 10 * ms);
        }
        let mut stirred = straight.clone();
        let count = stirred.seen.states.len().max(1);
        stirred.seen.states.rotate_left(turn % count);
        stirred.seen.states.reverse();
        let all = |scene: &Scene| spells(&scene.plan, &scene.evidence(), EJECTED);
        prop_assert_eq!(all(&straight), all(&stirred));
    }

    #[test]
    fn spells_follow_each_other(told in prop::collection::vec((any::<bool>(), 0u64..300), 0..30)) {
        let mut scene = scene();
        for (begins, ms) in told {
            scene.told(2, EJECTED, begins, ms);
        }
        let all = seen(&scene, EJECTED);
        prop_assert!(all.iter().all(|(from, to, _)| to.is_none_or(|to| *from <= to)));
        prop_assert!(all.windows(2).all(|pair| pair[0].1.is_some_and(|end| end <= pair[1].0)));
    }
}
