//! Lints about instances: who is taken out, who comes back, who sticks to whom, and where they are.

use super::support::{BACKGROUND, codes, each, scenario, told};

#[test]
fn places_are_known_by_kind_and_name() {
    let text = r#"Feature: F
  Background:
    Given a service "web" that calls "reviews"
    And "reviews" has 2 instances in zone "east" and 1 in site "edge"
    And a service "reviews"
  Scenario: S
    Given calls to "reviews" prefer zone "west", then zone "east", then site "egde"
    And calls to "reviews" prefer zone "east", then zone "east"
    When every instance of "reviews" in site "east" is killed
    And every instance of "web" in zone "east" is paused
    And zone "edge" is cut off
    And the wires of zone "esat" are cut
    And "web" makes 20 calls to "reviews"
    Then at least 1 call reaches "reviews" in zone "north"
"#;
    insta::assert_snapshot!(told(text));
}

#[test]
fn wires_that_are_not_there() {
    let text = r#"Feature: F
  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" with 2 instances in zone "east"
    And a service "ratings" with 2 instances in zone "west"
  Scenario: S
    When the wire from "web" to "ratings" is cut
    And "web" makes 20 calls to "reviews"
    Then at least 1 call fails
  Scenario: T
    When the wire to "ratings" is cut
    And zone "west" is cut off
    And the wire to version "v1" of "reviews" is slowed by 10 ms, give or take 20 ms
    And the wire to "reviews" resets 0% of its connections
    And "web" makes 20 calls to "reviews"
    Then at least 1 call fails
"#;
    let unversioned = text.replace("    And the wire to version \"v1\" of \"reviews\" is slowed by 10 ms, give or take 20 ms\n    And the wire to \"reviews\" resets 0% of its connections\n", "");
    insta::assert_snapshot!([text.to_owned(), unversioned].map(|t| told(&t)).join("\n----\n"));
}

#[test]
fn whoever_calls_goes_down_too() {
    let text = |fault: &str| {
        format!(
            r#"Feature: F
  Background:
    Given a service "web" that calls "reviews"
    And "web" has 1 instance in zone "east" and 1 in zone "west"
    And a service "reviews"
    And "reviews" has 2 instances in zone "east" and 2 in zone "west"
  Scenario: S
    When {fault}
    And "web" makes 100 calls per second to "reviews" for 4 seconds
    Then at least 1 call fails
"#
        )
    };
    let faults = ["zone \"east\" is killed from 1 s to 2 s", "every instance of \"web\" is paused from 1 s to 2 s"];
    let alone = text("zone \"east\" is killed from 1 s to 2 s")
        .replace("1 instance in zone \"east\" and 1 in zone \"west\"", "2 instances in zone \"east\"");
    insta::assert_snapshot!(
        faults.map(text).into_iter().chain([alone]).map(|t| told(&t)).collect::<Vec<_>>().join("\n----\n")
    );
    for harmless in [
        "every instance of \"reviews\" in zone \"east\" is killed from 1 s to 2 s",
        "the process of zone \"east\" is killed from 1 s to 2 s",
        "zone \"east\" is cut off from 1 s to 2 s",
    ] {
        assert_eq!(codes(&text(harmless)), [""; 0], "{harmless}");
    }
}

#[test]
fn what_is_over_in_a_moment_has_no_end() {
    insta::assert_snapshot!(each(&[
        "When instance 2 of \"reviews\" is restarted from 1 s to 2 s\nAnd zone \"east\" answers with status 500\nAnd the proxy of \"reviews\" answers at once\nAnd \"web\" makes 100 calls per second to \"reviews\" for 4 seconds\nThen at least 1 call fails",
    ]));
    let twice = "When instance 2 of \"reviews\" is restarted at 1 s\nAnd instance 2 of \"reviews\" is restarted at 2 s\nAnd \"web\" makes 100 calls per second to \"reviews\" for 4 seconds\nThen at least 1 call fails\nAnd calls to \"reviews\" recover within 500 ms of the end of the fault";
    assert_eq!(codes(&scenario(twice)), [""; 0]);
}

#[test]
fn who_takes_an_instance_out() {
    insta::assert_snapshot!(each(&[
        "Given an instance of \"reviews\" is ejected for 2 s after 5 failures in a row\nAnd each instance of \"reviews\" is checked every 200 ms by tcp\nWhen instance 2 of \"reviews\" answers with status 503\nAnd \"web\" makes 200 calls per second to \"reviews\" for 4 seconds\nThen at most 4 calls fail\nAnd instance 2 of \"reviews\" is ejected",
        "Given \"reviews\" is called on every instance when fewer than 50% are healthy\nWhen 2 instances of \"reviews\" is killed\nAnd \"web\" makes 200 calls per second to \"reviews\" for 4 seconds\nThen at least 10 calls fail",
        "Given each instance of \"reviews\" is checked every 200 ms by http on path \"/healthz\", out after 3 failures, back after 1 pass\nWhen instance 2 of \"reviews\" answers with status 503 from 1 s to 2 s\nAnd \"web\" makes 200 calls per second to \"reviews\" for 4 seconds\nThen instance 2 of \"reviews\" is unhealthy during the fault",
        "Given each instance of \"reviews\" is checked every 200 ms by tcp\nWhen the process of instance 2 of \"reviews\" is killed from 1 s to 2 s\nAnd \"web\" makes 200 calls per second to \"reviews\" for 4 seconds\nThen instance 2 of \"reviews\" is unhealthy within 400 ms of the fault\nAnd instance 2 of \"reviews\" is ejected during the fault",
        "Given an instance of \"reviews\" warms up for 2 s\nAnd calls to \"reviews\" are balanced by \"random\"\nWhen every instance of \"web\" is killed from 1 s to 2 s\nAnd \"web\" makes 200 calls per second to \"reviews\" for 4 seconds\nThen at least 10 calls fail",
    ]));
}

