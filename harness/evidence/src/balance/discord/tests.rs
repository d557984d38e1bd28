use super::*;
use crate::{
    LifeEnd, Observed, join,
    testing::{Hop, Scene, at, faulty, plan, reviews, touch, web},
};
use proptest::prelude::*;
use squall_model::{AccessRecord, AnswerCode, CounterRecord, Dose, LedgerRecord, Level, Touch, When, Which};

/// Retries, aborts, time-outs, over three instances; 400 calls, one every 5 ms.
fn scene() -> Scene {
    let aborts = touch(Level::Tries, 20, Which::Service, Touch::Abort(AnswerCode::Status(503)));
    let mut scene = Scene::new(faulty(plan(), aborts, When::Standing));
    scene.stood(0);
    scene.calls(0, 5, 400, |n| match n % 5 {
        0 => vec![Hop::Aborted(1 + (n % 3) as u32, 503), Hop::Ok(1)],
        1 => vec![Hop::TimedOut(2, 4)],
        n => vec![Hop::Ok(n as u32 % 3 + 1)],
    });
    scene
}

fn causes(scene: &Scene, change: impl FnOnce(&mut Observed)) -> Vec<Discord> {
    let mut seen = scene.observed();
    change(&mut seen);
    discords(&scene.plan, &join(&scene.plan, seen))
}

