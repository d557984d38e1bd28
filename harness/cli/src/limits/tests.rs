use super::*;
use squall_gherkin::{Defaults, Selection, Source, compile};

/// `[kubernetes.limits]` with these lines, as settings have it.
pub(super) fn limits(lines: &str) -> Limits {
    let text = format!("# ours\n[kubernetes.limits]\n{lines}\n");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE), text).unwrap();
    crate::settings::Settings::read(folder.path()).unwrap().kubernetes.limits
}

fn plan(lines: &str) -> Plan {
    let text = format!(
        "Feature: F\n  @control(none: \"it is not run\")\n  Scenario: S\n    Given a service \"web\" that calls \"reviews\"\n    And a service \"reviews\" with 3 instances\n{lines}\n    Then at most 9 calls fail\n"
    );
    let compiled = compile(&Source::new("t.feature", text), &Defaults::default(), &Selection::default());
    let said =
        |mistakes: Vec<Diagnostic>| mistakes.iter().map(|one| one.message.clone()).collect::<Vec<_>>().join("; ");
    compiled.map_err(said).unwrap().plans.remove(0)
}

const CALLS: &str = "    When \"web\" makes 100 calls per second to \"reviews\" for 4 s";

fn beyond(limit: &str, lines: &str) -> Option<String> {
    let mut all = limits(limit).beyond(&plan(lines));
    assert!(all.len() < 2, "{all:?}");
    let one = all.pop()?;
    assert_eq!(one.severity, Severity::Error);
    Some(format!("{}: {}", one.origin, one.message))
}

/// Each pair: what is too much for a limit, with what is just not.
#[test]
fn each_limit_refuses_what_is_beyond_it_and_nothing_else() {
    let with = |fault: &str| format!("    When {fault}\n{CALLS}");
    let aborts =
        |share: &str| with(&format!("{share} of the calls from \"web\" to \"reviews\" are aborted with status 503"));
    let killed = with("instance 1 of \"reviews\" is killed from 1 s to 2 s");
    let told: Vec<String> = [
        ("share = \"50%\"", aborts("51%"), aborts("50%")),
        ("share = \"33%\"", killed.clone(), aborts("33%")),
        ("rate = 99", CALLS.to_owned(), CALLS.replace("100 ", "99 ")),
        ("duration = \"3 s\"", CALLS.to_owned(), CALLS.replace("4 s", "3 s")),
    ]
    .into_iter()
    .map(|(limit, much, enough)| {
        assert_eq!(beyond(limit, &enough), None, "{limit}");
        beyond(limit, &much).expect(limit)
    })
    .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    t.feature:6:10: it touches 51% of the calls, and on a cluster that is beyond `share = "50%"` (squall.toml:3)
    t.feature:6:10: it touches 33.3334% of the instances of a service, and on a cluster that is beyond `share = "33%"` (squall.toml:3)
    t.feature:6:10: 100 calls are sent per second, and on a cluster that is beyond `rate = 99` (squall.toml:3)
    t.feature:3:3: its traffic takes 4 s, and on a cluster that is beyond `duration = "3 s"` (squall.toml:3)
    "#);
    // A third of three is not more than a third, as it is counted.
    assert_eq!(beyond("share = \"33.3334%\"", &killed), None);
}

#[test]
fn what_cannot_be_counted_counts_as_all_of_it() {
    let cut = format!("    When the control plane is killed from 1 s to 2 s\n{CALLS}");
    assert!(beyond("share = \"99%\"", &cut).unwrap().contains("cannot be counted"));
    assert_eq!(beyond("share = \"100%\"", &cut), None);
}