#[test]
fn an_ejection_lets_its_failures_through() {
    let text = |fault: &str, claim: &str| {
        scenario(&format!(
            "Given an instance of \"reviews\" is ejected for 2 s after 5 failures in a row\nWhen {fault}\nAnd \"web\" makes 200 calls per second to \"reviews\" for 4 seconds\nThen {claim}\nAnd instance 2 of \"reviews\" is ejected"
        ))
    };
    let two = "2 instances of \"reviews\" answers with status 503";
    insta::assert_snapshot!(told(&text(two, "at most 9 calls fail")));
    assert_eq!(codes(&text(two, "at most 10 calls fail")), [""; 0]);
    assert_eq!(codes(&text(two, "every call succeeds")), ["let-through"]);
    assert_eq!(codes(&text(two, "at most 9 calls are retried")), [""; 0]);
    assert_eq!(
        codes(&text("20% of the tries reaching \"reviews\" are aborted with status 503", "at most 9 calls fail")),
        [""; 0]
    );
    let retried = text(two, "at most 9 calls fail")
        .replace("    When", "    And calls to \"reviews\" are retried up to 2 times on \"5xx\"\n    When");
    assert_eq!(codes(&retried), [""; 0]);
}

#[test]
fn how_long_an_ejection_lasts() {
    let text = |claim: &str| {
        scenario(&format!(
            "Given an instance of \"reviews\" is ejected for 2 s after 5 failures in a row\nWhen instance 2 of \"reviews\" answers with status 503 from 1 s to 2 s\nAnd \"web\" makes 200 calls per second to \"reviews\" for 8 seconds\nThen {claim}"
        ))
    };
    let of = |claim: &str| text(&format!("instance 2 of \"reviews\" {claim}"));
    insta::assert_snapshot!(
        [
            of("is ejected for between 1 s and 1500 ms"),
            of("is ejected for at least 3 s"),
            of("is ejected for at most 2 s"),
            of("is never ejected for at least 1 s"),
            of("is never ejected within 1 s of the fault"),
            of("is healthy for at least 1 s"),
            of("is ejected within 1 s of its 4th failure"),
        ]
        .map(|t| told(&t))
        .join("\n----\n")
    );
    for sound in
        ["is ejected for between 2 s and 3 s", "is ejected for at least 2 s", "is never ejected before the fault"]
    {
        assert_eq!(codes(&of(sound)), [""; 0], "{sound}");
    }
}

#[test]
fn failover_needs_somebody_who_finds_out() {
    let text = r#"Feature: F
  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews"
    And "reviews" has 2 instances in zone "east" and 2 in zone "west"
  Scenario: S
    Given calls to "reviews" prefer zone "east", then zone "west"
    When every instance of "reviews" in zone "east" is killed from 2 s to 4 s
    And "web" makes 200 calls per second to "reviews" for 8 seconds
    Then calls to "reviews" recover within 1 s of the fault
    And at most 100 calls fail
"#;
    insta::assert_snapshot!(told(text));
    let checked = text.replace("    When", "    And each instance of \"reviews\" is checked every 100 ms by tcp, out after 1 failure, back after 1 pass\n    When");
    assert_eq!(codes(&checked), [""; 0]);
}

#[test]
fn somebody_sticks_to_something() {
    insta::assert_snapshot!(each(&[
        "Given calls to \"reviews\" stay on one instance by user\nAnd calls to \"reviews\" are balanced by \"least request\"\nWhen \"web\" makes 200 calls per second to \"reviews\" for 4 seconds\nThen each user reaches only one instance of \"reviews\"",
        "Given calls to \"reviews\" stay on one version by header \"x-session\"\nWhen \"web\" makes 200 calls per second to \"reviews\" as 400 users for 4 seconds\nThen each user reaches only one version of \"reviews\"",
        "Given calls to \"reviews\" are balanced by \"ring hash\"\nWhen \"web\" makes 200 calls per second to \"reviews\" for 4 seconds\nThen at least 10 calls reach instance 1 of \"reviews\"",
    ]));
    let sound = "Given calls to \"reviews\" stay on one instance by user\nWhen \"web\" makes 200 calls per second to \"reviews\" as 20 users for 4 seconds\nThen each user reaches only one instance of \"reviews\"";
    assert_eq!(codes(&scenario(sound)), [""; 0]);
    let by_header = sound
        .replace("by user", "by header \"x-session\"")
        .replace("as 20 users", "with header \"X-Session: a\" as 20 users");
    assert_eq!(codes(&scenario(&by_header)), [""; 0]);
}

