//! Kinds of answers.

use super::rig::{Peer, Rig};
use crate::Endpoint;
use squall_model::{Answer, Behaviour, Latency};
use std::{io, time::Duration};

/// Asks once on a new connection, under this answer.
async fn asked(rig: &mut Rig, answer: Answer) -> Peer {
    rig.answer_with(answer).await;
    rig.asking("run-1").await
}

#[tokio::test]
async fn a_status_is_answered_and_the_connection_kept() {
    let mut rig = Rig::start().await;
    let mut caller = rig.caller().await;
    for (status, id) in [(200, "run-1"), (503, "run-2"), (204, "run-3")] {
        rig.answer_with(Answer::Status(status)).await;
        caller.get(id).await;
        let heard = caller.hear().await;
        assert_eq!(heard.status, status);
        assert!(heard.head.contains("x-squall-instance: reviews-2\r\n"));
        assert_eq!(heard.body, if status == 204 { "" } else { "reviews-2\n" });
    }
    let lines = rig.tries(3).await;
    assert_eq!(
        lines.iter().map(|l| (l.id.as_str(), l.status)).collect::<Vec<_>>(),
        [("run-1", 200), ("run-2", 503), ("run-3", 204)]
    );
    rig.quit().await.unwrap();
}

#[tokio::test]
async fn bodies_are_read_and_thrown_away() {
    let rig = Rig::start().await;
    let mut caller = rig.caller().await;
    caller.say("POST / HTTP/1.1\r\nhost: reviews\r\ncontent-length: 5\r\n\r\nhello").await;
    assert_eq!(caller.hear().await.status, 200);
    caller.say("POST / HTTP/1.1\r\nhost: reviews\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel").await;
    assert!(caller.hears_nothing(), "answered before the body was read");
    caller.say("lo\r\n0\r\n\r\n").await;
    assert_eq!(caller.hear().await.status, 200);
    caller.say("HEAD / HTTP/1.1\r\nhost: reviews\r\nconnection: close\r\n\r\n").await;
    let all = String::from_utf8(caller.hear_out().await.unwrap()).unwrap();
    assert!(all.starts_with("HTTP/1.1 200 OK") && all.ends_with("\r\n\r\n"), "{all}");
}

#[tokio::test]
async fn close_and_garbage_and_cut_end_the_connection() {
    let mut rig = Rig::start().await;
    assert_eq!(asked(&mut rig, Answer::Close).await.hear_out().await.unwrap(), b"");

    let garbage = asked(&mut rig, Answer::Garbage).await.hear_out().await.unwrap();
    assert!(!garbage.is_empty() && !garbage.starts_with(b"HTTP/"));

    let cut = String::from_utf8(asked(&mut rig, Answer::CutBody).await.hear_out().await.unwrap()).unwrap();
    assert!(cut.contains("content-length: 20\r\n") && cut.ends_with("\r\n\r\nreviews-2\n"), "{cut}");

    assert_eq!(rig.tries(3).await.iter().map(|l| l.status).collect::<Vec<_>>(), [0, 0, 200]);
}

#[tokio::test]
async fn a_reset_is_one_on_tcp_and_a_close_on_a_unix_socket() {
    let mut unix = Rig::start().await;
    assert_eq!(asked(&mut unix, Answer::Reset).await.hear_out().await.unwrap(), b"");

    let mut tcp = Rig::with(|config, _| config.listen = Endpoint::Tcp(([127, 0, 0, 1], 0).into())).await;
    let error = asked(&mut tcp, Answer::Reset).await.hear_out().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(asked(&mut tcp, Answer::Close).await.hear_out().await.unwrap(), b"");
    assert_eq!(tcp.tries(2).await[0].status, 0);
}

#[tokio::test]
async fn a_try_that_hangs_does_so_whatever_comes_later() {
    let mut rig = Rig::start().await;
    let hanging = asked(&mut rig, Answer::Hang).await;
    rig.crowd(1, 0).await;
    assert_eq!(asked(&mut rig, Answer::Status(200)).await.hear().await.status, 200);
    assert!(hanging.hears_nothing());
    drop(hanging);
    rig.crowd(0, 0).await;
    assert_eq!(rig.tries(2).await.iter().map(|l| l.status).collect::<Vec<_>>(), [200, 0]);
}

#[tokio::test]
async fn latency_lies_between_request_and_answer() {
    let mut rig = Rig::start().await;
    let latency = Duration::from_millis(40);
    rig.control.set(&Behaviour { latency: Latency::Fixed(latency), ..Behaviour::default() }).await.unwrap();
    assert_eq!(rig.asking("run-1").await.hear().await.status, 200);
    let line = &rig.tries(1).await[0];
    assert!(line.ended.since(line.began) >= latency);
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let rig = Rig::start().await;
    let mut caller = rig.caller().await;
    caller.say("\x16\x03\x01 hello\r\n\r\n").await;
    assert!(caller.hear_out().await.unwrap().starts_with(b"HTTP/1.1 400 Bad Request\r\n"));
    let mut endless = rig.caller().await;
    endless.say(&format!("GET /{} HTTP/1.1\r\n", "x".repeat(70_000))).await;
    assert_eq!(endless.hear().await.status, 400);
    rig.asking("run-1").await.hear().await;
    assert_eq!(rig.lines(1).await.len(), 1);
}

#[tokio::test]
async fn checks_are_served_but_are_no_tries() {
    let mut rig = Rig::start().await;
    rig.answer_with(Answer::Status(503)).await;
    let mut checker = rig.caller().await;
    checker.say("GET /healthz HTTP/1.1\r\nhost: reviews\r\nuser-agent: Envoy/HC\r\n\r\n").await;
    assert_eq!(checker.hear().await.status, 503);
    let mut caller = rig.caller().await;
    caller.say("GET /healthz HTTP/1.1\r\nhost: reviews\r\nx-request-id: run-1\r\n\r\n").await;
    assert_eq!(caller.hear().await.status, 503);
    assert_eq!(rig.tries(1).await.iter().map(|l| l.id.as_str()).collect::<Vec<_>>(), ["run-1"]);
    let state = rig.control.state().await.unwrap();
    assert_eq!((state.checks, state.served), (1, 1));
}
