use super::*;
use crate::{Edge, FaultId, Verdict, Why};

fn reviews(number: u32) -> InstanceId {
    InstanceId { service: "reviews".into(), number }
}

fn lost(source: Source, missing: u64, since: Option<u64>, known_to: &[Witness]) -> Discord {
    let at = Some(reviews(2));
    Discord::LostTelemetry(Lost { source, at, missing, of: 612, since, until: None, known_to: known_to.to_vec() })
}

#[test]
fn each_cause_reads_as_a_sentence() {
    let part = |number, dose, touched| DosePart { at: reviews(number), dose, touched, of: 210 };
    let edge = Edge { from: "web".into(), to: "reviews".into() };
    let all = [
        lost(Source::CalleesLog, 31, None, &[Witness::Counters, Witness::Ledger]),
        lost(Source::Ledger, 1, Some(1_250_000_000), &[Witness::CalleesLog]),
        lost(Source::UpstreamLog, 2, Some(0), &[Witness::Counters, Witness::CallersLog, Witness::CalleesLog]),
        Discord::ForeignTraffic { what: Foreign::Requests(Side::Inbound), at: Some(reviews(1)), extra: 14, of: 626 },
        Discord::ForeignTraffic { what: Foreign::Records(Source::Ledger), at: Some(reviews(1)), extra: 1, of: 9 },
        Discord::ProxyRestarted { at: reviews(1), by: Restart::CountersWentBack, short: 200 },
        Discord::ProxyRestarted { at: reviews(1), by: Restart::Unasked("was killed by SIGKILL".into()), short: 3 },
        Discord::FaultPartial(vec![part(1, Dose::Confirmed, 63), part(2, Dose::Absent, 0), part(3, Dose::Weaker, 9)]),
        Discord::FaultLeaked(vec![DoseLeak { edge, at: reviews(3), touched: 12 }]),
        Discord::Unfinished,
        Discord::Unexplained("64 tries sent, 62 counted by upstream_rq_total (proxy of web-1)".into()),
    ];
    insta::assert_snapshot!(all.map(|d| d.to_string()).join("\n"), @"
    lost telemetry: 31 of 612 access-log lines of the proxy of reviews-2 are missing (its counters and the workload's ledger have them)
    lost telemetry: 1 of 612 ledger lines of reviews-2 is missing since 1.25 s (the access log of its proxy has it)
    lost telemetry: 2 of 612 upstream-log lines of the proxy of reviews-2 are missing since 0 ms (its counters, its access log and the access log of the callee's proxy have them)
    foreign traffic: 14 of 626 requests at the inbound listener of the proxy of reviews-1 are none of ours
    foreign traffic: 1 of 9 ledger lines of reviews-1 carry ids of ours and belong to no call
    proxy restarted: the counters of the proxy of reviews-1 went back, they are short of 200 that its logs have
    proxy restarted: the proxy of reviews-1 was killed by SIGKILL, unasked, and 3 of its records went with it
    fault partial: absent at reviews-2 (0 of 210) and weaker at reviews-3 (9 of 210), as meant at reviews-1 (63 of 210)
    fault leaked: it touched 12 on web → reviews at reviews-3
    unfinished record: the barrier was not passed, records may still be on their way
    the books do not balance: 64 tries sent, 62 counted by upstream_rq_total (proxy of web-1)
    ");
}

#[test]
fn causes_are_read_as_they_were_written() {
    let causes = vec![lost(Source::CalleesLog, 31, Some(5), &[Witness::Ledger]), Discord::Unexplained("why".into())];
    let verdict = Verdict::Inconclusive(Why::Books(causes));
    let text = serde_json::to_string(&verdict).unwrap();
    assert_eq!(serde_json::from_str::<Verdict>(&text).unwrap(), verdict);
}

#[test]
fn a_recording_that_knew_no_causes_is_read() {
    let old = r#"{"inconclusive":{"books":"420 answers passed on by callees' proxies, 419 in a ledger"}}"#;
    let Verdict::Inconclusive(why) = serde_json::from_str(old).unwrap() else { panic!("{old}") };
    assert_eq!(why.to_string(), "the books do not balance: 420 answers passed on by callees' proxies, 419 in a ledger");
    let old = r#"{"inconclusive":{"dose":{"fault":0,"dose":"weaker"}}}"#;
    let Verdict::Inconclusive(why) = serde_json::from_str(old).unwrap() else { panic!("{old}") };
    assert_eq!(why, Why::Dose { fault: FaultId(0), dose: Dose::Weaker, discord: None });
}

#[test]
fn of_many_causes_the_first_few_are_told() {
    let causes = (0..5).map(|n| Discord::Unexplained(format!("law {n}"))).collect();
    assert!(Why::Books(causes).to_string().ends_with("law 2; and 2 more"));
}
