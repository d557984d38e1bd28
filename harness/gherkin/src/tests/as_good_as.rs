//! *As good as*: blocks in the plan, and what lint says of comparisons.

use super::support::{BACKGROUND, codes, each, plan, scenario, told};
use squall_model::{Act, Blocks, ClaimKind, Damage, FaultId, FaultKind, Margin, Reference, Variation, vary};
use std::time::Duration;

const RETRIED: &str = "Given calls to \"reviews\" are retried up to 2 times on \"5xx\"\n";
const ABORTED: &str = "When 10% of the tries reaching \"reviews\" are aborted with status 503\n";
const TRAFFIC: &str = "And \"web\" makes 300 calls per second to \"reviews\" for 3 seconds\n";
const CLAIM: &str = "Then calls to \"reviews\" are as good as without the fault, within 5%";

fn lines(parts: &[&str]) -> String {
    scenario(&parts.concat())
}

#[test]
fn faults_that_stand_are_switched_on_and_off() {
    let plan = plan(&lines(&[RETRIED, ABORTED, "And instance 1 of \"reviews\" answers in 20 ms\n", TRAFFIC, CLAIM]));
    let stage = &plan.timeline.stages[0];
    let blocks = Blocks { length: Duration::from_millis(250), count: 12 };
    assert_eq!((stage.standing.len(), stage.blocks), (0, Some(blocks)));
    let cues: Vec<String> = stage.cues.iter().map(|cue| format!("{:?} {:?}", cue.at, cue.act)).collect();
    insta::assert_snapshot!(cues.join("\n"));
    let margin = Margin { points: Some(squall_model::Fraction::percent(5)), later: None };
    assert!(
        matches!(&plan.claims[0].kind, ClaimKind::Paired { reference: Reference::WithoutFault, margin: m, .. } if *m == margin)
    );
}

#[test]
fn no_block_is_left_over() {
    for (seconds, count, length) in [("2", 8, 250_000), ("2.4", 8, 300_000), ("2.6", 10, 260_000), ("5", 20, 250_000)] {
        let traffic = TRAFFIC.replace("3 seconds", &format!("{seconds} seconds"));
        let plan = plan(&lines(&[RETRIED, ABORTED, &traffic, CLAIM]));
        let blocks = Blocks { length: Duration::from_micros(length), count };
        assert_eq!(plan.timeline.stages[0].blocks, Some(blocks), "{seconds} s");
    }
}

#[test]
fn without_the_claim_they_stand() {
    let plan = plan(&lines(&[RETRIED, ABORTED, TRAFFIC, "Then at least 90% of the calls succeed"]));
    let stage = &plan.timeline.stages[0];
    assert_eq!(
        (stage.standing.as_slice(), stage.cues.len(), stage.blocks),
        ([Act::Arm(FaultId(0))].as_slice(), 0, None)
    );
}

#[test]
fn a_warm_up_before_the_fault_is_no_block() {
    let first = "When \"web\" makes 100 calls per second to \"reviews\" for 1 second\n";
    let plan = plan(&lines(&[RETRIED, first, &ABORTED.replace("When", "And"), TRAFFIC, CLAIM]));
    let blocks: Vec<bool> = plan.timeline.stages.iter().map(|stage| stage.blocks.is_some()).collect();
    assert_eq!(blocks, [false, true]);
    assert_eq!(plan.timeline.stages[0].cues.len() + plan.timeline.stages[0].standing.len(), 0);
}

#[test]
fn control_runs_keep_the_blocks() {
    let text = lines(&[RETRIED, ABORTED, TRAFFIC, CLAIM]);
    let main = plan(&text);
    let bare = vary(&main, Variation::WithoutPolicies);
    assert_eq!((bare.policies.len(), &bare.timeline), (0, &main.timeline));
    let clean = vary(&main, Variation::WithoutFaults);
    assert_eq!((clean.faults.len(), clean.timeline.stages[0].cues.len()), (0, 0));
    assert_eq!(clean.timeline.stages[0].blocks, main.timeline.stages[0].blocks);
}

#[test]
fn what_comes_in_a_control_run_is_switched_as_well() {
    let replaced = "And in the control run 50% of the calls to \"reviews\" are aborted with status 503\n";
    let main = plan(&lines(&[RETRIED, ABORTED, replaced, TRAFFIC, CLAIM]));
    let acts = |plan: &squall_model::Plan, id| {
        let stage = &plan.timeline.stages[0];
        assert!(stage.standing.is_empty() && stage.cues.is_sorted_by_key(|cue| cue.at));
        stage.acts().filter(|act| matches!(act, Act::Arm(of) | Act::End(of) if *of == FaultId(id))).count()
    };
    let control = vary(&main, Variation::Replaced);
    let number = control.faults.last().map(|f| f.id.0).unwrap();
    assert_eq!(acts(&control, number), acts(&main, 0));
    let outage = vary(&main, Variation::Outage);
    let outages = outage.faults.iter().filter(|f| matches!(f.does, FaultKind::Outage { .. }));
    assert_eq!(outages.map(|f| acts(&outage, f.id.0)).collect::<Vec<_>>(), [6], "one, as often as the fault");
    let wires = outage.faults.iter().filter(|f| matches!(f.does, FaultKind::Wire { damage: Damage::Cut, .. }));
    assert_eq!(wires.count(), 0);
}

