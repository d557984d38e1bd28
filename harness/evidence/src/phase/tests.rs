use super::*;
use crate::{
    StageTimes,
    testing::{Hop, ORIGIN, Scene, at, faulty, plan, span, target, touch},
};
use squall_model::{
    Act, AnswerCode, Cue, Down, FaultKind, Level, Members, MomentRef, Part, Policy, PolicyKind, Touch, When, Which,
};

const MS: Duration = Duration::from_millis(1);
const ABORT: Touch = Touch::Abort(AnswerCode::Status(503));

fn abort(when: When) -> Plan {
    faulty(plan(), touch(Level::Tries, 100, Which::Service, ABORT), when)
}

/// A call every 5 ms for a second; the fault asked for at 200 and in force from 202, its end asked for at 600, over at 603.
fn scene() -> Scene {
    let mut scene = Scene::new(abort(span(200, 600)));
    scene.happened(Act::Arm(FaultId(0)), 200, 202);
    scene.happened(Act::End(FaultId(0)), 600, 603);
    scene.calls(0, 5, 200, |_| [Hop::Ok(1)]);
    scene
}

/// How the call intended so many milliseconds after the origin stands to the phase.
fn stands(evidence: &Evidence, phase: Phase, ms: u64) -> Membership {
    let story = evidence.stories().iter().find(|s| s.intended == at(ms)).unwrap();
    evidence.membership(phase, story.into())
}

const BEFORE: Phase = Phase::Before(Anchor::Fault);
const DURING: Phase = Phase::During(Anchor::Fault);
const AFTER: Phase = Phase::After(Anchor::Fault);

#[test]
fn phases_are_cut_by_what_was_observed() {
    let evidence = scene().evidence();
    let table = [
        (0, [Membership::Within, Membership::Outside, Membership::Outside]),
        (190, [Membership::Within, Membership::Outside, Membership::Outside]),
        // In flight when the fault was asked for.
        (195, [Membership::Crossing, Membership::Outside, Membership::Outside]),
        // On the border itself.
        (200, [Membership::Outside, Membership::Outside, Membership::Outside]),
        (205, [Membership::Outside, Membership::Within, Membership::Outside]),
        (590, [Membership::Outside, Membership::Within, Membership::Outside]),
        (595, [Membership::Outside, Membership::Crossing, Membership::Outside]),
        (600, [Membership::Outside, Membership::Outside, Membership::Outside]),
        (605, [Membership::Outside, Membership::Outside, Membership::Within]),
        (995, [Membership::Outside, Membership::Outside, Membership::Within]),
    ];
    for (ms, expected) in table {
        assert_eq!([BEFORE, DURING, AFTER].map(|phase| stands(&evidence, phase, ms)), expected, "at {ms} ms");
        assert_eq!(stands(&evidence, Phase::Whole, ms), Membership::Within);
    }
}

#[test]
fn a_call_that_meets_its_first_proxy_too_late_belongs_to_no_phase() {
    let mut scene = scene();
    let late = scene.seen.calls.iter().position(|c| c.intended == at(595)).unwrap() as u64;
    let id = format!("{}{late}", scene.seen.prefix);
    scene.seen.access.iter_mut().filter(|l| l.id == id).for_each(|l| l.began = at(600) + MS / 2);
    let evidence = scene.evidence();
    assert_eq!(stands(&evidence, DURING, 595), Membership::Outside);
}

/// That of the call of this moment that arrived at its callee's proxy, or is to.
fn arrives(scene: &mut Scene, of: u64, when: Stamp) {
    let call = scene.seen.calls.iter().position(|c| c.intended == at(of)).unwrap();
    let id = format!("{}{call}", scene.seen.prefix);
    scene.seen.access.iter_mut().filter(|l| l.id == id).for_each(|l| l.began = when);
}

#[test]
fn who_is_kept_on_its_way_belongs_to_when_it_was_sent() {
    let mut scene = scene();
    // Given up after 50 ms, read when the fault is over; and one that waited for that.
    arrives(&mut scene, 400, at(601));
    arrives(&mut scene, 450, at(604));
    arrives(&mut scene, 180, at(300));
    for (of, done) in [(400, 450), (450, 610), (180, 301)] {
        scene.seen.calls.iter_mut().find(|c| c.intended == at(of)).unwrap().done = at(done);
    }
    let evidence = scene.evidence();
    assert_eq!(stands(&evidence, DURING, 400), Membership::Within);
    assert_eq!(stands(&evidence, DURING, 450), Membership::Crossing, "what it did it did when the fault was over");
    assert_eq!(stands(&evidence, AFTER, 450), Membership::Outside);
    assert_eq!([BEFORE, DURING].map(|phase| stands(&evidence, phase, 180)), [Membership::Outside; 2], "sent too near");
}

