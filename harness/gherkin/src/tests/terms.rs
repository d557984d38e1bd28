//! On what terms a scenario is judged: its tags.

use super::support::{BACKGROUND, codes, plan, told};
use squall_model::{ErrorRates, Quarantine};

const STEPS: &str = "    Given calls from \"web\" to \"reviews\" are retried up to 1 time on \"5xx\"
    When 30% of the tries reaching \"reviews\" are aborted with status 503
    And \"web\" makes 200 calls per second to \"reviews\" for 3 seconds
    Then at least 80% of the calls succeed
";

fn tagged(feature: &str, scenario: &str) -> String {
    format!("{feature}\n{BACKGROUND}  {scenario}\n  Scenario: S\n{STEPS}")
}

#[test]
fn the_nearest_tag_sets_an_error_rate() {
    let rates = |feature, scenario| plan(&tagged(feature, scenario)).terms.rates;
    let usual = ErrorRates::default();
    assert_eq!(rates("", ""), usual);
    assert_eq!(rates("@alpha(1e-5)", "@beta(0.01)"), ErrorRates { alpha: 1e-5, beta: 0.01 });
    assert_eq!(rates("@alpha(1e-5)", "@alpha(1e-6)"), ErrorRates { alpha: 1e-6, ..usual });
}

#[test]
fn a_stricter_rate_asks_for_more_calls() {
    let at = |rate: &str| codes(&tagged("", rate));
    assert_eq!(at(""), [""; 0]);
    assert_eq!(at("@beta(1e-12)"), ["undecided"]);
}

#[test]
fn a_quarantine_holds_until_its_day() {
    let until = jiff::civil::date(2030, 1, 31);
    let tag = "@quarantine(until 2030-01-31: \"a slow disk\")";
    assert_eq!(plan(&tagged("", tag)).terms.quarantine, Some(Quarantine { until, reason: "a slow disk".into() }));
    let over = "@quarantine(until 2030-01-14: \"a slow disk\")";
    assert_eq!(plan(&tagged("", over)).terms.quarantine, None);
}

#[test]
fn what_the_terms_cannot_be() {
    let all = [
        "@alpha(2) @beta(x)",
        "@quarantine",
        "@quarantine(until 2030-01-14: \"a slow disk\")",
        "@quarantine(until 2031-01-01: \"a slow disk\")",
    ];
    insta::assert_snapshot!(all.map(|tags| told(&tagged("", tags))).join("\n"));
}
