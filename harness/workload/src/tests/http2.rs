//! Tries over HTTP/2.

use super::{
    rig::Rig,
    streams::{get, with},
};
use crate::Endpoint;
use bytes::Bytes;
use h2::Reason;
use squall_model::{Answer, Behaviour, Capacity, Latency, Protocol};
use std::time::Duration;

async fn rig() -> Rig {
    Rig::with(|config, _| config.protocol = Protocol::Http2).await
}

#[tokio::test]
async fn tries_share_a_connection_and_are_written_down() {
    let mut rig = rig().await;
    let mut caller = rig.streams().await;
    for (status, id) in [(200, "run-1"), (503, "run-2"), (204, "run-3")] {
        rig.answer_with(Answer::Status(status)).await;
        let request = with(with(get("/", id), "x-envoy-attempt-count", "2"), "x-squall-caller", "web");
        let heard = caller.ask(request).hear().await;
        assert_eq!(heard.status, status);
        assert_eq!(heard.header("x-squall-instance"), Some("reviews-2"));
        assert_eq!(heard.body, if status == 204 { "" } else { "reviews-2\n" });
        assert_eq!(heard.header("content-length"), (status != 204).then_some("10"));
    }
    let lines = rig.tries(3).await;
    let lines: Vec<_> = lines.iter().map(|l| (l.id.as_str(), l.status, l.grpc, l.attempt, l.caller.as_str())).collect();
    let line = |id, status| (id, status, None, 2, "web");
    assert_eq!(lines, [line("run-1", 200), line("run-2", 503), line("run-3", 204)]);
    rig.quit().await.unwrap();
    assert!(caller.ended().await.is_go_away());
}

#[tokio::test]
async fn over_tcp() {
    let rig = Rig::with(|config, _| {
        config.protocol = Protocol::Http2;
        config.listen = Endpoint::Tcp(([127, 0, 0, 1], 0).into());
    })
    .await;
    assert_eq!(rig.streams().await.ask(get("/", "run-1")).hear().await.status, 200);
}

#[tokio::test]
async fn bodies_are_read_and_thrown_away() {
    let mut rig = rig().await;
    let mut caller = rig.streams().await;
    let mut slow = caller.begin(get("/", "slow"));
    slow.body.send_data(Bytes::from_static(b"hel"), false).unwrap();
    // Longer than any window that is there from the start.
    let mut long = caller.begin(get("/", "long"));
    long.body.send_data(Bytes::from(vec![b'x'; 3_000_000]), true).unwrap();
    assert_eq!(long.hear().await.status, 200);
    assert_eq!(rig.lines(1).await.len(), 1, "answered before its body was read");
    slow.body.send_data(Bytes::from_static(b"lo"), true).unwrap();
    assert_eq!(slow.hear().await.status, 200);
    assert_eq!(rig.control.state().await.unwrap().served, 2);
}

#[tokio::test]
async fn no_body_after_head() {
    let rig = rig().await;
    let mut request = get("/", "run-1");
    *request.method_mut() = http::Method::HEAD;
    let heard = rig.streams().await.ask(request).hear().await;
    assert_eq!((heard.status, heard.header("content-length"), heard.body.len()), (200, Some("10"), 0));
}

#[tokio::test]
async fn a_reset_and_a_cut_leave_the_neighbours_alone() {
    let mut rig = rig().await;
    let mut caller = rig.streams().await;
    rig.answer_with(Answer::Hang).await;
    let hanging = caller.ask(get("/", "hanging"));
    rig.crowd(1, 0).await;

    rig.answer_with(Answer::Reset).await;
    let broken = caller.ask(get("/", "reset")).listen().await.unwrap_err();
    assert_eq!((broken.status, broken.error.reason()), (None, Some(Reason::INTERNAL_ERROR)));
    assert!(broken.error.is_reset() && broken.error.is_remote());

    rig.answer_with(Answer::CutBody).await;
    let broken = caller.ask(get("/", "cut")).listen().await.unwrap_err();
    assert_eq!((broken.status, &broken.body[..]), (Some(200), &b"reviews-2\n"[..]));
    assert!(broken.error.is_reset() && broken.error.is_remote());

    rig.answer_with(Answer::Status(200)).await;
    assert_eq!(caller.ask(get("/", "good")).hear().await.status, 200);
    rig.crowd(1, 0).await;
    drop(hanging);
    rig.crowd(0, 0).await;
    let lines = rig.tries(4).await;
    let lines: Vec<_> = lines.iter().map(|l| (l.id.as_str(), l.status)).collect();
    assert_eq!(lines, [("reset", 0), ("cut", 200), ("good", 200), ("hanging", 0)]);
}

/// A connection that ends takes with it what is open on it.
#[tokio::test]
async fn a_close_and_garbage_end_the_connection() {
    for answer in [Answer::Close, Answer::Garbage] {
        let mut rig = rig().await;
        let mut caller = rig.streams().await;
        rig.answer_with(Answer::Hang).await;
        let neighbour = caller.ask(get("/", "neighbour"));
        rig.crowd(1, 0).await;
        rig.answer_with(answer).await;
        let broken = caller.ask(get("/", "run-1")).listen().await.unwrap_err();
        assert_eq!(broken.status, None);
        assert!(neighbour.listen().await.is_err());
        // No goodbye: what ended it was found out on this side.
        let end = caller.ended().await;
        match answer {
            Answer::Close => assert!(end.is_io(), "{end:?}"),
            _ => assert!(end.is_library() && end.is_go_away(), "{end:?}"),
        }
        let lines = rig.tries(2).await;
        assert_eq!(
            lines.iter().map(|l| (l.id.as_str(), l.status)).collect::<Vec<_>>(),
            [("run-1", 0), ("neighbour", 0)]
        );
        rig.answer_with(Answer::Status(200)).await;
        assert_eq!(rig.streams().await.ask(get("/", "run-2")).hear().await.status, 200);
    }
}

