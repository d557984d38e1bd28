//! Feature files: found, read, compiled, selected; mistakes shown all at once before anything starts.

use crate::{
    args::Paths,
    diagnose::Sources,
    outcome::{Exit, Failure},
    term::Out,
};
use squall_gherkin::{Defaults, Source, TagExpression, compile};
use squall_model::{Diagnostic, Plan, Severity};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// What was selected, and what was said about it.
pub struct Selected {
    /// The plans, file by file, in the order of writing.
    pub plans: Vec<Plan>,
    /// Warnings; errors end the command.
    pub warnings: Vec<Diagnostic>,
    /// The texts that they point into.
    pub sources: Sources,
    /// The seed that they were compiled with.
    pub seed: u64,
}

/// One `PATH[:LINE]`.
struct Asked {
    path: PathBuf,
    line: Option<u32>,
}

/// Reads, compiles and selects.
///
/// # Errors
/// Exit 2 with every mistake; exit 4 where nothing is left to run.
pub fn select(paths: &Paths, out: Out) -> Result<Selected, Failure> {
    let tags = paths
        .tags
        .as_deref()
        .map(|text| TagExpression::parse(text).map_err(|e| Failure::usage(format!("--tags {text}: {e}"))))
        .transpose()?;
    let asked: Vec<Asked> = paths.paths.iter().map(|text| ask(text)).collect();
    let seed = paths.seed.unwrap_or_else(rand::random);
    let (mut sources, mut plans, mut diagnostics) = (Sources::default(), Vec::new(), Vec::new());
    for (file, lines) in files(&asked)? {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(&file).map_err(|e| Failure::usage(format!("failed to read {name}: {e}")))?;
        sources.add(&name, &text);
        let meshes = |mesh: &str| read_mesh(mesh, &mut sources);
        match compile(&Source { file: &name, text: &text }, &mut Defaults { seed, mesh: Box::new(meshes) }) {
            Ok(compiled) => {
                diagnostics.extend(compiled.warnings);
                plans.extend(compiled.plans.into_iter().filter(|plan| {
                    let line = lines.is_empty() || lines.iter().any(|line| compiled.spans.covers(plan, *line));
                    line && tags.as_ref().is_none_or(|tags| tags.matches(&plan.title.tags))
                }));
            }
            Err(mistakes) => diagnostics.extend(mistakes),
        }
    }
    if diagnostics.iter().any(|d| d.severity == Severity::Error) {
        return Err(Failure::mistakes(sources.render(&diagnostics, out.error_style.colour)));
    }
    if plans.is_empty() {
        return Err(Failure::nothing(nothing(paths)));
    }
    Ok(Selected { plans, warnings: diagnostics, sources, seed })
}
