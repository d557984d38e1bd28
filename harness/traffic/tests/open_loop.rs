//! The open loop: what is due is sent, whatever became of what was sent before.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail")]

mod support;

use squall_model::{ClientEnd, Stamp};
use squall_traffic::{Arrivals, Line, LoadThread, Phase, ScheduleBound, ScheduleMiss, Shape, Start};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};
use support::{PATIENCE, Server, end, end_within, ends, every, hang, ms, ok, send};

/// A server that answers nobody until 60 requests have come in stalls a closed loop for ever. Here it is the stall that is
/// measured: every call that was due in it has waited for its end, counted from when it was due.
#[tokio::test]
async fn a_stall_delays_no_send_and_is_in_every_latency() {
    let released = Arc::new(Mutex::new(None));
    let release = Arc::clone(&released);
    let server = Server::start(move |stream, _, watch| {
        watch.wait_for(60);
        release.lock().unwrap().get_or_insert_with(squall_traffic::now);
        ok(stream)
    });
    let (summary, records) = send(server.line(every(300.0, ms(300)))).await;
    assert_eq!((summary.sent, summary.unfinished), (90, 0));
    assert_eq!(ends(&records), [ClientEnd::Answered(200); 90]);
    let released: Stamp = released.lock().unwrap().unwrap();
    assert!(released >= summary.t0 + ms(59 * 10 / 3), "the 60th call is due after 59 intervals");
    let stalled: Vec<_> = records.iter().filter(|r| r.intended < summary.t0 + ms(196)).collect();
    assert_eq!(stalled.len(), 59);
    assert!(stalled.iter().all(|r| r.done.since(r.intended) >= released.since(r.intended)));
    // Each call is due where the schedule has it, not where the stall put it.
    for record in &records {
        assert_eq!(record.intended, summary.t0 + Duration::from_nanos((record.seq as f64 * 1e9 / 300.0) as u64));
        assert!(record.intended <= record.sent && record.sent <= record.done);
    }
}

#[tokio::test]
async fn users_and_instances_come_in_turn() {
    let (one, two) = (Server::prompt(), Server::prompt());
    let line = Line {
        number: 4,
        targets: vec![one.endpoint.clone(), two.endpoint.clone()],
        users: Some(3),
        id_prefix: "p.".into(),
        ..one.line(every(500.0, ms(60)))
    };
    let run = LoadThread::start().unwrap().begin(vec![line], Start { first_seq: 100, ..Start::default() }).unwrap();
    let (summary, mut records) = end(&run).await;
    records.sort_by_key(|r| r.seq);
    assert_eq!((records.len(), summary.next_seq), (30, 130));
    for (k, record) in (0u32..).zip(&records) {
        assert_eq!((record.seq, record.line), (100 + u64::from(k), 4));
        assert_eq!(record.caller, k % 2 + 1);
    }
    for round in records.chunks(3) {
        assert_eq!(round.iter().map(|record| record.user).collect::<BTreeSet<_>>(), [1, 2, 3].into());
    }
    for (caller, server) in [(1, &one), (2, &two)] {
        let seen: BTreeSet<_> = server
            .watch
            .seen()
            .iter()
            .map(|s| (s.header("x-request-id").unwrap().to_owned(), s.header("x-squall-user").unwrap().to_owned()))
            .collect();
        let told: BTreeSet<_> = records
            .iter()
            .filter(|r| r.caller == caller)
            .map(|r| (format!("p.{}", r.seq), format!("user-{}", r.user)))
            .collect();
        assert_eq!(seen, told);
    }
}

