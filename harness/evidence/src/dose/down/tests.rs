use crate::{
    Process,
    dose::tests::dose,
    testing::{Hop, Scene, at, faulty, plan, reviews, span, target, web},
};
use squall_model::{
    Act, Condition, Deployed, Dose, Down, FaultId, FaultKind, InstanceId, Members, Part, Place, Service, Target, When,
    Which,
};
use std::time::Duration;

const BOTH: [Process; 2] = [Process::Proxy, Process::Workload];

/// Instances 1 and 2 are to go down at 50 ms; of those two only these processes ended.
fn killing(how: Down, part: Part, ended: &[Process]) -> Scene {
    let does = FaultKind::Down { how, part, of: Members::Of(target(Which::First(2))) };
    let mut scene = Scene::new(faulty(plan(), does, span(50, 100)));
    scene.happened(Act::Arm(FaultId(0)), 50, 52);
    scene.calls(0, 5, 40, |_| [Hop::Ok(3)]);
    for what in ended {
        scene.killed(reviews(1), *what, 50);
        scene.killed(reviews(2), *what, 50);
    }
    scene
}

#[test]
fn a_kill_is_seen_by_the_lives_that_ended() {
    let parts = [(Part::Instance, &BOTH[..]), (Part::Proxy, &BOTH[..1]), (Part::Workload, &BOTH[1..])];
    for (how, (part, ended)) in [Down::Killed, Down::Stopped].into_iter().flat_map(|how| parts.map(|p| (how, p))) {
        let scene = killing(how, part, ended);
        assert_eq!(dose(&scene), (Dose::Confirmed, 2, 2), "{part:?}");
        let mut half = scene.clone();
        half.seen.lives.pop();
        assert_eq!(dose(&half), (Dose::Weaker, 1, 2));
        let mut none = scene.clone();
        none.seen.lives.iter_mut().for_each(|life| life.asked = None);
        assert_eq!(dose(&none), (Dose::Absent, 0, 2), "they died of something else");
        let mut early = scene.clone();
        early.seen.lives.iter_mut().for_each(|life| life.asked = Some(at(40)));
        assert_eq!(dose(&early), (Dose::Absent, 0, 2), "another fault asked them to");
        let mut unnoticed = scene.clone();
        unnoticed.seen.calls.retain(|c| c.intended < at(40));
        assert_eq!(dose(&unnoticed), (Dose::Absent, 0, 2), "nobody called meanwhile");
    }
}

/// `of` is killed at 100 ms; `reviews` has another size from `resized` on. These of its instances ended.
fn killing_at_size(of: Members, to: u32, resized: u64, ended: &[u32]) -> Scene {
    let does = FaultKind::Down { how: Down::Killed, part: Part::Proxy, of };
    let size = FaultKind::Resized { service: "reviews".into(), to };
    let plan = faulty(faulty(plan(), does, span(100, 200)), size, When::At(Duration::from_millis(resized)));
    let mut scene = Scene::new(plan);
    scene.plan.topology.services[1].instances[2].place = Some(Place::zone("east"));
    scene.happened(Act::Arm(FaultId(0)), 100, 102);
    scene.happened(Act::Arm(FaultId(1)), resized, resized + 2);
    scene.calls(0, 5, 60, |_| [Hop::Ok(1)]);
    ended.iter().for_each(|number| scene.killed(reviews(*number), Process::Proxy, 100));
    scene
}

#[test]
fn whoever_is_there_when_all_are_killed_is_meant() {
    let every = || Members::Of(target(Which::Every));
    assert_eq!(dose(&killing_at_size(every(), 5, 50, &[1, 2, 3, 4, 5])), (Dose::Confirmed, 5, 5));
    assert_eq!(dose(&killing_at_size(every(), 5, 50, &[1, 2, 3])), (Dose::Weaker, 3, 5), "those that came live on");
    assert_eq!(dose(&killing_at_size(every(), 5, 150, &[1, 2, 3])), (Dose::Confirmed, 3, 3), "they came later");
    assert_eq!(dose(&killing_at_size(every(), 2, 50, &[1, 2])), (Dose::Confirmed, 2, 2), "one had gone");
    // One that came is where the last of its service is.
    let zone = || Members::In(Place::zone("east"));
    assert_eq!(dose(&killing_at_size(zone(), 4, 50, &[3, 4])), (Dose::Confirmed, 2, 2));
    assert_eq!(dose(&killing_at_size(zone(), 4, 50, &[3])), (Dose::Weaker, 1, 2));
}

