//! What lines say wrongly side by side.

use super::support::{BACKGROUND, codes, each, scenario, told};

#[test]
fn faults_before_policies() {
    insta::assert_snapshot!(each(&[
        "Given calls to \"reviews\" are retried up to 2 times on \"5xx\"\nWhen 30% of the calls to \"reviews\" are aborted with status 503\nAnd \"web\" makes 400 calls per second to \"reviews\" for 3 s\nThen at least 60% of the calls succeed",
        "Given calls to \"reviews\" time out after 300 ms\nWhen calls to \"reviews\" are delayed by 500 ms\nAnd \"web\" makes 20 calls to \"reviews\"\nThen every call succeeds",
    ]));
}

#[test]
fn a_fault_on_calls_is_meant_where_the_control_run_moves_it() {
    let text = "Given calls to \"reviews\" time out after 300 ms\nWhen calls to \"reviews\" are delayed by 500 ms\nAnd in the control run tries reaching \"reviews\" are delayed by 500 ms\nAnd \"web\" makes 20 calls to \"reviews\"\nThen every call succeeds";
    assert_eq!(codes(&scenario(text)), [""; 0]);
}

#[test]
fn policies_beside_each_other() {
    insta::assert_snapshot!(each(&[
        "Given tries reaching \"reviews\" time out after 300 ms\nAnd calls to \"reviews\" time out after 300 ms\nAnd each instance of \"web\" has at most 3 retries to \"reviews\" in flight\nAnd retries of calls to \"reviews\" stay within 20% of the tries in flight, and at least 1\nWhen every instance of \"reviews\" answers in 1 s\nAnd \"web\" makes 20 calls to \"reviews\"\nThen every call times out",
        "Given calls to \"reviews\" are retried up to 3 times on \"5xx\", each on another instance\nWhen instance 2 of \"reviews\" answers with status 503\nAnd \"web\" makes 20 calls to \"reviews\"\nThen no call is tried twice on one instance",
        "Given an instance of \"reviews\" is ejected for 2 s after 5 failures in a row, at most 10% at a time\nAnd a service \"web\" with 2 instances that calls \"reviews\"\nWhen instance 2 of \"reviews\" answers with status 503\nAnd \"web\" makes 200 calls per second to \"reviews\" for 3 s\nThen instance 2 of \"reviews\" is ejected within 1 s of its 3rd failure\nAnd at most 20 calls fail",
    ]));
}

#[test]
fn shares_over_events() {
    insta::assert_snapshot!(each(&[
        "When instance 2 of \"reviews\" is killed from 1 s to 2 s\nAnd \"web\" makes 500 calls per second to \"reviews\" for 4 seconds\nThen at least 90% of the calls succeed\nAnd at least 90% of the calls succeed from 500 ms to 3 s\nAnd at least 90% of the calls succeed before the fault\nAnd at most 500 calls fail",
        "When 10% of the tries reaching \"reviews\" are aborted with status 503 from 1 s to 2 s\nAnd \"web\" makes 1000 calls per second to \"reviews\" for 4 seconds\nThen at most 20% of the calls fail",
        "Given an instance of \"reviews\" is ejected for 2 s after 5 failures in a row\nWhen instance 2 of \"reviews\" answers with status 503\nAnd \"web\" makes 500 calls per second to \"reviews\" for 4 seconds\nThen at least 90% of the calls succeed",
        "When calls to \"reviews\" time out after 1 s at 2 s\nAnd \"web\" makes 500 calls per second to \"reviews\" for 4 seconds\nThen at least 90% of the calls time out\nAnd at least 90% of the calls time out after the change",
    ]));
}

#[test]
fn what_is_one_draw_is_not_asked_for_more_calls() {
    let text = "When instance 2 of \"reviews\" is killed from 1 s to 2 s\nAnd \"web\" makes 50 calls per second to \"reviews\" for 3 s\nThen at least 99% of the calls succeed\nAnd at least 1 call fails";
    assert_eq!(codes(&scenario(text)), ["share-over-event"]);
}

