use super::*;
use squall_gherkin::{Defaults, Selection, Source, compile};
use squall_model::{
    Act, Calls, Fault, FaultId, FaultKind, Instance, Level, Members, Part, Service, Target, Touch, Traffic, When, Which,
};
use std::collections::BTreeMap;

/// `[kubernetes.limits]` with these lines, as settings have it.
pub(super) fn limits(lines: &str) -> Limits {
    let text = format!("# ours\n[kubernetes.limits]\n{lines}\n");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE), text).unwrap();
    crate::settings::Settings::read(folder.path()).unwrap().kubernetes.limits
}

pub(super) fn plan(lines: &str) -> Plan {
    written("@control(none: \"it is not run\")", lines)
}

/// A scenario of these lines, the first of them line 7, under this tag.
fn written(tag: &str, lines: &str) -> Plan {
    let text = format!(
        "Feature: F\n  {tag}\n  Scenario: S\n    Given a service \"web\" that calls \"reviews\" and \"ratings\"\n    And a service \"reviews\" with 3 instances\n    And a service \"ratings\" with 3 instances\n{lines}\n    Then at most 9 calls fail\n"
    );
    let compiled = compile(&Source::new("t.feature", text), &Defaults::default(), &Selection::default());
    let said =
        |mistakes: Vec<Diagnostic>| mistakes.iter().map(|one| one.message.clone()).collect::<Vec<_>>().join("; ");
    compiled.map_err(said).unwrap().plans.remove(0)
}

pub(super) const CALLS: &str = "    When \"web\" makes 100 calls per second to \"reviews\" for 4 s";

/// These faults, one a line from line 7 on, and traffic.
fn with(faults: &[&str]) -> String {
    let lines: String = faults.iter().map(|fault| format!("    When {fault}\n")).collect();
    lines + CALLS
}

fn all_beyond(limit: &str, lines: &str) -> Vec<String> {
    let all = limits(limit).beyond(&plan(lines));
    assert!(all.iter().all(|one| one.severity == Severity::Error));
    all.iter().map(|one| format!("{}: {}", one.origin, one.message)).collect()
}

fn beyond(limit: &str, lines: &str) -> Option<String> {
    let mut all = all_beyond(limit, lines);
    assert!(all.len() < 2, "{all:?}");
    all.pop()
}

/// Each pair: what is too much for a limit, with what is just not.
#[test]
fn each_limit_refuses_what_is_beyond_it_and_nothing_else() {
    let aborts =
        |share: &str| with(&[&format!("{share} of the calls from \"web\" to \"reviews\" are aborted with status 503")]);
    let killed = with(&["instance 1 of \"reviews\" is killed from 1 s to 2 s"]);
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
    t.feature:7:10: it touches 51% of the calls, and on a cluster that is beyond `share = "50%"` (squall.toml:3)
    t.feature:7:10: it touches 33.3334% of the instances of a service, and on a cluster that is beyond `share = "33%"` (squall.toml:3)
    t.feature:7:10: 100 calls are sent per second, and on a cluster that is beyond `rate = 99` (squall.toml:3)
    t.feature:3:3: its traffic takes 4 s, and on a cluster that is beyond `duration = "3 s"` (squall.toml:3)
    "#);
    // What is broken for longer than anybody calls is waited for.
    let long = with(&["instance 1 of \"reviews\" is killed from 1 s to 9 s"]);
    assert!(beyond("duration = \"8 s\"", &long).unwrap().contains("9 s"));
    // A third of three is not more than a third, as it is counted.
    assert_eq!(beyond("share = \"33.3334%\"", &killed), None);
}

#[test]
fn what_cannot_be_counted_counts_as_all_of_it() {
    let cut = with(&["the control plane is killed from 1 s to 2 s"]);
    assert!(beyond("share = \"99%\"", &cut).unwrap().contains("cannot be counted"));
    assert_eq!(beyond("share = \"100%\"", &cut), None);
}

