//! Tests of the crate as a whole: vocabulary, plans, diagnostics.

mod fuzz;
mod keywords;
mod lines;
mod lints;
mod plans;
mod selecting;
mod support;
mod vocabulary;
