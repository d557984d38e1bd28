use super::*;
use crate::{
    Observed, join,
    testing::{Hop, PREFIX, Scene, at, faulty, plan, recount, reviews, span, target, touch, web},
};
use proptest::prelude::*;
use squall_model::{
    Act, AnswerCode, ClientEnd, CounterRecord, Down, FaultId, FaultKind, LedgerRecord, Level, Members, Part, Side,
    Touch, When, Which,
};

/// A bit of everything: retries, aborts, a refused connection, time-outs, calls shed by the breaker.
fn scene() -> Scene {
    let aborts: FaultKind = touch(Level::Tries, 50, Which::Service, Touch::Abort(AnswerCode::Status(503)));
    let mut scene = Scene::new(faulty(plan(), aborts, When::Standing));
    scene.stood(0);
    scene.calls(0, 10, 40, |n| match n % 5 {
        0 => vec![Hop::Ok(1)],
        1 => vec![Hop::Aborted(1, 503), Hop::Ok(2)],
        2 => vec![Hop::Refused(3), Hop::Status(1, 500)],
        3 => vec![Hop::TimedOut(2, 5)],
        _ => vec![Hop::Aborted(3, 503), Hop::Aborted(1, 503), Hop::Aborted(2, 503)],
    });
    for n in 0..5 {
        scene.local(400 + n, 503, "UO", "upstream_reset_before_response_started{overflow}");
    }
    scene
}

/// The laws that are broken, and by how much, after a change.
fn broken(scene: &Scene, change: impl FnOnce(&mut Observed)) -> Vec<(LawId, i64)> {
    let mut seen = scene.observed();
    change(&mut seen);
    let all = balances(&scene.plan, &join(&scene.plan, seen));
    let broken = all.into_iter().filter(|b| b.finding == Books::Broken);
    broken.map(|b| (b.law, b.right as i64 - b.left as i64)).collect()
}

fn counter(seen: &mut Observed, proxy: &squall_model::InstanceId, name: &str, by: i64) {
    let own: &mut CounterRecord = seen.counters.iter_mut().find(|c| c.proxy == *proxy).unwrap();
    let rise = own.rises.entry(name.to_owned()).or_default();
    *rise = rise.checked_add_signed(by).unwrap();
}

#[test]
fn the_books_of_a_whole_run_balance_without_slack_for_what_is_sure() {
    let scene = scene();
    let all = balances(&scene.plan, &scene.evidence());
    assert!(all.iter().all(|b| b.finding == Books::Balanced), "{all:#?}");
    let exact = |law| all.iter().filter(|b| b.law == law).all(|b| b.slack == Slack::default() && b.left == b.right);
    for law in [LawId::CallLogged, LawId::TryArrived, LawId::LineTried, LawId::LineServed, LawId::OverflowsCounted] {
        assert!(exact(law), "{law:?}");
    }
    let tries = all.iter().find(|b| b.law == LawId::TriesCounted).unwrap();
    assert_eq!((tries.left, tries.right, tries.slack), (64, 64, Slack::default()));
    let counted = |law| all.iter().filter(|b| b.law == law).map(|b| b.right).sum::<u64>();
    assert_eq!((counted(LawId::AbortsCounted), counted(LawId::OverflowsCounted)), (32, 5));
}

