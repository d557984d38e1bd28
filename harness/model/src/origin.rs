//! Where an element was written, and what is wrong with it.

use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// A place in a source file. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The file as the user named it.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1, in characters.
    pub column: u32,
    /// How many characters it spans; at least 1.
    pub length: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; the run goes on.
    Warning,
    /// Nothing is started.
    Error,
}

/// One mistake that can be known without running, with a caret under it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// A stable short name: `unknown-name`, `no-then`.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, one sentence fragment.
    pub message: String,
    /// Where.
    pub origin: Origin,
    /// What to write under the caret.
    pub label: String,
    /// What to do about it.
    pub hint: Option<String>,
}
