//! What is put forward for lines that are no sentence.

use super::*;

fn lines(step: StepType, line: &str) -> Vec<String> {
    repair(step, line, |_, found| found.sentence.supported).map(|r| r.lines).unwrap_or_default()
}

#[test]
fn a_not_is_never_lost() {
    for line in [
        "instance 2 of \"a\" is not killed",
        "instance 2 of \"a\" never comes back",
        "the wire to \"a\" isn't cut",
        "calls to \"a\" never time out after 1 s",
        "calls to \"a\" are not retried up to 2 times on \"5xx\"",
    ] {
        for step in [StepType::Given, StepType::When] {
            assert_eq!(lines(step, line), [""; 0], "{line}");
        }
    }
    for (line, wanted) in [
        ("no more than 5 calls fail", "at most 5 calls fail"),
        ("not more than 5% of requests fail", "at most 5% of the calls fail"),
        ("no fewer than 5 calls fail", "at least 5 calls fail"),
        ("not less than 99% of the calls succeed", "at least 99% of the calls succeed"),
        ("calls to \"a\" are never retried", "no call to \"a\" is retried"),
        ("every call is not retried", "no call is retried"),
        ("calls don't time out", "no call times out"),
        ("none of the calls fail", "no call fails"),
        (
            "instance 2 of \"a\" is not ejected during the fault",
            "instance 2 of \"a\" is never ejected during the fault",
        ),
        ("\"a\" does not receive any calls", "\"a\" receives no tries"),
    ] {
        assert_eq!(lines(StepType::Then, line), [wanted], "{line}");
    }
}

#[test]
fn a_number_is_never_changed_unsaid() {
    assert_eq!(
        lines(StepType::When, "instance 2 of \"a\" is killed for 1 s"),
        ["instance 2 of \"a\" is killed from 1 s to 2 s"]
    );
    assert_eq!(
        lines(StepType::When, "instance 2 of \"a\" is killed at 2 s for 1500 ms"),
        ["instance 2 of \"a\" is killed from 2 s to 3.5 s"]
    );
    assert_eq!(
        lines(StepType::Given, "calls to \"a\" time out after 300"),
        ["calls to \"a\" time out after 300 ms", "calls to \"a\" time out after 300 s"]
    );
    assert_eq!(lines(StepType::Then, "100% of the calls time out"), ["every call times out"]);
    assert_eq!(lines(StepType::Then, "0% of calls fail"), ["no call fails"]);
    assert_eq!(
        lines(StepType::Then, "5 calls fail"),
        ["at least 5 calls fail", "at most 5 calls fail", "exactly 5 calls fail"]
    );
    assert_eq!(
        lines(StepType::Then, "99% of the calls succeed"),
        ["at least 99% of the calls succeed", "at most 99% of the calls succeed"]
    );
    assert!(!keeps("5 calls 3 fail", "5 calls fail"));
}

#[test]
fn words_of_other_tools() {
    for (line, wanted) in [
        ("every call succeeds in 50 ms", "every call succeeds within 50 ms"),
        ("every call takes at most 50 ms", "every call finishes within 50 ms"),
        ("no call takes longer than 50 ms", "every call finishes within 50 ms"),
        ("at least 5 calls take longer than 1 s", "at least 5 calls take at least 1 s"),
        ("fewer than 5 calls fail", "at most 4 calls fail"),
        ("less than 1 request fails", "no call fails"),
        ("less than 5% of the calls fail", "at most 5% of the calls fail"),
        ("up to 5 calls fail", "at most 5 calls fail"),
        ("max 5 requests fail", "at most 5 calls fail"),
        ("at most one call fails", "at most 1 call fails"),
        ("every call returns 503", "every call is answered with status 503"),
        ("every call succeeds while instance 2 of \"a\" is killed", "every call succeeds during the fault"),
        ("all requests succeed", "every call succeeds"),
        ("calls to \"a\" recover within 1 s", "calls to \"a\" recover within 1 s of the end of the fault"),
        ("\"a\" receives more than 5 tries", "\"a\" receives at least 6 tries"),
        ("p99 of calls to \"a\" is below 50 ms", "at least 99% of the calls to \"a\" finish within 50 ms"),
        ("each calls succeed", "every call succeeds"),
    ] {
        assert_eq!(lines(StepType::Then, line), [wanted], "{line}");
    }
    for (line, wanted) in [
        ("\"a\" answers within 1 s", "\"a\" answers in 1 s"),
        ("all instances of \"a\" return 503", "every instance of \"a\" answers with status 503"),
        ("instance one of \"a\" is killed", "instance 1 of \"a\" is killed"),
        ("\"web\" makes 100 rps to \"a\" for 5 secs", "\"web\" makes 100 calls per second to \"a\" for 5 s"),
    ] {
        assert_eq!(lines(StepType::When, line), [wanted], "{line}");
    }
}

#[test]
fn what_two_lines_say() {
    let told = repair(StepType::Then, "between 3 and 5 calls fail", |_, _| true).unwrap();
    assert!(told.together);
    assert_eq!(told.lines, ["at least 3 calls fail", "at most 5 calls fail"]);
}

#[test]
fn what_cannot_be_run_is_not_put_forward() {
    let line = "calls to \"a\" are mirored to \"b\"";
    assert_eq!(lines(StepType::Given, line), [""; 0]);
    assert!(repair(StepType::Given, line, |_, _| true).is_some(), "it is a sentence, though");
}

#[test]
fn words_that_mean_something_are_not_left_out() {
    assert_eq!(lines(StepType::Then, "every call succeeds quickly"), [""; 0]);
    assert_eq!(lines(StepType::Then, "every single call succeeds"), ["every call succeeds"]);
}

#[test]
fn a_story_in_a_line_is_given_up_on_soon() {
    let story = "all requests and each of the calls in 5 secs fail with 503 while one instance of \"a\" is slow for 2 s or more \
                 than 5 of 10% of calls to two of the pods time out after 3 s and never recover within 5 s, up to max one in half \
                 of the requests between 3 and 5 calls per call over 5 s";
    let wanted =
        Wanted { step: StepType::Then, runs: |_, _| true, read: RefCell::default(), mended: RefCell::default() };
    assert!(within(&wanted, story, PHRASES_IN_A_LINE).is_none());
    assert_eq!(wanted.read.borrow().len(), TRIED, "without a bound it takes hours");
}
