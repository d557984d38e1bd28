use super::*;
use crate::Settings;
use proptest::prelude::*;
use squall_evidence::testing::{Hop, Scene, at, plan, reviews, speaking_grpc, web};
use squall_model::{ClientEnd, GrpcStatus};

const BAD: Hop = Hop::Status(2, 500);
const GOOD: Hop = Hop::Ok(2);

/// A call every 10 ms, each with one try.
fn scene(hops: &[Hop]) -> Scene {
    let mut scene = Scene::new(plan());
    scene.calls(0, 10, hops.len() as u64, |n| [hops[n as usize]]);
    scene
}

/// In which call the n-th failure of instance 2 in a row was.
fn nth(scene: &Scene, n: u32) -> Option<u64> {
    let (evidence, settings) = (scene.evidence(), Settings::default());
    let case = Case { plan: &scene.plan, evidence: &evidence, settings: &settings };
    let moment = nth_in_a_row(case, &web(), &reviews(2), n)?;
    Some(moment.middle().since(at(0)).as_millis() as u64 / 10)
}

#[test]
fn failures_count_in_a_row() {
    let failing = scene(&[GOOD, BAD, BAD, BAD, GOOD]);
    assert_eq!([1, 2, 3, 4].map(|n| nth(&failing, n)), [Some(1), Some(2), Some(3), None]);
    assert_eq!(nth(&failing, 0), None);
    // A success begins anew: three failures, and no two in a row before the fifth call.
    let flaky = scene(&[BAD, GOOD, BAD, GOOD, BAD, BAD]);
    assert_eq!([1, 2, 3].map(|n| nth(&flaky, n)), [Some(0), Some(5), None]);
    // What another instance does is no success of this one.
    assert_eq!(nth(&scene(&[BAD, Hop::Ok(1), BAD]), 2), Some(2));
    assert_eq!(nth(&scene(&[BAD, Hop::Status(1, 500)]), 2), None);
}

#[test]
fn the_moment_is_that_of_the_tries_end_give_or_take_the_clock_error() {
    let (scene, settings) = (scene(&[BAD]), Settings::default());
    let evidence = scene.evidence();
    let case = Case { plan: &scene.plan, evidence: &evidence, settings: &settings };
    let moment = nth_in_a_row(case, &web(), &reviews(2), 1).unwrap();
    let ended = evidence.tries(&evidence.stories()[0]).next().unwrap().ended();
    assert_eq!((moment.middle(), moment.settled.since(moment.asked).as_millis()), (ended, 2));
}

#[test]
fn whatever_outlier_detection_holds_against_an_instance_is_a_failure() {
    for hop in [
        Hop::Status(2, 503),
        Hop::Aborted(2, 500),
        Hop::Refused(2),
        Hop::Broken(2),
        Hop::TimedOut(2, 5),
        Hop::Unheard(2, 5),
        // The call's own time limit: no flag, but its line says so.
        Hop::Nobody(2, 5),
    ] {
        assert_eq!(nth(&scene(&[hop, hop]), 2), Some(1), "{hop:?}");
    }
    for hop in [GOOD, Hop::Status(2, 404), Hop::Limited(2), Hop::Denied(2)] {
        assert_eq!(nth(&scene(&[BAD, hop, BAD]), 2), None, "{hop:?}");
    }
}

#[test]
fn a_client_that_goes_away_says_nothing_of_the_instance() {
    let mut gone = scene(&[BAD, Hop::Nobody(2, 5), BAD]);
    let line = gone.seen.access.iter_mut().find(|l| l.details == "response_timeout").unwrap();
    (line.status, line.flags, line.details) = (0, "DC".into(), "downstream_remote_disconnect".into());
    gone.seen.calls[1].end = ClientEnd::Deadline;
    assert_eq!([nth(&gone, 2), nth(&gone, 3)], [Some(2), None]);
}

#[test]
fn a_good_head_begins_anew_and_what_breaks_off_after_it_is_one_failure() {
    let mut broken = scene(&[BAD, GOOD, BAD]);
    broken.seen.tries[1].flags = "UPE".into();
    assert_eq!([nth(&broken, 2), nth(&broken, 3)], [Some(2), None]);
}

#[test]
fn retries_are_tries() {
    let mut scene = Scene::new(plan());
    scene.call(0, &[BAD, BAD, BAD]);
    // Each takes 5 ms.
    assert_eq!([1, 2, 3, 4].map(|n| nth(&scene, n)), [Some(0), Some(1), Some(1), None]);
}

#[test]
fn of_grpc_the_status_stands_for_one_of_http() {
    let grpc = |status| {
        let mut scene = Scene::new(speaking_grpc(plan()));
        scene.call(0, &[Hop::Grpc(2, status)]);
        nth(&scene, 1).is_some()
    };
    let failures = [2, 4, 12, 13, 14, 15];
    for number in 0..17 {
        let status = GrpcStatus::from_number(number).unwrap();
        assert_eq!(grpc(status), failures.contains(&number), "{status}");
    }
}

#[test]
fn each_proxy_counts_for_itself() {
    let mut scene = scene(&[BAD, BAD, BAD, BAD]);
    // The second and the fourth are another caller's.
    for n in [1, 3] {
        scene.seen.calls[n].caller = 2;
    }
    assert_eq!([nth(&scene, 2), nth(&scene, 3)], [Some(2), None]);
}

proptest! {
    #[test]
    fn it_is_the_first_run_long_enough(bad in prop::collection::vec(any::<bool>(), 1..40), n in 1u32..6) {
        let hops: Vec<Hop> = bad.iter().map(|bad| if *bad { BAD } else { GOOD }).collect();
        let expected = (0..bad.len()).find(|end| *end + 1 >= n as usize && bad[end + 1 - n as usize..=*end].iter().all(|b| *b));
        prop_assert_eq!(nth(&scene(&hops), n), expected.map(|end| end as u64));
    }
}