#[test]
fn whoever_is_back_by_the_line_that_took_him_down() {
    let text = "When instance 2 of \"reviews\" is killed from 1 s to 2 s\nAnd instance 2 of \"reviews\" comes back at 3 s\nAnd \"web\" makes 200 calls per second to \"reviews\" for 4 s\nThen at least 1 call fails";
    let told = told(&scenario(text));
    assert!(told.contains("leave this line out; or say only the start above, ` from …` without ` to 2 s`"), "{told}");
}

#[test]
fn the_edges_of_a_phase_belong_to_no_phase() {
    let text = "When instance 2 of \"reviews\" is killed from 1 s to 2 s\nAnd \"web\" makes 500 calls per second to \"reviews\" for 4 seconds\nThen at least 80% of the calls succeed from 0 s to 1 s\nAnd at least 80% of the calls succeed from 2 s\nAnd at least 10 calls fail during the fault";
    assert_eq!(codes(&scenario(text)), [""; 0]);
    assert_eq!(codes(&scenario(&text.replace("from 2 s\n", "from 1999 ms\n"))), ["share-over-event"]);
}

#[test]
fn calls_hang_together_while_processes_and_connections_are_broken() {
    let text = |fault: &str, claim: &str| {
        scenario(&format!(
            "When {fault}\nAnd \"web\" makes 500 calls per second to \"reviews\" for 6 seconds\nThen {claim}\nAnd at least 1 call fails"
        ))
    };
    let share = "at most 90% of the calls fail";
    let during = format!("{share} during the fault");
    insta::assert_snapshot!(
        [
            text("the wire from \"web\" to instance 2 of \"reviews\" is cut", share),
            text("instance 2 of \"reviews\" is paused from 1 s to 3 s", &during),
        ]
        .map(|text| told(&text))
        .join("\n----\n")
    );
    let refused = |fault: &str, claim: &str| codes(&text(fault, claim)) == ["share-over-event"];
    for broken in [
        "the wire to \"reviews\" is cut",
        "the wire to \"reviews\" refuses connections",
        "the wire to \"reviews\" resets 10% of its connections",
        "the wire to \"reviews\" leaves its connections half open",
        "the wire to \"reviews\" carries at most 10 KB/s",
        "the wire to \"reviews\" closes its connections 1 s late",
    ] {
        assert!(refused(broken, share), "{broken}: standing");
        assert!(refused(&format!("{broken} from 1 s to 3 s"), &during), "{broken}: during");
        assert_eq!(codes(&text(&format!("{broken} from 1 s to 5 s"), &format!("{share} from 2 s to 4 s"))), [""; 0]);
    }
    for steady in [
        "the wire to \"reviews\" is slowed by 20 ms",
        "the wire to \"reviews\" swallows answers",
        "30% of the tries reaching \"reviews\" are aborted with status 503",
    ] {
        assert_eq!(codes(&text(&format!("{steady} from 1 s to 3 s"), &during)), [""; 0], "{steady}");
    }
    for event in ["is killed", "is paused", "is stopped"] {
        assert!(refused(&format!("instance 2 of \"reviews\" {event} from 1 s to 3 s"), &during), "{event}");
        let standing = format!("instance 2 of \"reviews\" {event}");
        assert_eq!(codes(&text(&standing, share)), [""; 0], "gone before the traffic: {event}");
    }
    assert!(refused("instance 2 of \"reviews\" is restarted at 2 s", share));
    assert_eq!(
        codes(&text("instance 2 of \"reviews\" is restarted at 2 s", &format!("{share} after the fault"))),
        [""; 0]
    );
}

