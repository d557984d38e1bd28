use super::*;
use crate::{Column, Stories, junit, matrix};
use squall_model::{
    Body, ClaimId, Controlled, DoseCount, EVENT_VERSION, FaultId, Finding, Finished, Measured, Origin, PlanKey, Queued,
    RunEvent, RunOf, Stamp, Title,
};

fn at(line: u32) -> Origin {
    Origin { file: "r.feature".into(), line, column: 5, length: 1 }
}

fn judged(line: u32, text: &str, verdict: Verdict, measured: Measured) -> Judged {
    let finding =
        Finding { claim: ClaimId(line), verdict, measured, exemplars: Vec::new(), explanation: Default::default() };
    Judged { text: text.into(), origin: at(line), finding, counters: Vec::new(), log: Vec::new() }
}

/// A run whose scenario came to this, with these control runs.
fn run(main: Verdict, result: ControlResult, controls: Vec<(Variation, Verdict, Vec<Body>)>) -> Stories {
    let of = |variation| RunOf { plan: PlanKey("0123456789abcdef".into()), variation };
    let queued = Queued {
        title: Title { feature: "Retry".into(), scenario: "It helps".into(), tags: Vec::new() },
        origin: at(3),
        claims: Vec::new(),
        policies: vec![(PolicyId(0), at(4)), (PolicyId(1), at(5))],
        no_control: None,
        quarantine: None,
    };
    let finished = Finished { verdict: main, calls: 10, took: 1, traffic: 1, cause: None };
    let mut bodies = vec![
        (of(Variation::Main), Body::Queued(queued)),
        (of(Variation::Main), Body::Started),
        (of(Variation::Main), Body::Finished(finished)),
    ];
    let runs = controls.iter().map(|(variation, came, _)| (*variation, came.clone(), Vec::new())).collect();
    for (variation, _, told) in controls {
        bodies.push((of(variation), Body::Started));
        bodies.extend(told.into_iter().map(|body| (of(variation), body)));
    }
    bodies.push((of(Variation::Main), Body::Controlled(Controlled { result, runs })));
    let mut stories = Stories::default();
    let event = |(n, (of, body))| RunEvent { v: EVENT_VERSION, seq: n, at: Stamp(n), of: Some(of), body };
    (0..).zip(bodies).map(event).for_each(|event| stories.read(&event));
    stories
}

fn told(stories: &Stories) -> String {
    let (_, story) = &stories.scenarios[0];
    format!("{}\n{}", in_short(story, Style::PLAIN), block(story, Style::PLAIN))
}

fn too_few() -> Judged {
    let seen = Measured::Share { hits: 171, n: 200, low: 0.74, high: 0.93, alpha: 1e-7 };
    judged(7, "at least 85% of the calls succeed", Verdict::Inconclusive(Why::Undecided { needed: Some(1200) }), seen)
}

fn undecided(told: Vec<Body>) -> Stories {
    let came = Verdict::Inconclusive(Why::Border);
    run(Verdict::Holds, ControlResult::Undecided, vec![(Variation::WithoutPolicies, came, told)])
}

