use crate::{
    Books, balances,
    dose::tests::dose,
    doses,
    testing::{Hop, Scene, at as after_origin, calls_to, damage, faulty, plan, reviews, span, web},
};
use squall_model::{
    Act, AnswerCode, ControlRecord, Damage, Dose, Edge, FaultId, FaultKind, Fraction, InstanceId, Level, Touch, When,
    Which, WireEnd,
};
use std::time::Duration;

fn at(ms: u64) -> When {
    When::At(Duration::from_millis(ms))
}

fn resized(to: u32) -> FaultKind {
    FaultKind::Resized { service: "reviews".into(), to }
}

/// `reviews` has another size from 100 ms on; a call every 5 ms, from then on to each of these instances in turn.
fn resizing(to: u32, then: &[u32]) -> Scene {
    let mut scene = Scene::new(faulty(plan(), resized(to), at(100)));
    scene.happened(Act::Arm(FaultId(0)), 100, 103);
    scene.calls(0, 5, 21, |n| [Hop::Ok(1 + n as u32 % 3)]);
    scene.calls(105, 5, 20 * u64::from(!then.is_empty()), |n| [Hop::Ok(then[n as usize % then.len()])]);
    scene
}

#[test]
fn instances_that_came_are_called_and_those_that_went_are_not() {
    assert_eq!(dose(&resizing(5, &[1, 2, 3, 4, 5])), (Dose::Confirmed, 2, 2));
    assert_eq!(dose(&resizing(5, &[1, 2, 3, 4])), (Dose::Weaker, 1, 2));
    assert_eq!(dose(&resizing(5, &[1, 2, 3])), (Dose::Absent, 0, 2));
    assert_eq!(dose(&resizing(1, &[1])), (Dose::Confirmed, 2, 2));
    assert_eq!(dose(&resizing(1, &[1, 2])), (Dose::Weaker, 1, 2));
    assert_eq!(dose(&resizing(1, &[1, 2, 3])), (Dose::Absent, 0, 2));
    assert_eq!(dose(&resizing(1, &[])), (Dose::Absent, 0, 2), "nobody called");
    assert_eq!(dose(&resizing(3, &[1])), (Dose::Absent, 0, 0), "it had three before");
}

#[test]
fn a_try_that_nobody_took_is_no_proof_of_growth_but_one_of_no_shrinking() {
    let refused = |to| {
        let mut scene = resizing(to, &[1]);
        scene.call(300, &[Hop::Refused(if to > 3 { 4 } else { 3 })]);
        dose(&scene)
    };
    assert_eq!(refused(4), (Dose::Absent, 0, 1));
    assert_eq!(refused(2), (Dose::Absent, 0, 1));
}

#[test]
fn each_size_counts_from_the_one_before_and_up_to_the_next() {
    let mut scene = Scene::new(faulty(faulty(plan(), resized(4), at(100)), resized(2), at(200)));
    scene.happened(Act::Arm(FaultId(0)), 100, 103);
    scene.happened(Act::Arm(FaultId(1)), 200, 203);
    scene.calls(0, 5, 100, |n| match 5 * n {
        105..200 => [Hop::Ok(1 + n as u32 % 4)],
        0..200 => [Hop::Ok(1 + n as u32 % 3)],
        _ => [Hop::Ok(1 + n as u32 % 2)],
    });
    let all: Vec<_> = doses(&scene.plan, &scene.evidence()).into_iter().map(|d| (d.dose, d.touched, d.of)).collect();
    assert_eq!(all, [(Dose::Confirmed, 1, 1), (Dose::Confirmed, 2, 2)]);
}

#[test]
fn an_instance_that_is_called_only_after_the_next_event_shows_nothing_of_the_first() {
    let mut scene = Scene::new(faulty(faulty(plan(), resized(4), at(100)), resized(5), at(200)));
    scene.happened(Act::Arm(FaultId(0)), 100, 103);
    scene.happened(Act::Arm(FaultId(1)), 200, 203);
    let size = |ms| if ms < 205 { 3 } else { 5 };
    scene.calls(0, 5, 100, |n| [Hop::Ok(1 + (n % size(5 * n)) as u32)]);
    let all: Vec<_> = doses(&scene.plan, &scene.evidence()).into_iter().map(|d| d.dose).collect();
    assert_eq!(all, [Dose::Absent, Dose::Confirmed]);
}

