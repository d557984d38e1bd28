//! Calls to services that speak HTTP/2 or gRPC, answered here by the test.

use super::{
    rig::{Heard, Rig, eventually},
    streams::{Call, Upstream, post, with},
};
use crate::{Endpoint, Onward};
use squall_model::{Behaviour, Latency, Protocol};
use std::time::Duration;

/// A workload that speaks `own` and calls `ratings`, which speaks `of`.
async fn calling(own: Protocol, of: Protocol) -> (Rig, Upstream) {
    let rig = Rig::with(|config, dir| {
        config.protocol = own;
        let via = Endpoint::Unix(dir.join("ratings"));
        config.onward = vec![Onward { service: "ratings".into(), via, protocol: of }];
    })
    .await;
    let upstream = Upstream::bind(&rig.path("ratings"));
    (rig, upstream)
}

/// Makes one try over HTTP/1.1, and has `answer` answer its onward call.
async fn through(rig: &Rig, upstream: &mut Upstream, answer: impl FnOnce(Call)) -> Heard {
    let mut caller = rig.asking("run-1").await;
    answer(upstream.next().await);
    caller.hear().await
}

#[tokio::test]
async fn a_call_of_grpc_is_a_post_with_an_empty_message() {
    let (rig, mut upstream) = calling(Protocol::Http, Protocol::Grpc).await;
    let mut caller = rig.caller().await;
    caller.say("GET / HTTP/1.1\r\nhost: x\r\nx-request-id: run-7\r\nx-squall-user: user-3\r\n\r\n").await;
    let mut call = upstream.next().await;
    assert_eq!(call.request.method(), "POST");
    assert_eq!(call.request.uri(), "http://ratings/squall.Service/Call");
    assert_eq!((call.header("te"), call.header("content-type")), (Some("trailers"), Some("application/grpc")));
    assert_eq!((call.header("x-request-id"), call.header("x-squall-user")), (Some("run-7.ratings.1"), Some("user-3")));
    assert_eq!(call.request.body_mut().data().await.unwrap().unwrap(), &b"\0\0\0\0\0"[..]);
    call.answer_late("0");
    assert_eq!(caller.hear().await.status, 200);
}

