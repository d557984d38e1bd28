//! The same features on Istio's own control plane: what comes out otherwise than on the embedded mesh is told in docs/meshes.md,
//! and nothing else does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot unwrap should fail, and says what it saw"
)]

mod support;

use std::{
    collections::BTreeMap,
    io::Write as _,
    time::{Duration, Instant},
};
use support::{NotGreen, Squall, came_as_told, envoy_to_be_had, rows_of_meshes};

/// Whether there is an istiod. If not, the test is skipped, loudly.
fn istiod_to_be_had() -> bool {
    let found = Squall::new().run(&["doctor"]).out.contains("✓ Istio");
    if !found {
        let told = "SKIPPED: no istiod to be had (kind-config/istiod), nothing was proven on Istio\n";
        std::io::stderr().write_all(told.as_bytes()).unwrap();
    }
    found
}

/// What docs/meshes.md says of each scenario that does not hold on Istio: its title, and what comes of it.
fn told() -> BTreeMap<String, String> {
    let rows = rows_of_meshes().into_iter().filter_map(|cells| match cells.as_slice() {
        [scenario, came, _] if ["now and then violated", "unsupported"].contains(&came.as_str()) => {
            Some((scenario.clone(), came.trim_start_matches("now and then ").to_owned()))
        }
        _ => None,
    });
    rows.collect()
}

#[test]
fn every_feature_comes_out_on_istio_as_docs_meshes_says() {
    if !istiod_to_be_had() {
        return;
    }
    let Some(_turn) = envoy_to_be_had() else { return };
    let told = told();
    let squall = Squall::new();
    let summary = squall.home.path().join("summary.json");
    let ran =
        squall.run(&["run", "--mesh", "istio", "--controls", "--summary", &summary.display().to_string(), "features"]);
    eprintln!("{}", ran.out);
    let totals: serde_json::Value = serde_json::from_slice(&std::fs::read(&summary).unwrap()).unwrap();
    let count = |name: &str| totals[name].as_u64().unwrap();
    came_as_told(&totals, &told, NotGreen::by_the_machine, |args| {
        squall.run(&[&["run", "--mesh", "istio"], args].concat())
    });
    let unsupported = told.values().filter(|came| *came == "unsupported").count() as u64;
    assert_eq!(count("unsupported"), unsupported, "{totals}");
    assert_eq!(
        count("holds") + count("violated") + count("inconclusive") + unsupported,
        count("scenarios"),
        "{totals}"
    );
    let controls = count("controls_red") + count("controls_undecided");
    assert!(count("holds") >= 20 && controls >= count("holds"), "{totals}");
    assert_eq!(count("vacuous") + count("error") + count("controls_error"), 0, "{totals}");
    assert_eq!(squall.left_after(Duration::from_secs(5)), Vec::<String>::new());
}

#[test]
fn a_run_that_is_killed_leaves_no_istiod() {
    if !istiod_to_be_had() {
        return;
    }
    let Some(_turn) = envoy_to_be_had() else { return };
    let squall = Squall::new();
    let mut run = squall.command(&["run", "--mesh", "istio", "features/retry"]).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let istiod = |left: &[String]| left.iter().any(|one| one.contains("-mesh"));
    while !istiod(&squall.left()) {
        assert!(Instant::now() < deadline, "istiod was never started: {:?}", squall.left());
        std::thread::yield_now();
    }
    run.kill().unwrap();
    run.wait().unwrap();
    assert_eq!(squall.left_after(Duration::from_secs(10)), Vec::<String>::new());
}

#[test]
fn without_an_istiod_it_says_what_to_do() {
    let Some(_turn) = envoy_to_be_had() else { return };
    let squall = Squall::new();
    let missing = squall.run(&["run", "--mesh", "istio", "--istiod", "/nonexistent/istiod", "features/retry"]);
    missing.expect(3).says(&["no istiod at /nonexistent/istiod", "kind-config/istiod"]);
    squall.run(&["run", "--mesh", "linkerd", "features/retry"]).expect(2).says(&["possible values: envoy, istio"]);
    // One that ends at once is told by its last words, and not waited for.
    let broken = squall.run(&["run", "--mesh", "istio", "--istiod", "/bin/false", "features/retry"]);
    broken.expect(3).says(&["istiod does not become ready"]);
    assert_eq!(squall.left_after(Duration::from_secs(5)), Vec::<String>::new());
}

#[test]
fn a_plan_shows_what_istio_is_told() {
    let squall = Squall::new();
    let shown = squall.run(&["plan", "--mesh", "istio", "--objects", "features/retry/retry.feature:11"]);
    shown.expect(0).says(&["kind: VirtualService", "attempts: 2", "retryOn: 5xx", "kind: DestinationRule"]);
    squall.run(&["plan", "--mesh", "istio", "--objects", "features/timeout"]).expect(0).says(&["# unsupported: Istio"]);
    squall.run(&["plan", "--objects", "features/retry"]).expect(2).says(&["goes with --mesh istio"]);
}
