//! What tests of this crate share.

use crate::lint::render;
use crate::{Compiled, Defaults, Source, compile};
use squall_model::Diagnostic;

/// A background that most tests start from.
pub(crate) const BACKGROUND: &str = "Feature: F\n  Background:\n    Given a service \"web\" that calls \"reviews\"\n    And a service \"reviews\" with 3 instances that answer in 5 ms\n";

/// Compiles a text named `t.feature`.
pub(crate) fn compiled(text: &str) -> Result<Compiled, Vec<Diagnostic>> {
    compile(&Source::new("t.feature", text), &Defaults::default())
}

/// A scenario of these steps behind [`BACKGROUND`].
pub(crate) fn scenario(steps: &[&str]) -> String {
    let steps: String = steps.iter().map(|s| format!("    {s}\n")).collect();
    format!("{BACKGROUND}  Scenario: S\n{steps}")
}

/// Everything that is told of a text, as people see it.
pub(crate) fn told(text: &str) -> String {
    let diagnostics = match compiled(text) {
        Ok(compiled) => compiled.warnings,
        Err(diagnostics) => diagnostics,
    };
    render::all("t.feature", text, &diagnostics)
}
