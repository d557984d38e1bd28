//! The bones of a scenario: something is done, something is expected, in this order, under a name of its own.

use crate::compile::{Built, Sink, is_kind};
use crate::document::{Case, Document, Step};
use crate::sentences::Kind;
use crate::source::Mistake;
use gherkin::StepType;
use squall_model::Origin;
use std::collections::BTreeMap;

/// What concerns the file as a whole.
pub(crate) fn file(document: &Document, sink: &mut Sink<'_>) {
    if document.cases.is_empty() && sink.errors() == 0 {
        let place = sink.index.text.find("Feature").unwrap_or(0);
        let mistake = Mistake::error("no-scenario", 0..0, "this feature has no scenario")
            .label("nothing of it would run")
            .hint("begin one: `Scenario: …`");
        sink.out.push(mistake.at(sink.index.origin(place..place + 7)));
    }
    names(document, sink);
    for case in &document.cases {
        for (_, tag) in &case.tags {
            retry_tag(&tag.text, &tag.origin, sink);
        }
    }
}

/// Names are how history and people know a scenario.
fn names(document: &Document, sink: &mut Sink<'_>) {
    let mut seen: BTreeMap<&str, &Case> = BTreeMap::new();
    for case in &document.cases {
        if case.name.is_empty() {
            let mistake = Mistake::error("no-name", 0..0, "this scenario has no name")
                .label("what does it show?")
                .hint("reports and history speak of scenarios by name");
            sink.out.push(mistake.at(case.origin.clone()));
            continue;
        }
        let Some(first) = seen.get(case.name.as_str()) else {
            seen.insert(&case.name, case);
            continue;
        };
        let rows = case.shared.is_some() && case.shared == first.shared;
        let mistake = match rows {
            true => Mistake::error("same-name", 0..0, format!("two rows make the same scenario: \"{}\"", case.name))
                .hint("use every column that tells them apart in the name"),
            false => Mistake::error("same-name", 0..0, format!("two scenarios are called \"{}\"", case.name))
                .hint("reports and history speak of scenarios by name"),
        };
        let label = format!("the first is on line {}", first.origin.line);
        sink.out.push(mistake.label(label).at(case.origin.clone()));
    }
}

fn retry_tag(tag: &str, origin: &Origin, sink: &mut Sink<'_>) {
    let is_retry = tag.strip_prefix("@retry").is_some_and(|rest| rest.is_empty() || rest.starts_with(['(', '.']));
    if is_retry {
        let mistake = Mistake::error("retry-tag", 0..0, "no scenario is run again until it passes")
            .label("this would hide what it should find")
            .hint("a split of 64% instead of 70% passes a test of 500 calls within 5 points in 98 of 100 nights if it may try ten times;\nask for more calls instead, or write a bound that this traffic can decide");
        sink.out.push(mistake.at(origin.clone()));
    }
}

/// What concerns one scenario; false where it has not all of its bones.
pub(crate) fn scenario(built: &Built<'_>, sink: &mut Sink<'_>) -> bool {
    let before = sink.errors();
    let case = built.case;
    let origin = || case.origin.clone();
    if !case.steps.iter().any(|step| step.own) && !case.broken {
        let mistake = Mistake::error("no-steps", 0..0, "this scenario has no steps").label("it would test nothing");
        sink.out.push(mistake.at(origin()));
        return false;
    }
    order(&case.steps, true, sink);
    order(&case.steps, false, sink);
    hanging(built, sink);
    if case.broken {
        return false;
    }
    let stands = |ty: StepType| case.steps.iter().any(|step| step.ty == ty);
    if !stands(StepType::Then) {
        let mistake = Mistake::error("no-then", 0..0, "this scenario expects nothing")
            .label("no Then")
            .hint("say what must hold: `Then every call succeeds`");
        sink.out.push(mistake.at(origin()));
    }
    let has_traffic = built.lines.iter().any(|line| is_kind(line, Kind::Traffic) && !line.is.control);
    // A line that could not be read may have been the traffic.
    let may_have = built.lines.len() < case.steps.len() && stands(StepType::When);
    if !(has_traffic || may_have) {
        let mistake = Mistake::error("no-traffic", 0..0, "this scenario sends no calls")
            .label("no traffic line")
            .hint("say who calls: `When \"web\" makes enough calls to \"reviews\" to decide`");
        sink.out.push(mistake.at(origin()));
    }
    sink.errors() == before
}

/// Given, then When, then Then: a policy below traffic would be in place from the start, an expectation above it is judged at the end.
fn order(steps: &[Step], own: bool, sink: &mut Sink<'_>) {
    let rank = |ty: StepType| match ty {
        StepType::Given => 0,
        StepType::When => 1,
        StepType::Then => 2,
    };
    let mut highest = StepType::Given;
    for step in steps.iter().filter(|step| step.own == own) {
        if rank(step.ty) >= rank(highest) {
            highest = step.ty;
            continue;
        }
        let mistake = match step.ty {
            StepType::Given => Mistake::error("order", 0..0, format!("a Given below a {}", crate::compile::word(highest)))
                .label("would hold from the start, not from here on")
                .hint("put it above; a policy that comes later is a change: under When, with its time: `… at 2 s`"),
            _ => Mistake::error("order", 0..0, "a When below a Then")
                .label("expectations are judged when all traffic is over")
                .hint("put Then lines last; a part of the time is said in the line: `during the fault`, `from 2 s to 4 s`"),
        };
        sink.out.push(mistake.at(sink.index.origin(step.keyword_at.clone())));
    }
}

/// Doc strings and tables that no sentence reads.
fn hanging(built: &Built<'_>, sink: &mut Sink<'_>) {
    for line in &built.lines {
        let Some(what) = line.step.hangs.filter(|what| !(*what == "doc string" && line.is.sentence.number == 46))
        else {
            continue;
        };
        let mistake = Mistake::error("hanging", line.whole(), format!("this sentence has no use for a {what}"))
            .label(format!("the {what} below says nothing to it"))
            .hint("take it out, or make it a comment with `#`");
        sink.tell(line.step, mistake);
    }
}