/// Where the answers decide how fast calls come, what counts is how fast they could come; where they decide how long, nothing does.
#[test]
fn what_the_answers_decide_is_taken_at_its_most() {
    let serial = "    When \"web\" makes 50 calls to \"reviews\"";
    let users = |thinking: &str| format!("    When 5 users of \"web\" call \"reviews\" for 2 s, thinking {thinking}");
    assert_eq!(beyond("rate = 50\nusers = 1", serial), None);
    assert_eq!(beyond("rate = 50\nusers = 5\nduration = \"2 s\"", &users("100 ms")), None);
    let told = [
        beyond("rate = 49", serial),
        beyond("duration = \"10 min\"", serial),
        beyond("rate = 49", &users("100 ms")),
        beyond("rate = 20000", &users("0 s")),
        // Not twice within a second, but all of them in one.
        beyond("rate = 4", &users("2 s")),
    ];
    insta::assert_snapshot!(told.map(Option::unwrap).join("\n"), @r#"
    t.feature:7:10: up to 50 calls may be sent within a second, and on a cluster that is beyond `rate = 49` (squall.toml:3)
    t.feature:7:10: how long this traffic takes is up to the answers, and on a cluster that is beyond `duration = "10 min"` (squall.toml:3)
    t.feature:7:10: up to 50 calls may be sent within a second, and on a cluster that is beyond `rate = 49` (squall.toml:3)
    t.feature:7:10: how many calls are sent per second is up to the answers, and on a cluster that is beyond `rate = 20000` (squall.toml:3)
    t.feature:7:10: up to 5 calls may be sent within a second, and on a cluster that is beyond `rate = 4` (squall.toml:3)
    "#);
    let mistake = limits("rate = 49").beyond(&plan(serial)).pop().unwrap();
    assert!(mistake.hint.unwrap().starts_with("say a rate and a time"));
}

#[test]
fn traffic_of_one_time_adds_up() {
    let beside = "\n    And meanwhile \"web\" makes 50 calls to \"ratings\"";
    let then = "\n    And \"web\" makes 100 calls per second to \"ratings\" for 1 s";
    let also = "\n    And meanwhile \"web\" makes 100 calls per second to \"ratings\" for 1 s";
    assert_eq!(beyond("rate = 150\nusers = 1", &format!("{CALLS}{beside}")), None);
    assert_eq!(beyond("rate = 100", &format!("{CALLS}{then}")), None, "one after the other");
    let users = "    When 3 users of \"web\" call \"reviews\" for 2 s, thinking 1 s";
    let told = [
        beyond("rate = 149", &format!("{CALLS}{beside}")),
        // Told once, by the first that is too much.
        beyond("rate = 199", &format!("{CALLS}{also}{also}")),
        beyond("users = 3", &format!("{users}{beside}")),
    ];
    insta::assert_snapshot!(told.map(Option::unwrap).join("\n"), @r#"
    t.feature:8:9: with the traffic beside it up to 150 calls may be sent within a second, and on a cluster that is beyond `rate = 149` (squall.toml:3)
    t.feature:8:9: with the traffic beside it 200 calls are sent per second, and on a cluster that is beyond `rate = 199` (squall.toml:3)
    t.feature:8:9: with the traffic beside it 4 users call, and on a cluster that is beyond `users = 3` (squall.toml:3)
    "#);
}

#[test]
fn what_is_broken_at_the_same_time_adds_up() {
    let abort = |to: &str, when: &str| format!("30% of the calls to \"{to}\" are aborted with status 503{when}");
    let delay = |when: &str| format!("30% of the tries reaching \"reviews\" are delayed by 50 ms{when}");
    let killed = "instance 1 of \"reviews\" is killed from 1 s to 2 s";
    let limit = "share = \"50%\"";
    let one_by_one = [abort("reviews", " from 1 s to 2 s"), delay(" from 2 s to 3 s")];
    assert_eq!(beyond(limit, &with(&[&one_by_one[0], &one_by_one[1]])), None);
    assert_eq!(beyond(limit, &with(&[&abort("ratings", ""), &delay("")])), None, "another is called");
    let told = [
        beyond(limit, &with(&[&abort("reviews", " from 1 s to 3 s"), &delay(" from 2 s to 4 s")])),
        beyond(limit, &with(&[&abort("reviews", ""), killed])),
        // What has no end ends with the scenario; what says no callee means each of them.
        beyond(limit, &with(&[&delay(" from 1 s"), "30% of the calls are aborted with status 503 from 3 s"])),
        // No line says when a restarted one is back.
        beyond(limit, &with(&["instance 1 of \"reviews\" is restarted at 1 s", &delay(" from 3 s")])),
        beyond("share = \"70%\"", &with(&[&abort("reviews", ""), killed, &delay(" from 1500 ms to 2500 ms")])),
    ];
    insta::assert_snapshot!(told.map(Option::unwrap).join("\n"), @r#"
    t.feature:8:10: together with line 7 it touches 60% of "reviews", and on a cluster that is beyond `share = "50%"` (squall.toml:3)
    t.feature:8:10: together with line 7 it touches 63.3334% of "reviews", and on a cluster that is beyond `share = "50%"` (squall.toml:3)
    t.feature:8:10: together with line 7 it touches 60% of "reviews", and on a cluster that is beyond `share = "50%"` (squall.toml:3)
    t.feature:8:10: together with line 7 it touches 63.3334% of "reviews", and on a cluster that is beyond `share = "50%"` (squall.toml:3)
    t.feature:9:10: together with lines 7 and 8 it touches 93.3334% of "reviews", and on a cluster that is beyond `share = "70%"` (squall.toml:3)
    "#);
    // Never more than all of it.
    assert_eq!(beyond("share = \"100%\"", &with(&[&abort("reviews", ""), &delay(""), killed])), None);
}

#[test]
fn instances_are_counted_once_however_much_befalls_them() {
    let one = [
        "the proxy of instance 1 of \"reviews\" is paused from 1 s to 3 s",
        "instance 1 of \"reviews\" answers with status 503",
    ];
    assert_eq!(beyond("share = \"34%\"", &with(&one)), None);
    let two = with(&[one[0], "instance 2 of \"reviews\" answers with status 503"]);
    assert!(beyond("share = \"34%\"", &two).unwrap().contains("66.6667%"));
}

#[test]
fn shares_are_of_the_fewest_instances_that_there_ever_are() {
    let killed = |number: u32| format!("instance {number} of \"reviews\" is killed from 1 s to 2 s");
    let grows = "\"reviews\" grows to 9 instances at 500 ms";
    let told = [
        beyond("share = \"33%\"", &with(&[grows, &killed(1)])),
        // One that is there only later is one, too.
        beyond("share = \"33%\"", &with(&[grows, &killed(9)])),
        beyond("share = \"40%\"", &with(&[&killed(1), "\"reviews\" shrinks to 2 instances at 3 s"])),
    ];
    insta::assert_snapshot!(told.map(Option::unwrap).join("\n"), @r#"
    t.feature:8:10: it touches 33.3334% of the instances of a service, and on a cluster that is beyond `share = "33%"` (squall.toml:3)
    t.feature:8:10: it touches 33.3334% of the instances of a service, and on a cluster that is beyond `share = "33%"` (squall.toml:3)
    t.feature:7:10: it touches 50% of the instances of a service, and on a cluster that is beyond `share = "40%"` (squall.toml:3)
    "#);
}

#[test]
fn instances_that_are_taken_away_count() {
    let shrinks = "\"reviews\" shrinks to 1 instances at 1 s";
    let to_and_fro = "\"reviews\" grows to 9 instances from 1 s to 2 s";
    let step_by_step = ["\"reviews\" shrinks to 2 instances at 1 s", "\"reviews\" shrinks to 1 instances at 2 s"];
    let told = [
        beyond("share = \"66%\"", &with(&[shrinks])),
        beyond("share = \"66%\"", &with(&[to_and_fro])),
        beyond("share = \"66%\"", &with(&step_by_step)),
        beyond(
            "share = \"66%\"",
            &with(&[step_by_step[0], "40% of the calls to \"reviews\" are delayed by 9 ms from 2 s"]),
        ),
    ];
    insta::assert_snapshot!(told.map(Option::unwrap).join("\n"), @r#"
    t.feature:7:10: it takes away 66.6667% of the instances of a service, and on a cluster that is beyond `share = "66%"` (squall.toml:3)
    t.feature:7:10: it takes away 66.6667% of the instances of a service, and on a cluster that is beyond `share = "66%"` (squall.toml:3)
    t.feature:8:10: it takes away 66.6667% of the instances of a service, and on a cluster that is beyond `share = "66%"` (squall.toml:3)
    t.feature:8:10: together with line 7 it touches 73.3334% of "reviews", and on a cluster that is beyond `share = "66%"` (squall.toml:3)
    "#);
    assert_eq!(beyond("share = \"1%\"", &with(&["\"reviews\" grows to 9 instances at 1 s"])), None);
}

#[test]
fn an_abort_counts_whatever_it_is_answered_with() {
    let aborted = |status: u16| with(&[&format!("60% of the calls to \"reviews\" are aborted with status {status}")]);
    for status in [200, 302, 404, 503] {
        assert!(beyond("share = \"50%\"", &aborted(status)).unwrap().contains("60% of the calls"), "{status}");
    }
    // A workload that answers well does what it always does.
    let answers = |status: u16| with(&[&format!("every instance of \"reviews\" answers with status {status}")]);
    assert_eq!(beyond("share = \"50%\"", &answers(200)), None);
    assert!(beyond("share = \"50%\"", &answers(404)).is_some());
}

#[test]
fn what_a_control_run_breaks_counts_as_well() {
    let abort = |share: &str| format!("{share} of the calls to \"reviews\" are aborted with status 503");
    let instead = format!("    When {}\n    And in the control run {}\n{CALLS}", abort("30%"), abort("60%"));
    let told = |plan: &Plan| {
        let all = limits("share = \"50%\"").beyond(plan);
        all.iter().map(|one| format!("{}: {}", one.origin, one.message)).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(told(&written("", &instead)), @r#"
    t.feature:7:10: it touches 60% of the calls, and on a cluster that is beyond `share = "50%"` (squall.toml:3)
    "#);
    // A wire is cut then, and what is broken anyhow is no more than before.
    insta::assert_snapshot!(told(&written("@control(outage)", &with(&[&abort("30%")]))), @r#"
    t.feature:3:3: how large a part it touches cannot be counted, and on a cluster that is beyond `share = "50%"` (squall.toml:3)
    "#);
}

#[test]
fn whose_limits_hold_is_told_and_that_there_are_none() {
    let told = limits("rate = 5").told();
    assert!(told[0].starts_with("the limits of /") && told[0].ends_with("/squall.toml"), "{told:?}");
    assert_eq!(told[1..], ["`rate = 5` (squall.toml:3)"]);
    let none = Limits::default().told();
    assert!(none.len() == 1 && none[0].starts_with("no limits"), "{none:?}");
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().display();
    assert_eq!(Limits::default().whose_in(folder.path()), format!("no limits: there is no squall.toml in {here}"));
    std::fs::write(folder.path().join(FILE), "controls = true\n").unwrap();
    let unset = format!("no limits: {here}/squall.toml sets none");
    assert_eq!(Limits::default().whose_in(folder.path()), unset);
}

/// Calls to somebody else's `front` by this method.
fn joined(method: &str) -> Plan {
    let text = format!(
        "Feature: F\n  @control(none: \"it is not run\")\n  Scenario: S\n    Given the application in namespace \"shop\"\n    And a service \"web\" that calls \"front\"\n    When \"web\" makes 10 calls per second to \"front\" with method \"{method}\" for 1 s\n    Then every call succeeds\n"
    );
    let front = squall_model::Service {
        deployed: Some(squall_model::Deployed {
            namespace: "shop".into(),
            port: 80,
            ..squall_model::Deployed::default()
        }),
        ..squall_model::Service::new("front".into())
    };
    let application = |_: &str| squall_gherkin::Application::Seen(vec![front.clone()]);
    let env = Defaults { application: &application, ..Defaults::default() };
    let compiled = compile(&Source::new("t.feature", text), &env, &Selection::default());
    compiled.unwrap().plans.remove(0)
}

#[test]
fn what_somebody_else_deployed_is_joined_where_it_may_be_and_changed_only_where_that_is_spelled_out() {
    let told = |limits: &Limits, method: &str| -> Vec<String> {
        limits.beyond(&joined(method)).iter().map(|one| format!("{}: {}", one.origin, one.message)).collect()
    };
    let none = Limits::default();
    assert_eq!(told(&none, "GET"), Vec::<String>::new());
    assert_eq!(told(&none, "HEAD"), Vec::<String>::new());
    assert_eq!(told(&none, "POST"), ["t.feature:6:10: POST may change what somebody else deployed"]);
    let mut grpc = joined("GET");
    grpc.topology.service_mut(&"front".into()).unwrap().protocol = squall_model::Protocol::Grpc;
    grpc.timeline.stages[0].lines[0].with.method = None;
    assert_eq!(none.beyond(&grpc).len(), 1, "a call of gRPC is a POST");
    let post = limits("methods = [\"POST\"]");
    assert_eq!(told(&post, "POST"), Vec::<String>::new());
    assert_eq!(told(&post, "GET"), Vec::<String>::new());
    let beyond = "t.feature:6:10: DELETE may change what somebody else deployed, and on a cluster that is beyond `methods = [\"POST\"]` (squall.toml:3)";
    assert_eq!(told(&post, "DELETE"), [beyond]);
    assert_eq!(told(&limits("applications = [\"shop\"]"), "GET"), Vec::<String>::new());
    let other = "t.feature:3:3: the application in namespace \"shop\" is joined, and on a cluster that is beyond `applications = [\"cart\"]` (squall.toml:3)";
    assert_eq!(told(&limits("applications = [\"cart\"]"), "GET"), [other]);
}

#[test]
fn a_service_without_the_label_is_neither_called_nor_broken() {
    let told = |limits: &Limits, plan: &Plan| -> Vec<String> {
        limits.beyond(plan).iter().map(|one| format!("{}: {}", one.origin, one.message)).collect()
    };
    let allowed = limits("labels = [\"chaos=allowed\"]");
    let mut plan = joined("GET");
    let lacks = |name: &str| {
        format!(
            "t.feature:3:3: \"{name}\" has no label chaos=allowed, and on a cluster that is beyond `labels = [\"chaos=allowed\"]` (squall.toml:3)"
        )
    };
    assert_eq!(told(&allowed, &plan), [lacks("front")]);
    let label = |plan: &mut Plan, value: &str| {
        let of = plan.topology.service_mut(&"front".into()).and_then(|front| front.deployed.as_mut()).unwrap();
        of.labels.insert("chaos".into(), value.into());
    };
    label(&mut plan, "no");
    assert_eq!(told(&allowed, &plan), [lacks("front")], "another value");
    label(&mut plan, "allowed");
    assert_eq!(told(&allowed, &plan), Vec::<String>::new());
    // One that nobody of ours calls is broken all the same.
    let mut reviews = plan.topology.service(&"front".into()).cloned().unwrap();
    reviews.name = "reviews".into();
    reviews.deployed.as_mut().unwrap().labels.clear();
    plan.topology.services.push(reviews);
    assert_eq!(told(&allowed, &plan), Vec::<String>::new(), "nobody does anything to it");
    let of = Calls { from: Some("front".into()), to: Some(Target::service("reviews".into())), ..Calls::default() };
    let on = Traffic { share: Fraction::ALL, level: Level::Tries, of };
    let does = FaultKind::Touch { on, touch: Touch::Delay(Duration::from_millis(1)) };
    plan.faults.push(Fault { id: FaultId(0), does, when: When::Standing });
    assert_eq!(told(&allowed, &plan), [lacks("reviews")]);
    assert!(Label::try_from("chaos".to_owned()).is_err());
}

/// Of two services before the same pod one is restarted, and so is the other.
#[test]
fn pods_are_not_restarted_where_nothing_may_be_edited_or_too_much_would_be() {
    let mut plan = joined("GET");
    let front = plan.topology.service_mut(&"front".into()).unwrap();
    let at = |last: u8| Instance { at: Some(([10, 0, 0, last], 9080).into()), ..Instance::default() };
    front.instances = vec![at(7)];
    front.deployed.as_mut().unwrap().restarted = Some(BTreeMap::new());
    let all = Service { name: "all".into(), instances: vec![at(7), at(8)], ..front.clone() };
    plan.topology.services.push(all);
    let told = |limits: &Limits, plan: &Plan| -> Vec<String> {
        limits.beyond(plan).into_iter().map(|one| one.message).collect()
    };
    assert_eq!(told(&limits("edits = false"), &plan), Vec::<String>::new(), "nobody is restarted");
    let of = Members::Of(Target { which: Which::Instance(1), ..Target::service("all".into()) });
    plan.faults.push(Fault {
        id: FaultId(0),
        does: FaultKind::Restarted { part: Part::Instance, of },
        when: When::Standing,
    });
    plan.timeline.stages[0].standing.push(Act::Arm(FaultId(0)));
    let beyond = |name: &str| {
        format!("pods of \"{name}\" are restarted, and on a cluster that is beyond `edits = false` (squall.toml:3)")
    };
    assert_eq!(told(&limits("edits = false"), &plan), [beyond("front"), beyond("all")]);
    assert_eq!(told(&limits("edits = true"), &plan), Vec::<String>::new());
    assert_eq!(told(&limits("labels = [\"chaos=allowed\"]"), &plan).len(), 2, "neither has the label");
    let share = told(&limits("share = \"60%\""), &plan);
    assert!(
        share.len() == 1 && share[0].contains("100% of the instances"),
        "one of two, but the only one of `front`: {share:?}"
    );
}