#[test]
fn an_undecided_control_says_which_line_why_and_what_would_help() {
    let holds = judged(8, "no call is tried more than 3 times", Verdict::Holds, Measured::Every { against: 0, n: 200 });
    insta::assert_snapshot!(told(&undecided(vec![Body::Judged(too_few()), Body::Judged(holds)])), @"
    ? control undecided
      ? control undecided: without its policies, no line is violated and not all of them hold
        line 7    at least 85% of the calls succeed
        measured  85.5% (171 of 200); the truth lies between 74% and 93% (99.99999% sure)
        so        inconclusive: too few calls to decide: about 1200 would
        help      more calls, or a stronger effect: a fault that hits more of them, or a bound that is further from what comes without what is tested
    ");
}

#[test]
fn a_fault_that_was_not_felt_in_the_control_run_is_shown() {
    let why = Why::Dose { fault: FaultId(0), dose: Dose::Absent, discord: None };
    let line = judged(7, "every call fails", Verdict::Inconclusive(why), Measured::Every { against: 3, n: 9 });
    let count = DoseCount::new(FaultId(0), Dose::Absent, 0, 0);
    let dosed = Body::Dosed { text: "all calls are aborted".into(), origin: at(6), level: None, count };
    insta::assert_snapshot!(told(&undecided(vec![dosed, Body::Judged(line)])), @"
    ? control undecided
      ? control undecided: without its policies, no line is violated and not all of them hold
        line 7    every call fails
        measured  3 of 9 break it
        so        inconclusive: the fault touched nothing
        fault     all calls are aborted: it touched nothing: no traffic came its way
        help      see that the fault is felt in the control run too: more traffic that it can hit, or more of it hit
    ");
}

#[test]
fn of_several_control_runs_those_that_decided_nothing_are_told() {
    let why = |why| Verdict::Inconclusive(why);
    let open = |line, of| Body::Judged(judged(line, "a line", why(of), Measured::Nothing));
    let controls = vec![
        (Variation::WithoutPolicies, Verdict::Holds, Vec::new()),
        (Variation::WithoutPolicy(PolicyId(0)), why(Why::Empty), Vec::new()),
        (
            Variation::WithoutPolicy(PolicyId(1)),
            why(Why::Empty),
            vec![
                open(7, Why::Empty),
                open(8, Why::Border),
                open(9, Why::Environment("a stall".into())),
                open(10, Why::Empty),
            ],
        ),
    ];
    insta::assert_snapshot!(told(&run(Verdict::Holds, ControlResult::Undecided, controls)), @"
    ? control undecided
      ? control undecided: without the policy of line 4, no line is violated and not all of them hold
        so        inconclusive: there was nothing to judge
      ? control undecided: without the policy of line 5, no line is violated and not all of them hold
        line 7    a line
        measured  nothing could be measured
        so        inconclusive: there was nothing to judge
        help      a line about calls that are there without what is tested, too
        line 8    a line
        measured  nothing could be measured
        so        inconclusive: it depends on calls that crossed the border of the phase
        help      a stronger effect, or less in flight at the borders: a longer phase, fewer calls at a time, shorter answers
        line 9    a line
        measured  nothing could be measured
        so        inconclusive: the run proves nothing: a stall
        help      run it again, with less beside it on this machine
                  … and 1 line more
    ");
}

#[test]
fn a_control_that_holds_decides_nothing_for_a_scenario_that_does_not() {
    let controls = vec![(Variation::WithoutFaults, Verdict::Holds, Vec::new())];
    let main = Verdict::Inconclusive(Why::Border);
    insta::assert_snapshot!(told(&run(main, ControlResult::Undecided, controls)), @"
    ? control undecided
      ? control undecided: every line holds in the control run as well, which decides nothing while the scenario itself does not hold
    ");
}

#[test]
fn a_run_that_does_not_count_is_not_told() {
    let again = vec![Body::Judged(too_few()), Body::Rerun { why: "a stall".into() }, Body::Judged(too_few())];
    assert_eq!(told(&undecided(again)).matches("line 7").count(), 1);
}

#[test]
fn a_control_that_decided_says_nothing_more() {
    let controls = vec![(Variation::WithoutFaults, Verdict::Holds, vec![Body::Judged(too_few())])];
    assert_eq!(told(&run(Verdict::Holds, ControlResult::Vacuous, controls)).lines().count(), 1);
}

#[test]
fn junit_says_it_too() {
    let xml = junit(&undecided(vec![Body::Judged(too_few())])).unwrap();
    let why =
        "control undecided: without its policies, line 7 is inconclusive: too few calls to decide: about 1200 would";
    assert!(xml.contains(&format!("<error message=\"{why}\">")), "{xml}");
    assert!(xml.contains("help      more calls"), "{xml}");
}

#[test]
fn releases_that_differ_in_it_are_told_apart() {
    let open = undecided(vec![Body::Judged(too_few())]);
    let red = run(Verdict::Holds, ControlResult::Red, Vec::new());
    let columns = [Column { on: "1.39.0", stories: &red }, Column { on: "1.40.0", stories: &open }];
    let told = matrix(&columns, Style::PLAIN);
    assert!(told.contains("    control undecided: without its policies, line 7 is inconclusive: too few"), "{told}");
}