#[test]
fn faults_that_cannot_be_switched() {
    insta::assert_snapshot!(each(&[
        &[RETRIED, &ABORTED.replace("503", "503 from 1 s to 2 s"), TRAFFIC, CLAIM].concat(),
        &[RETRIED, "When instance 2 of \"reviews\" is killed\n", TRAFFIC, CLAIM].concat(),
        &[RETRIED, ABORTED, TRAFFIC, "And \"web\" makes 300 calls per second to \"reviews\" for 2 seconds\n", CLAIM]
            .concat(),
        &[RETRIED, ABORTED, "And calls to \"reviews\" time out after 1 s at 1 s\n", TRAFFIC, CLAIM].concat(),
        &[RETRIED, ABORTED, "And in the control run instance 2 of \"reviews\" is killed\n", TRAFFIC, CLAIM].concat(),
        &[RETRIED, "When \"web\" makes 300 calls per second to \"reviews\" for 3 seconds\n", CLAIM].concat(),
    ]));
}

#[test]
fn stages_without_room_for_blocks() {
    let serial = "And \"web\" makes 400 calls to \"reviews\"\n";
    insta::assert_snapshot!(each(&[
        &[RETRIED, ABORTED, &TRAFFIC.replace("3 seconds", "1.5 s"), CLAIM].concat(),
        &[RETRIED, ABORTED, serial, CLAIM].concat(),
        &[RETRIED, ABORTED, &TRAFFIC.replace("300 calls", "40 calls"), CLAIM].concat(),
    ]));
}

#[test]
fn whoever_is_taken_out_stays_out() {
    let ejected =
        |lasts: &str| format!("Given an instance of \"reviews\" is ejected for {lasts} after 5 failures in a row\n");
    let bad = "When instance 2 of \"reviews\" answers with status 503\n";
    assert_eq!(codes(&lines(&[&ejected("10 s"), bad, TRAFFIC, CLAIM])), [""; 0]);
    // Whoever accepts a connection is well, whatever it answers.
    let asked = "Given each instance of \"reviews\" is checked every 100 ms by tcp\n";
    let retried = RETRIED.replace("Given", "And").replace("\"5xx\"", "\"5xx\", each on another instance");
    assert_eq!(codes(&lines(&[asked, &retried, bad, TRAFFIC, CLAIM])), ["blind-check"]);
    let checked = "Given each instance of \"reviews\" is checked every 100 ms by http on path \"/health\"\n";
    let often = "When 50% of the tries reaching instance 2 of \"reviews\" are aborted with status 503\n";
    insta::assert_snapshot!(each(&[
        &[&ejected("1 s"), bad, TRAFFIC, CLAIM].concat(),
        &[&ejected("10 s"), often, TRAFFIC, CLAIM].concat(),
        &[checked, bad, TRAFFIC, CLAIM].concat(),
    ]));
}

#[test]
fn what_the_traffic_can_show() {
    let default = "Then calls to \"reviews\" are as good as without the fault";
    let before = "Then calls to \"reviews\" are as good as before the fault, within 5% and 20 ms";
    let timed = ABORTED.replace("503", "503 from 1.5 s");
    assert_eq!(codes(&lines(&[RETRIED, ABORTED, TRAFFIC, CLAIM])), [""; 0]);
    assert_eq!(codes(&lines(&[RETRIED, &timed, TRAFFIC, before])), [""; 0]);
    insta::assert_snapshot!(each(&[
        &[RETRIED, ABORTED, TRAFFIC, default].concat(),
        &[RETRIED, ABORTED, &TRAFFIC.replace("3 seconds", "6 seconds"), default].concat(),
        &[RETRIED, &timed, &TRAFFIC.replace("3 seconds", "1.8 s"), before].concat(),
        &[ABORTED, TRAFFIC, CLAIM, "\nAnd at least 1 call fails"].concat(),
    ]));
}

#[test]
fn comparisons_with_what_was_before() {
    let change = "When calls to \"reviews\" time out after 1 s at 1 s\n";
    let after = "Then calls to \"reviews\" are as good as before the change, within 5%";
    assert_eq!(codes(&lines(&[change, TRAFFIC, after])), [""; 0]);
    insta::assert_snapshot!(each(&[
        &[RETRIED, ABORTED, TRAFFIC, "Then calls to \"reviews\" are as good as before the fault, within 5%"].concat(),
        &[RETRIED, ABORTED, TRAFFIC, after].concat(),
        &[
            "When instance 2 of \"reviews\" is killed from 1 s to 2 s\n",
            TRAFFIC,
            "Then calls to \"reviews\" are as good as before the fault, within 5%\nAnd at least 1 call fails"
        ]
        .concat(),
    ]));
}

#[test]
fn other_lines_speak_of_the_times_with_the_fault() {
    let share = |phase: &str| format!("{CLAIM}\nAnd at least 5% of the calls are retried{phase}");
    assert_eq!(codes(&lines(&[RETRIED, ABORTED, TRAFFIC, &share(" during the fault")])), ["undecided"]);
    assert_eq!(codes(&lines(&[RETRIED, ABORTED, TRAFFIC, &share("")])), ["share-over-step"]);
}

#[test]
fn a_comparison_promises_no_harm() {
    let text =
        told(&format!("{BACKGROUND}  Scenario: S\n    {ABORTED}    {TRAFFIC}    {}\n", CLAIM.replace("5%", "50%")));
    assert!(text.contains("no-harm") && text.contains("@control(outage)"), "{text}");
}
