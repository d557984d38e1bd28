//! HTTP/2 and gRPC: what is spoken at both ends, what the proxies write down, how they fail.

use crate::{
    http2::Says,
    town::{Town, id, to_reviews, topology, touch},
};
use squall_model::{AnswerCode, Fraction, GrpcStatus, Level, PolicyKind, Protocol, RetryOn, Topology, Touch, Traffic};
use std::time::Duration;

fn speaking(protocol: Protocol, instances: usize) -> Topology {
    let mut topology = topology(&vec![None; instances]);
    topology.services[1].protocol = protocol;
    topology
}

fn retries(up_to: u32, on: RetryOn) -> PolicyKind {
    PolicyKind::Retries { of: to_reviews(), up_to, on: vec![on], elsewhere: false }
}

#[tokio::test]
async fn a_grpc_call_leaves_its_status_with_each_observer() {
    let Some(town) = Town::new(speaking(Protocol::Grpc, 1), Vec::new(), Vec::new()).await else { return };
    let client = town.http2_client().await;
    let reviews = &town.http2[&id("reviews", 1)];
    for (name, says, status) in [
        ("ok", Says::Grpc(0, 1), GrpcStatus::Ok),
        ("late", Says::Grpc(10, 2), GrpcStatus::Aborted),
        ("head", Says::Grpc(14, 0), GrpcStatus::Unavailable),
    ] {
        reviews.says(says);
        let seen = client.grpc(name, &[]).await;
        assert_eq!((seen.status, seen.grpc), (200, Some(u32::from(status.number()))));
        let logged = town.logged(name).await;
        assert_eq!((logged.outbound(name).grpc, logged.outbound(name).status), (Some(status), 200));
        assert_eq!(logged.tries(name)[0].grpc, Some(status));
        assert_eq!(logged.inbound(name)[0].grpc, Some(status));
        assert_eq!((logged.outbound(name).flags.as_str(), logged.inbound(name)[0].flags.as_str()), ("-", "-"));
    }
    let served = &reviews.served()[0];
    assert_eq!((served["x-envoy-attempt-count"].as_str(), served["x-squall-caller"].as_str()), ("1", "web"));
}

#[tokio::test]
async fn http2_without_grpc() {
    let Some(town) = Town::new(speaking(Protocol::Http2, 2), vec![retries(2, RetryOn::FiveHundreds)], Vec::new()).await
    else {
        return;
    };
    let client = town.http2_client().await;
    for workload in town.http2.values() {
        workload.says(Says::Http(200));
    }
    let mut names = std::collections::BTreeSet::new();
    for n in 0..4 {
        let seen = client.call("GET", &format!("r1.{n}"), &[]).await;
        assert_eq!((seen.status, seen.grpc), (200, None));
        names.insert(seen.body);
    }
    assert_eq!(names.len(), 2, "balanced call by call, though each has one connection");
    // The listener takes either protocol, whatever is spoken behind it.
    assert_eq!(town.client().await.call("r1.plain", &[]).await.0, 200);
    for workload in town.http2.values() {
        workload.says(Says::Http(503));
    }
    assert_eq!(client.call("GET", "r1.bad", &[]).await.status, 503);
    let logged = town.logged("end").await;
    assert_eq!((logged.outbound("r1.bad").attempts, logged.outbound("r1.bad").grpc), (3, None));
    let http2 = town.counters("web", 1).await;
    assert_eq!(http2["cluster.out.reviews.upstream_cx_http2_total"], 2);
}

#[tokio::test]
async fn a_grpc_call_is_retried_on_the_status_in_the_head_and_not_after_a_message() {
    let Some(town) = Town::new(speaking(Protocol::Grpc, 1), vec![retries(2, RetryOn::Unavailable)], Vec::new()).await
    else {
        return;
    };
    let client = town.http2_client().await;
    let reviews = &town.http2[&id("reviews", 1)];
    for (name, says, tries) in
        [("head", Says::Grpc(14, 0), 3), ("other", Says::Grpc(13, 0), 1), ("late", Says::Grpc(14, 1), 1)]
    {
        reviews.says(says);
        client.grpc(name, &[]).await;
        let logged = town.logged(name).await;
        assert_eq!(logged.tries(name).len(), tries, "{name}");
        let call = logged.outbound(name);
        assert_eq!(call.attempts as usize, tries);
        assert_eq!(call.flags, if tries == 3 { "URX" } else { "-" });
        assert!(logged.tries(name).iter().all(|t| t.grpc == call.grpc && t.flags == "-"));
    }
}

