//! Experiments in YAML: the plans of the feature that says the same, mistakes at their places.

use super::support::compiled;
use crate::lint::render;
use crate::{Defaults, Selection, Source, experiment_from_yaml, is_experiment};
use squall_model::{Diagnostic, OriginMap, Plan};

pub(super) const FLAKY: &str = include_str!("../../../../scenarios/flaky-replica.yaml");

fn experiment(text: &str, meant: &Selection) -> Result<Vec<Plan>, Vec<Diagnostic>> {
    let mesh = |name: &str| {
        (name == "shop")
            .then(|| "services:\n  - {name: web, calls: [reviews]}\n  - {name: reviews, instances: 2}\n".to_owned())
    };
    let env = Defaults { mesh: &mesh, ..Defaults::default() };
    experiment_from_yaml(&Source::new("x.yaml", text), &env, meant).map(|compiled| compiled.plans)
}

/// Everything that is told of a text, as people see it.
fn told(text: &str) -> String {
    let source = Source::new("x.yaml", text);
    let diagnostics = match experiment_from_yaml(&source, &Defaults::default(), &Selection::default()) {
        Ok(compiled) => compiled.warnings,
        Err(diagnostics) => diagnostics,
    };
    render::all("x.yaml", text, &diagnostics)
}

/// All of a plan but where it was written.
fn said(plan: &Plan) -> Plan {
    let scenario = squall_model::Origin { file: "".into(), line: 1, column: 1, length: 1 };
    Plan { origins: OriginMap::of(scenario), ..plan.clone() }
}

#[test]
fn an_experiment_is_the_plan_of_the_feature_that_says_the_same() {
    let feature = r#"Feature: A flaky replica
  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" with 3 instances that answer in 5 ms
  @smoke
  Scenario: Retries hide it
    Given calls from "web" to "reviews" are retried up to 2 times on "5xx"
    When 30% of the tries reaching "reviews" are aborted with status 503
    And "web" makes 300 calls per second to "reviews" for 2 seconds
    Then at least 85% of the calls succeed
    And no call is tried more than 3 times
    And every failed call is tried more than 2 times
  Scenario: An instance that fails is taken out
    Given an instance of "reviews" is ejected for 2 s after 5 failures in a row
    When instance 2 of "reviews" answers with status 503 from 500 ms to 1.5 s
    And "web" makes 200 calls per second to "reviews" for 3 s
    Then instance 2 of "reviews" is ejected within 1 s of its 5th failure
    And at most 10 calls fail
"#;
    assert_eq!(told(FLAKY), "");
    let theirs: Vec<Plan> = compiled(feature).unwrap().plans.iter().map(said).collect();
    let ours: Vec<Plan> = experiment(FLAKY, &Selection::default()).unwrap().iter().map(said).collect();
    assert_eq!(ours, theirs);
}

#[test]
fn a_mesh_of_a_file_is_the_background() {
    let text = "feature: F\nmesh: shop\nscenarios:\n  - name: S\n    given:\n      - calls to \"reviews\" time out after 1 s\n    when:\n      - every instance of \"reviews\" answers in 2 s\n      - '\"web\" makes 20 calls to \"reviews\"'\n    then: [every call times out]\n";
    let feature = "Feature: F\n  Background:\n    Given the mesh \"shop\"\n  Scenario: S\n    Given calls to \"reviews\" time out after 1 s\n    When every instance of \"reviews\" answers in 2 s\n    And \"web\" makes 20 calls to \"reviews\"\n    Then every call times out\n";
    let theirs = compiled(feature).unwrap().plans;
    let ours = experiment(text, &Selection::default()).unwrap();
    assert_eq!(said(&ours[0]), said(&theirs[0]));
    let places: Vec<String> = ours[0].origins.policies.values().map(ToString::to_string).collect();
    assert_eq!(places, ["x.yaml:6:9"]);
    assert_eq!(ours[0].origins.scenario.to_string(), "x.yaml:4:11");
}

#[test]
fn experiments_are_told_from_topologies() {
    assert!(is_experiment(FLAKY));
    assert!(!is_experiment(include_str!("../../../../scenarios/shop.yaml")));
}

#[test]
fn scenarios_are_selected_by_tags_and_lines() {
    let names =
        |by: &Selection| experiment(FLAKY, by).unwrap().into_iter().map(|p| p.title.scenario).collect::<Vec<_>>();
    let tags = Selection { tags: Some("@smoke".parse().unwrap()), lines: Vec::new() };
    assert_eq!(names(&tags), ["Retries hide it"]);
    let line = 1 + FLAKY.lines().position(|line| line.contains("is taken out")).unwrap() as u32;
    assert_eq!(names(&Selection { tags: None, lines: vec![line + 3] }), ["An instance that fails is taken out"]);
    assert_eq!(names(&Selection { tags: None, lines: vec![1] }).len(), 2);
}