#[tokio::test]
async fn lines_share_an_origin_and_no_number() {
    let server = Server::prompt();
    let lines = vec![
        Line { number: 7, ..server.line(every(400.0, ms(50))) },
        Line { number: 8, ..server.line(Shape::Serial { calls: 30 }) },
        Line { number: 9, ..server.line(Shape::Ramp { from_hz: 0.0, to_hz: 400.0, length: ms(100) }) },
    ];
    let t0 = squall_traffic::now() + ms(20);
    let run = LoadThread::start().unwrap().begin(lines, Start { at: Some(t0), first_seq: 10 }).unwrap();
    let (summary, records) = end(&run).await;
    assert_eq!((run.t0(), summary.t0, summary.sent), (t0, t0, 70));
    for (number, first, calls) in [(7, 10, 20), (8, 11, 30), (9, 12, 20)] {
        let line: Vec<_> = records.iter().filter(|r| r.line == number).collect();
        assert_eq!(line.iter().map(|r| r.intended).min(), Some(t0));
        let numbers: BTreeSet<u64> = line.iter().map(|r| r.seq).collect();
        assert_eq!(numbers, (0..calls).map(|k| first + 3 * k).collect());
    }
}

#[tokio::test]
async fn random_moments_are_those_of_the_seed() {
    let server = Server::prompt();
    let shape = Shape::Open { rate_hz: 500.0, length: ms(100), arrivals: Arrivals::Random { seed: 3 } };
    let (summary, mut records) = send(server.line(shape.clone())).await;
    records.sort_by_key(|r| r.seq);
    let sent: Vec<_> = records.iter().map(|r| r.intended.since(summary.t0)).collect();
    assert_eq!(sent, shape.schedule().unwrap().collect::<Vec<_>>());
}

#[tokio::test]
async fn stopped_when_enough_is_known() {
    let server = Server::prompt();
    let run = LoadThread::start().unwrap().begin(vec![server.line(every(500.0, PATIENCE))], Start::default()).unwrap();
    server.watch.wait_for(20);
    run.stop_sending();
    run.reached(Phase::Draining).await.unwrap();
    let sent = run.progress().sent;
    let (summary, records) = end(&run).await;
    assert_eq!((summary.sent, records.len() as u64, summary.unfinished), (sent, sent, 0));
    assert!((20..30_000).contains(&sent), "{sent} sent");
    server.watch.wait_until_closed();
}

#[tokio::test]
async fn two_runs_at_once_do_not_wait_for_each_other() {
    let quick = Server::prompt();
    let all_through = Arc::clone(&quick.watch);
    // Answers only when the other run has sent all that it has.
    let slow = Server::start(move |stream, _, _| {
        all_through.wait_for(50);
        ok(stream)
    });
    let load = LoadThread::start().unwrap();
    let first = load.begin(vec![slow.line(every(200.0, ms(100)))], Start::default()).unwrap();
    slow.watch.wait_for(1);
    let second = load.clone().begin(vec![quick.line(every(500.0, ms(100)))], Start::default()).unwrap();
    let ((a, _), (b, _)) = tokio::join!(end(&first), end(&second));
    assert_eq!((a.sent, a.unfinished, b.sent, b.unfinished), (20, 0, 50, 0));
}

#[tokio::test]
async fn what_hangs_when_the_drain_is_over_is_unfinished() {
    let server = Server::start(|stream, seen, _| if seen.order % 2 == 0 { ok(stream) } else { hang(stream) });
    let run = LoadThread::start().unwrap().begin(vec![server.line(every(500.0, ms(40)))], Start::default()).unwrap();
    server.watch.wait_for(20);
    run.reached(Phase::Draining).await.unwrap();
    let (summary, records) = end_within(&run, ms(200)).await;
    assert_eq!((summary.sent, records.len()), (20, 20));
    assert_eq!(summary.unfinished, records.iter().filter(|r| r.end == ClientEnd::Unfinished).count() as u64);
    assert!(summary.unfinished >= 10);
}

#[tokio::test]
async fn a_dropped_run_stops_and_hangs_up() {
    let server = Server::start(|stream, _, _| hang(stream));
    let load = LoadThread::start().unwrap();
    let run = load.begin(vec![server.line(every(200.0, PATIENCE))], Start::default()).unwrap();
    server.watch.wait_for(5);
    drop(run);
    server.watch.wait_until_closed();
}

