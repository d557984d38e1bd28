use super::*;
use squall_model::{
    Absence, Condition, EVENT_VERSION, Finished, InstanceId, Origin, Quarantine, Queued, RunOf, Stamp, Title, Totals,
    Why,
};

/// What is shown of a scenario that came to this, with one ejection.
fn shown(verdict: &Verdict, verbose: bool) -> String {
    shown_in(None, verdict, verbose)
}

fn shown_in(quarantine: Option<Quarantine>, verdict: &Verdict, verbose: bool) -> String {
    let of = RunOf { plan: PlanKey("0123456789abcdef".into()), variation: Variation::Main };
    let queued = Queued {
        title: Title { feature: "Ejection".into(), scenario: "It is out".into(), tags: Vec::new() },
        origin: Origin { file: "e.feature".into(), line: 3, column: 1, length: 1 },
        claims: Vec::new(),
        policies: Vec::new(),
        no_control: None,
        quarantine,
    };
    let absence = Absence {
        by: InstanceId { service: "web".into(), number: 1 },
        of: InstanceId { service: "reviews".into(), number: 2 },
        what: Condition::Ejected,
        nth: 1,
        at: 1_420_000_000,
        lasted: None,
        in_flight: 0,
        late_tries: 0,
        last_late: None,
    };
    let finished = Finished { verdict: verdict.clone(), calls: 10, took: 1, traffic: 1, cause: None };
    let mut terminal = Terminal::new(Style::PLAIN, verbose);
    let bodies = [Body::Queued(queued), Body::Started, Body::Absence(absence), Body::Finished(finished)];
    let event = |(body, seq)| RunEvent { v: EVENT_VERSION, seq, at: Stamp(seq), of: Some(of.clone()), body };
    bodies.into_iter().zip(0..).map(event).map(|event| terminal.read(&event)).collect()
}

#[test]
fn absences_are_shown_where_something_did_not_hold_or_all_is_asked_for() {
    let told = |verdict: Verdict, verbose| shown(&verdict, verbose).contains("web-1 ejected reviews-2 at 1.42 s");
    assert!(!told(Verdict::Holds, false));
    assert!(told(Verdict::Holds, true));
    assert!(told(Verdict::Violated, false));
    assert!(told(Verdict::Inconclusive(Why::Border), false));
}

#[test]
fn a_quarantine_is_shown_whatever_came_of_it() {
    let until = "2030-01-31".parse().unwrap();
    let quarantine = Quarantine { until, reason: "a slow disk".into() };
    insta::assert_snapshot!(shown_in(Some(quarantine), &Verdict::Inconclusive(Why::Border), false));
}

#[test]
fn a_run_that_is_interrupted_is_no_error() {
    let key = |n: u8| PlanKey(format!("{n:016}"));
    let of = |n| Some(RunOf { plan: key(n), variation: Variation::Main });
    let queued = |n: u8| Queued {
        title: Title { feature: "Ejection".into(), scenario: format!("Number {n}"), tags: Vec::new() },
        origin: Origin { file: "e.feature".into(), line: 3, column: 1, length: 1 },
        claims: Vec::new(),
        policies: Vec::new(),
        no_control: None,
        quarantine: None,
    };
    let finished = Finished { verdict: Verdict::Holds, calls: 10, took: 1, traffic: 1, cause: None };
    let totals = Totals { scenarios: 1, holds: 1, not_run: 2, ..Totals::default() };
    let told = |why: &str| -> String {
        let mut terminal = Terminal::new(Style::PLAIN, false);
        let bodies = [
            (of(1), Body::Queued(queued(1))),
            (of(2), Body::Queued(queued(2))),
            (of(3), Body::Queued(queued(3))),
            (of(1), Body::Started),
            (of(1), Body::Finished(finished.clone())),
            (of(2), Body::Started),
            (None, Body::Interrupted { why: why.into() }),
            (None, Body::RunFinished(totals)),
        ];
        let event = |((of, body), seq)| RunEvent { v: EVENT_VERSION, seq, at: Stamp(seq), of, body };
        let shown: String = bodies.into_iter().zip(0..).map(event).map(|event| terminal.read(&event)).collect();
        shown + &crate::junit(terminal.stories()).unwrap()
    };
    insta::assert_snapshot!(told("SIGINT"));
    assert!(told("SIGTERM").contains("\ninterrupted by SIGTERM during \"Number 2\""));
    assert!(told("--fail-fast").contains("\nstopped by --fail-fast during \"Number 2\""));
}