#[test]
fn growth_that_is_taken_back_leaves_what_was_there_at_first() {
    let mut scene = killing_at_size(Members::Of(target(Which::Every)), 5, 20, &[1, 2, 3]);
    scene.happened(Act::End(FaultId(1)), 60, 62);
    assert_eq!(dose(&scene), (Dose::Confirmed, 3, 3));
}

#[test]
fn every_process_of_the_part_must_end() {
    assert_eq!(dose(&killing(Down::Killed, Part::Instance, &BOTH[..1])).0, Dose::Absent, "the workload lives on");
    assert_eq!(dose(&killing(Down::Killed, Part::Instance, &BOTH[1..])).0, Dose::Absent, "the proxy lives on");
    assert_eq!(dose(&killing(Down::Killed, Part::Workload, &BOTH[..1])).0, Dose::Absent);
}

#[test]
fn an_instance_that_nobody_calls_has_no_workload() {
    let of = squall_model::Target { service: "web".into(), which: Which::Service, place: None };
    let does = FaultKind::Down { how: Down::Killed, part: Part::Instance, of: Members::Of(of) };
    let mut scene = Scene::new(faulty(plan(), does, span(50, 100)));
    scene.happened(Act::Arm(FaultId(0)), 50, 52);
    scene.calls(0, 5, 40, |_| [Hop::Ok(3)]);
    scene.killed(web(), Process::Proxy, 50);
    assert_eq!(dose(&scene), (Dose::Confirmed, 1, 1));
}

#[test]
fn a_restart_is_an_end_within_its_effect() {
    let scene = |asked: u64, settled: u64| {
        let does = FaultKind::Restarted { part: Part::Instance, of: Members::Of(target(Which::Instance(1))) };
        let mut scene = Scene::new(faulty(plan(), does, When::At(Duration::from_millis(50))));
        scene.happened(Act::Arm(FaultId(0)), 50, settled);
        scene.calls(0, 5, 40, |_| [Hop::Ok(1)]);
        BOTH.iter().for_each(|what| scene.killed(reviews(1), *what, asked));
        scene
    };
    assert_eq!(dose(&scene(51, 80)), (Dose::Confirmed, 1, 1));
    assert_eq!(dose(&scene(90, 80)), (Dose::Absent, 0, 1), "ended after it should have been back");
    assert_eq!(dose(&scene(80, 80)), (Dose::Absent, 0, 1), "it was up before it was gone");
    assert_eq!(dose(&scene(40, 80)), (Dose::Absent, 0, 1));
    let mut half = scene(51, 80);
    half.seen.lives.pop();
    assert_eq!(dose(&half).0, Dose::Absent, "the workload was not restarted");
}

fn deployed(namespace: &str) -> Option<Deployed> {
    Some(Deployed { namespace: namespace.into(), ..Deployed::default() })
}

/// A service is restarted at 50 ms whose instances ended then; calls go to instance 3 of `reviews`, which somebody else deployed.
fn restarting(of: Target) -> Scene {
    let whom = InstanceId {
        service: of.service.clone(),
        number: match of.which {
            Which::Instance(number) => number,
            _ => 1,
        },
    };
    let does = FaultKind::Restarted { part: Part::Instance, of: Members::Of(of) };
    let mut scene = Scene::new(faulty(plan(), does, When::At(Duration::from_millis(50))));
    scene.plan.topology.services[1].deployed = deployed("shop");
    scene.plan.topology.services.push(Service { deployed: deployed("shop"), ..Service::new("ratings".into()) });
    scene.happened(Act::Arm(FaultId(0)), 50, 60);
    scene.calls(0, 5, 40, |_| [Hop::Ok(3)]);
    BOTH.into_iter().for_each(|what| scene.killed(whom.clone(), what, 50));
    scene
}

/// Services of an application may call each other for our calls, and nobody says for which of them.
#[test]
fn whom_an_application_calls_is_missed_by_calls_to_that_application_alone() {
    let mut scene = restarting(Target::service("ratings".into()));
    assert_eq!(dose(&scene), (Dose::Confirmed, 1, 1));
    // Declared as called, and not called.
    scene.plan.topology.services[0].calls.push("ratings".into());
    assert_eq!(dose(&scene), (Dose::Confirmed, 1, 1));
    scene.plan.topology.services[1].deployed = deployed("bank");
    assert_eq!(dose(&scene).0, Dose::Absent, "another application is called");
    scene.plan.topology.services[1].deployed = None;
    assert_eq!(dose(&scene).0, Dose::Absent, "one of ours is called");
}

