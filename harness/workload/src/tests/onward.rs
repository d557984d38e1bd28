//! Calls to other services, answered here by the test.

use super::rig::{Heard, Peer, Rig, Upstream, eventually};
use crate::{Endpoint, Onward};
use squall_model::{Answer, Protocol};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A workload that calls these, and their upstreams.
async fn calling<const N: usize>(names: [&str; N]) -> (Rig, [Upstream; N]) {
    let rig = Rig::with(|config, dir| {
        config.onward = names
            .iter()
            .map(|&n| Onward { service: n.into(), via: Endpoint::Unix(dir.join(n)), protocol: Protocol::Http })
            .collect();
    })
    .await;
    let upstreams = names.map(|name| Upstream::bind(&rig.path(name)));
    (rig, upstreams)
}

/// Asks, answers the one onward call with `answer`, and says what became of the try.
async fn through(rig: &Rig, upstream: &mut Peer, answer: &str) -> Heard {
    let mut caller = rig.asking("run-1").await;
    upstream.hear_head().await;
    upstream.say(answer).await;
    caller.hear().await
}

#[tokio::test]
async fn each_is_called_in_turn_with_the_calls_own_id_and_user() {
    let (rig, [reviews, ratings]) = calling(["reviews", "ratings"]).await;
    let mut caller = rig.caller().await;
    caller
        .say("GET /a HTTP/1.1\r\nhost: x\r\nx-request-id: run-7\r\nx-squall-user: user-3\r\nx-envoy-attempt-count: 2\r\n\r\n")
        .await;
    let mut first = reviews.accept().await;
    assert_eq!(
        first.hear_head().await,
        "GET /a HTTP/1.1\r\nhost: reviews\r\nx-request-id: run-7.reviews.2\r\nx-squall-user: user-3\r\n\r\n"
    );
    first.say(OK).await;
    let mut second = ratings.accept().await;
    assert!(second.hear_head().await.contains("x-request-id: run-7.ratings.2\r\n"));
    assert!(caller.hears_nothing(), "answered before its onward calls");
    second.say(OK).await;
    assert_eq!(caller.hear().await.status, 200);
}

#[tokio::test]
async fn a_path_that_names_one_reaches_it_alone() {
    let (rig, [reviews, ratings]) = calling(["reviews", "ratings"]).await;
    let mut caller = rig.caller().await;
    caller.say("GET /ratings/5 HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut upstream = ratings.accept().await;
    assert_eq!(upstream.hear_head().await, "GET /5 HTTP/1.1\r\nhost: ratings\r\n\r\n");
    upstream.say("HTTP/1.1 103 Early Hints\r\n\r\n").await;
    upstream.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n").await;
    assert_eq!(caller.hear().await.status, 200);
    assert!(!reviews.is_called().await);
}

#[tokio::test]
async fn connections_are_kept_and_dead_ones_replaced() {
    let (rig, [ratings]) = calling(["ratings"]).await;
    let mut caller = rig.asking("run-1").await;
    let mut upstream = ratings.accept().await;
    upstream.hear_head().await;
    upstream.say(OK).await;
    caller.hear().await;
    // The same connection again, and it says that it was the last time.
    let last = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(through(&rig, &mut upstream, last).await.status, 200);
    let mut caller = rig.asking("run-3").await;
    let mut upstream = ratings.accept().await;
    upstream.hear_head().await;
    upstream.say(OK).await;
    assert_eq!(caller.hear().await.status, 200);
    // A connection that died at rest is noticed before anything is sent on it.
    drop(upstream);
    let mut caller = rig.asking("run-4").await;
    let mut upstream = ratings.accept().await;
    upstream.hear_head().await;
    upstream.say(OK).await;
    assert_eq!(caller.hear().await.status, 200);
}

#[tokio::test]
async fn failures_are_passed_on_as_a_gateway_does() {
    let (rig, [ratings]) = calling(["ratings"]).await;
    let mut caller = rig.asking("run-0").await;
    let mut upstream = ratings.accept().await;
    upstream.hear_head().await;
    upstream.say(OK).await;
    caller.hear().await;
    for (answer, status, seen) in [
        ("HTTP/1.1 503 \r\ncontent-length: 0\r\n\r\n", 502, "ratings 503"),
        ("HTTP/1.1 404 \r\ncontent-length: 0\r\n\r\n", 502, "ratings 404"),
        ("HTTP/1.1 504 \r\ncontent-length: 0\r\n\r\n", 504, "ratings 504"),
        ("not HTTP\r\n\r\n", 502, "ratings 0"),
    ] {
        let heard = through(&rig, &mut upstream, answer).await;
        assert_eq!(heard.status, status, "{answer}");
        assert!(heard.head.contains(&format!("x-squall-onward: {seen}\r\n")), "{}", heard.head);
    }
    // Nobody there at all.
    drop((ratings, upstream));
    let heard = rig.asking("run-9").await.hear().await;
    assert_eq!(heard.status, 502);
    assert!(heard.head.contains("x-squall-onward: ratings 0\r\n"));
}

#[tokio::test]
async fn the_worst_of_several_is_the_answer_and_all_are_called() {
    let (rig, [a, b, c]) = calling(["a", "b", "c"]).await;
    let mut caller = rig.asking("run-1").await;
    for (upstream, status) in [(a, 503), (b, 504), (c, 200)] {
        let mut upstream = upstream.accept().await;
        upstream.hear_head().await;
        upstream.say(&format!("HTTP/1.1 {status} \r\ncontent-length: 0\r\n\r\n")).await;
    }
    let heard = caller.hear().await;
    assert_eq!(heard.status, 504);
    assert!(heard.head.contains("x-squall-onward: b 504\r\n"), "{}", heard.head);
}

#[tokio::test]
async fn a_try_that_is_given_up_has_its_calls_seen_through() {
    let (mut rig, [ratings]) = calling(["ratings"]).await;
    let caller = rig.asking("run-1").await;
    let mut upstream = ratings.accept().await;
    upstream.hear_head().await;
    drop(caller);
    assert_eq!(rig.tries(1).await[0].status, 0);
    assert_eq!(rig.control.state().await.unwrap().in_flight, 1, "its worker is busy with them");
    upstream.say(OK).await;
    eventually("the worker to be free", async || (rig.control.state().await.unwrap().in_flight == 0).then_some(()))
        .await;
}

#[tokio::test]
async fn who_fails_by_itself_or_is_checked_calls_nobody() {
    let (mut rig, [ratings]) = calling(["ratings"]).await;
    rig.answer_with(Answer::Status(503)).await;
    let heard = rig.asking("run-1").await.hear().await;
    assert_eq!((heard.status, heard.head.contains("x-squall-onward")), (503, false));
    // Nor does a health check: each service answers for itself.
    rig.answer_with(Answer::Status(200)).await;
    let mut checker = rig.caller().await;
    checker.say("GET /healthz HTTP/1.1\r\nhost: reviews\r\nuser-agent: Envoy/HC\r\n\r\n").await;
    assert_eq!(checker.hear().await.status, 200);
    assert!(!ratings.is_called().await);
}