#[test]
fn each_law_is_broken_by_what_it_forbids() {
    let scene = scene();
    assert_eq!(broken(&scene, |_| ()), []);
    assert_eq!(broken(&scene, |seen| seen.quiet = false), [(LawId::RecordComplete, -1)]);
    let ours = |seen: &Observed, n: u64| format!("{}{n}", seen.prefix);
    assert_eq!(
        broken(&scene, |seen| {
            let id = ours(seen, 0);
            seen.access.retain(|l| l.id != id || l.side == Side::Inbound);
        }),
        [(LawId::CallLogged, -1), (LawId::CallsCounted, 1)]
    );
    assert_eq!(
        broken(&scene, |seen| {
            let again = seen.access.iter().find(|l| l.side == Side::Outbound).unwrap().clone();
            seen.access.push(again);
        }),
        [(LawId::RecordCalled, -1), (LawId::CallsCounted, -1)]
    );
    assert_eq!(
        broken(&scene, |seen| {
            let id = ours(seen, 1);
            seen.access.retain(|l| l.id != id || l.attempts != 1 || l.side == Side::Outbound);
        }),
        [(LawId::TryArrived, -1), (LawId::ArrivalsCounted, 1), (LawId::AbortsCounted, 1)]
    );
    assert_eq!(
        broken(&scene, |seen| {
            let id = ours(seen, 0);
            seen.tries.retain(|t| t.id != id);
        }),
        [(LawId::TriesLogged, -1), (LawId::LineTried, -1), (LawId::TriesCounted, 1)]
    );
    assert_eq!(
        broken(&scene, |seen| {
            let id = ours(seen, 0);
            seen.ledger.retain(|(_, l)| l.id != id);
        }),
        [(LawId::LineServed, -1), (LawId::ServedCounted, 1)]
    );
    assert_eq!(
        broken(&scene, |seen| {
            // A try that timed out: its sender does not know whether it arrived, but the ledger does.
            let id = ours(seen, 3);
            seen.access.retain(|l| l.id != id || l.side == Side::Outbound);
        }),
        [(LawId::ServedLogged, -1), (LawId::ArrivalsCounted, 1)]
    );
}

#[test]
fn counters_must_say_what_the_logs_say() {
    let scene = scene();
    let total = "cluster.out.reviews.upstream_rq_total";
    for by in [-1, 1] {
        assert_eq!(broken(&scene, |seen| counter(seen, &web(), total, by)), [(LawId::TriesCounted, by)]);
    }
    // Of the two overflow counters either may move, by release.
    let [active, pending] = ["active", "pending"].map(|c| format!("cluster.out.reviews.upstream_rq_{c}_overflow"));
    assert_eq!(broken(&scene, |seen| counter(seen, &web(), &active, -1)), [(LawId::OverflowsCounted, -1)]);
    assert_eq!(broken(&scene, |seen| counter(seen, &web(), &pending, 1)), [(LawId::OverflowsCounted, 1)]);
    let moved = |seen: &mut Observed| (counter(seen, &web(), &active, -5), counter(seen, &web(), &pending, 5)).0;
    assert_eq!(broken(&scene, moved), []);
    let aborts = "http.in.fault.aborts_injected";
    assert_eq!(broken(&scene, |seen| counter(seen, &reviews(2), aborts, 1)), [(LawId::AbortsCounted, 1)]);
    let delays = "http.out.fault.delays_injected";
    assert_eq!(broken(&scene, |seen| counter(seen, &web(), delays, 1)), [(LawId::DelaysCounted, 1)]);
    for (proxy, name, law) in [
        (web(), "http.out.downstream_rq_total", LawId::CallsCounted),
        (reviews(1), "http.in.downstream_rq_total", LawId::ArrivalsCounted),
        (reviews(1), "cluster.local.upstream_rq_total", LawId::ServedCounted),
    ] {
        for by in [-1, 1] {
            assert_eq!(broken(&scene, |seen| counter(seen, &proxy, name, by)), [(law, by)], "{name}");
        }
    }
    // What a listener answers by itself are probes and markers of ours.
    let probed = |seen: &mut Observed| {
        counter(seen, &web(), "http.out.downstream_rq_total", 3);
        counter(seen, &web(), "http.out.rq_direct_response", 3);
    };
    assert_eq!(broken(&scene, probed), []);
    // Clusters of versions belong to their service, other services do not.
    let moved = |seen: &mut Observed| {
        counter(seen, &web(), total, -4);
        counter(seen, &web(), "cluster.out.reviews.v2.upstream_rq_total", 4);
        counter(seen, &web(), "cluster.out.reviews2.upstream_rq_total", 9);
    };
    assert_eq!(broken(&scene, moved), []);
    assert_eq!(broken(&scene, |seen| seen.counters.clear()), [], "no counters were read");
}

