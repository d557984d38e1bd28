//! JUnit XML: a suite a feature, a case a scenario. What is not green is a failure, an error or a skip, never a pass.

use crate::{absence, block, control, in_force, story::Stories, style::Style};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use squall_model::{ControlResult, Dose, Verdict};
use std::time::Duration;

/// The report of a run.
///
/// *Violated* and *vacuous* are failures, *error* and *inconclusive* are errors, *unsupported* is a skip, as is all
/// that is not green in quarantine.
///
/// # Errors
/// Where the XML cannot be written.
pub fn junit(stories: &Stories) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("squall");
    let mut suites: Vec<TestSuite> = Vec::new();
    for (_, story) in &stories.scenarios {
        let title = &story.queued.title;
        let mut case = TestCase::new(title.scenario.clone(), status(story, stories.stopped_by().as_deref()));
        case.set_classname(title.feature.clone());
        if let Some(finished) = &story.finished {
            case.set_time(Duration::from_nanos(finished.took));
        }
        case.extra.insert("file".into(), story.queued.origin.file.as_ref().into());
        case.extra.insert("line".into(), story.queued.origin.line.to_string().into());
        match suites.iter_mut().find(|s| s.name.as_str() == title.feature) {
            Some(suite) => {
                suite.add_test_case(case);
            }
            None => {
                let mut suite = TestSuite::new(title.feature.clone());
                suite.add_test_case(case);
                suites.push(suite);
            }
        }
    }
    report.add_test_suites(suites);
    report.to_string()
}

fn status(story: &crate::ScenarioStory, stopped_by: Option<&str>) -> TestCaseStatus {
    let vacuous = matches!(&story.controlled, Some(c) if c.result == ControlResult::Vacuous);
    let not_green = |kind, message: String| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_message(message);
        let otherwise = story.doses.iter().filter(|(_, _, count)| count.dose != Dose::Confirmed);
        let blocks: String = story
            .judged
            .iter()
            .filter(|j| j.finding.verdict != Verdict::Holds)
            .map(|j| block::claim(j, &[], true, Style::PLAIN))
            .chain(otherwise.map(|(what, origin, count)| block::dose(what, origin, count, Style::PLAIN)))
            .chain(story.accidents.iter().map(|a| format!("{a}\n")))
            .chain([
                absence::lines(&story.absences, Style::PLAIN),
                in_force::lines(&story.in_force, &story.unsaid, Style::PLAIN),
            ])
            .chain([control::block(story, Style::PLAIN)])
            .collect();
        status.set_description(blocks);
        status
    };
    if let Some(quarantine) = story.kept_out() {
        let mut status = TestCaseStatus::skipped();
        status.set_message(format!("{}, {quarantine}", story.verdict().word()));
        return status;
    }
    if let (None, Some(by)) = (&story.finished, stopped_by) {
        return not_green(NonSuccessKind::Error, format!("not run to its end: the run was {by}"));
    }
    let first = story.judged.iter().find(|j| j.finding.verdict == Verdict::Violated);
    match story.verdict() {
        Verdict::Violated => {
            let line = first.map_or_else(String::new, |j| format!(": {} ({})", j.text, j.origin));
            not_green(NonSuccessKind::Failure, format!("violated{line}"))
        }
        Verdict::Error(why) => not_green(NonSuccessKind::Error, format!("error: {why}")),
        Verdict::Inconclusive(why) => not_green(NonSuccessKind::Error, format!("inconclusive: {why}")),
        Verdict::Unsupported(why) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(format!("unsupported: {why}"));
            status
        }
        Verdict::Holds if vacuous => {
            not_green(NonSuccessKind::Failure, "vacuous: it holds without what it tests".into())
        }
        Verdict::Holds if matches!(&story.controlled, Some(c) if matches!(c.result, ControlResult::Error(_))) => {
            not_green(NonSuccessKind::Error, "its control run is in error".into())
        }
        Verdict::Holds => match control::why(story) {
            Some(why) => not_green(NonSuccessKind::Error, format!("control undecided: {why}")),
            None => TestCaseStatus::success(),
        },
    }
}
