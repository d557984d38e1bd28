//! The document says what the code does, and nothing that is measured is other than promised.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail")]

use squall_bench_verdict::{Effort, calibrate};
use std::{fs, path::Path};

/// What is simulated needs minutes, in few runs here; what is exact is compared with the document to the letter.
#[test]
fn the_document_is_what_is_computed_and_nothing_is_missed() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/calibration.md");
    let document = fs::read_to_string(document).unwrap();
    let report = calibrate(Effort::Quick).unwrap();
    for section in report.exact() {
        let title = section.lines().next().unwrap_or_default();
        assert!(
            document.contains(&section),
            "docs/calibration.md is stale at `{title}`: cargo run --release -p squall-bench-verdict -- calibrate\n{section}"
        );
    }
    assert_eq!(report.missed().collect::<Vec<_>>(), Vec::<&str>::new());
}