#[test]
fn a_fault_that_nobody_ordered_breaks_the_books() {
    let mut scene = Scene::new(plan());
    scene.calls(0, 5, 10, |_| [Hop::Ok(1)]);
    scene.call(60, &[Hop::Aborted(1, 503)]);
    assert_eq!(broken(&scene, |_| ()), [(LawId::FaultOwned, -1)]);
}

#[test]
fn what_a_client_gave_up_on_may_never_have_been_read() {
    let mut scene = Scene::new(plan());
    scene.calls(0, 5, 10, |_| [Hop::Ok(1)]);
    let refused = |scene: &Scene, end| {
        broken(scene, |seen| {
            let id = format!("{PREFIX}4");
            seen.calls[4].end = end;
            seen.access.retain(|l| l.id != id);
            seen.tries.retain(|t| t.id != id);
            seen.ledger.retain(|(_, l)| l.id != id);
            recount(seen);
            if end == ClientEnd::Answered(200) {
                // Somebody answered, so its proxy has counted it.
                counter(seen, &web(), "http.out.downstream_rq_total", 1);
            }
        })
    };
    assert_eq!(refused(&scene, ClientEnd::Refused), []);
    assert_eq!(refused(&scene, ClientEnd::Reset), []);
    assert_eq!(refused(&scene, ClientEnd::Deadline), []);
    assert_eq!(refused(&scene, ClientEnd::Answered(200)), [(LawId::CallLogged, -1), (LawId::CallsCounted, 1)]);
}

/// Calls every 5 ms, each 5 ms long; the one intended at 100 ms was in flight at 101 ms.
fn killing(what: Process, instance: squall_model::InstanceId) -> Scene {
    let mut scene = Scene::new(plan());
    scene.calls(0, 5, 40, |_| [Hop::Ok(1)]);
    scene.killed(instance, what, 101);
    scene
}

fn without_line(seen: &mut Observed, ms: u64, side: Side) {
    let seq = seen.calls.iter().find(|c| c.intended == at(ms)).unwrap().seq;
    let id = format!("{PREFIX}{seq}");
    seen.access.retain(|l| l.id != id || l.side != side);
}

#[test]
fn a_killed_proxy_may_take_with_it_what_was_in_flight_and_nothing_else() {
    let scene = killing(Process::Proxy, reviews(1));
    assert_eq!(broken(&scene, |seen| without_line(seen, 100, Side::Inbound)), []);
    // Of a proxy that was killed the counters say nothing.
    let one = [(LawId::TryArrived, -1), (LawId::ServedLogged, -1)];
    let counted = [one[0], one[1], (LawId::ArrivalsCounted, 1)];
    assert_eq!(broken(&scene, |seen| without_line(seen, 50, Side::Inbound)), one, "long before");
    assert_eq!(broken(&scene, |seen| without_line(seen, 150, Side::Inbound)), one, "long after");
    let unwritten = |seen: &mut Observed, ms: u64| {
        seen.health.unwritten = 60_000_000;
        without_line(seen, ms, Side::Inbound);
    };
    assert_eq!(broken(&scene, |seen| unwritten(seen, 50)), [], "ended before, and not yet written");
    assert_eq!(broken(&scene, |seen| unwritten(seen, 150)), one, "begun after");
    let other = killing(Process::Proxy, reviews(2));
    assert_eq!(broken(&other, |seen| without_line(seen, 100, Side::Inbound)), counted, "another proxy");
    let workload = killing(Process::Workload, reviews(1));
    assert_eq!(broken(&workload, |seen| without_line(seen, 100, Side::Inbound)), counted, "its workload alone");
}

#[test]
fn a_killed_workload_may_take_ledger_lines_with_it() {
    let without_ledger = |seen: &mut Observed, ms: u64| {
        let seq = seen.calls.iter().find(|c| c.intended == at(ms)).unwrap().seq;
        let id = format!("{PREFIX}{seq}");
        seen.ledger.retain(|(_, l)| l.id != id);
    };
    let scene = killing(Process::Workload, reviews(1));
    assert_eq!(broken(&scene, |seen| without_ledger(seen, 100)), []);
    let lost = [(LawId::LineServed, -1), (LawId::ServedCounted, 1)];
    assert_eq!(broken(&scene, |seen| without_ledger(seen, 50)), lost);
}