#[test]
fn a_part_of_the_time_in_which_nobody_goes_or_comes_back() {
    let text = |policy: &str, fault: &str, phase: &str| {
        scenario(&format!(
            "Given {policy}\nWhen {fault}\nAnd \"web\" makes 500 calls per second to \"reviews\" for 16 seconds\nThen at least 90% of the calls succeed{phase}\nAnd at most 90 calls fail"
        ))
    };
    let ejection = "an instance of \"reviews\" is ejected for 4 s after 5 failures in a row";
    let fault = "instance 2 of \"reviews\" answers with status 503 from 2 s to 3 s";
    for (phase, lawful) in [
        (" before the fault", true),
        (" from 500 ms to 2 s", true),
        (" from 3 s to 5 s", true),
        (" from 3 s to 7 s", false),
        (" from 5 s", false),
        (" from 7 s", true),
        (" after the fault", false),
    ] {
        let told = codes(&text(ejection, fault, phase));
        assert_eq!(told.is_empty(), lawful, "{phase}: {told:?}");
    }
    let check = "each instance of \"reviews\" is checked every 500 ms by http on path \"/healthz\", out after 1 failure, back after 1 pass";
    for (phase, lawful) in [(" from 2500 ms to 3 s", true), (" from 2200 ms to 3 s", false), (" from 3500 ms", true)] {
        let told = codes(&text(check, fault, phase));
        assert_eq!(told.is_empty(), lawful, "{phase}: {told:?}");
    }
    insta::assert_snapshot!(told(&text(check, fault, " during the fault")));
}

#[test]
fn of_two_lines_about_the_same_the_later_counts() {
    let policies = "Given calls to \"reviews\" time out after 1 s\nAnd calls from \"web\" to \"reviews\" time out after 300 ms\nWhen every instance of \"reviews\" answers in 2 s\nAnd \"web\" makes 20 calls to \"reviews\"\nThen every call times out";
    assert_eq!(codes(&scenario(policies)), ["replaced"]);
    let other_calls =
        policies.replace("\"reviews\" time out after 300 ms", "\"reviews\" on path \"/x\" time out after 300 ms");
    assert_eq!(codes(&scenario(&other_calls)), [""; 0]);
    let faults = "When every instance of \"reviews\" answers in 2 s at 1 s\nAnd every instance of \"reviews\" answers in 1 s from 1 s to 2 s\nAnd \"web\" makes 100 calls per second to \"reviews\" for 4 s\nThen at least 5 calls take at least 500 ms";
    assert_eq!(codes(&scenario(faults)), ["overlap"]);
    assert_eq!(codes(&scenario(&faults.replace("at 1 s", "at 500 ms"))), [""; 0]);
}

#[test]
fn phases_and_moments() {
    insta::assert_snapshot!(each(&[
        "When \"web\" makes 500 calls per second to \"reviews\" for 4 seconds\nThen every call succeeds during the fault\nAnd every call succeeds after the change\nAnd every call succeeds from 4 s\nAnd calls to \"reviews\" recover within 1 s of the end of the fault\nAnd instance 1 of \"reviews\" is ejected within 1 s of its 5th failure",
        "When every instance of \"reviews\" answers with status 503\nAnd \"web\" makes 500 calls per second to \"reviews\" for 4 seconds\nThen every call succeeds before the fault\nAnd every call succeeds after the fault\nAnd calls to \"reviews\" recover within 1 s of the fault",
        "When every instance of \"reviews\" answers with status 503\nAnd \"web\" makes 500 calls per second to \"reviews\" for 4 seconds\nThen calls to \"reviews\" recover within 1 s of its return",
        "When every instance of \"reviews\" answers with status 503 from 1 s to 3 s\nAnd \"web\" makes 100 calls per second to \"reviews\" for 4 seconds\nThen calls to \"reviews\" recover within 800 ms of the end of the fault",
        "When every instance of \"reviews\" answers with status 503 from 500 ms to 1 s\nAnd \"web\" makes 100 calls per second to \"reviews\" for 4 seconds\nThen calls to \"reviews\" recover within 800 ms of the end of the fault",
        "When \"reviews\" grows to 4 instances at 1 s\nAnd \"web\" makes 100 calls per second to \"reviews\" for 4 seconds\nThen instance 4 of \"reviews\" gets traffic within 1 s of the fault",
    ]));
}

