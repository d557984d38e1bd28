//! What is written down.

use super::rig::Rig;
use crate::{LedgerLine, WorkloadError, clock};
use squall_model::{Answer, Behaviour, Capacity};
use std::path::PathBuf;

#[tokio::test]
async fn a_line_says_whose_try_it_was_and_when() {
    let rig = Rig::start().await;
    let before = clock::now();
    let mut caller = rig.caller().await;
    caller
        .say(
            "GET / HTTP/1.1\r\nhost: reviews-shadow\r\nx-request-id: run-7\r\nx-envoy-attempt-count: 2\r\n\
             x-squall-caller: web\r\n\r\n",
        )
        .await;
    caller.hear().await;
    let after = clock::now();
    // Whoever has seen the answer finds its line: there is nothing to wait for.
    let text = std::fs::read_to_string(&rig.config.ledger).unwrap();
    let LedgerLine::Record(line) = crate::parse_line(&text).unwrap() else { panic!("{text}") };
    assert_eq!((line.id.as_str(), line.attempt, line.caller.as_str(), line.copy), ("run-7", 2, "web", true));
    assert!(before <= line.began && line.began <= line.ended && line.ended <= after, "{line:?}");
}

#[tokio::test]
async fn a_marker_passes_a_full_house_and_comes_after_what_has_ended() {
    let mut rig = Rig::start().await;
    rig.asking("run-1").await.hear().await;
    let capacity = Some(Capacity { workers: 1, queue: Some(0) });
    rig.control.set(&Behaviour { answer: Answer::Hang, capacity, ..Behaviour::default() }).await.unwrap();
    let hanging = rig.asking("run-2").await;
    rig.crowd(1, 0).await;

    rig.control.mark("end \"1\"").await.unwrap();
    drop(hanging);
    let lines = rig.lines(3).await;
    assert!(matches!(&lines[0], LedgerLine::Record(line) if line.id == "run-1"));
    assert_eq!(lines[1], LedgerLine::Marker("end \"1\"".into()));
    assert!(matches!(&lines[2], LedgerLine::Record(line) if line.id == "run-2" && line.status == 0));
    assert_eq!(rig.control.state().await.unwrap().served, 2);
}

#[tokio::test]
async fn a_caller_that_breaks_off_its_body_is_written_down() {
    let rig = Rig::start().await;
    let mut caller = rig.caller().await;
    caller.say("POST / HTTP/1.1\r\nhost: reviews\r\nx-request-id: run-1\r\ncontent-length: 9\r\n\r\nhalf").await;
    drop(caller);
    assert_eq!(rig.tries(1).await[0].status, 0);
}

#[tokio::test]
async fn what_is_in_flight_at_the_end_is_written_down() {
    let mut rig = Rig::start().await;
    rig.answer_with(Answer::Hang).await;
    let _hanging = rig.asking("run-1").await;
    rig.crowd(1, 0).await;
    let dir = rig.quit().await.unwrap();
    let text = std::fs::read_to_string(dir.path().join("ledger")).unwrap();
    assert!(matches!(crate::parse_line(&text).unwrap(), LedgerLine::Record(line) if line.status == 0));
}

#[tokio::test]
async fn a_workload_that_cannot_write_its_ledger_ends() {
    let rig = Rig::with(|config, _| config.ledger = PathBuf::from("/dev/full")).await;
    let _caller = rig.asking("run-1").await;
    let error = rig.ended().await.unwrap_err();
    assert!(matches!(&error, WorkloadError::Ledger { path, .. } if path.ends_with("full")), "{error}");
}