#[test]
fn new_promises_are_taken_away_in_the_control_run() {
    let outage = |tag: &str, claim: &str| {
        let text = format!(
            "{BACKGROUND}  {tag}\n  Scenario: S\n    When instance 2 of \"reviews\" is restarted at 1 s\n    And \"web\" makes 200 calls per second to \"reviews\" for 4 seconds\n    Then {claim}\n"
        );
        codes(&text)
    };
    assert_eq!(outage("@a", "every call succeeds"), ["no-harm"], "a restart is a fault");
    assert_eq!(outage("@control(outage)", "every call succeeds"), [""; 0]);
    assert_eq!(outage("@control(faults)", "at least 1 call fails"), [""; 0]);
    let state = |claim: &str| {
        let text = format!(
            "Feature: F\n  Background:\n    Given a service \"web\" that calls \"reviews\"\n    And a service \"reviews\" with 3 instances\n    And each instance of \"reviews\" is checked every 100 ms by tcp, out after 1 failure, back after 1 pass\n  Scenario: S\n    When instance 2 of \"reviews\" is killed from 1 s to 2 s\n    And \"web\" makes 200 calls per second to \"reviews\" for 4 seconds\n    Then instance 2 of \"reviews\" {claim}\n"
        );
        codes(&text)
    };
    assert_eq!(state("is never unhealthy from 3 s"), ["no-harm"]);
    assert_eq!(state("is healthy within 1 s of the end of the fault"), ["no-harm"]);
    assert_eq!(state("is unhealthy during the fault"), [""; 0]);
    assert_eq!(state("is unhealthy for between 900 ms and 2 s"), [""; 0]);
}

#[test]
fn growing_is_to_more_and_shrinking_to_fewer() {
    let text = |line: &str| {
        scenario(&format!(
            "When {line} at 1 s\nAnd \"web\" makes 100 calls per second to \"reviews\" for 4 seconds\nThen instance 3 of \"reviews\" gets traffic"
        ))
    };
    insta::assert_snapshot!(
        [text("\"reviews\" grows to 2 instances"), text("\"reviews\" shrinks to 3 instances")]
            .map(|t| told(&t))
            .join("\n----\n")
    );
    assert_eq!(codes(&text("\"reviews\" shrinks to 2 instances")), [""; 0]);
    let twice = text("\"reviews\" grows to 4 instances").replace("    Then", "    And \"reviews\" shrinks to 3 instances at 2 s\n    And \"web\" makes 100 calls per second to \"reviews\" for 4 seconds\n    Then");
    assert_eq!(codes(&twice), [""; 0]);
}

#[test]
fn what_the_mechanism_gives_is_known() {
    let told = |given: &str, when: &str, then: &str| {
        let text = format!(
            "Feature: F\n  Background:\n    Given a service \"web\" that calls \"reviews\"\n    And a service \"reviews\"\n    And \"reviews\" has 3 instances in zone \"east\" and 1 in zone \"west\"\n  Scenario: S\n    Given {given}\n    When {when}\n    And \"web\" makes 400 calls per second to \"reviews\" for 5 seconds\n    Then {then}\n    And at most 1000 calls fail\n"
        );
        codes(&text)
    };
    let prefer = "calls to \"reviews\" prefer zone \"west\", then zone \"east\"";
    let later = "every instance of \"reviews\" in zone \"west\" is paused at 4 s";
    let checked = "each instance of \"reviews\" is checked every 100 ms by http on path \"/h\", out after 1 failure, back after 1 pass";
    let before = |share: &str| format!("{share} of the calls reach instance 4 of \"reviews\" before the fault");
    let both = format!("{prefer}\n    And {checked}");
    assert_eq!(told(&both, later, &before("at least 90%")), [""; 0]);
    assert_eq!(told(&both, later, &before("at most 90%")), ["broken-promise"]);
    // Killed before the traffic: a fourth of the calls meets nobody, where nobody finds out.
    let killed = "instance 4 of \"reviews\" is killed";
    let random = "calls to \"reviews\" are balanced by \"random\"";
    assert_eq!(told(random, killed, "between 15% and 35% of the calls fail"), [""; 0]);
    assert_eq!(told(random, killed, "at most 15% of the calls fail"), ["broken-promise"]);
    let panic = format!("{checked}\n    And \"reviews\" is called on every instance when fewer than 90% are healthy");
    assert_eq!(told(&panic, killed, "at most 15% of the calls fail"), ["broken-promise"]);
    assert_eq!(told(checked, killed, "at most 15% of the calls fail"), [""; 0], "settled or not: nobody knows");
}