#[tokio::test]
async fn grpc_aborts_on_calls_and_on_tries() {
    let abort = |level, status| touch(100, level, to_reviews(), Touch::Abort(AnswerCode::Grpc(status)));
    let plain = touch(100, Level::Tries, to_reviews(), Touch::Abort(AnswerCode::Status(503)));
    let faults =
        vec![abort(Level::Calls, GrpcStatus::ResourceExhausted), abort(Level::Tries, GrpcStatus::Unavailable), plain];
    let policies = vec![retries(2, RetryOn::Unavailable)];
    let Some(town) = Town::new(speaking(Protocol::Grpc, 1), policies, faults).await else { return };
    let client = town.http2_client().await;
    town.arm(&[0]).await;
    assert_eq!(client.grpc("call", &[]).await.grpc, Some(8));
    town.arm(&[1]).await;
    assert_eq!(client.grpc("try", &[]).await.grpc, Some(14));
    // A status of HTTP comes to a gRPC call as the status that it maps to.
    town.arm(&[2]).await;
    let seen = client.grpc("plain", &[]).await;
    assert_eq!((seen.status, seen.grpc), (200, Some(14)));
    town.arm(&[]).await;
    assert_eq!(client.grpc("none", &[]).await.grpc, Some(0));

    let logged = town.logged("end").await;
    let call = logged.outbound("call");
    assert_eq!((call.attempts, call.flags.as_str(), call.status), (0, "FI", 200));
    assert_eq!(call.grpc, Some(GrpcStatus::ResourceExhausted));
    for name in ["try", "plain"] {
        let inbound = logged.inbound(name);
        assert_eq!(inbound.len(), 3, "aborted tries are retried");
        assert!(inbound.iter().all(|r| r.flags == "FI" && r.grpc == Some(GrpcStatus::Unavailable)), "{inbound:?}");
        assert!(logged.tries(name).iter().all(|t| t.flags == "-" && t.grpc == Some(GrpcStatus::Unavailable)));
        let call = logged.outbound(name);
        assert_eq!((call.flags.as_str(), call.status, call.grpc), ("URX", 200, Some(GrpcStatus::Unavailable)));
    }
    let counted = town.counters("reviews", 1).await["http.in.fault.aborts_injected"];
    assert_eq!(counted, 6);
}

/// Envoy tells a gRPC client of a time limit as UNAVAILABLE, and not as DEADLINE_EXCEEDED.
#[tokio::test]
async fn a_grpc_call_that_times_out_is_unavailable() {
    let limit = |level| {
        let of = Traffic { share: Fraction::ALL, level, of: to_reviews() };
        PolicyKind::Timeout { of, after: Duration::from_millis(200) }
    };
    let Some(mut town) = Town::new(speaking(Protocol::Grpc, 1), vec![limit(Level::Calls)], Vec::new()).await else {
        return;
    };
    let client = town.http2_client().await;
    town.http2[&id("reviews", 1)].says(Says::Nothing);
    assert_eq!(client.grpc("call", &[]).await.grpc, Some(14));
    town.policies(vec![limit(Level::Tries), retries(1, RetryOn::FiveHundreds)]);
    town.configure().await.unwrap();
    assert_eq!(client.grpc("tries", &[]).await.grpc, Some(14));
    let logged = town.logged("end").await;
    let call = logged.outbound("call");
    assert_eq!((call.flags.as_str(), call.details.as_str(), call.status), ("UT", "response_timeout", 200));
    assert_eq!(call.grpc, Some(GrpcStatus::Unavailable));
    let call = logged.outbound("tries");
    assert_eq!((call.flags.as_str(), call.attempts), ("URX,UT", 2));
    let unanswered = |t: &&squall_model::TryRecord| t.flags == "UT" && t.status == 0 && t.grpc.is_none();
    assert!(logged.tries("tries").iter().all(unanswered), "{:?}", logged.tries("tries"));
}