/// One scenario with these items.
fn scenario(given: &str, when: &str, then: &str) -> String {
    format!(
        "feature: F\nservices:\n  - {{name: web, calls: [reviews]}}\n  - {{name: reviews, instances: 3}}\nscenarios:\n  - name: S\n    given:\n      - {given}\n    when:\n      - {when}\n      - '\"web\" makes 20 calls to \"reviews\"'\n    then:\n      - {then}\n"
    )
}

const GIVEN: &str = "calls to \"reviews\" time out after 1 s";
const WHEN: &str = "every instance of \"reviews\" answers in 2 s";
const THEN: &str = "every call times out";

#[test]
fn mistakes_have_places_in_the_file() {
    let sound = scenario(GIVEN, WHEN, THEN);
    assert_eq!(told(&sound), "");
    let cases = [
        // Sentences: the carets of the language, whatever the quotes.
        scenario(
            "calls to \"revews\" time out after 1 s",
            "'instance 9 of \"reviews\" is killed'",
            "evry call times out",
        ),
        scenario(GIVEN, "\"every instance of \\\"revews\\\" answers in 2 s\"", THEN),
        // Nouns: of the shape of a file…
        scenario("retrys: {of: {to: reviews}, up_to: 2, on: [5xx]}", WHEN, THEN),
        scenario("retries: {of: {to: reviews}, upto: 2, on: [5xx]}", WHEN, THEN),
        scenario("retries: {of: {to: reviews}, up_to: 2, on: [6xx]}", WHEN, THEN),
        scenario("timeout: {of: {to: reviews}, after: soon}", WHEN, THEN),
        scenario("timeout: {of: {to: {service: reviews, instance: 2, version: v1}}, after: 1 s}", WHEN, THEN),
        scenario(GIVEN, "down: {how: killed, of: {servce: reviews}}", THEN),
        scenario(GIVEN, "down: {how: killed, of: reviews}\n        from: 1 s\n        at: 2 s", THEN),
        scenario(GIVEN, "wire: {of: {to: reviews}, damage: {rate: {bytes_per_second: 999}}}", THEN),
        scenario(GIVEN, WHEN, "count: {of: {}, outcome: fail, bound: {at_least: 1, at_most: 2}}"),
        scenario(GIVEN, WHEN, "every: {of: {}, outcome: succed}"),
        scenario(GIVEN, WHEN, "{every: {of: {}, outcome: fail}, share: {of: {}, outcome: fail, bound: {at_most: 5%}}}"),
        // …and of what they say.
        scenario(
            "timeout: {of: {to: revews}, after: 1 s}",
            "down: {how: killed, of: {service: reviews, instance: 9}}",
            THEN,
        ),
        scenario(GIVEN, WHEN, "share: {of: {}, outcome: fail, bound: {at_least: 100%}}"),
        scenario("ejection: {of: reviews, lasts: 2 s, after: 0}", WHEN, THEN),
        // All of them at once.
        scenario(
            "retries: {of: {to: reviews}, upto: 2, on: [5xx]}",
            "down: {how: killed, of: {servce: reviews}}",
            "every: {of: {}, outcome: succed}",
        )
        .replace("calls: [reviews]", "cals: [reviews]"),
        // What YAML makes of a sentence.
        scenario(GIVEN, "\"web\" makes 20 calls to \"reviews\"", THEN),
        scenario("calls to \"reviews\" with header \"x-tier: gold\" time out after 1 s", WHEN, THEN),
        sound.replace("feature: F", "feature: F\nmesh: shop"),
        sound.replace("[reviews]", "[revews]"),
        sound.replace("scenarios:", "scenario:"),
        sound.replace("    then:\n      - every call times out\n", ""),
        "feature: F\nscenarios: []\n".to_owned(),
    ];
    insta::assert_snapshot!(cases.map(|text| told(&text)).join("\n----\n"));
}

