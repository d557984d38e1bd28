//! Tests of the crate as a whole: vocabulary, plans, diagnostics.

mod application;
mod as_good_as;
mod experiments;
mod fuzz;
mod guards;
mod instances;
mod keywords;
mod lines;
mod lints;
mod paper;
mod plans;
mod protocols;
mod replacing;
mod schema;
mod selecting;
mod support;
mod terms;
mod vocabulary;