#[test]
fn a_restart_is_over_when_all_is_up_again() {
    let of = Members::Of(target(Which::Instance(1)));
    let mut scene = Scene::new(faulty(plan(), FaultKind::Restarted { part: Part::Instance, of }, When::At(200 * MS)));
    scene.happened(Act::Arm(FaultId(0)), 200, 400);
    scene.calls(0, 5, 200, |_| [Hop::Ok(1)]);
    let evidence = scene.evidence();
    let of = |ms| [BEFORE, DURING, AFTER].map(|phase| stands(&evidence, phase, ms) == Membership::Within);
    assert_eq!(of(100), [true, false, false]);
    assert_eq!(of(300), [false; 3], "while it lasts");
    assert_eq!(of(600), [false, false, true]);
    assert_eq!(evidence.moment(MomentRef::FaultEnd), Some(Border::at(at(400))));
}

#[test]
fn a_standing_fault_leaves_nothing_before_it() {
    let mut scene = Scene::new(abort(When::Standing));
    scene.stood(0);
    scene.calls(0, 5, 20, |_| [Hop::Ok(1)]);
    let evidence = scene.evidence();
    assert_eq!(
        [BEFORE, DURING, AFTER].map(|p| stands(&evidence, p, 0)),
        [Membership::Outside, Membership::Within, Membership::Outside]
    );
    assert_eq!(evidence.moment(MomentRef::FaultEnd), None);
}

#[test]
fn several_faults_are_in_place_together_as_their_union() {
    let second =
        FaultKind::Down { how: Down::Killed, part: Part::Instance, of: Members::Of(target(Which::Instance(1))) };
    let mut scene = Scene::new(faulty(abort(span(200, 600)), second, span(400, 800)));
    for (fault, from, to) in [(0, 200, 600), (1, 400, 800)] {
        scene.happened(Act::Arm(FaultId(fault)), from, from + 2);
        scene.happened(Act::End(FaultId(fault)), to, to + 2);
    }
    scene.calls(0, 10, 100, |_| [Hop::Ok(1)]);
    let evidence = scene.evidence();
    for (ms, phase) in [(100, BEFORE), (300, DURING), (500, DURING), (700, DURING), (900, AFTER)] {
        assert_eq!(stands(&evidence, phase, ms), Membership::Within, "at {ms} ms");
    }
    // The second came while the first was in place: that border too belongs to no phase.
    assert_eq!(stands(&evidence, DURING, 400), Membership::Outside);
    assert_eq!(evidence.length(DURING), Duration::from_millis(598) - 2 * MS - 2 * MS);
}

#[test]
fn a_control_run_keeps_the_phases_of_the_fault_that_it_lacks() {
    let mut scene = Scene::new(plan());
    scene.seen.planned = planned(&abort(span(200, 600)));
    scene.calls(0, 5, 200, |_| [Hop::Ok(1)]);
    let evidence = scene.evidence();
    for (ms, phase) in [(100, BEFORE), (300, DURING), (700, AFTER)] {
        assert_eq!(stands(&evidence, phase, ms), Membership::Within, "at {ms} ms");
    }
    assert_eq!(evidence.moment(MomentRef::FaultEnd), Some(Border::at(at(600))));
    assert_eq!(evidence.moment(MomentRef::FaultStart), Some(Border::at(at(200))));
}

#[test]
fn events_are_the_fault_only_where_there_is_no_other() {
    let growth = FaultKind::Resized { service: "reviews".into(), to: 4 };
    let phase_at_300 = |plan: Plan| {
        let mut scene = Scene::new(plan);
        scene.seen.planned = Vec::new();
        scene.calls(0, 5, 200, |_| [Hop::Ok(1)]);
        stands(&scene.evidence(), DURING, 300)
    };
    let at_400 = When::At(Duration::from_millis(400));
    let at_200 = When::At(Duration::from_millis(200));
    assert_eq!(phase_at_300(faulty(plan(), growth.clone(), at_200)), Membership::Within);
    let killed =
        FaultKind::Down { how: Down::Killed, part: Part::Instance, of: Members::Of(target(Which::Instance(1))) };
    assert_eq!(phase_at_300(faulty(faulty(plan(), growth, at_200), killed, at_400)), Membership::Outside);
}

fn changed(to: Option<u64>) -> Scene {
    let mut plan = plan();
    let says = PolicyKind::Route { of: Default::default(), to: Vec::new() };
    plan.policies.push(Policy { id: PolicyId(0), own: true, says });
    let cues = &mut plan.timeline.stages[0].cues;
    cues.push(Cue { at: 200 * MS, act: Act::Change(PolicyId(0)) });
    cues.extend(to.map(|to| Cue { at: Duration::from_millis(to), act: Act::Revert(PolicyId(0)) }));
    let mut scene = Scene::new(plan);
    scene.happened(Act::Change(PolicyId(0)), 200, 203);
    if let Some(to) = to {
        scene.happened(Act::Revert(PolicyId(0)), to, to + 3);
    }
    scene.calls(0, 5, 200, |_| [Hop::Ok(1)]);
    scene
}

