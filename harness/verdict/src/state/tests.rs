use super::*;
use crate::{
    Settings, decided,
    testing::{BORDER, EMPTY, finding},
    violated_already,
};
use squall_evidence::Process;
use squall_evidence::testing::{Hop, Scene, claiming, faulty, plan, reviews, span, target, web};
use squall_model::{Act, Anchor, AnswerCode, Answers, ClaimKind, Condition, FaultId, FaultKind, Which};

const NOT_OVER: Verdict = Verdict::Inconclusive(super::Why::NotOver);

use Condition::{Ejected, Unhealthy};

const DURING: Phase = Phase::During(Anchor::Fault);

/// A call every 5 ms for a second, in turn over three instances; instance 2 fails from 200 to 600 ms.
fn scene() -> Scene {
    let how = Answers::With(AnswerCode::Status(500));
    let fails = FaultKind::Answers { of: target(Which::Instance(2)), how };
    let mut scene = Scene::new(faulty(plan(), fails, span(200, 600)));
    scene.happened(Act::Arm(FaultId(0)), 200, 204);
    scene.happened(Act::End(FaultId(0)), 600, 604);
    scene.seen.tells_states = true;
    scene.calls(0, 5, 200, |n| match (n % 3, 5 * n) {
        (1, 204..600) => [Hop::Status(2, 500)],
        (1, _) => [Hop::Ok(2)],
        (n, _) => [Hop::Ok(1 + n as u32)],
    });
    scene
}

/// Instance 2 was ejected from one moment to another.
fn ejected(spells: &[(u64, Option<u64>)]) -> Scene {
    let mut scene = scene();
    for (from, to) in spells {
        scene.told(2, Ejected, true, *from);
        to.iter().for_each(|to| scene.told(2, Ejected, false, *to));
    }
    scene
}

fn is(is: Condition, which: Which) -> State {
    State { is, of: target(which) }
}

fn claim(ever: bool, phase: Phase) -> ClaimKind {
    ClaimKind::State { what: is(Ejected, Which::Instance(2)), ever, phase }
}

/// That it is so at some moment of the phase, and that it is so at none.
fn both(scene: &Scene, phase: Phase) -> [Verdict; 2] {
    [true, false].map(|ever| finding(scene, claim(ever, phase)).verdict)
}

const SEEN: [Verdict; 2] = [Verdict::Holds, Verdict::Violated];
const NEVER: [Verdict; 2] = [Verdict::Violated, Verdict::Holds];

#[test]
fn a_state_is_seen_in_the_phases_that_its_spells_overlap() {
    let scene = ejected(&[(300, Some(700))]);
    assert_eq!(both(&scene, Phase::Whole), SEEN);
    assert_eq!(both(&scene, Phase::Before(Anchor::Fault)), NEVER);
    assert_eq!(both(&scene, DURING), SEEN);
    assert_eq!(both(&scene, Phase::After(Anchor::Fault)), SEEN);
    let clock = |from, to| Phase::Clock { from: Duration::from_millis(from), to: Some(Duration::from_millis(to)) };
    assert_eq!(both(&scene, clock(800, 900)), NEVER);
    assert_eq!(both(&scene, clock(400, 450)), SEEN, "all of it lies within the spell");
    assert_eq!(both(&scene, Phase::During(Anchor::Change)), [EMPTY, EMPTY], "there is no such phase");
}

#[test]
fn what_is_not_over_goes_on() {
    let scene = ejected(&[(300, None)]);
    assert_eq!(both(&scene, Phase::After(Anchor::Fault)), SEEN);
}

#[test]
fn what_comes_between_the_borders_belongs_to_no_phase() {
    // Asked for at 200, in place at 204 ms.
    let scene = ejected(&[(201, Some(203))]);
    assert_eq!(both(&scene, Phase::Whole), SEEN);
    assert_eq!(both(&scene, DURING), NEVER);
}

#[test]
fn what_only_the_clock_error_decides_is_open() {
    // The fault's end is asked for at 600 ms: an ejection at 600, give or take 1 ms, may have been before that.
    for (spell, phase) in
        [((600, Some(650)), DURING), ((150, Some(204)), DURING), ((200, Some(203)), Phase::Before(Anchor::Fault))]
    {
        assert_eq!(both(&ejected(&[spell]), phase), [BORDER, BORDER], "{spell:?}");
    }
    assert_eq!(both(&ejected(&[(602, Some(650))]), DURING), NEVER);
    assert_eq!(both(&ejected(&[(598, Some(650))]), DURING), SEEN);
}

#[test]
fn every_instance_must_be_so_to_every_proxy_or_none_to_any() {
    let of = |scene: &Scene, ever| {
        let found = finding(scene, ClaimKind::State { what: is(Ejected, Which::First(2)), ever, phase: DURING });
        (found.verdict, found.measured)
    };
    let against = |against, n| Measured::Every { against, n };
    let mut scene = ejected(&[(300, Some(400))]);
    assert_eq!(of(&scene, true), (Verdict::Violated, against(1, 2)));
    assert_eq!(of(&scene, false), (Verdict::Violated, against(1, 2)));
    scene.told(1, Ejected, true, 350);
    assert_eq!(of(&scene, true), (Verdict::Holds, against(0, 2)));
    let found = finding(&scene, ClaimKind::State { what: is(Ejected, Which::Instance(2)), ever: false, phase: DURING });
    assert_eq!(found.exemplars.len(), 5, "calls to it");
}