/// Each noun as an item of its list, and the line that it comes to.
pub(super) const NOUNS: [(&str, &str, &str); 49] = [
    (
        "given",
        "retries: {of: {from: web, to: reviews, path: /x}, up_to: 2, on: [5xx, 503], elsewhere: true}",
        "calls from \"web\" to \"reviews\" on path \"/x\" are retried up to 2 times on \"5xx, 503\", each on another instance",
    ),
    ("given", "timeout: {of: {to: reviews}, after: 300 ms}", "calls to \"reviews\" time out after 300 ms"),
    (
        "given",
        "{timeout: {of: {level: tries, to: reviews}, after: 100 ms}, control: true}",
        "in the control run tries reaching \"reviews\" time out after 100 ms",
    ),
    ("given", "idle_timeout: {of: {}, after: 1 s}", "calls time out when idle for 1 s"),
    (
        "given",
        "retry_budget: {of: {}, share: 20%, at_least: 3}",
        "retries of calls stay within 20% of the tries in flight, and at least 3",
    ),
    (
        "given",
        "in_flight: {caller: web, at_most: 20, unit: retries, to: reviews}",
        "each instance of \"web\" has at most 20 retries to \"reviews\" in flight",
    ),
    (
        "given",
        "connections: {caller: web, at_most: 20, waiting: 10, to: reviews}",
        "each instance of \"web\" has at most 20 connections to \"reviews\" and 10 calls waiting",
    ),
    (
        "given",
        "ejection: {of: reviews, lasts: 2 s, after: 5, at_most: 50%}",
        "an instance of \"reviews\" is ejected for 2 s after 5 failures in a row, at most 50% at a time",
    ),
    (
        "given",
        "route: {of: {to: reviews}, to: [{share: 90%, target: {service: reviews, version: v1}}, {share: 10%, target: {service: reviews, zone: east}}]}",
        "90% of the calls to \"reviews\" go to version \"v1\" of \"reviews\" and 10% to \"reviews\" in zone \"east\"",
    ),
    (
        "given",
        "check: {of: reviews, every: 200 ms, by: {http: /healthz}, out_after: 1, back_after: 1}",
        "each instance of \"reviews\" is checked every 200 ms by http on path \"/healthz\", out after 1 failure, back after 1 pass",
    ),
    (
        "given",
        "check: {of: reviews, every: 200 ms, by: grpc}",
        "each instance of \"reviews\" is checked every 200 ms by grpc, out after 3 failures, back after 2 passes",
    ),
    (
        "given",
        "panic: {of: reviews, below: 50%}",
        "\"reviews\" is called on every instance when fewer than 50% are healthy",
    ),
    (
        "given",
        "prefer: {of: {to: reviews}, places: [{zone: east}, {zone: west}, {site: edge}]}",
        "calls to \"reviews\" prefer zone \"east\", then zone \"west\", then site \"edge\"",
    ),
    ("given", "sticky: {of: {to: reviews}, to: version, by: user}", "calls to \"reviews\" stay on one version by user"),
    (
        "given",
        "sticky: {of: {to: reviews}, to: instance, by: {cookie: session}}",
        "calls to \"reviews\" stay on one instance by cookie \"session\"",
    ),
    ("given", "warm_up: {of: reviews, over: 3 s}", "an instance of \"reviews\" warms up for 3 s"),
    ("given", "keep_deadline: {of: {to: web}}", "calls to \"web\" keep their deadline"),
    (
        "given",
        "balance: {of: {to: reviews}, by: least_request}",
        "calls to \"reviews\" are balanced by \"least request\"",
    ),
    (
        "when",
        "{timeout: {of: {to: reviews}, after: 300 ms}, from: 1 s, to: 2 s}",
        "calls to \"reviews\" time out after 300 ms from 1 s to 2 s",
    ),
    (
        "when",
        "touch: {on: {share: 30%, level: tries, to: reviews}, abort: 503}",
        "30% of the tries reaching \"reviews\" are aborted with status 503",
    ),
    (
        "when",
        "{touch: {on: {to: reviews, user: alice}, delay: 200 ms}, at: 1 s}",
        "calls of user \"alice\" to \"reviews\" are delayed by 200 ms at 1 s",
    ),
    (
        "when",
        "touch: {on: {level: tries, to: quotes}, abort: UNAVAILABLE}",
        "tries reaching \"quotes\" are aborted with grpc status \"UNAVAILABLE\"",
    ),
    (
        "when",
        "answers: {of: {service: reviews, instance: 2}, how: {with: 500}}",
        "instance 2 of \"reviews\" answers with status 500",
    ),
    (
        "when",
        "answers: {of: {service: reviews, every: true, site: edge}, how: {in: 1 s}}",
        "every instance of \"reviews\" in site \"edge\" answers in 1 s",
    ),
    (
        "when",
        "answers: {of: quotes, how: {after: {status: INTERNAL, messages: 2}}}",
        "\"quotes\" answers with grpc status \"INTERNAL\" after 2 messages",
    ),
    ("when", "{answers: {of: reviews, how: as_before}, at: 2 s}", "\"reviews\" answers as before at 2 s"),
    ("when", "down: {how: killed, of: {service: reviews, instances: 2}}", "2 instances of \"reviews\" is killed"),
    (
        "when",
        "{down: {how: paused, part: proxy, of: {zone: east}}, from: 1 s}",
        "the proxy of zone \"east\" is paused from 1 s",
    ),
    ("when", "{restarted: {part: workload, of: reviews}, at: 1 s}", "the process of \"reviews\" is restarted at 1 s"),
    (
        "when",
        "wire: {of: {from: web, to: {service: reviews, instance: 2}}, damage: cut}",
        "the wire from \"web\" to instance 2 of \"reviews\" is cut",
    ),
    (
        "when",
        "wire: {of: {zone: east}, damage: {slow: {by: 50 ms, jitter: 10 ms}}}",
        "the wires of zone \"east\" is slowed by 50 ms, give or take 10 ms",
    ),
    (
        "when",
        "wire: {of: {to: reviews}, damage: {rate: {bytes_per_second: 50000}}}",
        "the wire to \"reviews\" carries at most 50 KB/s",
    ),
    (
        "when",
        "wire: {of: {to: reviews}, damage: {reset: 10%}}",
        "the wire to \"reviews\" resets 10% of its connections",
    ),
    ("when", "{control_plane_killed: , from: 1 s, to: 2 s}", "the control plane is killed from 1 s to 2 s"),
    ("when", "{resized: {service: reviews, to: 4}, at: 1 s}", "\"reviews\" grows to 4 instances at 1 s"),
    (
        "when",
        "traffic: {caller: web, to: reviews, with: {method: POST, header: 'X-Tier: gold'}, users: 50, shape: {open: {rate: 200, length: 5 s, arrivals: random}}}",
        "\"web\" makes 200 calls per second to \"reviews\" with method \"POST\" with header \"x-tier: gold\" as 50 users at random moments for 5 s",
    ),
    (
        "when",
        "{traffic: {caller: web, to: reviews, shape: decide}, meanwhile: true}",
        "meanwhile \"web\" makes enough calls to \"reviews\" to decide",
    ),
    (
        "when",
        "traffic: {caller: web, to: reviews, shape: {closed: {users: 5, length: 2 s, thinking: 100 ms}}}",
        "5 users of \"web\" call \"reviews\" for 2 s, thinking 100 ms",
    ),
    (
        "when",
        "traffic: {caller: web, to: reviews, shape: {ramp: {from: 10, to: 100, length: 2 s}}}",
        "\"web\" raises its calls to \"reviews\" from 10 to 100 per second over 2 s",
    ),
    (
        "then",
        "every: {of: {only: shed, phase: {during: fault}}, outcome: {finish_within: 50 ms}}",
        "every shed call finishes within 50 ms during the fault",
    ),
    (
        "then",
        "every: {all: false, of: {to: reviews}, outcome: {answered: 503}}",
        "no call to \"reviews\" is answered with status 503",
    ),
    (
        "then",
        "share: {of: {unit: user}, outcome: {reach: {service: reviews, version: v2}}, bound: {between: [5%, 16%]}}",
        "between 5% and 16% of the users reach version \"v2\" of \"reviews\"",
    ),
    (
        "then",
        "count: {of: {phase: {clock: {from: 1 s, to: 2 s}}}, outcome: fail, bound: {at_most: 10}}",
        "at most 10 calls fail from 1 s to 2 s",
    ),
    (
        "then",
        "tries: {target: reviews, per: call, bound: {at_most: 1.35}}",
        "\"reviews\" receives at most 1.35 tries for each call",
    ),
    (
        "then",
        "moment: {what: {recover: {to: reviews}}, within: 2 s, of: fault_end}",
        "calls to \"reviews\" recover within 2 s of the end of the fault",
    ),
    (
        "then",
        "state: {what: {is: unhealthy, of: reviews}, ever: false, phase: {before: fault}}",
        "\"reviews\" is never unhealthy before the fault",
    ),
    (
        "then",
        "lasts: {what: {is: ejected, of: {service: reviews, instance: 2}}, least: 2 s, most: 3 s}",
        "instance 2 of \"reviews\" is ejected for between 2 s and 3 s",
    ),
    (
        "then",
        "as_good_as: {of: {to: reviews}, reference: without_fault, within: {points: 5%, later: 20 ms}}",
        "calls to \"reviews\" are as good as without the fault, within 5% and 20 ms",
    ),
    ("then", "as_good_as: {of: {}, reference: before_change}", "calls are as good as before the change"),
];

#[test]
fn nouns_come_to_sentences() {
    for (list, item, sentence) in NOUNS {
        let read = crate::yaml::words_of(list, item).unwrap_or_else(|e| panic!("{item}: {e}"));
        assert_eq!(read, sentence);
    }
}
