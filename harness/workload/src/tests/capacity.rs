//! Workers, the line before them, and what a change of behaviour does to both.

use super::rig::Rig;
use squall_model::{Answer, Behaviour, Capacity, Latency};
use std::time::Duration;

fn behaviour(answer: Answer, workers: u32, queue: Option<u32>) -> Behaviour {
    Behaviour { answer, capacity: Some(Capacity { workers, queue }), ..Behaviour::default() }
}

#[tokio::test]
async fn who_finds_no_worker_waits_and_who_finds_no_place_is_shed() {
    let mut rig = Rig::start().await;
    rig.control.set(&behaviour(Answer::Hang, 1, Some(1))).await.unwrap();
    let busy = rig.asking("busy").await;
    rig.crowd(1, 0).await;
    rig.control.set(&behaviour(Answer::Status(200), 1, Some(1))).await.unwrap();
    let mut waiting = rig.asking("waiting").await;
    rig.crowd(1, 1).await;

    let mut shed = rig.asking("shed").await;
    let heard = shed.hear().await;
    assert_eq!(heard.status, 503);
    assert!(heard.head.contains("x-squall-overload: true\r\n"));
    assert!(waiting.hears_nothing());

    drop(busy);
    let heard = waiting.hear().await;
    assert_eq!((heard.status, heard.head.contains("x-squall-overload")), (200, false));
    let lines = rig.tries(3).await;
    let lines: Vec<_> = lines.iter().map(|l| (l.id.as_str(), l.status)).collect();
    assert_eq!(lines, [("shed", 503), ("busy", 0), ("waiting", 200)]);
    assert_eq!(rig.control.state().await.unwrap().shed, 1);
}

#[tokio::test]
async fn the_line_is_served_in_order() {
    let mut rig = Rig::start().await;
    rig.control.set(&behaviour(Answer::Hang, 1, None)).await.unwrap();
    let busy = rig.asking("busy").await;
    rig.crowd(1, 0).await;
    rig.control.set(&behaviour(Answer::Status(200), 1, None)).await.unwrap();
    let mut line = Vec::new();
    for n in 1..=5 {
        line.push(rig.asking(&format!("run-{n}")).await);
        rig.crowd(1, n).await;
    }
    drop(busy);
    let ids: Vec<_> = rig.tries(6).await.into_iter().skip(1).map(|l| l.id).collect();
    assert_eq!(ids, ["run-1", "run-2", "run-3", "run-4", "run-5"]);
}

#[tokio::test]
async fn who_leaves_the_line_is_written_down_and_its_place_is_free() {
    let mut rig = Rig::start().await;
    rig.control.set(&behaviour(Answer::Hang, 1, Some(1))).await.unwrap();
    let _busy = rig.asking("busy").await;
    rig.crowd(1, 0).await;
    let impatient = rig.asking("impatient").await;
    rig.crowd(1, 1).await;
    drop(impatient);
    assert_eq!(rig.tries(1).await[0].status, 0);
    let _next = rig.asking("next").await;
    rig.crowd(1, 1).await;
}

#[tokio::test]
async fn a_change_is_for_new_tries_and_not_for_those_in_the_house() {
    let mut rig = Rig::start().await;
    rig.control.set(&behaviour(Answer::Hang, 1, None)).await.unwrap();
    let _busy = rig.asking("busy").await;
    rig.crowd(1, 0).await;
    rig.control.set(&behaviour(Answer::Status(418), 1, None)).await.unwrap();
    let mut old = rig.asking("old").await;
    rig.crowd(1, 1).await;

    // The limit is the house's: lifted, it lets the line in; the answer is the try's.
    let changed = rig.control.set(&Behaviour::default()).await.unwrap();
    let mut new = rig.asking("new").await;
    assert_eq!(old.hear().await.status, 418);
    assert_eq!(new.hear().await.status, 200);
    for line in rig.tries(2).await {
        assert_eq!(line.began < changed, line.id == "old", "{line:?} and the change at {changed:?}");
    }
}

#[tokio::test]
async fn work_begun_is_finished_though_nobody_waits_for_it() {
    // The first caller must go while its try is being worked on: on a machine too slow for that, longer work is given.
    for latency in [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(8)] {
        let mut rig = Rig::start().await;
        let slow = Behaviour { latency: Latency::Fixed(latency), ..behaviour(Answer::Status(200), 1, None) };
        rig.control.set(&slow).await.unwrap();
        let gone = rig.asking("gone").await;
        drop(gone);
        let mut next = rig.asking("next").await;
        assert_eq!(next.hear().await.status, 200);
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