#[tokio::test]
async fn a_call_over_http_2_is_a_get() {
    let (rig, mut upstream) = calling(Protocol::Http, Protocol::Http2).await;
    let mut caller = rig.caller().await;
    caller.say("GET /ratings/5?x=1 HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let call = upstream.next().await;
    assert_eq!(
        (call.request.method().as_str(), call.request.uri().to_string()),
        ("GET", "http://ratings/5?x=1".into())
    );
    assert_eq!(call.request.headers().len(), 0);
    call.answer(204, None);
    assert_eq!(caller.hear().await.status, 200);
}

#[tokio::test]
async fn connections_are_shared_and_dead_ones_replaced() {
    let (rig, mut upstream) = calling(Protocol::Http, Protocol::Http2).await;
    let (mut one, mut other) = (rig.asking("run-1").await, rig.asking("run-2").await);
    let (first, second) = (upstream.next().await, upstream.next().await);
    assert_eq!((first.connection, second.connection), (0, 0), "both are in flight on one connection");
    second.answer(200, None);
    first.answer(200, None);
    assert_eq!((one.hear().await.status, other.hear().await.status), (200, 200));
    let heard = through(&rig, &mut upstream, Call::hang_up).await;
    assert!(heard.head.contains("x-squall-onward: ratings 0\r\n"), "{}", heard.head);
    let mut caller = rig.asking("run-4").await;
    let call = upstream.next().await;
    assert_eq!(call.connection, 1);
    call.answer(200, None);
    assert_eq!(caller.hear().await.status, 200);
}

#[tokio::test]
async fn a_failure_of_grpc_is_passed_on_as_a_gateway_does() {
    let (rig, mut upstream) = calling(Protocol::Http, Protocol::Grpc).await;
    for (answer, status, seen) in [
        ((200, Some("14")), 502, "ratings UNAVAILABLE"),
        ((200, Some("4")), 504, "ratings DEADLINE_EXCEEDED"),
        ((200, Some("5")), 502, "ratings NOT_FOUND"),
        // What a client of gRPC makes of it.
        ((503, None), 502, "ratings UNAVAILABLE"),
        ((200, None), 502, "ratings UNKNOWN"),
    ] {
        let heard = through(&rig, &mut upstream, |call| call.answer(answer.0, answer.1)).await;
        assert_eq!(heard.status, status, "{answer:?}");
        assert!(heard.head.contains(&format!("x-squall-onward: {seen}\r\n")), "{}", heard.head);
    }
    let late = through(&rig, &mut upstream, |call| call.answer_late("13")).await;
    assert!(late.head.contains("x-squall-onward: ratings INTERNAL\r\n"), "{}", late.head);
}

#[tokio::test]
async fn a_service_of_grpc_says_so_in_its_own_words() {
    for (protocol, answer, status, seen) in [
        (Protocol::Grpc, (200, Some("14")), "14", "ratings UNAVAILABLE"),
        (Protocol::Grpc, (200, Some("4")), "4", "ratings DEADLINE_EXCEEDED"),
        (Protocol::Http2, (504, None), "4", "ratings 504"),
        (Protocol::Http2, (500, None), "14", "ratings 500"),
    ] {
        let (rig, mut upstream) = calling(Protocol::Grpc, protocol).await;
        let mut caller = rig.streams().await;
        let asked = caller.call(post("/a.B/C", "run-1"));
        let call = upstream.next().await;
        assert_eq!(call.request.uri().path(), "/a.B/C");
        call.answer(answer.0, answer.1);
        let heard = asked.hear().await;
        assert_eq!((heard.header("grpc-status"), heard.header("x-squall-onward")), (Some(status), Some(seen)));
        assert_eq!(rig.tries(1).await[0].grpc.map(|grpc| grpc.number().to_string()), Some(status.to_owned()));
    }
}

#[tokio::test]
async fn a_try_that_is_given_up_has_its_calls_seen_through() {
    let (mut rig, mut upstream) = calling(Protocol::Grpc, Protocol::Grpc).await;
    let mut caller = rig.streams().await;
    let asked = caller.call(post("/a.B/C", "run-1"));
    let call = upstream.next().await;
    drop(asked);
    assert_eq!(rig.tries(1).await[0].status, 0);
    assert_eq!(rig.control.state().await.unwrap().in_flight, 1, "its worker is busy with them");
    call.answer_late("0");
    eventually("the worker to be free", async || (rig.control.state().await.unwrap().in_flight == 0).then_some(()))
        .await;
}

/// The time that a try has taken so far is not there for its onward calls.
#[tokio::test]
async fn what_is_left_of_a_deadline_is_passed_on() {
    let latency = Duration::from_millis(20);
    for (own, of) in [(Protocol::Http, Protocol::Http2), (Protocol::Grpc, Protocol::Grpc)] {
        let (mut rig, mut upstream) = calling(own, of).await;
        rig.control.set(&Behaviour { latency: Latency::Fixed(latency), ..Behaviour::default() }).await.unwrap();
        let _callers = if own == Protocol::Http {
            let mut caller = rig.caller().await;
            caller
                .say("GET / HTTP/1.1\r\nhost: x\r\nx-envoy-expected-rq-timeout-ms: 60000\r\ngrpc-timeout: 60S\r\n\r\n")
                .await;
            (Some(caller), None)
        } else {
            let mut caller = rig.streams().await;
            let request = with(post("/", "run-1"), "x-envoy-expected-rq-timeout-ms", "60000");
            let asked = caller.call(with(request, "grpc-timeout", "60S"));
            (None, Some((caller, asked)))
        };
        let call = upstream.next().await;
        let grpc = call.header("grpc-timeout").unwrap();
        let micros: u64 = grpc.strip_suffix('u').unwrap().parse().unwrap();
        assert!((1_000..=60_000_000 - 20_000).contains(&micros), "{grpc}");
    }
}
