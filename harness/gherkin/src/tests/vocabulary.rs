//! The table: each example, and each step of the language's own features, is exactly one sentence.

use crate::document::Text;
use crate::matcher::language;
use crate::sentences::Kind;
use gherkin::StepType;

/// Numbers of the sentences that a line is under a keyword, the forms of one sentence counted apart.
fn sentences(step: StepType, line: &str) -> Vec<u8> {
    let forms = language().forms.iter().filter(|form| form.step == step && form.regex.is_match(line));
    forms.map(|form| form.sentence.number).collect()
}

#[test]
fn there_are_seventy_one_sentences_in_order() {
    let numbers: Vec<u8> = crate::steps().iter().map(|s| s.number).collect();
    assert_eq!(numbers, (1..=71).collect::<Vec<u8>>());
}

#[test]
fn every_example_is_its_own_sentence_and_no_other() {
    for doc in crate::steps() {
        let step = match doc.kind {
            Kind::Topology | Kind::Policy | Kind::Guard => StepType::Given,
            Kind::Fault | Kind::Traffic => StepType::When,
            Kind::Expectation => StepType::Then,
        };
        assert_eq!(sentences(step, doc.example), [doc.number], "{}", doc.example);
        if doc.kind == Kind::Policy {
            let change = format!("{} from 2 s to 4 s", doc.example);
            assert_eq!(sentences(StepType::When, &change), [doc.number], "{change}");
        }
    }
}

#[test]
fn every_step_of_the_features_of_the_language_is_one_sentence() {
    let mut count = 0;
    for line in include_str!("steps.txt").lines() {
        let (keyword, text) = line.split_once(' ').unwrap();
        let step = match keyword {
            "Given" => StepType::Given,
            "When" => StepType::When,
            _ => StepType::Then,
        };
        assert_eq!(sentences(step, text).len(), 1, "{line}");
        count += 1;
    }
    assert!(count > 200, "all of them: {count}");
}

#[test]
fn every_step_of_the_features_of_the_language_is_read_to_its_end() {
    let texts: Vec<(StepType, &str)> = include_str!("steps.txt")
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(keyword, text)| match keyword {
            "Given" => (StepType::Given, text),
            "When" => (StepType::When, text),
            _ => (StepType::Then, text),
        })
        .collect();
    let index = crate::source::Index::new("t".into(), "");
    for (ty, text) in texts {
        let step = crate::document::Step {
            ty,
            keyword: "Given".into(),
            own: true,
            text: Text::verbatim(text, 0),
            keyword_at: 0..0,
            hangs: None,
        };
        let line = crate::compile::Line { step: &step, is: language().find(ty, text).unwrap() };
        let mut sink = crate::compile::Sink { index: &index, out: Vec::new() };
        let statement = crate::compile::read(0, &line, &crate::Defaults::default(), &mut sink);
        assert_eq!(sink.out, [], "{text}");
        let supported = line.is.sentence.supported && line.is.sentence.kind != Kind::Topology;
        assert_eq!(supported && statement.missing.is_empty(), statement.is_said(), "{text}");
    }
}

#[test]
fn every_word_of_a_clause_stands_in_its_forms() {
    let words = |regex: &str| -> Vec<String> {
        let plain = regex.replace("\\d", " ").replace("(?:es)?", "").replace("(?:", " ");
        plain.split(|c: char| !(c.is_alphabetic() || c == '?')).map(|w| w.trim_matches('?').to_owned()).collect()
    };
    // A clause within a clause is told of by itself.
    let within = |names: &[&str]| -> Vec<String> {
        names.iter().flat_map(|name| words(&language().clause(name).unwrap().0.regex)).collect()
    };
    let stem = |word: &str| word.trim_end_matches('s').trim_end_matches("ie").trim_end_matches('y').to_lowercase();
    for (param, _) in &language().clauses {
        let inner = match param.name {
            "time" => within(&[]),
            "target" | "place" | "answer" => within(&["time"]),
            "calls" | "with" => within(&["time", "target"]),
            "traffic" => within(&["time", "target", "calls"]),
            _ => within(&["time", "target", "place", "answer", "traffic"]),
        };
        let forms = param.forms.to_lowercase();
        let unsaid: Vec<String> = words(&param.regex)
            .into_iter()
            .filter(|word| word.len() > 3 && !inner.contains(word))
            .filter(|word| !forms.contains(&stem(word)) && word != "milliseconds")
            .collect();
        assert!(unsaid.is_empty(), "{}: {unsaid:?}", param.name);
    }
}

#[test]
fn the_vocabulary_page() {
    insta::assert_snapshot!(crate::vocabulary_markdown());
}
