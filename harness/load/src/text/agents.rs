//! Who sent a run, and who of them was lost.

use super::Page;
use crate::report::Report;
use squall_report::Colour;

/// Lines with them; none of a run that this program sent alone.
pub(super) fn agents(report: &Report<'_>, page: &mut Page) {
    let Some(agents) = &report.agents else { return };
    page.line("agents", &agents.words());
    let lost = agents.lost();
    if lost.is_empty() {
        return;
    }
    for words in &lost {
        page.line("", &page.style.paint(Colour::Red, words));
    }
    let told = agents.all.len() - lost.len();
    let words = format!("inconclusive: all that follows is of the {told} others, and nothing is judged by it");
    page.line("", &page.style.paint(Colour::Red, words));
}

#[cfg(test)]
mod tests {
    use crate::{
        Agents, Generator, Merged, Own, Part, Threshold, Verdict, json,
        testing::{call, report},
        text, told,
    };
    use squall_model::{CallRecord, ClientEnd, Stamp};
    use squall_report::Style;
    use std::time::Duration;

    /// A run of 300 calls by three agents, of which the second may be lost, told and judged.
    fn run<T>(is_lost: bool, tell: impl FnOnce(&crate::Report<'_>) -> T) -> T {
        let calls: Vec<CallRecord> = (0..300).map(|k| call(k * 10, 100, ClientEnd::Answered(200))).collect();
        let part = |nth: usize| {
            let mut recorder = crate::Recorder::new(Stamp(0));
            calls.iter().skip(nth).step_by(3).for_each(|call| recorder.record(call));
            Part { calls: recorder, generator: Generator::default(), took: Duration::from_secs(3) }
        };
        let own = Own { share: 1.0 / 3.0, meant: Some(100) };
        let came = |nth| if is_lost && nth == 1 { Err("it is gone".to_owned()) } else { Ok(part(nth)) };
        let merged = Merged::of((0..3).map(|nth| (own, came(nth))).collect(), false);
        let threshold: Threshold = "p50 > 1ms".parse().unwrap();
        let judged = threshold.judge(&merged.calls, false);
        let judged = if is_lost { judged.of_a_part() } else { judged };
        report(&calls, |whole| {
            tell(&crate::Report {
                calls: &merged.calls,
                judged: vec![judged],
                agents: Some(Agents { place: "pods".into(), all: merged.agents.clone() }),
                ..whole.clone()
            })
        })
    }

    #[test]
    fn agents_are_told_with_what_each_sent() {
        let (text, json) = run(false, |report| (text(report, Style::PLAIN), json(report)));
        assert!(text.contains("300 in 3 s · 100/s") && text.contains("3 pods: 100 calls each"), "{text}");
        assert!(text.contains("✓ p50 > 1ms"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json["ActualQPS"], &json["Squall"]["agents"]["each"][2]["calls"]), (&100.0.into(), &100.into()));
    }

    #[test]
    fn of_a_run_that_has_lost_an_agent_nothing_is_shown_to_be_so() {
        let (text, json) = run(true, |report| {
            assert!(matches!(report.judged[0].verdict, Verdict::Undecided(_)));
            assert_eq!(told(&report.judged[0]), "undecided: an agent was lost, and its calls with it");
            (text(report, Style::PLAIN), json(report))
        });
        assert!(text.contains("200 of 300 meant are known") && !text.contains("/s\n"), "{text}");
        assert!(text.contains("agent 2 of 3 was lost: 33.3% of the load; it is gone"), "{text}");
        assert!(text.contains("of the 2 others, and nothing is judged by it"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert!(json["ActualQPS"].is_null() && json["Labels"].as_str().unwrap().contains("INCONCLUSIVE"), "{json}");
        let (agents, threshold) = (&json["Squall"]["agents"], &json["Squall"]["thresholds"][0]);
        assert_eq!((&agents["whole"], &agents["each"][1]["lost"]), (&false.into(), &"it is gone".into()));
        assert_eq!((&threshold["verdict"], &threshold["measured"]), (&"undecided".into(), &().into()));
    }
}
