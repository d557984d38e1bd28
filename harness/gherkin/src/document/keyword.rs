//! Keywords, and what nearly is one.

use crate::matcher::language;
use crate::nearest;
use crate::source::Mistake;
use std::ops::Range;

/// What a line begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lead {
    /// `Scenario:` and its like.
    Section(Section),
    /// `Given ` and its like, `* ` too.
    Step,
    /// No keyword.
    Other,
}

/// The parts of a feature file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Feature,
    Rule,
    Background,
    Scenario,
    Examples,
}

const SECTIONS: [(&str, Section); 11] = [
    ("Feature", Section::Feature),
    ("Business Need", Section::Feature),
    ("Ability", Section::Feature),
    ("Rule", Section::Rule),
    ("Background", Section::Background),
    ("Scenario Outline", Section::Scenario),
    ("Scenario Template", Section::Scenario),
    ("Scenarios", Section::Examples),
    ("Scenario", Section::Scenario),
    ("Examples", Section::Examples),
    ("Example", Section::Scenario),
];

/// The keywords of steps.
pub(crate) const STEPS: [&str; 5] = ["Given", "When", "Then", "And", "But"];

/// English words that are no misspelt keyword, however near they are.
const WORDS: [&str; 26] = [
    "the", "them", "they", "than", "there", "these", "any", "an", "ant", "are", "all", "add", "end", "hand", "bit",
    "bet", "both", "out", "put", "give", "gives", "who", "what", "where", "while", "even",
];

/// What the line begins with.
pub(crate) fn lead(text: &str) -> Lead {
    if let Some((_, section)) =
        SECTIONS.iter().find(|(word, _)| text.strip_prefix(word).is_some_and(|t| t.starts_with(':')))
    {
        return Lead::Section(*section);
    }
    match STEPS.iter().any(|word| text.strip_prefix(word).is_some_and(|t| t.starts_with(' '))) || text.starts_with("* ")
    {
        true => Lead::Step,
        false => Lead::Other,
    }
}

/// A line that is no prose.
pub(crate) struct Found {
    pub(crate) mistake: Mistake,
    /// It should have begun a scenario: what follows belongs to nothing.
    pub(crate) loses_section: bool,
}

/// What is wrong with a line that begins with no keyword; `None` where it is prose, and prose may stand there.
pub(crate) fn judge(text: &str, span: Range<usize>, prose: bool, opening: bool) -> Option<Found> {
    let word = text.split(|c: char| c.is_whitespace() || c == ':').next().unwrap_or(text);
    let word_span = span.start..span.start + word.len().max(1);
    let step = |mistake| Some(Found { mistake, loses_section: false });
    if let Some(found) = heading(text, span.clone(), prose, opening) {
        return Some(found);
    }
    if STEPS.contains(&word) {
        let mistake = Mistake::error("empty-step", word_span, format!("`{word}` says nothing"))
            .label("a blank and a sentence are due behind it");
        return step(mistake);
    }
    if let Some(keyword) = near_step(word).filter(|_| !prose || is_no_word(word) || reads_like_a_step(text)) {
        let mistake = Mistake::error(
            "misspelt-keyword",
            word_span,
            format!("`{word}` is no keyword, so Gherkin takes this line for prose"),
        )
        .label("no step")
        .hint(format!("write `{keyword}`"));
        return step(mistake);
    }
    if language().find_any(text).is_some() {
        let mistake = Mistake::error("missing-keyword", span, "this line says a sentence, but has no keyword")
            .label("no step")
            .hint("begin it with Given, When, Then, And or But");
        return step(mistake);
    }
    if prose {
        return None;
    }
    let mistake = Mistake::error("stray-text", span, "this line is no step")
        .label("prose stands below a heading, before the first step")
        .hint("begin it with Given, When, Then, And or But, or make it a comment with `#`");
    step(mistake)
}

/// `Scenerio: …`, `scenario: …`, `Scenario …`.
pub(crate) fn heading(text: &str, span: Range<usize>, prose: bool, opening: bool) -> Option<Found> {
    let names = SECTIONS.iter().map(|(name, _)| *name);
    if let Some((head, _)) = text.split_once(':').filter(|(head, _)| head.split(' ').count() <= 2) {
        let near = nearest::name(head, names.clone()).filter(|near| *near != head)?;
        let mistake =
            Mistake::error("misspelt-keyword", span.start..span.start + head.len(), format!("`{head}` is no keyword"))
                .label("what follows belongs to nothing")
                .hint(format!("write `{near}:`"));
        return Some(Found { mistake, loses_section: true });
    }
    // Gherkin reads no prose that begins with these letters, whatever follows them.
    let refused = |name: &&str| match *name {
        "Background" | "Rule" => opening,
        "Scenario" | "Example" | "Examples" | "Scenarios" | "Scenario Outline" | "Scenario Template" => true,
        _ => false,
    };
    let name = names.filter(refused).find(|name| text.starts_with(name))?;
    let is_heading = text[name.len()..].is_empty() || text[name.len()..].starts_with(' ');
    if !is_heading && !prose {
        return None;
    }
    let mistake =
        Mistake::error("missing-colon", span.start..span.start + name.len(), format!("`{name}` without a colon"))
            .label("a keyword of Gherkin")
            .hint(format!("write `{name}:`, or begin the sentence with another word"));
    Some(Found { mistake, loses_section: is_heading && !prose })
}

/// The step keyword that this word nearly is.
fn near_step(word: &str) -> Option<&'static str> {
    let lower = word.to_lowercase();
    let distance = |keyword: &&str| strsim::damerau_levenshtein(&lower, &keyword.to_lowercase());
    let allowed = |keyword: &str| if keyword.len() > 4 { 2 } else { 1 };
    STEPS.into_iter().filter(|k| distance(k) <= allowed(k)).min_by_key(distance)
}

/// No English word that could begin a line of prose.
fn is_no_word(word: &str) -> bool {
    let lower = word.to_lowercase();
    !WORDS.contains(&lower.as_str()) && !STEPS.iter().any(|keyword| keyword.to_lowercase() == lower)
}

/// What follows the first word is a sentence, or nearly one.
pub(crate) fn reads_like_a_step(text: &str) -> bool {
    let rest = text.split_once(' ').map_or("", |(_, rest)| rest.trim());
    language().find_any(rest).is_some() || nearest::likeness(rest) > 0.6
}