#[test]
fn the_control_plane_is_away_while_there_is_traffic() {
    let of = |calls: u64, said: &[(InstanceId, u64, bool)]| {
        let mut scene = Scene::new(faulty(plan(), FaultKind::ControlPlaneKilled, span(10, 100)));
        scene.happened(Act::Arm(FaultId(0)), 10, 12);
        scene.happened(Act::End(FaultId(0)), 100, 110);
        scene.calls(0, 5, calls, |_| [Hop::Ok(1)]);
        let record = |(proxy, ms, connected): &(InstanceId, u64, bool)| ControlRecord {
            proxy: proxy.clone(),
            at: after_origin(*ms),
            connected: *connected,
        };
        scene.seen.control = said.iter().map(record).collect();
        dose(&scene)
    };
    let away = [(web(), 101, false), (reviews(1), 101, false)];
    assert_eq!(of(20, &away), (Dose::Confirmed, 2, 2));
    assert_eq!(of(1, &away), (Dose::Absent, 0, 2), "nobody called");
    assert_eq!(of(20, &[]), (Dose::Absent, 0, 0), "nobody was asked");
    assert_eq!(of(20, &[(web(), 5, false), (web(), 120, false)]), (Dose::Absent, 0, 0), "not meanwhile");
    assert_eq!(of(20, &[(web(), 101, false), (reviews(1), 101, true)]), (Dose::Weaker, 1, 2));
    assert_eq!(of(20, &[(web(), 50, true), (web(), 101, false)]), (Dose::Absent, 0, 1), "it had it for a while");
}

/// The calls to `reviews` are cut off from 10 ms on: every connection is reset, and new ones are refused.
fn outage() -> Scene {
    let mut scene = Scene::new(faulty(plan(), FaultKind::Outage { of: calls_to(Which::Service) }, span(10, 100)));
    scene.happened(Act::Arm(FaultId(0)), 10, 12);
    scene
}

#[test]
fn an_outage_is_felt_by_its_calls_and_done_to_its_wires() {
    let mut unharmed = outage();
    unharmed.calls(0, 5, 20, |_| [Hop::Ok(1)]);
    assert_eq!(dose(&unharmed).0, Dose::Absent, "nobody failed");
    let mut cut = outage();
    cut.calls(0, 5, 20, |n| if n > 3 { [Hop::Refused(1)] } else { [Hop::Ok(1)] });
    let reset = Damage::Reset(Fraction::ALL);
    cut.connection(1, 0, Some(15), WireEnd::Damage, &[(reset, 15, 15)]);
    cut.connection(1, 20, Some(20), WireEnd::Damage, &[(Damage::Refuse, 20, 20)]);
    assert_eq!(dose(&cut), (Dose::Confirmed, 16, 17));
    let books = balances(&cut.plan, &cut.evidence());
    assert!(books.iter().all(|b| b.finding == Books::Balanced), "{books:?}");
    let leaked = Dose::Leaked(Edge { from: "web".into(), to: "reviews".into() });
    let mut early = cut.clone();
    early.connection(1, 0, Some(5), WireEnd::Damage, &[(reset, 5, 5)]);
    assert_eq!(dose(&early).0, leaked, "before it was asked for");
    let mut other = cut;
    other.connection(1, 0, Some(50), WireEnd::Caller, &[(Damage::Cut, 20, 30)]);
    assert_eq!(dose(&other).0, leaked, "an outage does not swallow");
}

#[test]
fn an_outage_is_no_abort() {
    let mut played = outage();
    played.calls(0, 5, 20, |n| if n > 3 { [Hop::Aborted(1, 503)] } else { [Hop::Ok(1)] });
    let books = balances(&played.plan, &played.evidence());
    assert!(books.iter().any(|b| b.law == crate::LawId::FaultOwned && b.finding == Books::Broken), "{books:?}");
    let aborts = faulty(played.plan.clone(), touch(), When::Standing);
    played.plan = aborts;
    played.stood(1);
    assert_eq!(dose(&played).0, Dose::Confirmed, "the aborts are the other fault's, and so are its leaks");
}

fn touch() -> FaultKind {
    crate::testing::touch(Level::Tries, 80, Which::Service, Touch::Abort(AnswerCode::Status(503)))
}

#[test]
fn faults_of_both_kinds_answer_for_their_own_leaks_alone() {
    let plan = faulty(faulty(plan(), touch(), When::Standing), damage(Which::Instance(1), Damage::Cut), When::Standing);
    let mut scene = Scene::new(plan);
    scene.stood(0);
    scene.stood(1);
    scene.calls(0, 5, 40, |n| if n % 5 == 0 { [Hop::Ok(2)] } else { [Hop::Aborted(2, 503)] });
    scene.call(300, &[Hop::Unheard(1, 20)]);
    scene.connection(1, 0, None, WireEnd::Open, &[(Damage::Cut, 300, 300)]);
    let all = |scene: &Scene| doses(&scene.plan, &scene.evidence()).into_iter().map(|d| d.dose).collect::<Vec<_>>();
    assert_eq!(all(&scene), [Dose::Confirmed, Dose::Confirmed]);
    let leaked = Dose::Leaked(Edge { from: "web".into(), to: "reviews".into() });
    let mut wire = scene.clone();
    wire.connection(2, 0, None, WireEnd::Open, &[(Damage::Cut, 300, 300)]);
    assert_eq!(all(&wire), [Dose::Confirmed, leaked.clone()]);
    let mut drawn = scene;
    drawn.local(310, 503, "FI", "fault_filter_abort");
    assert_eq!(all(&drawn), [leaked, Dose::Confirmed]);
}