fn told(scene: &Scene, change: impl FnOnce(&mut Observed)) -> String {
    causes(scene, change).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Takes every n-th record away that it is told of.
fn every<T>(n: u64, is: impl Fn(&T) -> bool) -> impl FnMut(&T) -> bool {
    let mut seen = 0;
    move |record| {
        let lost = is(record) && {
            seen += 1;
            seen % n == 0
        };
        !lost
    }
}

fn of_callee(line: &AccessRecord) -> bool {
    line.side == Side::Inbound && line.proxy == reviews(2)
}

fn counter(seen: &mut Observed, proxy: &InstanceId, name: &str, by: i64) {
    let own: &mut CounterRecord = seen.counters.iter_mut().find(|c| c.proxy == *proxy).unwrap();
    let rise = own.rises.entry(name.to_owned()).or_default();
    *rise = rise.checked_add_signed(by).unwrap();
}

#[test]
fn books_that_balance_have_no_causes() {
    assert_eq!(causes(&scene(), |_| ()), []);
    let open = causes(&scene(), |seen| {
        seen.quiet = false;
        seen.ledger.clear();
    });
    assert_eq!(open, [Discord::Unfinished], "what is missing may be on its way");
}

#[test]
fn lost_lines_are_told_by_source_and_proxy_with_who_has_them() {
    let scene = scene();
    let texts = [
        told(&scene, |seen| seen.access.retain(every(20, of_callee))),
        told(&scene, |seen| seen.access.retain(every(20, |l: &AccessRecord| l.side == Side::Outbound))),
        told(&scene, |seen| seen.tries.retain(every(20, |_| true))),
        told(&scene, |seen| {
            seen.ledger.retain(every(20, |(id, l): &(InstanceId, LedgerRecord)| *id == reviews(1) && l.status == 200));
        }),
    ];
    insta::assert_snapshot!(texts.join("\n"), @"
    lost telemetry: 9 of 186 access-log lines of the proxy of reviews-2 are missing (its counters have them)
    lost telemetry: 20 of 400 access-log lines of the proxy of web-1 are missing (its counters, the client, its upstream log, the access log of the callee's proxy and the workload's ledger have them)
    lost telemetry: 24 of 480 upstream-log lines of the proxy of web-1 are missing (its counters, its access log, the access log of the callee's proxy and the workload's ledger have them)
    lost telemetry: 8 of 160 ledger lines of reviews-1 are missing (the counters of its proxy, the upstream log of the caller's proxy and the access log of its proxy have them)
    ");
}

#[test]
fn lines_of_several_sources_are_told_one_by_one() {
    let found = causes(&scene(), |seen| {
        seen.access.retain(every(10, of_callee));
        seen.ledger.retain(every(30, |(id, l): &(InstanceId, LedgerRecord)| *id == reviews(1) && l.status == 200));
    });
    let lost: Vec<_> = found
        .iter()
        .map(|cause| match cause {
            Discord::LostTelemetry(lost) => (lost.source, lost.at.clone().unwrap().number),
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(lost, [(Source::CalleesLog, 2), (Source::Ledger, 1)], "most first");
}

#[test]
fn a_gap_has_its_times_where_it_is_one() {
    let scene = scene();
    let gap = |from: u64, to: u64| {
        let found = causes(&scene, |seen| {
            seen.access.retain(|l| !(of_callee(l) && l.began >= at(from) && l.began < at(to)));
        });
        match found.as_slice() {
            [Discord::LostTelemetry(lost)] => (lost.since.map(|n| n / 1_000_000), lost.until.map(|n| n / 1_000_000)),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(gap(500, 800), (Some(500), Some(795)));
    assert_eq!(gap(1_500, 9_000), (Some(1_505), None));
    assert_eq!(gap(0, 400), (None, Some(395)));
}

#[test]
fn a_line_that_its_proxy_never_counted_is_not_merely_lost() {
    let scene = scene();
    let text = told(&scene, |seen| {
        let before = seen.access.len();
        seen.access.retain(every(20, |l: &AccessRecord| of_callee(l) && l.flags == "-"));
        let lost = (before - seen.access.len()) as i64;
        counter(seen, &reviews(2), "http.in.downstream_rq_total", -lost);
    });
    insta::assert_snapshot!(text, @"the books do not balance: 4 of 186 access-log lines of the proxy of reviews-2 are missing (the upstream log of the caller's proxy and the workload's ledger have them), but the counters of its proxy lack 4, too");
}

#[test]
fn somebody_else_is_seen_by_counters_and_by_ids() {
    let scene = scene();
    let inbound = |seen: &mut Observed| {
        counter(seen, &reviews(1), "http.in.downstream_rq_total", 14);
        counter(seen, &reviews(1), "cluster.local.upstream_rq_total", 14);
    };
    let outbound = |seen: &mut Observed| {
        counter(seen, &web(), "http.out.downstream_rq_total", 3);
        counter(seen, &web(), "cluster.out.reviews.upstream_rq_total", 3);
    };
    let again = |seen: &mut Observed| {
        let again = seen.access.iter().find(|l| l.side == Side::Outbound).unwrap().clone();
        seen.access.push(again);
    };
    let numbered = |seen: &mut Observed| {
        let mut other = seen.ledger[0].clone();
        other.1.id = format!("{}100000", seen.prefix);
        seen.ledger.push(other);
    };
    let unsent = |seen: &mut Observed| {
        // A second try of a call that, as its proxy says, had one; it came to instance 3.
        let mut other = seen.access.iter().find(|l| l.side == Side::Inbound && l.id.ends_with("-2")).unwrap().clone();
        (other.proxy, other.attempts) = (reviews(3), 2);
        counter(seen, &reviews(3), "http.in.downstream_rq_total", 1);
        counter(seen, &reviews(3), "cluster.local.upstream_rq_total", 1);
        let (_, mut line) = seen.ledger.iter().find(|(_, l)| l.id == other.id).unwrap().clone();
        line.attempt = 2;
        seen.ledger.push((reviews(3), line));
        seen.access.push(other);
    };
    let texts = [
        told(&scene, inbound),
        told(&scene, outbound),
        told(&scene, again),
        told(&scene, numbered),
        told(&scene, unsent),
    ];
    insta::assert_snapshot!(texts.join("\n"), @"
    foreign traffic: 14 of 201 requests at the inbound listener of the proxy of reviews-1 are none of ours
    foreign traffic: 3 of 403 requests at the outbound listener of the proxy of web-1 are none of ours
    foreign traffic: 1 of 401 access-log lines of the proxy of web-1 carry ids of ours and belong to no call
    foreign traffic: 1 of 161 ledger lines of reviews-1 carry ids of ours and belong to no call
    foreign traffic: 1 of 108 access-log lines of the proxy of reviews-3 carry ids of ours and belong to no call
    ");
}

#[test]
fn lost_lines_and_foreign_traffic_are_told_apart() {
    let text = told(&scene(), |seen| {
        seen.access.retain(every(20, of_callee));
        counter(seen, &reviews(2), "http.in.downstream_rq_total", 5);
        counter(seen, &reviews(2), "cluster.local.upstream_rq_total", 5);
    });
    insta::assert_snapshot!(text, @"
    lost telemetry: 9 of 186 access-log lines of the proxy of reviews-2 are missing (its counters have them)
    foreign traffic: 5 of 191 requests at the inbound listener of the proxy of reviews-2 are none of ours
    ");
}

#[test]
fn counters_that_all_went_back_are_a_restart_and_one_that_did_is_unexplained() {
    let scene = scene();
    let restarted = told(&scene, |seen| {
        let own = seen.counters.iter_mut().find(|c| c.proxy == reviews(2)).unwrap();
        own.rises.values_mut().for_each(|rise| *rise /= 3);
    });
    let one = told(&scene, |seen| counter(seen, &web(), "cluster.out.reviews.upstream_rq_total", -2));
    insta::assert_snapshot!(format!("{restarted}\n{one}"), @"
    proxy restarted: the counters of the proxy of reviews-2 went back, they are short of 124 that its logs have
    the books do not balance: 480 tries sent, 478 counted by upstream_rq_total (proxy of web-1)
    ");
}

#[test]
fn what_ends_with_its_proxy_is_put_down_to_it() {
    let scene = scene();
    let ended = |asked: Option<u64>| {
        told(&scene, |seen| {
            // Its file was cut: more is missing than what can have been in its hands.
            seen.access.retain(|l| !(l.proxy == reviews(2) && l.began >= at(900)));
            seen.tries.retain(|t| t.began < at(1_200) || t.upstream != Some(reviews(2)));
            seen.ledger.retain(|(id, l)| *id != reviews(2) || l.began < at(1_200));
            let over: BTreeSet<u64> = seen.calls.iter().filter(|c| c.intended >= at(1_200)).map(|c| c.seq).collect();
            let id = |id: &str| id.trim_start_matches("t-").parse::<u64>().unwrap();
            seen.calls.retain(|c| !over.contains(&c.seq));
            seen.access.retain(|l| !over.contains(&id(&l.id)));
            seen.tries.retain(|t| !over.contains(&id(&t.id)));
            seen.ledger.retain(|(_, l)| !over.contains(&id(&l.id)));
            seen.counters.clear();
            let (how, what, at, asked) = ("was killed by SIGKILL".into(), Process::Proxy, at(1_200), asked.map(at));
            seen.lives.push(LifeEnd { instance: reviews(2), what, asked, at, how });
        })
    };
    insta::assert_snapshot!(format!("{}\n{}", ended(Some(1_199)), ended(None)), @"
    proxy restarted: the proxy of reviews-2 was killed by SIGKILL, as asked, and 27 of its records went with it
    proxy restarted: the proxy of reviews-2 was killed by SIGKILL, unasked, and 27 of its records went with it
    ");
}

#[test]
fn onward_calls_whose_line_is_lost_are_no_strangers() {
    let mut scene = Scene::new(plan());
    for n in 0..40 {
        let seq = scene.call(n * 10, &[Hop::Ok(1)]);
        scene.onward(seq, 1, 1, n * 10);
    }
    let text = told(&scene, |seen| {
        seen.access.retain(every(10, |l: &AccessRecord| l.side == Side::Outbound && l.proxy == reviews(1)));
    });
    insta::assert_snapshot!(text, @"lost telemetry: 4 of 40 access-log lines of the proxy of reviews-1 are missing (its counters, its upstream log, the access log of the callee's proxy and the workload's ledger have them)");
    let text = told(&scene, |seen| seen.calls.retain(every(9, |_| true)));
    insta::assert_snapshot!(text, @"lost telemetry: 4 of 40 records of the client are missing");
}

#[test]
fn a_fault_that_nobody_ordered_is_a_leak() {
    let mut scene = Scene::new(plan());
    scene.calls(0, 5, 10, |_| [Hop::Ok(1)]);
    scene.call(60, &[Hop::Aborted(1, 503)]);
    insta::assert_snapshot!(told(&scene, |_| ()), @"fault leaked: it touched 1 on web → reviews at reviews-1");
}

#[test]
fn a_proxy_without_counters_has_no_law_and_that_is_said() {
    let mut scene = scene();
    let without = |scene: &Scene| told(scene, |seen| seen.counters.retain(|record| record.proxy != reviews(2)));
    insta::assert_snapshot!(without(&scene), @"the books do not balance: 4 proxies that wrote lines, 3 that told their counters (proxy of reviews-2)");
    scene.killed(reviews(2), Process::Proxy, 3_000);
    assert_eq!(without(&scene), "", "it took them with it");
    assert_eq!(told(&scene, |seen| seen.counters.clear()), "", "none were read");
}

/// The proxy of `web` has checked a service so often.
fn checking(seen: &mut Observed, service: &str, attempts: i64) {
    counter(seen, &web(), &format!("cluster.out.{service}.health_check.attempt"), attempts);
}

#[test]
fn checks_are_nobodys_traffic() {
    let mut scene = scene();
    scene.seen.checks = vec![(reviews(1), 40)];
    let with = |checks: i64| {
        causes(&scene, |seen| {
            checking(seen, "reviews", 41);
            counter(seen, &reviews(1), "http.in.downstream_rq_total", checks);
            counter(seen, &reviews(1), "cluster.local.upstream_rq_total", checks);
        })
    };
    assert_eq!([with(40), with(41), with(38)], [const { Vec::new() }; 3], "one may be on its way at the ends");
    assert!(matches!(with(60).as_slice(), [Discord::ForeignTraffic { .. }]), "{:?}", with(60));
    let dead = causes(&scene, |seen| {
        checking(seen, "reviews", 41);
        counter(seen, &reviews(1), "http.in.downstream_rq_total", 40);
    });
    assert_eq!(dead, [], "behind the proxy nobody was there to be asked");
}

#[test]
fn checks_of_one_service_excuse_nobody_elses_books() {
    let extra = |service: &str, requests: i64| {
        causes(&scene(), |seen| {
            checking(seen, service, 40);
            counter(seen, &reviews(1), "http.in.downstream_rq_total", requests);
        })
    };
    assert!(matches!(extra("ratings", 3).as_slice(), [Discord::ForeignTraffic { extra: 3, .. }]), "not asked by them");
    assert_eq!(extra("reviews", 3), [], "nobody read a line of theirs");
    assert!(!extra("reviews", 41).is_empty(), "more than all of them");
    let lost = causes(&scene(), |seen| {
        checking(seen, "reviews", 40);
        counter(seen, &reviews(1), "http.in.downstream_rq_total", -3);
    });
    assert!(!lost.is_empty(), "no check makes a counter smaller");
}

#[test]
fn a_dose_that_is_short_at_one_proxy_says_where() {
    let aborts = touch(Level::Tries, 30, Which::Service, Touch::Abort(AnswerCode::Status(503)));
    let mut scene = Scene::new(faulty(plan(), aborts, When::Standing));
    scene.stood(0);
    scene.calls(0, 1, 900, |n| match (n % 3 + 1, n / 3 % 10) {
        (to @ (1 | 2), 0..4) => [Hop::Aborted(to as u32, 503)],
        (to, _) => [Hop::Ok(to as u32)],
    });
    let count = crate::doses(&scene.plan, &scene.evidence()).remove(0);
    assert_eq!((count.dose.clone(), count.touched, count.of), (Dose::Weaker, 240, 900), "26.7% of all would do");
    assert!(count.is_partial());
    insta::assert_snapshot!(Discord::FaultPartial(count.parts), @"fault partial: absent at reviews-3 (0 of 300), as meant at reviews-1 (120 of 300) and reviews-2 (120 of 300)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    /// Whatever is taken away, wherever: a cause is told, and it is *lost* only of the source that lost it.
    #[test]
    fn any_loss_is_put_down_to_its_source(which in 0usize..4, every_nth in 5u64..40, first in 0u64..5) {
        let scene = scene();
        let mut n = first;
        let mut keep = || { n += 1; n % every_nth != 0 };
        let source = [Source::CallersLog, Source::CalleesLog, Source::UpstreamLog, Source::Ledger][which];
        let found = causes(&scene, |seen| match source {
            Source::CallersLog => seen.access.retain(|l| l.side == Side::Inbound || keep()),
            Source::CalleesLog => seen.access.retain(|l| l.side == Side::Outbound || keep()),
            Source::UpstreamLog => seen.tries.retain(|_| keep()),
            _ => seen.ledger.retain(|(_, l)| l.status == 0 || keep()),
        });
        prop_assert!(!found.is_empty());
        for cause in found {
            let Discord::LostTelemetry(lost) = &cause else { return Err(TestCaseError::fail(cause.to_string())) };
            prop_assert_eq!(lost.source, source);
            prop_assert!(lost.known_to.contains(&Witness::Counters), "{}", lost);
        }
    }

    #[test]
    fn a_broken_law_always_has_a_cause(by in -20i64..20, which in 0usize..6) {
        let scene = scene();
        let name = ["http.in.downstream_rq_total", "cluster.local.upstream_rq_total", "http.in.fault.aborts_injected",
            "http.out.downstream_rq_total", "cluster.out.reviews.upstream_rq_total", "http.in.fault.delays_injected"][which];
        let proxy = if name.contains("out") { web() } else { reviews(1) };
        prop_assume!(by >= 0 || which != 5);
        let mut seen = scene.observed();
        counter(&mut seen, &proxy, name, by);
        let evidence = join(&scene.plan, seen);
        let broken = balances(&scene.plan, &evidence).iter().any(|b| b.finding == Books::Broken);
        prop_assert_eq!(broken, !discords(&scene.plan, &evidence).is_empty());
        prop_assert!(by == 0 || broken || name.contains("upstream_rq_total"));
    }
}
