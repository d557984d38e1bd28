use super::*;
use crate::{FAIL_FAST, summary};
use squall_model::{
    Body, ClaimId, Controlled, EVENT_VERSION, Finding, Finished, GuardMet, Judged, Measured, PlanKey, Quarantine,
    Queued, RunEvent, RunOf, Stamp, Title, Tripped, Variation, Why,
};

fn at(line: u32) -> Origin {
    Origin { file: "r.feature".into(), line, column: 5, length: 1 }
}

/// What came of the scenario at one line: its verdict with the line that made it so, its control runs, its quarantine.
#[derive(Default)]
struct Came {
    verdict: Option<(Verdict, u32)>,
    control: Option<ControlResult>,
    quarantined: bool,
}

fn came(verdict: Verdict, line: u32) -> Came {
    Came { verdict: Some((verdict, line)), ..Came::default() }
}

fn controlled(control: ControlResult) -> Came {
    Came { control: Some(control), ..came(Verdict::Holds, 0) }
}

fn bodies(n: u32, scenario: &Came) -> Vec<Body> {
    let until = "2030-01-31".parse().unwrap();
    let quarantine = scenario.quarantined.then(|| Quarantine { until, reason: "a slow disk".into() });
    let title = Title { feature: "F".into(), scenario: format!("The scenario of line {n}"), tags: Vec::new() };
    let queued =
        Queued { title, origin: at(n), claims: Vec::new(), policies: Vec::new(), no_control: None, quarantine };
    let mut bodies = vec![Body::Queued(queued)];
    if let Some((verdict, line)) = &scenario.verdict {
        let finding = Finding {
            claim: ClaimId(0),
            verdict: verdict.clone(),
            measured: Measured::Nothing,
            exemplars: Vec::new(),
            explanation: Default::default(),
        };
        if *line > 0 {
            let text = "a line".into();
            bodies.push(Body::Judged(Judged { text, origin: at(*line), finding, counters: vec![], log: vec![] }));
        }
        let verdict = verdict.clone();
        bodies.push(Body::Finished(Finished { verdict, calls: 10, took: 1, traffic: 1, cause: None }));
    }
    let controlled = |result: &ControlResult| Body::Controlled(Controlled { result: result.clone(), runs: Vec::new() });
    bodies.extend(scenario.control.as_ref().map(controlled));
    bodies
}

/// A run of these scenarios, at lines 10, 20, 30…
fn run(scenarios: &[Came], stopped: Option<&str>) -> Stories {
    let mut stories = Stories::default();
    let mut read = |of, body| stories.read(&RunEvent { v: EVENT_VERSION, seq: 0, at: Stamp(0), of, body });
    for (n, scenario) in (1..).zip(scenarios) {
        let of = RunOf { plan: PlanKey(format!("{n:016}")), variation: Variation::Main };
        bodies(10 * n, scenario).into_iter().for_each(|body| read(Some(of.clone()), body));
    }
    if let Some(why) = stopped {
        read(None, Body::Interrupted { why: why.into() });
    }
    let totals = Totals { wall_s: 1.0, ..stories.totals() };
    stories.read(&RunEvent { v: EVENT_VERSION, seq: 0, at: Stamp(0), of: None, body: Body::RunFinished(totals) });
    stories
}

fn told(scenarios: &[Came]) -> String {
    closing(&run(scenarios, None), false, Style::PLAIN)
}

fn border() -> Verdict {
    Verdict::Inconclusive(Why::Border)
}

#[test]
fn a_green_run_needs_no_more_words() {
    insta::assert_snapshot!(told(&[controlled(ControlResult::Red)]), @"1 scenario: 1 holds · 1 control: 1 red · 1.0 s");
}