#[test]
fn a_killed_caller_takes_lines_and_counters_with_it() {
    let scene = killing(Process::Proxy, web());
    let total = "cluster.out.reviews.upstream_rq_total";
    assert_eq!(broken(&scene, |seen| without_line(seen, 100, Side::Outbound)), []);
    assert_eq!(broken(&scene, |seen| without_line(seen, 50, Side::Outbound)), [(LawId::CallLogged, -1)]);
    assert_eq!(broken(&scene, |seen| counter(seen, &web(), total, -20)), []);
    assert_eq!(broken(&scene, |seen| counter(seen, &web(), total, 1)), [(LawId::TriesCounted, 1)]);
}

#[test]
fn onward_calls_of_a_killed_caller_are_excused_strays() {
    let mut scene = Scene::new(plan());
    let seq = scene.call(0, &[Hop::Ok(2)]);
    let id = scene.onward(seq, 1, 2, 1);
    let gone = |seen: &mut Observed| seen.access.retain(|l| l.id != id || l.side == Side::Inbound);
    let stray = broken(&scene, gone);
    assert!(stray.contains(&(LawId::RecordCalled, -3)), "{stray:?}");
    scene.killed(reviews(2), Process::Proxy, 3);
    assert_eq!(broken(&scene, gone).iter().find(|(law, _)| *law == LawId::RecordCalled), None);
}

/// Instance 1 stands still from 50 to 150 ms; a call to it every 10 ms, of which those meanwhile are given up after 30 ms.
fn pausing(part: Part) -> Scene {
    let does = FaultKind::Down { how: Down::Paused, part, of: Members::Of(target(Which::Instance(1))) };
    let mut scene = Scene::new(faulty(plan(), does, span(50, 150)));
    scene.happened(Act::Arm(FaultId(0)), 50, 51);
    scene.happened(Act::End(FaultId(0)), 150, 151);
    let behind = if part == Part::Workload { Hop::TimedOut(1, 30) } else { Hop::Unheard(1, 30) };
    scene.calls(0, 10, 30, |n| if (5..15).contains(&n) { [behind] } else { [Hop::Ok(1)] });
    scene
}

#[test]
fn what_a_paused_proxy_writes_late_is_believed() {
    let scene = pausing(Part::Proxy);
    assert_eq!(broken(&scene, |_| ()), [], "it may never have read them");
    // When it goes on it reads what was sent meanwhile, and that its caller has gone; some of it reaches the workload.
    let late = |seen: &mut Observed| {
        let given_up: Vec<_> = seen.tries.iter().filter(|t| t.status == 0).cloned().collect();
        for (n, t) in given_up.into_iter().enumerate() {
            let line = seen.access.iter().find(|l| l.side == Side::Inbound).unwrap().clone();
            let (flags, details) = ("DC".into(), "downstream_remote_disconnect".into());
            seen.access.push(AccessRecord { id: t.id.clone(), status: 0, flags, details, began: at(151), ..line });
            if n % 2 == 0 {
                let (instance, line) = seen.ledger[0].clone();
                seen.ledger
                    .push((instance, LedgerRecord { id: t.id, status: 0, began: at(151), ended: at(152), ..line }));
            }
        }
        recount(seen);
    };
    assert_eq!(broken(&scene, late), []);
    let without_lines = |seen: &mut Observed| {
        late(seen);
        seen.access.retain(|l| l.flags != "DC");
    };
    assert_eq!(
        broken(&scene, without_lines),
        [(LawId::ServedLogged, -5), (LawId::ArrivalsCounted, 10)],
        "whom the workload saw its proxy saw"
    );
}

