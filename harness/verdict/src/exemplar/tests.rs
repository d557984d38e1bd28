use super::*;
use crate::testing::{calls, every, finding};
use squall_evidence::testing::{Hop, Scene, plan};
use squall_model::{Outcome, Phase};

fn scene() -> Scene {
    let mut scene = Scene::new(plan());
    scene.calls(0, 10, 100, |n| match n {
        37 => vec![Hop::TimedOut(1, 300)],
        61 => vec![Hop::Refused(1), Hop::Refused(2), Hop::Status(3, 500)],
        _ => vec![Hop::Status(1, 500)],
    });
    scene
}

#[test]
fn five_stand_for_all_the_first_the_last_and_the_worst_among_them() {
    let evidence = scene().evidence();
    let all: Vec<usize> = (0..100).collect();
    let chosen: Vec<String> = spread(&evidence, &all).into_iter().map(|e| e.id).collect();
    assert_eq!(chosen, ["t-0", "t-37", "t-49", "t-61", "t-99"]);
    let three: Vec<String> = spread(&evidence, &[7, 5, 5, 99]).into_iter().map(|e| e.id).collect();
    assert_eq!(three, ["t-5", "t-7", "t-99"]);
    assert!(spread(&evidence, &[]).is_empty());
}

#[test]
fn an_exemplar_has_every_try_on_the_calls_own_timeline() {
    let evidence = scene().evidence();
    let shown = spread(&evidence, &[61]).remove(0);
    insta::assert_yaml_snapshot!(shown, @r#"
    id: t-61
    at: 610000000
    took: 5600000
    end:
      answered: 500
    outcome: answered
    flags: URX
    details: via_upstream
    tries:
      - attempt: 1
        instance:
          service: reviews
          number: 1
        at: 100000
        took: 200000
        status: 0
        flags: UF
        served: false
      - attempt: 2
        instance:
          service: reviews
          number: 2
        at: 300000
        took: 200000
        status: 0
        flags: UF
        served: false
      - attempt: 3
        instance:
          service: reviews
          number: 3
        at: 500000
        took: 5000000
        status: 500
        flags: ""
        served: true
    "#);
}

#[test]
fn what_holds_needs_no_example() {
    assert!(finding(&scene(), every(calls(Phase::Whole), Outcome::Fail)).exemplars.is_empty());
    assert_eq!(finding(&scene(), every(calls(Phase::Whole), Outcome::Succeed(None))).exemplars.len(), 5);
}

#[test]
fn each_kind_of_offence_has_its_example_however_rare() {
    let mut scene = Scene::new(plan());
    scene.calls(0, 10, 100, |n| match n {
        20..30 => vec![Hop::Status(2, 503)],
        45 => vec![Hop::Refused(3)],
        80.. => vec![Hop::Status(1, 500), Hop::Status(2, 503)],
        _ => vec![Hop::Status(1, 500)],
    });
    let all: Vec<usize> = (0..100).collect();
    let chosen: Vec<String> = spread(&scene.evidence(), &all).into_iter().map(|e| e.id).collect();
    assert_eq!(chosen, ["t-0", "t-20", "t-45", "t-80", "t-99"]);
}