#[test]
fn nothing_is_said_of_instances_that_nobody_has_to_do_with() {
    let what = is(Ejected, Which::Instance(4));
    for ever in [true, false] {
        let claim = ClaimKind::State { what: what.clone(), ever, phase: Phase::Whole };
        assert_eq!(finding(&scene(), claim).verdict, EMPTY);
    }
    let lasts = ClaimKind::Lasts { what, least: None, most: None };
    assert_eq!(finding(&scene(), lasts).verdict, EMPTY);
}

#[test]
fn a_mesh_that_tells_nothing_cannot_be_asked() {
    let mut silent = scene();
    silent.seen.tells_states = false;
    let lasts = ClaimKind::Lasts { what: is(Unhealthy, Which::Instance(2)), least: None, most: None };
    for claim in [claim(true, DURING), claim(false, DURING), lasts] {
        assert!(matches!(finding(&silent, claim).verdict, Verdict::Unsupported(_)));
    }
}

fn lasting(scene: &Scene, least: Option<u64>, most: Option<u64>) -> Verdict {
    let ms = |ms: Option<u64>| ms.map(Duration::from_millis);
    let claim = ClaimKind::Lasts { what: is(Ejected, Which::Instance(2)), least: ms(least), most: ms(most) };
    finding(scene, claim).verdict
}

#[test]
fn the_first_spell_has_a_length() {
    let scene = ejected(&[(300, Some(500)), (550, Some(1_000))]);
    // 200 ms, give or take the clock error at both ends.
    for (least, most, expected) in [
        (Some(198), Some(202), Verdict::Holds),
        (Some(100), None, Verdict::Holds),
        (None, Some(300), Verdict::Holds),
        (Some(203), None, Verdict::Violated),
        (None, Some(197), Verdict::Violated),
        (Some(199), None, BORDER),
        (None, Some(201), BORDER),
    ] {
        assert_eq!(lasting(&scene, least, most), expected, "between {least:?} and {most:?}");
    }
    let claim = ClaimKind::Lasts { what: is(Ejected, Which::Instance(2)), least: None, most: Some(Duration::ZERO) };
    assert_eq!(finding(&scene, claim).measured, Measured::Time(Some((198_000_000, 202_000_000))));
}

#[test]
fn a_spell_that_was_not_over_lasted_at_least_so_long() {
    // The last call is over at 1,000 ms.
    let open = ejected(&[(300, None)]);
    assert_eq!(lasting(&open, None, Some(600)), Verdict::Violated, "longer already");
    assert_eq!(lasting(&open, None, Some(800)), NOT_OVER);
    assert_eq!(lasting(&open, Some(600), None), Verdict::Holds);
    assert_eq!(lasting(&open, Some(800), None), NOT_OVER);
    assert_eq!(lasting(&open, Some(600), Some(800)), NOT_OVER);
    let claim = ClaimKind::Lasts { what: is(Ejected, Which::Instance(2)), least: None, most: None };
    let measured = finding(&open, claim).measured;
    assert!(matches!(measured, Measured::NotOver(690_000_000..700_000_000)), "nobody knows how long: {measured:?}");
}

#[test]
fn a_spell_that_the_harness_ended_would_have_lasted_longer() {
    let mut cut = ejected(&[(300, Some(800))]);
    cut.killed(web(), Process::Proxy, 500);
    assert_eq!(lasting(&cut, None, Some(150)), Verdict::Violated);
    assert_eq!(lasting(&cut, None, Some(300)), NOT_OVER);
    assert_eq!(lasting(&cut, Some(300), None), NOT_OVER);
    assert_eq!(lasting(&cut, Some(150), None), Verdict::Holds);
}

#[test]
fn what_never_was_did_not_last() {
    let claim = || ClaimKind::Lasts { what: is(Ejected, Which::Instance(2)), least: None, most: None };
    let found = finding(&scene(), claim());
    assert_eq!((found.verdict, found.measured), (Verdict::Violated, Measured::Time(None)));
    assert_eq!(finding(&ejected(&[(300, None)]), claim()).verdict, Verdict::Holds);
}

#[test]
fn each_of_several_must_last_so() {
    let mut scene = ejected(&[(300, Some(500))]);
    scene.told(1, Ejected, true, 300);
    scene.told(1, Ejected, false, 400);
    let of = |which| {
        let least = Some(Duration::from_millis(150));
        finding(&scene, ClaimKind::Lasts { what: is(Ejected, which), least, most: None }).verdict
    };
    assert_eq!(of(Which::Instance(2)), Verdict::Holds);
    assert_eq!(of(Which::First(2)), Verdict::Violated);
    assert_eq!(scene.evidence().observed().states.iter().filter(|s| s.of == reviews(1)).count(), 2);
}

#[test]
fn under_way_only_what_was_seen_is_final() {
    let state = |mut scene: Scene, claim: ClaimKind| {
        scene.plan = claiming(scene.plan, claim);
        scene.seen.quiet = false;
        let (evidence, settings) = (scene.evidence(), Settings::default());
        (decided(&scene.plan, &evidence, &settings), violated_already(&scene.plan, &evidence, &settings))
    };
    let seen = || ejected(&[(300, Some(400))]);
    assert_eq!(state(seen(), claim(true, DURING)), (true, false));
    assert_eq!(state(seen(), claim(false, DURING)), (true, true));
    assert_eq!(state(scene(), claim(true, DURING)), (false, false), "it may still come");
    assert_eq!(state(scene(), claim(false, DURING)), (true, false), "enough calls were made");
    let most = |ms| ClaimKind::Lasts {
        what: is(Ejected, Which::Instance(2)),
        least: None,
        most: Some(Duration::from_millis(ms)),
    };
    assert_eq!(state(scene(), most(100)), (false, false));
    assert_eq!(state(seen(), most(50)), (true, true));
    assert_eq!(state(ejected(&[(300, None)]), most(800)), (false, false));
}
