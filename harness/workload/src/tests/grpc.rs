//! Tries over gRPC.

use super::{
    rig::Rig,
    streams::{post, with},
};
use h2::Reason;
use squall_model::{Answer, Behaviour, Capacity, GrpcStatus, Protocol};

/// The instance's name in field 1, in its frame.
const MESSAGE: &[u8] = b"\0\0\0\0\x0b\x0a\x09reviews-2";
const CHECK: &str = "/grpc.health.v1.Health/Check";

async fn rig() -> Rig {
    Rig::with(|config, _| config.protocol = Protocol::Grpc).await
}

fn grpc(status: GrpcStatus, after: u32) -> Answer {
    Answer::Grpc { status, after }
}

/// What the ledger says was answered: status of HTTP, status of gRPC.
async fn answered(rig: &Rig, n: usize) -> (u16, Option<GrpcStatus>) {
    let line = rig.tries(n).await.pop().unwrap();
    (line.status, line.grpc)
}

#[tokio::test]
async fn any_method_is_answered_with_the_instances_name() {
    let mut rig = rig().await;
    let mut caller = rig.streams().await;
    for (n, status) in [(1, 200), (2, 302)] {
        rig.answer_with(Answer::Status(status)).await;
        let heard = caller.call(post("/any.Service/Method", "run-1")).hear().await;
        assert_eq!((heard.status, &heard.body[..], heard.trailing_status()), (200, MESSAGE, Some("0")));
        assert_eq!(heard.header("content-type"), Some("application/grpc"));
        assert_eq!((heard.header("x-squall-instance"), heard.header("grpc-status")), (Some("reviews-2"), None));
        assert_eq!(answered(&rig, n).await, (200, Some(GrpcStatus::Ok)));
    }
}

#[tokio::test]
async fn a_failure_of_http_has_no_status_of_grpc() {
    let mut rig = rig().await;
    rig.answer_with(Answer::Status(503)).await;
    let heard = rig.streams().await.call(post("/a.B/C", "run-1")).hear().await;
    assert_eq!((heard.status, &heard.body[..]), (503, &b"reviews-2\n"[..]));
    assert_eq!((heard.header("grpc-status"), heard.trailing_status()), (None, None));
    assert_eq!(answered(&rig, 1).await, (503, None));
}

/// Envoy retries by the status of the first, and not by that of the second: it has passed the answer on by then.
#[tokio::test]
async fn a_status_comes_alone_or_after_messages() {
    let mut rig = rig().await;
    let mut caller = rig.streams().await;
    rig.answer_with(grpc(GrpcStatus::Unavailable, 0)).await;
    let heard = caller.call(post("/a.B/C", "run-1")).hear().await;
    assert_eq!((heard.status, heard.header("grpc-status"), heard.body.len()), (200, Some("14"), 0));
    assert!(heard.trailers.is_none());
    assert_eq!(answered(&rig, 1).await, (200, Some(GrpcStatus::Unavailable)));

    rig.answer_with(grpc(GrpcStatus::Aborted, 2)).await;
    let heard = caller.call(post("/a.B/C", "run-2")).hear().await;
    assert_eq!((heard.status, heard.header("grpc-status"), heard.trailing_status()), (200, None, Some("10")));
    assert_eq!(heard.body, [MESSAGE, MESSAGE].concat());
    assert_eq!(answered(&rig, 2).await, (200, Some(GrpcStatus::Aborted)));
}

#[tokio::test]
async fn a_full_line_is_a_resource_that_is_exhausted() {
    let mut rig = rig().await;
    let capacity = Some(Capacity { workers: 1, queue: Some(0) });
    rig.control.set(&Behaviour { answer: Answer::Hang, capacity, ..Behaviour::default() }).await.unwrap();
    let mut caller = rig.streams().await;
    let _busy = caller.call(post("/a.B/C", "busy"));
    rig.crowd(1, 0).await;
    let heard = caller.call(post("/a.B/C", "shed")).hear().await;
    assert_eq!((heard.status, heard.header("grpc-status")), (200, Some("8")));
    assert_eq!(heard.header("x-squall-overload"), Some("true"));
    assert_eq!(answered(&rig, 1).await, (200, Some(GrpcStatus::ResourceExhausted)));
}

#[tokio::test]
async fn half_a_message_is_cut_by_a_reset() {
    let mut rig = rig().await;
    rig.answer_with(Answer::CutBody).await;
    let broken = rig.streams().await.call(post("/a.B/C", "run-1")).listen().await.unwrap_err();
    assert_eq!((broken.status, &broken.body[..]), (Some(200), &MESSAGE[..MESSAGE.len() / 2]));
    assert_eq!(broken.error.reason(), Some(Reason::INTERNAL_ERROR));
    assert_eq!(answered(&rig, 1).await, (200, None));
}

#[tokio::test]
async fn health_is_answered_by_the_ordinary_behaviour_and_is_no_try() {
    let mut rig = rig().await;
    let mut caller = rig.streams().await;
    // Envoy's own, a kubelet's, and anybody's.
    for agent in ["Envoy/HC", "kube-probe/1.34", "grpc-go/1.76"] {
        let heard = caller.call(with(post(CHECK, ""), "user-agent", agent)).hear().await;
        assert_eq!((&heard.body[..], heard.trailing_status()), (&b"\0\0\0\0\x02\x08\x01"[..], Some("0")));
    }
    rig.answer_with(grpc(GrpcStatus::Unavailable, 0)).await;
    assert_eq!(caller.call(post(CHECK, "")).hear().await.header("grpc-status"), Some("14"));
    let state = rig.control.state().await.unwrap();
    assert_eq!((state.checks, state.served), (4, 0));
}