#[tokio::test]
async fn a_call_without_a_connection_is_a_missed_schedule() {
    let server = Server::start(|stream, _, _| hang(stream));
    let load = LoadThread::start().unwrap().with_max_connections(2);
    let line = Line { deadline: ms(200), ..server.line(every(500.0, ms(10))) };
    let run = load.begin(vec![line], Start::default()).unwrap();
    let (summary, records) = end(&run).await;
    assert_eq!(ends(&records), [ClientEnd::Deadline; 5]);
    assert_eq!(summary.schedule.starved, 3);
    let miss = summary.schedule.verdict(ScheduleBound::DEFAULT).unwrap_err();
    assert!(matches!(miss, ScheduleMiss::Starved { starved: 3, .. }), "{miss}");
}

/// An origin in the past is a schedule that cannot be kept, and the amount is told.
#[tokio::test]
async fn a_schedule_that_was_not_kept_says_by_how_much() {
    let server = Server::prompt();
    let at = squall_traffic::now() - ms(500);
    let run = LoadThread::start()
        .unwrap()
        .begin(vec![server.line(every(100.0, ms(200)))], Start { at: Some(at), first_seq: 0 })
        .unwrap();
    let (summary, records) = end(&run).await;
    assert_eq!((summary.schedule.calls, summary.schedule.late), (20, 20));
    assert!(summary.schedule.max >= ms(500));
    assert!(
        matches!(summary.schedule.verdict(ScheduleBound::DEFAULT), Err(ScheduleMiss::Far { max, .. }) if max >= ms(500))
    );
    assert!(records.iter().all(|r| r.sent.since(r.intended) >= ms(300)));
}

/// Whatever is drained later was meant for no moment before what an earlier look called the oldest unresolved.
#[tokio::test]
async fn nothing_older_comes_after_the_oldest_unresolved() {
    let server = Server::start(|stream, seen, watch| {
        // Every seventh answer waits for ten later requests.
        if seen.order % 7 == 0 && seen.order < 200 {
            watch.wait_for(seen.order + 10);
        }
        ok(stream)
    });
    let lines = vec![
        Line { number: 0, ..server.line(every(700.0, ms(300))) },
        Line { number: 1, ..server.line(Shape::Serial { calls: 100 }) },
        Line { number: 2, ..server.line(Shape::Closed { users: 4, length: ms(300), thinking: ms(3) }) },
    ];
    let run = LoadThread::start().unwrap().begin(lines, Start::default()).unwrap();
    let (mut frontier, mut records) = (Stamp(0), Vec::new());
    let deadline = squall_traffic::now() + PATIENCE;
    loop {
        let from = records.len();
        let progress = run.drain_into(&mut records);
        assert!(records[from..].iter().all(|r| r.intended >= frontier));
        assert_eq!(progress.sent, progress.done + progress.in_flight);
        assert_eq!(progress.done, records.len() as u64);
        let Some(oldest) = progress.oldest_unresolved_intended else { break };
        assert!(oldest >= frontier, "what is resolved stays resolved");
        frontier = oldest;
        assert!(squall_traffic::now() < deadline, "the run ends");
        tokio::task::yield_now().await;
    }
    assert!(records.len() > 310);
}

#[tokio::test]
async fn the_loop_is_looked_at() {
    let server = Server::prompt();
    let load = LoadThread::start().unwrap();
    let run = load.begin(vec![server.line(every(200.0, ms(350)))], Start::default()).unwrap();
    let _ = end(&run).await;
    let looks = load.looks_since(run.t0());
    assert!(!looks.is_empty());
    assert!(looks.is_sorted_by_key(|look| look.at));
    assert!(looks.iter().any(|look| !look.late.is_zero()), "no send is made at the very nanosecond");
    assert!(!load.take_looks().is_empty());
    assert!(load.looks_since(run.t0()).len() <= 1, "what was taken is kept no longer");
}