#[test]
fn times_of_the_story() {
    insta::assert_snapshot!(each(&[
        "When \"web\" makes 100 calls per second to \"reviews\" for 2 seconds\nAnd instance 2 of \"reviews\" is killed\nThen at least 5 calls fail",
        "When instance 2 of \"reviews\" is killed from 3 s to 4 s\nAnd every instance of \"reviews\" answers in 1 s from 1 s to 3 s\nAnd \"web\" makes 100 calls per second to \"reviews\" for 2 seconds\nThen at least 5 calls fail",
        "When instance 2 of \"reviews\" is killed at 2 s\nAnd meanwhile \"web\" makes 20 calls to \"reviews\"\nThen at least 5 calls fail",
        "When every instance of \"reviews\" answers with status 503\nAnd every instance of \"reviews\" answers with status 500\nAnd instance 2 of \"reviews\" answers in 1 s from 1 s to 3 s\nAnd instance 2 of \"reviews\" answers in 2 s from 2 s to 4 s\nAnd instance 1 of \"reviews\" comes back at 2 s\nAnd the control plane is killed at 2 s\nAnd the control plane comes back at 1 s\nAnd \"web\" makes 100 calls per second to \"reviews\" for 5 seconds\nThen at least 5 calls fail",
    ]));
}

#[test]
fn claims_about_calls_that_nobody_makes() {
    let text = r#"Feature: F
  Background:
    Given a service "phone" that calls "web"
    And a service "web" that calls "reviews" and "ratings"
    And a service "reviews"
    And a service "ratings"
  Scenario: S
    Given calls to "reviews" time out after 1 s
    When "phone" makes 20 calls to "web" on path "/reviews" with method "POST"
    Then every call to "web" on path "/ratings" succeeds
    And every call to "reviews" succeeds
    And every call from "web" to "reviews" succeeds
    And every call from "phone" to "web" with method "POST" succeeds
    And no call of user "alice" fails
    And "reviews" receives at most 2 tries for each call
    And "phone" receives no tries
    And at least 10% of the users fail
"#;
    insta::assert_snapshot!(told(text));
}

#[test]
fn control_runs_that_cannot_go_red() {
    let outage = format!(
        "{BACKGROUND}  @control(outage)\n  Scenario: S\n    When \"web\" makes 20 calls to \"reviews\"\n    Then at least 5 calls fail\n"
    );
    let unknown = outage.replace("(outage)", "(outages)").replace("20 calls", "21 calls");
    let twice = outage.replace("(outage)", "(outage) @control(faults)");
    let both = outage.replace("    When", "    Given calls to \"reviews\" time out after 1 s\n    And in the control run calls to \"reviews\" time out after 1 s\n    When");
    let same = both.replace("@control(outage)", "@other");
    let texts = [outage, unknown, twice, both, same].map(|t| told(&t)).join("\n----\n");
    insta::assert_snapshot!(format!(
        "{texts}\n----\n{}",
        each(&[
            "When the control plane is killed from 1 s to 2 s\nAnd \"web\" makes 200 calls per second to \"reviews\" for 3 seconds\nThen every call succeeds\nAnd calls to \"reviews\" recover within 500 ms of the end of the fault",
            "When \"reviews\" grows to 4 instances at 1 s\nAnd \"web\" makes 200 calls per second to \"reviews\" for 3 seconds\nThen no call fails",
            "When \"web\" makes 20 calls to \"reviews\"\nThen every call succeeds",
            "When in the control run \"web\" makes 20 calls to \"reviews\"\nAnd \"web\" makes 20 calls to \"reviews\"\nThen every call succeeds",
        ])
    ));
}

#[test]
fn policies_that_no_line_can_feel() {
    let text = r#"Feature: F
  Background:
    Given a service "phone" that calls "web"
    And a service "web" that calls "reviews" and "ratings"
    And a service "reviews" that answers in 5 ms
    And a service "ratings" that answers in 5 ms
  Scenario: The caller is the client
    Given each instance of "web" has at most 10 tries to "reviews" in flight
    When every instance of "reviews" answers in 2 s
    And "web" makes 100 calls per second to "reviews" for 2 seconds
    And meanwhile "web" makes 100 calls per second to "ratings" for 2 seconds
    Then every call to "ratings" succeeds within 50 ms
  Scenario: The caller has all the room in the world
    Given each instance of "web" has at most 10 tries to "reviews" in flight
    When every instance of "reviews" answers in 2 s
    And "phone" makes 100 calls per second to "web" on path "/reviews" for 2 seconds
    And meanwhile "phone" makes 100 calls per second to "web" on path "/ratings" for 2 seconds
    Then every call to "web" on path "/ratings" succeeds within 50 ms
"#;
    insta::assert_snapshot!(told(text));
    let sound = text.replace(
        "  Scenario: The caller is",
        "    And each instance of \"web\" handles at most 40 calls at a time\n  Scenario: The caller is",
    );
    assert_eq!(codes(&sound), ["unfelt"]);
}

