//! Diagnostics as plain text, for tests: what `squall lint` shows, without colours.

use squall_model::{Diagnostic, Severity};
use std::fmt::Write as _;

/// Every diagnostic with its line and caret.
pub(crate) fn all(file: &str, text: &str, diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|d| one(file, text, d)).collect::<Vec<_>>().join("\n")
}

fn one(file: &str, text: &str, d: &Diagnostic) -> String {
    let word = match d.severity {
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    let mut out = String::new();
    writeln!(out, "{word}[{}]: {}", d.code, d.message).unwrap();
    writeln!(out, "  --> {}", d.origin).unwrap();
    let number = d.origin.line.to_string();
    let gutter = " ".repeat(number.len());
    if *d.origin.file == *file {
        let line = text.lines().nth(d.origin.line as usize - 1).unwrap_or_default();
        let before = " ".repeat(d.origin.column as usize - 1);
        let carets = "^".repeat(d.origin.length as usize);
        writeln!(out, "{number} | {line}\n{gutter} | {before}{carets} {}", d.label).unwrap();
    } else {
        writeln!(out, "{gutter} | ({}) {}", d.origin.length, d.label).unwrap();
    }
    for line in d.hint.iter().flat_map(|hint| hint.lines()) {
        writeln!(out, "{gutter} = {line}").unwrap();
    }
    out
}