#[test]
fn a_red_run_names_what_made_it_red_and_nothing_else() {
    let reds = || came(Verdict::Violated, 14);
    insta::assert_snapshot!(told(&[controlled(ControlResult::Red), came(border(), 24), reds()]), @"
    3 scenarios: 1 holds, 1 violated, 1 inconclusive · 1 control: 1 red · 1.0 s
      ✗ r.feature:14:5  The scenario of line 30: violated
    exit status 1: something is violated
    ");
    insta::assert_snapshot!(told(&[controlled(ControlResult::Vacuous)]), @"
    1 scenario: 1 vacuous · 1 control: 0 red, 1 vacuous · 1.0 s
      ✗ r.feature:10:5  The scenario of line 10: vacuous
    exit status 1: something holds without what it tests (vacuous)
    ");
    insta::assert_snapshot!(told(&[reds(), reds(), controlled(ControlResult::Vacuous), reds(), reds()]), @"
    5 scenarios: 4 violated, 1 vacuous · 1 control: 0 red, 1 vacuous · 1.0 s
      ✗ r.feature:14:5  The scenario of line 10: violated
      ✗ r.feature:14:5  The scenario of line 20: violated
      ✗ r.feature:30:5  The scenario of line 30: vacuous
        … and 2 more
    exit status 1: something is violated, or holds without what it tests (vacuous)
    ");
}

#[test]
fn a_run_in_error_says_which() {
    let error = || came(Verdict::Error("no proxy".into()), 0);
    insta::assert_snapshot!(told(&[error(), came(border(), 24), controlled(ControlResult::Error("a stall".into()))]), @"
    3 scenarios: 1 holds, 1 in error, 1 inconclusive · 1 control: 0 red, 1 in error · 1.0 s
      ! r.feature:10:5  The scenario of line 10: error: no proxy
      ! r.feature:30:5  The scenario of line 30: control in error: a stall
    exit status 3: an error kept something from being judged
    ");
}

#[test]
fn a_run_that_decided_too_little_says_what_is_open() {
    let unsupported = || came(Verdict::Unsupported("no TCP".into()), 0);
    insta::assert_snapshot!(told(&[came(border(), 14), unsupported()]), @"
    2 scenarios: 1 inconclusive, 1 unsupported · 1.0 s
      ? r.feature:14:5  The scenario of line 10: inconclusive: it depends on calls that crossed the border of the phase
      ? r.feature:20:5  The scenario of line 20: unsupported: no TCP
    exit status 5: nothing is violated, but not everything was decided
    ");
    insta::assert_snapshot!(told(&[unsupported()]), @"
    1 scenario: 1 unsupported · 1.0 s
      ? r.feature:10:5  The scenario of line 10: unsupported: no TCP
    exit status 5: nothing is violated, but something is unsupported (`--allow-unsupported` counts that as green)
    ");
    insta::assert_snapshot!(told(&[Came { quarantined: true, ..came(border(), 14) }]), @"
    1 scenario: 1 in quarantine · 1.0 s
    exit status 5: nothing that counts was shown: all of it is in quarantine
    ");
    let allowed = closing(&run(&[unsupported(), came(border(), 24)], None), true, Style::PLAIN);
    assert!(allowed.contains("r.feature:24") && !allowed.contains("r.feature:10"), "{allowed}");
    assert!(!closing(&run(&[unsupported()], None), true, Style::PLAIN).contains("exit status"), "it was allowed");
}

#[test]
fn nothing_ran() {
    insta::assert_snapshot!(told(&[]), @"
    0 scenarios: nothing ran · 1.0 s
    exit status 4: nothing ran
    ");
}

#[test]
fn what_was_stopped_has_not_been_shown_to_hold() {
    let green = || controlled(ControlResult::Red);
    let stopped = run(&[green(), Came::default()], Some("SIGINT"));
    insta::assert_snapshot!(closing(&stopped, false, Style::PLAIN), @"
    2 scenarios: 1 holds, 1 not run · 1 control: 1 red · 1.0 s
    exit status 3: the run was stopped before all of it was judged
    ");
    let under_way = run(&[green(), came(Verdict::Error("stopped".into()), 0)], Some("SIGINT"));
    assert!(closing(&under_way, false, Style::PLAIN).ends_with("3: the run was stopped before all of it was judged\n"));
    let first_error = run(&[came(Verdict::Error("no proxy".into()), 0), Came::default()], Some(FAIL_FAST));
    assert!(closing(&first_error, false, Style::PLAIN).ends_with("3: an error kept something from being judged\n"));
    let status = |came: Came, why| run(&[came, Came::default()], Some(why)).exit_status(false);
    assert_eq!([status(green(), "SIGINT"), status(green(), FAIL_FAST)], [3, 0]);
    assert_eq!(status(came(Verdict::Violated, 4), "SIGINT"), 1, "a red never hides behind an error");
    assert_eq!([status(came(border(), 4), "SIGINT"), status(came(border(), 4), FAIL_FAST)], [3, 5]);
}

fn met() -> GuardMet {
    let text = "the run is aborted once more than 20% of the calls fail".into();
    GuardMet { text, origin: at(22), at: 2_310_000_000, measured: Tripped { hits: 41, n: 50, latest: true } }
}

/// A run that a guard of its second scenario aborted.
fn aborted(first: Came, quarantined: bool) -> Stories {
    let verdict = Verdict::Inconclusive(Why::Aborted(Box::new(met())));
    let second = Came { quarantined, ..came(verdict, 0) };
    let mut stories = run(&[first, second, Came::default()], Some("the guard at r.feature:22:5"));
    let of = Some(RunOf { plan: PlanKey(format!("{:016}", 2)), variation: Variation::Main });
    stories.read(&RunEvent { v: EVENT_VERSION, seq: 0, at: Stamp(0), of, body: Body::GuardMet(met()) });
    stories
}

#[test]
fn a_run_that_a_guard_aborted_says_which_and_is_not_green() {
    let stories = aborted(controlled(ControlResult::Red), false);
    insta::assert_snapshot!(closing(&stories, false, Style::PLAIN), @"
    3 scenarios: 1 holds, 1 inconclusive, 1 not run · 1 control: 1 red · 1.0 s
      ? r.feature:22:5  The scenario of line 20: inconclusive: nothing was proven, the guard at r.feature:22:5 was met at 2.31 s by 41 of the latest 50 calls (82.0%): the run is aborted once more than 20% of the calls fail
    exit status 5: a guard aborted the run before all of it was judged
    ");
    assert_eq!(stories.stopped_by().unwrap(), "aborted by the guard at r.feature:22:5");
    insta::assert_snapshot!(crate::junit(&stories).unwrap());
    assert!(
        summary(&stories).unwrap().contains(r#""file":"r.feature","line":22,"came":"inconclusive: nothing was proven"#)
    );
    let status = |first, quarantined| aborted(first, quarantined).exit_status(false);
    assert_eq!(status(controlled(ControlResult::Red), true), 5, "a quarantine hides no abort");
    assert_eq!(status(came(Verdict::Violated, 4), false), 1, "a red never hides behind it");
    assert_eq!(status(came(Verdict::Error("no proxy".into()), 0), false), 3);
}

#[test]
fn a_run_without_its_end_has_no_status() {
    let mut stories = run(&[came(Verdict::Violated, 14)], None);
    stories.totals = None;
    assert!(!closing(&stories, false, Style::PLAIN).contains("exit status"));
}

#[test]
fn the_summary_names_them_too() {
    let json = summary(&run(&[controlled(ControlResult::Red), came(border(), 24)], None)).unwrap();
    insta::assert_snapshot!(json, @r#"{"scenarios":2,"holds":1,"violated":0,"inconclusive":1,"unsupported":0,"error":0,"vacuous":0,"controls_red":1,"controls_none":0,"controls_undecided":0,"controls_error":0,"quarantined":0,"not_run":0,"alpha":0.0,"wall_s":1.0,"not_green":[{"scenario":"The scenario of line 20","file":"r.feature","line":24,"came":"inconclusive: it depends on calls that crossed the border of the phase"}]}"#);
}
