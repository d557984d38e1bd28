//! Laws of the rendering: what is said in a table is found again in Istio's objects, whatever the numbers.

use super::tests::{ejected, limited, rendered, retried, routed, seats, spec, town};
use super::*;
use proptest::prelude::*;
use squall_model::{InFlight, Level, PolicyKind, RetryOn};

/// A duration of protobuf's JSON, in milliseconds.
fn millis(text: &serde_json::Value) -> u64 {
    let seconds: f64 = text.as_str().unwrap().trim_end_matches('s').parse().unwrap();
    (seconds * 1_000.0).round() as u64
}

proptest! {
    #[test]
    fn limits_are_found_again(connections in 1..10_000u32, waiting in 1..10_000u32, tries in 1..10_000u32, retries in 1..100u32) {
        let (caller, callee): (ServiceName, ServiceName) = ("web".into(), "reviews".into());
        let in_flight = |at_most, unit| PolicyKind::InFlight { caller: caller.clone(), at_most, unit, to: callee.clone() };
        let policies = [
            PolicyKind::Connections { caller: caller.clone(), at_most: connections, waiting, to: callee.clone() },
            in_flight(tries, InFlight::Tries),
            in_flight(retries, InFlight::Retries),
        ];
        let config = rendered(&policies, &[]).unwrap();
        let pool = &spec(&config, "DestinationRule", "web.to.reviews")["trafficPolicy"]["connectionPool"];
        prop_assert_eq!(&pool["tcp"]["maxConnections"], connections);
        prop_assert_eq!(&pool["http"]["http1MaxPendingRequests"], waiting);
        prop_assert_eq!(&pool["http"]["http2MaxRequests"], tries);
        prop_assert_eq!(&pool["http"]["maxRetries"], retries);
    }

    #[test]
    fn times_and_numbers_of_tries_are_found_again(up_to in 0..20u32, call in 1..100_000u64, a_try in 1..100_000u64) {
        let mut policies = vec![retried(up_to, &[RetryOn::FiveHundreds], false), limited(Level::Calls, call)];
        if up_to > 0 {
            policies.push(limited(Level::Tries, a_try));
        }
        let config = rendered(&policies, &[]).unwrap();
        let route = &spec(&config, "VirtualService", "reviews")["http"][0];
        prop_assert_eq!(&route["retries"]["attempts"], up_to);
        prop_assert_eq!(millis(&route["timeout"]), call);
        if up_to > 0 {
            prop_assert_eq!(millis(&route["retries"]["perTryTimeout"]), a_try);
        }
    }

    #[test]
    fn shares_are_in_proportion(v1 in 1..100u32) {
        let config = rendered(&[routed(&[(v1, "v1"), (100 - v1, "v2")])], &[]).unwrap();
        let legs = spec(&config, "VirtualService", "reviews")["http"][0]["route"].clone();
        let weights: Vec<u64> = legs.as_array().unwrap().iter().filter_map(|leg| leg["weight"].as_u64()).collect();
        if let [one, other] = weights.as_slice() {
            prop_assert_eq!(one * u64::from(100 - v1), other * u64::from(v1));
        }
    }

    #[test]
    fn ejection_is_found_again(after in 1..1_000u32) {
        let config = rendered(&[ejected(after)], &[]).unwrap();
        let outlier = &spec(&config, "DestinationRule", "web.to.reviews")["trafficPolicy"]["outlierDetection"];
        prop_assert_eq!(&outlier["consecutive5xxErrors"], after);
    }

    /// What is named by its content is as it was otherwise: an API server takes no field that its kind does not have.
    #[test]
    fn a_rule_in_pods_says_what_it_says_elsewhere(after in 1..1_000u32) {
        let topology = town();
        let policies = [ejected(after)];
        let want = Desired { topology: &topology, policies: policies.iter().collect(), faults: &[] };
        let at = seats(&topology);
        let rule = |site: &Site| {
            let config = render(&want, &at, site).unwrap();
            let rule = config.objects.iter().find(|object| object.kind == "DestinationRule").unwrap().clone();
            let shown = config.proofs.get("p0").is_some_and(|proofs| proofs.rules.values().any(|name| *name == rule.name));
            assert_eq!(shown, site.pods, "the caller has to show it");
            (rule.name, rule.spec["trafficPolicy"].clone(), rule.spec.as_object().unwrap().keys().cloned().collect::<Vec<_>>())
        };
        let (alone, policy, fields) = rule(&Site::alone());
        let (in_pods, its_policy, its_fields) = rule(&Site::pods("squall-1", "/run/squall".into()));
        prop_assert!(in_pods.starts_with(&format!("{alone}.")), "{}", in_pods);
        prop_assert_eq!((policy, fields), (its_policy, its_fields));
    }

    /// In pods a proxy goes from one run to the next, so no cluster of the one may be taken for one of the other.
    #[test]
    fn runs_next_to_each_other_have_clusters_of_their_own_in_pods(run in 0..40_000u32) {
        let topology = town();
        let at = |run: u32| Bindings { tag: format!("r{run}"), ..seats(&topology) };
        let site = Site::pods("squall-1", "/run/squall".into());
        let want = Desired { topology: &topology, policies: Vec::new(), faults: &[] };
        let ports = |run: u32| {
            let config = render(&want, &at(run), &site).unwrap();
            spec(&config, "ServiceEntry", "reviews")["ports"][0]["number"].as_u64().unwrap()
        };
        prop_assert_ne!(ports(run), ports(run + 1));
        prop_assert!((1..65_536).contains(&ports(run)));
    }
}
