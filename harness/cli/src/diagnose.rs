//! Mistakes with a caret under them.

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report};
use squall_model::{Diagnostic, Severity};
use std::{collections::BTreeMap, fmt::Write, sync::Arc};

/// The texts that diagnostics point into, by the name that the user gave.
#[derive(Debug, Default)]
pub struct Sources(BTreeMap<Arc<str>, Arc<str>>);

impl Sources {
    /// Remembers a text.
    pub fn add(&mut self, file: &str, text: &str) {
        self.0.insert(file.into(), text.into());
    }

    /// All diagnostics in the order of their places, each with its line and a caret, then their number.
    #[must_use]
    pub fn render(&self, diagnostics: &[Diagnostic], colour: bool) -> String {
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(110).with_links(false);
        let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
        sorted.sort_by(|a, b| a.origin.cmp(&b.origin));
        let mut text = String::new();
        for diagnostic in sorted {
            let report = self.report(diagnostic);
            if handler.render_report(&mut text, report.as_ref()).is_err() {
                let _ = writeln!(text, "{}: {}", diagnostic.origin, diagnostic.message);
            }
        }
        text + &closing(diagnostics)
    }

    fn report(&self, diagnostic: &Diagnostic) -> Report {
        let message = format!("{}: {} [{}]", diagnostic.origin, diagnostic.message, diagnostic.code);
        let mut inner = MietteDiagnostic::new(message).with_severity(match diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        });
        if let Some(hint) = &diagnostic.hint {
            inner = inner.with_help(hint);
        }
        let Some(source) = self.0.get(&diagnostic.origin.file) else { return Report::new(inner) };
        let (offset, length) = span(source, diagnostic);
        let inner = inner.with_label(LabeledSpan::at(offset..offset + length, diagnostic.label.clone()));
        Report::new(inner).with_source_code(NamedSource::new(&diagnostic.origin.file, source.to_string()))
    }
}

/// Byte offset and length of a place given by line and column in characters.
fn span(source: &str, diagnostic: &Diagnostic) -> (usize, usize) {
    let origin = &diagnostic.origin;
    let line_start = source.split_inclusive('\n').take(origin.line.saturating_sub(1) as usize).map(str::len).sum();
    let line = source[line_start..].lines().next().unwrap_or("");
    let byte = |column: usize| line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
    let from = byte(origin.column.saturating_sub(1) as usize);
    let to = byte((origin.column.saturating_sub(1) + origin.length) as usize);
    (line_start + from, to.saturating_sub(from))
}

fn closing(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
    let warnings = diagnostics.len() - errors;
    let part = |n: usize, word: &str| (n > 0).then(|| format!("{n} {word}{}", if n == 1 { "" } else { "s" }));
    let parts: Vec<String> = [part(errors, "error"), part(warnings, "warning")].into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!("{}\n", parts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::Origin;

    #[test]
    fn the_caret_stands_under_the_word() {
        let mut sources = Sources::default();
        sources.add("a.feature", "Feature: F\n  Scenario: ü\n    Given a service \"wéb\" hums\n");
        let diagnostic = Diagnostic {
            code: "unknown-sentence".into(),
            severity: Severity::Error,
            message: "no sentence of the language reads like this".into(),
            origin: Origin { file: "a.feature".into(), line: 3, column: 27, length: 4 },
            label: "here".into(),
            hint: Some("did you mean …".into()),
        };
        insta::assert_snapshot!(sources.render(&[diagnostic], false));
    }
}
