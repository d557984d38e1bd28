//! `the application in namespace "shop"`: what somebody else deployed.

use crate::{Application, Defaults, Selection, Source, compile};
use squall_model::{Deployed, Diagnostic, Instance, Plan, Service};

/// `front` with one instance, `reviews` with one of each of two versions.
fn shop() -> Vec<Service> {
    let service = |name: &str, instances: Vec<Instance>| Service {
        deployed: Some(Deployed { namespace: "shop".into(), port: 8080, ..Deployed::default() }),
        instances,
        ..Service::new(name.into())
    };
    let instance = |n: u8, version: Option<&str>| Instance {
        version: version.map(Into::into),
        place: None,
        at: Some(([10, 0, 0, n], 9080).into()),
    };
    vec![
        service("front", vec![instance(1, None)]),
        service("reviews", vec![instance(2, Some("v1")), instance(3, Some("v2"))]),
    ]
}

fn compiled(seen: bool, given: &[&str], lines: &[&str]) -> Result<Plan, Vec<Diagnostic>> {
    let application = move |namespace: &str| match (seen, namespace) {
        (false, _) => Application::Unseen,
        (true, "shop") => Application::Seen(shop()),
        (true, _) => Application::Seen(Vec::new()),
    };
    let env = Defaults { application: &application, ..Defaults::default() };
    let text = format!(
        "Feature: F\n  Background:\n    {}\n  Scenario: S\n    {}\n",
        given.join("\n    "),
        lines.join("\n    ")
    );
    let compiled = compile(&Source::new("t.feature", text), &env, &Selection::default());
    compiled.map(|mut compiled| compiled.plans.remove(0))
}

const WEB: &str =
    "Given the application in namespace \"shop\"\n    And a service \"web\" that calls \"front\" and \"reviews\"";
const TRAFFIC: &str = "When \"web\" makes 200 calls per second to \"reviews\" for 2 seconds";
const LINES: [&str; 3] = [
    "When 50% of the calls to \"reviews\" are aborted with status 503",
    "And \"web\" makes 200 calls per second to \"reviews\" for 2 seconds",
    "Then between 25% and 75% of the calls to \"reviews\" fail",
];

fn told(came: Result<Plan, Vec<Diagnostic>>) -> Vec<String> {
    came.unwrap_err().into_iter().map(|d| d.code).collect()
}

#[test]
fn its_services_are_called_as_they_are_deployed() {
    let plan = compiled(true, &[WEB], &LINES).unwrap();
    assert_eq!(plan.needs, []);
    let names: Vec<&str> = plan.topology.services.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["front", "reviews", "web"]);
    assert_eq!(plan.proxies(), 1, "nobody places what is there");
    let version = "Then between 30% and 70% of the calls to \"reviews\" reach version \"v2\" of \"reviews\"";
    assert!(compiled(true, &[WEB], &[TRAFFIC, version]).is_ok());
    // Who of them is ejected is seen by their callers; what their mechanism gives nobody knows beforehand.
    let ejected = "Then instance 1 of \"reviews\" is ejected within 1 s of the fault";
    let faulty = compiled(
        true,
        &[WEB],
        &[
            "When calls to \"reviews\" are aborted with status 503 from 1 s to 2 s",
            &TRAFFIC.replace("When", "And"),
            ejected,
        ],
    );
    assert_eq!(faulty.map(|plan| plan.needs), Ok(Vec::new()));
    let few = "Then between 40% and 60% of the calls to \"reviews\" reach version \"v1\" of \"reviews\"";
    assert!(
        compiled(true, &[WEB], &["When \"web\" makes 1000 calls per second to \"reviews\" for 4 seconds", few]).is_ok()
    );
    let other = version.replace("v2", "v3");
    assert_eq!(told(compiled(true, &[WEB], &[TRAFFIC, &other])), ["unknown-name"]);
}

#[test]
fn where_nobody_has_looked_names_are_taken_on_trust_and_nothing_is_run() {
    let plan = compiled(false, &[WEB], &LINES).unwrap();
    assert!(plan.needs[0].what.contains("--on kubernetes"), "{:?}", plan.needs);
    let version = "Then between 30% and 70% of the calls to \"reviews\" reach version \"v3\" of \"reviews\"";
    assert!(compiled(false, &[WEB], &[TRAFFIC, version]).is_ok());
}

#[test]
fn nothing_of_it_is_declared_again_or_otherwise() {
    let again = format!("{WEB}\n    And a service \"reviews\" with 2 instances");
    assert_eq!(told(compiled(true, &[&again], &LINES)), ["theirs"]);
    let more = format!("{WEB}\n    And \"reviews\" has 2 instances of version \"v1\"");
    assert_eq!(told(compiled(true, &[&more], &LINES)), ["theirs"]);
    let before = format!("Given a service \"reviews\"\n    And {}", WEB.trim_start_matches("Given "));
    assert_eq!(told(compiled(true, &[&before], &LINES)), ["theirs"], "whoever comes first");
    let nowhere = WEB.replace("shop", "nowhere");
    assert!(told(compiled(true, &[&nowhere], &LINES)).contains(&"no-application".to_owned()));
    let theirs = "And \"front\" makes 200 calls per second to \"reviews\" for 2 seconds";
    assert_eq!(told(compiled(true, &[WEB], &[LINES[0], theirs, LINES[2]])), ["no-edge"]);
}