#[test]
fn a_change_that_stays_has_its_after_in_force() {
    let (during, after) = (Phase::During(Anchor::Change), Phase::After(Anchor::Change));
    let for_good = changed(None).evidence();
    assert_eq!(stands(&for_good, Phase::Before(Anchor::Change), 100), Membership::Within);
    assert_eq!([during, after].map(|p| stands(&for_good, p, 300)), [Membership::Within; 2]);
    assert_eq!(for_good.moment(MomentRef::Change), Some(Border { asked: at(200), settled: at(203) }));
    let for_a_while = changed(Some(600)).evidence();
    assert_eq!([during, after].map(|p| stands(&for_a_while, p, 300)), [Membership::Within, Membership::Outside]);
    assert_eq!([during, after].map(|p| stands(&for_a_while, p, 700)), [Membership::Outside, Membership::Within]);
    assert_eq!(stands(&for_a_while, BEFORE, 100), Membership::Outside, "there is no fault to be before");
}

#[test]
fn the_clock_is_that_of_the_stage() {
    let mut scene = scene();
    let second = at(2_000);
    scene.seen.stages.push(StageTimes { origin: second, last_intended: second, ended: second });
    scene.call(2_100, &[Hop::Ok(1)]);
    let evidence = scene.evidence();
    let clock = |from, to: Option<u64>| Phase::Clock { from: from * MS, to: to.map(Duration::from_millis) };
    assert_eq!(stands(&evidence, clock(100, Some(200)), 100), Membership::Within);
    assert_eq!(stands(&evidence, clock(100, Some(200)), 200), Membership::Outside);
    assert_eq!(stands(&evidence, clock(100, None), 995), Membership::Within);
    assert_eq!(stands(&evidence, clock(100, Some(200)), 2_100), Membership::Within);
    assert_eq!(evidence.origin_of(at(2_100)), Some(second));
}

#[test]
fn phases_have_lengths() {
    let evidence = scene().evidence();
    let length = |phase| evidence.length(phase).as_millis();
    assert_eq!(length(Phase::Whole), 1_000, "the last call stands for 5 ms too");
    assert_eq!(length(BEFORE), 200);
    assert_eq!(length(DURING), 600 - 202);
    assert_eq!(length(AFTER), 1_000 - 603);
    assert_eq!(length(Phase::Clock { from: 250 * MS, to: Some(750 * MS) }), 500);
    assert_eq!(length(Phase::Clock { from: 250 * MS, to: None }), 750);
}

#[test]
fn phases_are_stretches_of_time_to_what_happens_by_the_clock() {
    let times = |evidence: &Evidence, phase| {
        let ms = |at: Stamp| at.since(ORIGIN).as_millis();
        evidence.times(phase).into_iter().map(|(from, to)| (ms(from), ms(to))).collect::<Vec<_>>()
    };
    let evidence = scene().evidence();
    // The last call is over at 1,000 ms.
    assert_eq!(times(&evidence, Phase::Whole), [(0, 1_000)]);
    assert_eq!(times(&evidence, BEFORE), [(0, 200)]);
    assert_eq!(times(&evidence, DURING), [(202, 600)]);
    assert_eq!(times(&evidence, AFTER), [(603, 1_000)]);
    assert_eq!(times(&evidence, Phase::Clock { from: 250 * MS, to: Some(750 * MS) }), [(250, 750)]);
    assert_eq!(times(&evidence, Phase::Clock { from: 250 * MS, to: None }), [(250, 1_000)]);
    assert_eq!(times(&evidence, Phase::Clock { from: 2_000 * MS, to: None }), []);
    assert_eq!(times(&evidence, Phase::After(Anchor::Change)), []);
    let mut standing = Scene::new(abort(When::Standing));
    standing.stood(0);
    standing.calls(0, 5, 20, |_| [Hop::Ok(1)]);
    let evidence = standing.evidence();
    assert_eq!([BEFORE, DURING, AFTER].map(|phase| times(&evidence, phase)), [vec![], vec![(0, 100)], vec![]]);
    // Of a run under way it is known up to the oldest call in flight.
    let mut open = scene();
    open.seen.quiet = false;
    open.seen.unresolved_from = Some(at(400));
    assert_eq!(times(&open.evidence(), DURING), [(202, 395)]);
}

#[test]
fn what_has_not_been_observed_yet_unsettles_what_comes_after_it() {
    let mut scene = scene();
    scene.seen.quiet = false;
    assert_eq!(scene.evidence().settled_until(), Some(Stamp(u64::MAX)));
    let ended = scene.seen.effects.pop().unwrap();
    assert_eq!(scene.evidence().settled_until(), Some(at(600)));
    scene.seen.effects.clear();
    assert_eq!(scene.evidence().settled_until(), Some(at(200)));
    scene.seen.effects.push(ended);
    assert_eq!(scene.evidence().settled_until(), Some(at(200)));
    assert_eq!(scene.evidence().settled().last().unwrap().intended, at(195));
}

#[test]
fn the_state_old_for_longest_sets_the_border() {
    let effect = Effect { asked: at(1), acked: at(2), effective: at(3), last_old: at(4) };
    assert_eq!(Border::from(effect), Border { asked: at(1), settled: at(4) });
    assert!(ORIGIN < at(1));
}