#[test]
fn a_split_that_round_robin_makes_by_itself() {
    let text = r#"Feature: F
  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" that answers in 5 ms
    And "reviews" has 9 instances of version "v1" and 1 of version "v2"
  Scenario: S
    Given 90% of the calls to "reviews" go to version "v1" and 10% to version "v2"
    When "web" makes enough calls to "reviews" to decide
    Then between 5% and 15% of the calls reach version "v2" of "reviews"
"#;
    insta::assert_snapshot!(told(text));
    let sound = text.replace("9 instances", "1 instance");
    assert_eq!(codes(&sound), [""; 0]);
}

#[test]
fn claims_that_the_traffic_cannot_decide() {
    let retried = |claim: &str, rate: u32| {
        format!(
            "Given calls to \"reviews\" are retried up to 2 times on \"5xx\"\nWhen 30% of the tries reaching \"reviews\" are aborted with status 503\nAnd \"web\" makes {rate} calls per second to \"reviews\" for 5 s\nThen {claim}"
        )
    };
    let texts = [
        retried("at least 96% of the calls succeed", 200),
        retried("at least 94% of the calls succeed", 200),
        retried("at least 98% of the calls succeed", 200),
        retried("at least 20% of the calls are retried", 40),
        retried("at least 99% of the calls finish within 100 ms", 100),
        retried("between 25% and 35% of the calls reach instance 1 of \"reviews\"", 40),
    ];
    insta::assert_snapshot!(each(&texts.each_ref().map(String::as_str)));
    let aborted =
        retried("at least 90% of the calls succeed", 200).replace("30% of the tries reaching", "30% of the calls to");
    let unretried = "When 30% of the tries reaching \"reviews\" are aborted with status 503\nAnd \"web\" makes 200 calls per second to \"reviews\" for 5 s\nThen at least 90% of the calls succeed\nAnd at least 1 call fails";
    insta::assert_snapshot!("what_aborts_and_retries_come_to", each(&[&aborted, unretried]));
    assert_eq!(codes(&scenario(&retried("at least 90% of the calls succeed", 200))), [""; 0]);
}

#[test]
fn what_no_run_can_show() {
    let text = |more: &str, claims: &[&str]| {
        scenario(&format!(
            "{more}\nWhen instance 2 of \"reviews\" answers with status 503\nAnd \"web\" makes 200 calls per second to \"reviews\" for 1 s\nThen {}",
            claims.join("\nAnd ")
        ))
    };
    let timeout = "Given calls to \"reviews\" time out after 300 ms";
    let told_of = [
        text(
            timeout,
            &[
                "at least 500 calls fail",
                "at most 200 calls fail",
                "at least 30 calls fail from 500 ms to 3 s",
                "at least 150 calls fail from 500 ms",
            ],
        ),
        text(
            timeout,
            &["every call succeeds within 1 ms", "at least 5 calls take at least 1 s", "at least 1 call fails"],
        ),
        text(
            "Given calls to \"reviews\" time out after 3 ms",
            &["at least 5 calls succeed", "at least 1 call times out"],
        ),
    ];
    insta::assert_snapshot!(told_of.map(|text| told(&text)).join("\n----\n"));
    let sound = ["at least 200 calls fail", "at most 199 calls fail", "at least 90 calls fail from 500 ms"];
    assert_eq!(codes(&text(timeout, &sound[..1])), [""; 0]);
    assert_eq!(codes(&text(timeout, &sound[1..])), [""; 0]);
    let fast = "When every instance of \"reviews\" answers at once\nAnd \"web\" makes 20 calls to \"reviews\"\nThen every call finishes within 2 ms\nAnd at least 1 call reaches \"reviews\"";
    assert!(!codes(&scenario(fast)).contains(&"impossible".to_owned()));
    assert!(codes(&scenario(&fast.replace("at once", "in 4 ms"))).contains(&"impossible".to_owned()));
}

