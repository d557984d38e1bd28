//! By what our objects are known.

/// The label of everything that a run makes: the run's name.
pub const RUN: &str = "squall.dev/run";

/// Selects what one run has made.
#[must_use]
pub fn run_of(run: &str) -> String {
    format!("{RUN}={run}")
}

/// Selects what any run has made.
#[must_use]
pub fn selector_of() -> String {
    RUN.to_owned()
}
