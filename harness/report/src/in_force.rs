//! The policy that callers' proxies had in force, which may be other than the written one: defaults that nobody wrote, fields that a
//! control plane fills in or drops.

use crate::{list, style::Style};
use squall_model::{InForce, Unsaid};
use std::fmt::Write;

/// So many proxies are named that say the same.
const NAMED: usize = 3;

/// A line for each of the first few, and for each of those of which it is not known; nothing where there is none.
pub(crate) fn lines(policies: &[InForce], unsaid: &[Unsaid], style: Style) -> String {
    list::lines(policies, line, style) + &list::lines(unsaid, silence, style)
}

fn line(policy: &InForce) -> String {
    let InForce { by, host, says } = policy;
    let mut whose = by.iter().take(NAMED).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if by.len() > NAMED {
        let _ = write!(whose, " and {} more", by.len() - NAMED);
    }
    format!("in force {whose} → {host}: {says}")
}

fn silence(unsaid: &Unsaid) -> String {
    let Unsaid { by, why } = unsaid;
    format!("in force {by} did not say: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Stories, Terminal, junit};
    use squall_model::{
        Body, EVENT_VERSION, Finished, InstanceId, Origin, PlanKey, Queued, RunEvent, RunOf, Stamp, Title, Variation,
        Verdict,
    };

    fn policy(callers: u32) -> InForce {
        let by = (1..=callers).map(|number| InstanceId { service: "web".into(), number }).collect();
        InForce { by, host: "reviews".into(), says: "timeout 1.5 s; no retries".into() }
    }

    fn unsaid() -> Unsaid {
        Unsaid { by: InstanceId { service: "web".into(), number: 2 }, why: "no answer by the deadline".into() }
    }

    #[test]
    fn a_policy_is_a_line() {
        insta::assert_snapshot!(lines(&[policy(1), policy(5)], &[], Style::PLAIN), @"
        · in force web-1 → reviews: timeout 1.5 s; no retries
        · in force web-1, web-2, web-3 and 2 more → reviews: timeout 1.5 s; no retries
        ");
    }

    #[test]
    fn many_are_cut_short() {
        let text = lines(&vec![policy(1); 10], &[], Style::PLAIN);
        assert_eq!(text.lines().count(), 9);
        assert!(text.ends_with("    … and 2 more\n"));
        assert_eq!(lines(&[], &[], Style::PLAIN), "");
    }

    /// Whoever is cut short, that somebody did not say is told.
    #[test]
    fn one_that_did_not_say_is_a_line_behind_those_that_did() {
        insta::assert_snapshot!(lines(&[policy(1)], &[unsaid()], Style::PLAIN), @"
        · in force web-1 → reviews: timeout 1.5 s; no retries
        · in force web-2 did not say: no answer by the deadline
        ");
        assert!(lines(&vec![policy(1); 10], &[unsaid()], Style::PLAIN).contains("web-2 did not say"));
    }

    #[test]
    fn terminal_and_junit_tell_who_said_and_who_did_not() {
        let of = RunOf { plan: PlanKey("0123456789abcdef".into()), variation: Variation::Main };
        let queued = Queued {
            title: Title { feature: "Retry".into(), scenario: "It is tried again".into(), tags: Vec::new() },
            origin: Origin { file: "r.feature".into(), line: 3, column: 1, length: 1 },
            claims: Vec::new(),
            policies: Vec::new(),
            no_control: None,
            quarantine: None,
        };
        let finished = Finished { verdict: Verdict::Violated, calls: 10, took: 1, traffic: 1, cause: None };
        let bodies = [
            Body::Queued(queued),
            Body::Started,
            Body::InForce(policy(1)),
            Body::Unsaid(unsaid()),
            Body::Finished(finished),
        ];
        let (mut terminal, mut stories, mut told) =
            (Terminal::new(Style::PLAIN, false), Stories::default(), String::new());
        for (body, seq) in bodies.into_iter().zip(0..) {
            let event = RunEvent { v: EVENT_VERSION, seq, at: Stamp(seq), of: Some(of.clone()), body };
            told += &terminal.read(&event);
            stories.read(&event);
        }
        for text in [told, junit(&stories).unwrap()] {
            assert!(text.contains("in force web-1 → reviews: timeout 1.5 s; no retries"), "{text}");
            assert!(text.contains("in force web-2 did not say: no answer by the deadline"), "{text}");
        }
    }
}