#[test]
fn lines_that_contradict_each_other() {
    let both = |one: &str, other: &str| {
        let text = format!(
            "When instance 2 of \"reviews\" answers with status 503 from 1 s to 2 s\nAnd \"web\" makes 200 calls per second to \"reviews\" for 3 s\nThen {one}\nAnd {other}"
        );
        codes(&scenario(&text)).contains(&"contradiction".to_owned())
    };
    for (one, other) in [
        ("every call succeeds", "at least 5 calls fail"),
        ("at least 5 calls fail during the fault", "every call succeeds within 1 s"),
        ("no call fails", "at least 5 calls to \"reviews\" time out"),
        ("no call is retried", "at least 10% of the calls are retried"),
        ("at most 5 calls fail", "at least 6 calls fail"),
        ("at most 5 calls fail", "at least 6 calls fail during the fault"),
        ("at least 95% of the calls succeed after the fault", "at least 10% of the calls fail after the fault"),
        ("every call is retried", "no call is retried"),
        ("every call succeeds", "at least 1 call is answered with status 503"),
    ] {
        assert!(both(one, other), "{one} / {other}");
        assert!(both(other, one), "{other} / {one}");
    }
    for (one, other) in [
        ("every call succeeds before the fault", "at least 5 calls fail during the fault"),
        ("at least 5 calls fail", "at most 5 calls fail"),
        ("every call succeeds after the fault", "at least 5 calls fail"),
        ("at least 90% of the calls succeed after the fault", "at least 10% of the calls fail after the fault"),
        ("every call succeeds from 2 s", "at least 5 tries fail"),
        ("every call to \"reviews\" on path \"/x\" succeeds", "at least 5 calls fail"),
        ("at least 90% of the calls succeed within 50 ms after the fault", "every call succeeds after the fault"),
    ] {
        assert!(!both(one, other), "{one} / {other}");
        assert!(!both(other, one), "{other} / {one}");
    }
    insta::assert_snapshot!(each(&[
        "When instance 2 of \"reviews\" answers with status 503\nAnd \"web\" makes 20 calls to \"reviews\"\nThen every call succeeds\nAnd at least 5 calls fail"
    ]));
}

#[test]
fn what_cannot_be_done_at_one_time() {
    let with = |faults: &str| {
        format!(
            "{faults}\nAnd \"web\" makes 200 calls per second to \"reviews\" for 5 seconds\nThen at least 1 call fails\nAnd at most 900 calls fail"
        )
    };
    let all = [
        "When instance 2 of \"reviews\" is killed from 1 s to 3 s\nAnd every instance of \"reviews\" is paused from 2 s to 4 s",
        "When the wire from \"web\" to \"reviews\" is slowed by 50 ms from 1 s to 3 s\nAnd the wire from \"web\" to instance 2 of \"reviews\" is slowed by 90 ms from 2 s to 4 s",
    ];
    insta::assert_snapshot!(each(&all.map(with).iter().map(String::as_str).collect::<Vec<_>>()));
    let fine = [
        "When instance 2 of \"reviews\" is killed from 1 s to 2 s\nAnd every instance of \"reviews\" is paused from 2 s to 4 s",
        "When instance 2 of \"reviews\" is killed from 1 s to 3 s\nAnd instance 3 of \"reviews\" is paused from 2 s to 4 s",
        "When the process of instance 2 of \"reviews\" is killed from 1 s to 3 s\nAnd the proxy of instance 2 of \"reviews\" is paused from 2 s to 4 s",
        "When the wire from \"web\" to \"reviews\" is slowed by 50 ms from 1 s to 3 s\nAnd the wire from \"web\" to instance 2 of \"reviews\" is cut from 2 s to 4 s",
    ];
    for faults in fine {
        assert!(!codes(&scenario(&with(faults))).contains(&"overlap".to_owned()), "{faults}");
    }
}

