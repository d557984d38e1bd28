//! The control protocol from its client.

use super::rig::Rig;
use crate::{BehaviourError, Control, ControlError, Endpoint};
use squall_model::{Answer, Behaviour};
use std::time::Duration;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
};

#[tokio::test]
async fn readiness_says_who_and_where() {
    let rig = Rig::with(|config, _| config.listen = Endpoint::Tcp(([127, 0, 0, 1], 0).into())).await;
    let ready = rig.control.ready();
    assert_eq!((ready.instance.to_string(), ready.pid), ("reviews-2".into(), std::process::id()));
    assert!(matches!(ready.listen, Endpoint::Tcp(address) if address.port() != 0));
    rig.asking("run-1").await.hear().await;
    rig.quit().await.unwrap();
}

#[tokio::test]
async fn a_workload_that_never_comes_is_an_error_that_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let error = Control::connect(&dir.path().join("control"), Duration::from_millis(20)).await.unwrap_err();
    assert!(matches!(&error, ControlError::NotReady { last, .. } if last.contains("No such file")), "{error}");
}

#[tokio::test]
async fn a_senseless_behaviour_is_refused_and_changes_nothing() {
    let mut rig = Rig::start().await;
    let senseless = Behaviour { answer: Answer::Status(42), ..Behaviour::default() };
    match rig.control.set(&senseless).await {
        Err(ControlError::Refused { why, .. }) => assert_eq!(why, BehaviourError::Status(42).to_string()),
        other => panic!("{other:?}"),
    }
    assert_eq!(rig.asking("run-1").await.hear().await.status, 200);
    rig.answer_with(Answer::Status(201)).await;
    assert_eq!(rig.asking("run-2").await.hear().await.status, 201);
}

#[tokio::test]
async fn the_protocol_is_lines_of_json() {
    let rig = Rig::start().await;
    let mut stream = BufReader::new(UnixStream::connect(&rig.config.control).await.unwrap());
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    assert!(line.starts_with(r#"{"ready":{"instance":{"service":"reviews","number":2},"listen":{"unix":"#), "{line}");
    for (ask, begin) in [
        (r#"{"state":{}}"#, r#"{"state":{"in_flight":0,"waiting":0,"served":0,"shed":0,"checks":0}}"#),
        (r#"{"set":{"latency":{"fixed":"0 ms"},"answer":{"status":503},"capacity":null}}"#, r#"{"done":"#),
        (r#"{"mark":"run-end"}"#, r#"{"done":"#),
        (r#"{"answer":{"status":503}}"#, r#"{"refused":"unknown variant `answer`"#),
        (r#"{"quit":{}}"#, r#"{"bye":{}}"#),
    ] {
        stream.write_all(format!("{ask}\n").as_bytes()).await.unwrap();
        line.clear();
        stream.read_line(&mut line).await.unwrap();
        assert!(line.starts_with(begin), "{ask}: {line}");
    }
    rig.ended().await.unwrap();
}