#[test]
fn whom_the_routes_of_its_owners_pass_over_nobody_misses() {
    let instance = |number| Target { which: Which::Instance(number), ..Target::service("reviews".into()) };
    assert_eq!(dose(&restarting(instance(3))), (Dose::Confirmed, 1, 1));
    assert_eq!(dose(&restarting(instance(2))).0, Dose::Absent, "no try ever went there");
}

/// Instance 1 stands still from 50 to 150 ms; one call every 10 ms, to it and to instance 2 in turn.
fn pausing(part: Part, hop: impl Fn(u64) -> Hop) -> Scene {
    let does = FaultKind::Down { how: Down::Paused, part, of: Members::Of(target(Which::Instance(1))) };
    let mut scene = Scene::new(faulty(plan(), does, span(50, 150)));
    scene.happened(Act::Arm(FaultId(0)), 50, 51);
    scene.happened(Act::End(FaultId(0)), 150, 151);
    scene.calls(0, 10, 30, |n| if n % 2 == 0 { [hop(10 * n)] } else { [Hop::Ok(2)] });
    scene
}

fn silent(ms: u64) -> Hop {
    if (50..150).contains(&ms) { Hop::Unheard(1, 30) } else { Hop::Ok(1) }
}

#[test]
fn nobody_is_answered_by_what_stands_still() {
    for part in [Part::Instance, Part::Proxy, Part::Workload] {
        let scene = pausing(part, silent);
        assert_eq!(dose(&scene), (Dose::Confirmed, 5, 5), "{part:?}");
        let one = pausing(part, |ms| if ms == 100 { Hop::Ok(1) } else { silent(ms) });
        assert_eq!(dose(&one), (Dose::Weaker, 4, 5), "{part:?}");
    }
    // What was sent before it stood still, or is answered when it goes on, says nothing.
    let late = pausing(Part::Instance, |ms| if ms == 140 { Hop::Slow(1, 30) } else { silent(ms) });
    assert_eq!(dose(&late), (Dose::Confirmed, 5, 5));
}

#[test]
fn a_proxy_answers_for_a_workload_that_stands_still() {
    let limited = |ms| if ms == 100 { Hop::Limited(1) } else { silent(ms) };
    assert_eq!(dose(&pausing(Part::Workload, limited)), (Dose::Confirmed, 5, 5));
    assert_eq!(dose(&pausing(Part::Proxy, limited)), (Dose::Weaker, 4, 5));
}

#[test]
fn a_pause_needs_traffic_or_a_check_that_failed() {
    let away = |ms| if (50..150).contains(&ms) { Hop::Ok(2) } else { Hop::Ok(1) };
    let mut scene = pausing(Part::Instance, away);
    assert_eq!(dose(&scene), (Dose::Absent, 0, 0));
    scene.told(1, Condition::Ejected, true, 80);
    scene.told(2, Condition::Unhealthy, true, 80);
    scene.told(1, Condition::Unhealthy, true, 180);
    assert_eq!(dose(&scene), (Dose::Absent, 0, 0));
    scene.told(1, Condition::Unhealthy, true, 80);
    assert_eq!(dose(&scene), (Dose::Confirmed, 1, 1));
}

#[test]
fn a_caller_that_stands_still_carries_no_call() {
    let does = |part| {
        let of = squall_model::Target { service: "web".into(), which: Which::Service, place: None };
        FaultKind::Down { how: Down::Paused, part, of: Members::Of(of) }
    };
    let scene = |part, hop: fn(u64) -> Hop| {
        let mut scene = Scene::new(faulty(plan(), does(part), span(50, 150)));
        scene.happened(Act::Arm(FaultId(0)), 50, 51);
        scene.happened(Act::End(FaultId(0)), 150, 151);
        scene.calls(0, 10, 20, |n| [hop(10 * n)]);
        scene
    };
    assert_eq!(dose(&scene(Part::Proxy, |_| Hop::Slow(1, 300))), (Dose::Confirmed, 9, 9));
    assert_eq!(dose(&scene(Part::Proxy, |_| Hop::Ok(1))).0, Dose::Weaker);
}