#[test]
fn trap_a_burst_of_failures_is_no_share_and_a_count_is_offered() {
    let kill = "When instance 2 of \"reviews\" is killed at 1 s\nAnd \"web\" makes 500 calls per second to \"reviews\" for 4 seconds\nThen";
    let share = told(&scenario(&format!("{kill} at least 99% of the calls succeed\nAnd at least 1 call fails")));
    assert!(share.contains("share-over-event") && share.contains("at most 10 calls fail"), "{share}");
    assert_eq!(codes(&scenario(&format!("{kill} at most 10 calls fail\nAnd at least 1 call fails"))), [""; 0]);
}

#[test]
fn trap_19_users_that_stick_must_be_enough_to_decide() {
    let text = |users: &str| {
        scenario(&format!(
            "Given calls to \"reviews\" stay on one instance by user\nWhen \"web\" makes 2000 calls per second to \"reviews\"{users} for 4 seconds\nThen between 23% and 43% of the calls reach instance 1 of \"reviews\"\nAnd each user reaches only one instance of \"reviews\""
        ))
    };
    insta::assert_snapshot!(told(&text(" as 50 users")), @r#"
    error[undecided]: 50 users hardly ever show this
      --> t.feature:8:10
    8 |     Then between 23% and 43% of the calls reach instance 1 of "reviews"
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ even from the middle of this range
      = ask for 1,100 users
    "#);
    assert_eq!(codes(&text(" as 1500 users")), [""; 0]);
}

#[test]
fn trap_19_users_are_counted_whoever_names_the_callee() {
    let text = |claim: &str| {
        scenario(&format!(
            "Given calls to \"reviews\" stay on one instance by user\nWhen \"web\" makes 2000 calls per second to \"reviews\" as 50 users for 4 seconds\nThen {claim}"
        ))
    };
    for claim in [
        "between 23% and 43% of the calls reach instance 1 of \"reviews\"",
        "instance 1 of \"reviews\" receives between 23% and 43% of the tries",
    ] {
        let told = told(&text(claim));
        assert!(told.contains("50 users hardly ever show this"), "{claim}: {told}");
    }
}

#[test]
fn trap_19_calls_that_stick_are_not_compared_in_pairs() {
    let text = |broken: &str, key: &str| {
        scenario(&format!(
            "Given calls to \"reviews\" stay on one instance by {key}\nWhen {broken} of \"reviews\" answers in 20 ms\nAnd \"web\" makes 500 calls per second to \"reviews\" as 50 users for 4 seconds\nThen calls are as good as without the fault, within 5%"
        ))
    };
    insta::assert_snapshot!(told(&text("instance 1", "user")), @r#"
    error[hangs-together]: calls to "reviews" stick by a key, and all with one key fare alike
      --> t.feature:9:10
    9 |     Then calls are as good as without the fault, within 5%
      |          ^^^^^ a part of the service is broken: a key is one draw, however many pairs its calls make
      = write a share of the users, `at least 90% of the users succeed`, or let the calls not stick
    "#);
    assert_eq!(codes(&text("every instance", "user")), [""; 0], "what all of them meet hangs on nobody's way");
}

#[test]
fn trap_20_a_percentage_says_how_many_calls_it_takes() {
    let text = "When 10% of the tries reaching \"reviews\" are aborted with status 503\nAnd \"web\" makes 100 calls to \"reviews\"\nThen between 8% and 12% of the calls fail";
    assert_eq!(codes(&scenario(text)), ["undecided"]);
}

#[test]
fn what_users_do_with_all_of_their_calls_is_not_denied_of_them() {
    let users = |line: &str| {
        let text =
            format!("When \"web\" makes 200 calls per second to \"reviews\" as 20 users for 5 seconds\nThen {line}");
        codes(&scenario(&text)).iter().any(|code| code == "some-of-theirs")
    };
    for line in [
        "no user times out",
        "at most 5% of the users are shed",
        "exactly 0 users time out",
        "at most 2 users are reset",
    ] {
        assert!(users(line), "{line}");
    }
    for line in ["no user fails", "at least 90% of the users succeed", "every user succeeds", "at most 2 users fail"] {
        assert!(!users(line), "{line}");
    }
}