#[test]
fn what_a_paused_workload_writes_late_is_believed() {
    let scene = pausing(Part::Workload);
    assert_eq!(broken(&scene, |_| ()), []);
    let unread = |seen: &mut Observed| seen.ledger.retain(|(_, l)| l.status != 0);
    assert_eq!(broken(&scene, unread), [], "it may never read what its proxy gave up on");
    let late = |seen: &mut Observed| {
        let given_up = seen.ledger.iter_mut().filter(|(_, l)| l.status == 0);
        given_up.for_each(|(_, l)| (l.status, l.began, l.ended) = (200, at(151), at(155)));
    };
    assert_eq!(broken(&scene, late), [], "it answers a caller that has gone");
}

#[test]
fn a_balance_reads_as_a_sentence() {
    let scene = scene();
    let mut seen = scene.observed();
    counter(&mut seen, &web(), "cluster.out.reviews.upstream_rq_total", -2);
    let all = balances(&scene.plan, &join(&scene.plan, seen));
    let broken: Vec<String> = all.iter().filter(|b| b.finding == Books::Broken).map(ToString::to_string).collect();
    insta::assert_snapshot!(broken.join("\n"), @"64 tries sent, 62 counted by upstream_rq_total (proxy of web-1)");
}

proptest! {
    #[test]
    fn any_ledger_line_that_is_missing_is_missed(n in 0usize..200) {
        let scene = scene();
        let seen = scene.observed();
        let answered: Vec<_> = seen.ledger.iter().filter(|(_, l)| l.status != 0).map(|(_, l)| l.id.clone()).collect();
        let id = &answered[n % answered.len()];
        let broken = broken(&scene, |seen| seen.ledger.retain(|(_, l)| l.id != *id));
        prop_assert_eq!(broken, [(LawId::LineServed, -1), (LawId::ServedCounted, 1)]);
    }

    #[test]
    fn any_line_of_any_log_that_is_missing_is_missed(n in 0usize..1000) {
        let scene = scene();
        let missing = broken(&scene, |seen| {
            seen.access.remove(n % seen.access.len());
        });
        prop_assert!(!missing.is_empty());
        let sent = scene.seen.tries[n % scene.seen.tries.len()].clone();
        let missing = broken(&scene, |seen| seen.tries.retain(|t| *t != sent));
        prop_assert!(missing.contains(&(LawId::TriesLogged, -1)));
    }
}

#[test]
fn of_what_somebody_else_deployed_the_sender_alone_tells() {
    let mut theirs = plan();
    let of = squall_model::Deployed { namespace: "shop".into(), port: 80, ..squall_model::Deployed::default() };
    theirs.topology.service_mut(&"reviews".into()).unwrap().deployed = Some(of);
    let mut scene = Scene::new(theirs);
    scene.call(0, &[Hop::Status(1, 503), Hop::Ok(2)]);
    scene.seen.access.retain(|line| line.side == Side::Outbound);
    scene.seen.ledger.clear();
    scene.seen.counters.retain(|record| record.proxy == web());
    let evidence = scene.evidence();
    let story = &evidence.stories()[0];
    assert_eq!((story.grade, evidence.reached(story)), (crate::Grade::Exact, Some(&reviews(2))));
    let broken = |scene: &Scene| -> Vec<LawId> {
        let all = balances(&scene.plan, &scene.clone().evidence());
        all.into_iter().filter(|b| b.finding == Books::Broken).map(|b| b.law).collect()
    };
    assert_eq!(broken(&scene), []);
    // An instance that was not there before: nobody knows what the calls went to.
    scene.seen.tries[1].upstream = None;
    assert_eq!(broken(&scene), [LawId::HostKnown]);
    let why: Vec<String> = discords(&scene.plan, &scene.clone().evidence()).iter().map(ToString::to_string).collect();
    assert_eq!(
        why,
        [
            "the application changed: 1 of 2 tries were answered by instances that were not there when the run began: somebody rolled it out meanwhile?"
        ]
    );
    // And where the callee is ours, it has to tell.
    scene.plan.topology.service_mut(&"reviews".into()).unwrap().deployed = None;
    assert!(broken(&scene).contains(&LawId::TryArrived));
}
