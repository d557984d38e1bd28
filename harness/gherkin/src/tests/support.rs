//! What these tests share.

use crate::lint::render;
use crate::{Compiled, Defaults, Selection, Source, compile};
use squall_model::{Diagnostic, Plan};

/// The Background that most tests start from.
pub(super) const BACKGROUND: &str = r#"Feature: F
  Background:
    Given a service "web" that calls "reviews"
    And a service "reviews" with 3 instances that answer in 5 ms
"#;

/// Compiles a text named `t.feature`, with one mesh file, on 15 January 2030.
pub(super) fn compiled(text: &str) -> Result<Compiled, Vec<Diagnostic>> {
    compiled_by(text, &Selection::default())
}

/// The same, of what is meant alone.
pub(super) fn compiled_by(text: &str, meant: &Selection) -> Result<Compiled, Vec<Diagnostic>> {
    let mesh = |name: &str| match name {
        "shop" => {
            Some("services:\n  - name: web\n    calls: [reviews]\n  - name: reviews\n    instances: 2\n".to_owned())
        }
        "broken" => Some("services:\n  - name: web\n    calls: [review]\n".to_owned()),
        _ => None,
    };
    let today = Some(jiff::civil::date(2030, 1, 15));
    compile(&Source::new("t.feature", text), &Defaults { today, mesh: &mesh, ..Defaults::default() }, meant)
}

/// One scenario of these lines behind [`BACKGROUND`].
pub(super) fn scenario(lines: &str) -> String {
    let lines: String = lines.trim().lines().map(|line| format!("    {}\n", line.trim())).collect();
    format!("{BACKGROUND}  Scenario: S\n{lines}")
}

/// Everything that is told of a text, as people see it.
pub(super) fn told(text: &str) -> String {
    let diagnostics = match compiled(text) {
        Ok(compiled) => compiled.warnings,
        Err(diagnostics) => diagnostics,
    };
    render::all("t.feature", text, &diagnostics)
}

/// The codes of everything that is told of a text.
pub(super) fn codes(text: &str) -> Vec<String> {
    let diagnostics = match compiled(text) {
        Ok(compiled) => compiled.warnings,
        Err(diagnostics) => diagnostics,
    };
    diagnostics.into_iter().map(|d| d.code).collect()
}

/// The plan of the only scenario, which must be without mistakes.
pub(super) fn plan(text: &str) -> Plan {
    let compiled = compiled(text).unwrap_or_else(|_| panic!("{}", told(text)));
    assert_eq!(compiled.plans.len(), 1);
    compiled.plans.into_iter().next().unwrap()
}

/// Several texts and what is told of each.
pub(super) fn each(texts: &[&str]) -> String {
    texts.iter().map(|text| told(&scenario(text))).collect::<Vec<_>>().join("\n----\n")
}