#[tokio::test]
async fn who_finds_no_place_is_shed() {
    let mut rig = rig().await;
    let mut caller = rig.streams().await;
    let capacity = Some(Capacity { workers: 1, queue: Some(1) });
    rig.control.set(&Behaviour { answer: Answer::Hang, capacity, ..Behaviour::default() }).await.unwrap();
    let busy = caller.ask(get("/", "busy"));
    rig.crowd(1, 0).await;
    rig.control.set(&Behaviour { capacity, ..Behaviour::default() }).await.unwrap();
    let waiting = caller.ask(get("/", "waiting"));
    rig.crowd(1, 1).await;
    let shed = caller.ask(get("/", "shed")).hear().await;
    assert_eq!((shed.status, shed.header("x-squall-overload")), (503, Some("true")));
    drop(busy);
    assert_eq!(waiting.hear().await.status, 200);
    let lines = rig.tries(3).await;
    let lines: Vec<_> = lines.iter().map(|l| (l.id.as_str(), l.status)).collect();
    assert_eq!(lines, [("shed", 503), ("busy", 0), ("waiting", 200)]);
}

#[tokio::test]
async fn who_resets_its_stream_has_gone_and_work_begun_is_finished() {
    // The first caller must go while its try is being worked on: on a machine too slow for that, longer work is given.
    for latency in [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(8)] {
        let mut rig = rig().await;
        let capacity = Some(Capacity { workers: 1, queue: None });
        let slow = Behaviour { latency: Latency::Fixed(latency), capacity, ..Behaviour::default() };
        rig.control.set(&slow).await.unwrap();
        let mut caller = rig.streams().await;
        let gone = caller.ask(get("/", "gone"));
        rig.crowd(1, 0).await;
        drop(gone);
        assert_eq!(caller.ask(get("/", "next")).hear().await.status, 200);
        let lines = rig.tries(2).await;
        if lines[0].status == 200 {
            continue;
        }
        assert_eq!((lines[0].id.as_str(), lines[0].status), ("gone", 0));
        // Its line was written when it went; its worker was free when the work was done.
        assert!(lines[0].ended < lines[1].ended - latency, "{lines:?}");
        assert!(lines[1].ended >= lines[0].began + 2 * latency, "{lines:?}");
        return;
    }
    panic!("a caller that went away was answered");
}

#[tokio::test]
async fn a_caller_that_breaks_off_its_body_is_written_down() {
    let rig = rig().await;
    let mut caller = rig.streams().await;
    let mut asked = caller.begin(get("/", "run-1"));
    asked.body.send_data(Bytes::from_static(b"half"), false).unwrap();
    drop(asked);
    assert_eq!(rig.tries(1).await[0].status, 0);
    assert_eq!(caller.ask(get("/", "run-2")).hear().await.status, 200);
}

#[tokio::test]
async fn checks_are_no_tries() {
    let mut rig = rig().await;
    rig.answer_with(Answer::Status(503)).await;
    let mut caller = rig.streams().await;
    assert_eq!(caller.ask(with(get("/", ""), "user-agent", "Envoy/HC")).hear().await.status, 503);
    // Only gRPC has a method for it.
    assert_eq!(caller.ask(get("/grpc.health.v1.Health/Check", "run-1")).hear().await.status, 503);
    assert_eq!(rig.tries(1).await[0].id, "run-1");
    assert_eq!(rig.control.state().await.unwrap().checks, 1);
}

#[tokio::test]
async fn copies_are_known_by_their_host() {
    let rig = rig().await;
    let mut caller = rig.streams().await;
    let mut request = get("/", "run-1");
    *request.uri_mut() = "http://reviews-shadow:80/".parse().unwrap();
    caller.ask(request).hear().await;
    assert!(rig.tries(1).await[0].copy);
}

/// Nothing but HTTP/2 is spoken: whoever says something else is hung up on.
#[tokio::test]
async fn what_is_not_http_2_is_refused() {
    let rig = rig().await;
    // Hung up on before all was read that it said: on a Unix socket, too, that may be a reset.
    let said = rig.asking("run-1").await.hear_out().await.unwrap_or_default();
    assert!(!said.starts_with(b"HTTP/1.1"), "{said:?}");
    assert_eq!(rig.streams().await.ask(get("/", "run-2")).hear().await.status, 200);
    assert_eq!(rig.tries(1).await.len(), 1);
}

#[tokio::test]
async fn asked_to_quit_it_finishes_what_is_in_flight_and_says_goodbye() {
    let mut rig = rig().await;
    let latency = Latency::Fixed(Duration::from_millis(100));
    rig.control.set(&Behaviour { latency, ..Behaviour::default() }).await.unwrap();
    let mut caller = rig.streams().await;
    let asked = caller.ask(get("/", "run-1"));
    rig.crowd(1, 0).await;
    rig.quit().await.unwrap();
    assert_eq!(asked.hear().await.status, 200);
    assert!(caller.ended().await.is_go_away());
}
