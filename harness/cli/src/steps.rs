//! `steps`: the vocabulary; `schema`: what may stand in a file in YAML.

use crate::{
    args::StepsArgs,
    outcome::{Exit, Failure},
    term::Out,
};
use squall_gherkin::FoundStep;
use squall_report::{Colour, Style};
use std::fmt::Write;

/// What stands around the sentences.
const AROUND: &str = "    \
    When …  at 2 s | from 2 s | from 2 s to 6 s      a fault, an event or a change at a moment of the traffic below it
    When meanwhile …                                 traffic beside the line above it; without the word it comes after it
    Given/When in the control run …                  instead of the line on the same subject, in the control run only
    Then …  before | during | after the fault        a part of the time; also: the change, from 3 s, from 3 s to 5 s
    clauses in braces: docs/vocabulary.md; control runs: docs/control-runs.md
";

/// Prints the sentences, or those about a word.
pub fn steps(args: &StepsArgs, out: Out) -> Result<Exit, Failure> {
    if args.markdown {
        out.print(&squall_gherkin::vocabulary_markdown());
        return Ok(Exit::Holds);
    }
    let word = args.word.as_deref().unwrap_or_default();
    let all = squall_gherkin::find_steps(word);
    if all.is_empty() {
        return Err(nothing(word));
    }
    if args.json {
        let json = serde_json::to_string_pretty(&all).map_err(|e| Failure::environment(e.to_string()))?;
        out.print(&format!("{json}\n"));
        return Ok(Exit::Holds);
    }
    let mut text: String = all.iter().map(|found| describe(found, out.style)).collect();
    if word.is_empty() {
        let _ = writeln!(text, "{}", out.style.paint(Colour::Bold, "Around every line"));
        text.push_str(AROUND);
    }
    out.print(&text);
    Ok(Exit::Holds)
}

fn describe(found: &FoundStep, style: Style) -> String {
    const NOT_RUN: &str = "  (not run by this version)";
    let step = &found.step;
    let keyword = step.kind.keyword();
    let note = |runs: bool| style.paint(Colour::Yellow, if runs { "" } else { NOT_RUN });
    let mut text = String::new();
    let sentence = style.paint(Colour::Bold, format!("{keyword} {}", step.sentence));
    let _ = writeln!(text, "{sentence}{}", note(step.supported));
    let _ = writeln!(text, "    {}", step.meaning);
    for line in &found.lines {
        let shown = style.paint(Colour::Faint, format!("{keyword} {}", line.line));
        let _ = writeln!(text, "    {shown}{}", note(line.runs || !step.supported));
    }
    text
}

/// No sentence is about it: what comes nearest, and how to see all.
fn nothing(word: &str) -> Failure {
    let mut failure = Failure::nothing(format!("no sentence is about `{word}`"));
    for found in squall_gherkin::near_steps(word) {
        let line = found.lines.first().map_or(found.step.example, |line| line.line.as_str());
        failure = failure.help(format!("perhaps {} {line}", found.step.kind.keyword()));
    }
    failure.help("`squall steps` lists all sentences")
}

/// Prints the JSON Schema of topologies and experiments.
pub fn schema(out: Out) -> Result<Exit, Failure> {
    let json =
        serde_json::to_string_pretty(&squall_gherkin::schema()).map_err(|e| Failure::environment(e.to_string()))?;
    out.print(&format!("{json}\n"));
    Ok(Exit::Holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_shown_with_the_word() {
        let style = Style { colour: false, width: 110 };
        let told: Vec<String> = ["timeout", "killed", "mTLS"]
            .map(|word| squall_gherkin::find_steps(word).iter().map(|found| describe(found, style)).collect())
            .to_vec();
        insta::assert_snapshot!(told.join("----\n"));
    }

    #[test]
    fn where_none_is_found_others_are_named() {
        let told = ["kil an instance", "xyzzy"].map(|word| nothing(word).to_string());
        insta::assert_snapshot!(told.join("\n"));
    }
}
