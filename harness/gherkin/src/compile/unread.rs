//! A step that is no sentence: what it was probably meant to be.

use super::sink::Sink;
use super::statement::runs;
use crate::document::Step;
use crate::matcher::{Form, language};
use crate::nearest::{self, Due, Progress};
use crate::source::Mistake;
use gherkin::StepType;
use squall_model::Diagnostic;
use std::ops::Range;

/// Below this a line is like no sentence at all.
const ALIKE: f64 = 0.3;

/// What is wrong with a step that matches no sentence under its keyword.
pub(crate) fn diagnose(step: &Step, sink: &Sink<'_>) -> Diagnostic {
    if step.keyword == "*" {
        let mistake = Mistake::error("star", 0..0, "`*` hides whether this is given, done or expected")
            .label("always taken for Given")
            .hint("write Given, When, Then, And or But");
        return mistake.at(sink.index.origin(step.keyword_at.clone()));
    }
    let text = step.text.text.as_str();
    let mistake = other_kind(step, text)
        .or_else(|| repaired(step, text))
        .or_else(|| not_run(step, text))
        .unwrap_or_else(|| nearest_sentence(step, text));
    let origin = sink.origin(step, mistake.span.clone());
    mistake.at(origin)
}

/// A sentence, but of another kind.
fn other_kind(step: &Step, text: &str) -> Option<Mistake> {
    let found = language().find_any(text)?;
    let (noun, keyword) = (found.sentence.kind.noun(), found.sentence.kind.keyword());
    let under = word(step.ty);
    let and = if step.keyword == under { String::new() } else { format!(" (`{}` goes on with it)", step.keyword) };
    let mistake =
        Mistake::error("wrong-keyword", 0..text.len(), format!("this is {noun}, and stands under {under}{and}"))
            .label(format!("belongs under {keyword}"));
    let hint = match (found.sentence.kind, step.ty) {
        (crate::sentences::Kind::Expectation, _) => format!("put it under {keyword}, below all that is done"),
        (_, StepType::Then) => format!("begin with {keyword}; expectations come last"),
        _ => format!("begin the line with {keyword}"),
    };
    Some(mistake.hint(hint))
}

/// A sentence after a small change.
fn repaired(step: &Step, text: &str) -> Option<Mistake> {
    let repair = nearest::repair(step.ty, text, runs)?;
    let (lead, between) =
        if repair.together { ("in two lines: ", "\n         and: ") } else { ("it would read: ", "\n           or: ") };
    let hint = format!("{lead}{}", repair.lines.join(between));
    let mistake = Mistake::error("no-sentence", repair.span, "no sentence reads like this");
    Some(mistake.label(repair.hint).hint(hint))
}

/// A sentence that the language has, and this version cannot run: said, so that nobody looks for it, but not put forward.
fn not_run(step: &Step, text: &str) -> Option<Mistake> {
    let repair = nearest::repair(step.ty, text, |_, _| true)?;
    let hint = format!("the language has it, this version does not run it: {}", repair.lines.first()?);
    let mistake = Mistake::error("no-sentence", repair.span, "no sentence reads like this");
    Some(mistake.label("like a sentence that cannot be run yet").hint(hint))
}

fn nearest_sentence(step: &Step, text: &str) -> Mistake {
    let mistake = |span: Range<usize>| Mistake::error("no-sentence", span, "no sentence reads like this");
    if let Some(hint) = denied(step.ty, text) {
        return mistake(0..text.len()).label("says what is not done").hint(hint);
    }
    let tempting = tempting(text);
    let Some((form, _)) = nearest::sentence(step.ty, text).filter(|(_, likeness)| *likeness > ALIKE) else {
        let hint = tempting
            .unwrap_or("`squall steps` shows all sentences with examples, `squall steps WORD` those about a word");
        return mistake(0..text.len()).label("like nothing in the language").hint(hint);
    };
    let progress = nearest::progress(language(), form, text);
    let span =
        if progress.at < text.len() { progress.at..text.len() } else { text.len().saturating_sub(1)..text.len() };
    let nearest = suggestion(form, step.ty);
    let hint = tempting.map_or(nearest.clone(), |hint| format!("{hint}\n{nearest}"));
    mistake(span).label(due(&progress)).hint(hint)
}

/// What is not done needs no line.
fn denied(ty: StepType, text: &str) -> Option<&'static str> {
    let hint = match ty {
        StepType::Given => "nothing is retried, limited or timed out unless a line says so: leave this one out",
        StepType::When => "nothing breaks unless a line says so: leave this one out",
        StepType::Then => return None,
    };
    nearest::denies(text).then_some(hint)
}

/// Words that tempt, and what to say instead.
const TEMPTING: [(&[&str], &str); 6] = [
    (
        &["half-open", "half open", "breaker opens", "breaker closes", "breaker is open", "breaker trips"],
        "a breaker of Envoy limits concurrency and never opens: say `… are shed by the circuit breaker`;\n\
         what goes away for a time and comes back is an instance: `… is ejected`, `… gets traffic again`",
    ),
    (
        &["p50", "p90", "p95", "p99", "percentile", "latency"],
        "say it as a share: `at least 99% of the calls succeed within 50 ms`",
    ),
    (
        &["wait ", "waits ", "sleep"],
        "nothing waits: times stand in the lines, `… at 2 s`, `… from 2 s to 4 s`, `… during the fault`",
    ),
    (&["error rate", "success rate"], "say which share: `at least 99% of the calls succeed`"),
    (
        &["packet", "loss", "partition"],
        "say it of the wire: `the wire from \"web\" to \"reviews\" is cut`, `… is slowed by 100 ms, give or take 50 ms`,\n\
         `… resets 10% of its connections`; what TCP loses it sends again: to those who call that is slowness",
    ),
    (
        &["timeout", "time out", "times out"],
        "say whose: `calls to \"reviews\" time out after 300 ms`, `tries reaching \"reviews\" time out after 100 ms`",
    ),
];

fn tempting(text: &str) -> Option<&'static str> {
    let lower = text.to_lowercase();
    TEMPTING.iter().find(|(words, _)| words.iter().any(|word| lower.contains(word))).map(|(_, hint)| *hint)
}

fn due(progress: &Progress) -> String {
    match &progress.due {
        Some(Due::Word(word)) => format!("`{word}` is expected here"),
        Some(Due::Clause(name)) => {
            let forms = language().clause(name).map(|(param, _)| param.short()).unwrap_or_default();
            format!("expected here: {forms}")
        }
        None => "the sentence ends before this".to_owned(),
    }
}

fn suggestion(form: &Form, ty: StepType) -> String {
    let sentence = form.sentence;
    let under = if form.step == ty { String::new() } else { format!(" (under {})", word(form.step)) };
    format!("nearest sentence{under}: {}\nfor instance: {}", sentence.text, sentence.example)
}

/// The keyword of a kind of step.
pub(crate) fn word(ty: StepType) -> &'static str {
    match ty {
        StepType::Given => "Given",
        StepType::When => "When",
        StepType::Then => "Then",
    }
}
