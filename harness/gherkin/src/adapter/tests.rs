use super::*;
use cucumber::Runner as _;
use cucumber::event::{Cucumber, Feature, RetryableScenario, Rule, Scenario, Step};
use futures_util::{StreamExt as _, stream};
use gherkin::GherkinEnv;

const TEXT: &str = r#"Feature: F
  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews"
  Scenario: One
    When "web" makes 20 calls to "reviews"
    Then every call succeeds
    And no call fails
  Rule: R
    Scenario: Two
      When something is done
      Then every call succeeds
    Scenario: Three
      When my own step
      Then no call fails
"#;

fn own(world: &mut World, _: Context) -> LocalBoxFuture<'_, ()> {
    async move { world.steps.push("own".into()) }.boxed_local()
}

fn told(judge: impl FnMut(&gherkin::Feature, &gherkin::Scenario, World) -> Vec<StepEnd> + 'static) -> Vec<String> {
    let feature = gherkin::Feature::parse(TEXT, GherkinEnv::default()).unwrap();
    let steps = collection::<World>().when(None, regex::Regex::new("^my own step$").unwrap(), own);
    let events = Runner::new(steps, judge).run(stream::iter([Ok(feature)]), cucumber::cli::Empty);
    let events: Vec<_> = events.collect::<Vec<_>>().now_or_never().unwrap();
    events.into_iter().filter_map(|event| shown(event.unwrap().into_inner())).collect()
}

fn shown(event: Cucumber<World>) -> Option<String> {
    let scenario = match event {
        Cucumber::ParsingFinished { features, rules, scenarios, steps, parser_errors } => {
            return Some(format!("{features} {rules} {scenarios} {steps} {parser_errors}"));
        }
        Cucumber::Feature(_, Feature::Scenario(s, e) | Feature::Rule(_, Rule::Scenario(s, e))) => Some((s, e)),
        _ => None,
    };
    let (scenario, RetryableScenario { event, .. }) = scenario?;
    let (Scenario::Background(step, end) | Scenario::Step(step, end)) = event else { return None };
    let end = match end {
        Step::Started => return None,
        Step::Skipped => "skipped".to_owned(),
        Step::Passed(_, place) => format!("passed {}", place.map_or("own".into(), |p| p.to_string())),
        Step::Failed(_, place, _, error) => format!("failed {} {error}", place.map_or("own".into(), |p| p.to_string())),
    };
    Some(format!("{}: {}: {end}", scenario.name, step.value))
}

#[test]
fn cucumber_hears_what_came_of_each_step() {
    let lines = told(|_, scenario, world| match scenario.name.as_str() {
        "One" => {
            assert_eq!(world.steps.len(), 5, "background and own");
            vec![
                StepEnd::Passed,
                StepEnd::Passed,
                StepEnd::Passed,
                StepEnd::Failed("3 calls failed".into()),
                StepEnd::Skipped,
            ]
        }
        _ => {
            assert_eq!(world.steps[2], "own");
            Vec::new()
        }
    });
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn every_sentence_of_a_feature_is_found_once() {
    let steps = collection::<World>();
    let text = include_str!("../tests/steps.txt");
    for line in text.lines() {
        let feature =
            gherkin::Feature::parse(format!("Feature: F\n  Scenario: S\n    {line}\n"), GherkinEnv::default()).unwrap();
        let step = &feature.scenarios[0].steps[0];
        assert!(steps.find(step).unwrap().is_some(), "{line}");
    }
}

#[test]
fn the_json_writer_takes_it() {
    use cucumber::{Writer as _, writer::Json};
    let feature = gherkin::Feature::parse(TEXT, GherkinEnv::default()).unwrap();
    let events =
        Runner::new(collection::<World>(), |_, _, _| Vec::new()).run(stream::iter([Ok(feature)]), cucumber::cli::Empty);
    let events: Vec<_> = events.collect::<Vec<_>>().now_or_never().unwrap();
    let mut json = Vec::new();
    {
        let mut writer = Json::raw(&mut json);
        for event in events {
            writer.handle_event(event, &cucumber::cli::Empty).now_or_never().unwrap();
        }
    }
    let json = String::from_utf8(json).unwrap();
    assert!(json.contains("\"name\": \"One\"") || json.contains("\"name\":\"One\""), "{json}");
}
