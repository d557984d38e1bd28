//! What a run came to as one line of JSON: its totals, and every scenario that is not green with its place and cause.

use crate::{ending::Culprit, story::Stories};
use serde::Serialize;
use squall_model::Totals;

#[derive(Serialize)]
struct Summary<'a> {
    #[serde(flatten)]
    totals: Totals,
    not_green: Vec<NotGreen<'a>>,
}

#[derive(Serialize)]
struct NotGreen<'a> {
    scenario: &'a str,
    file: &'a str,
    line: u32,
    came: String,
}

/// The summary of a run.
///
/// # Errors
/// Only those of the serializer.
pub fn summary(stories: &Stories) -> Result<String, serde_json::Error> {
    let not_green = Culprit::all(stories).map(|Culprit { story, at, came, .. }| NotGreen {
        scenario: &story.queued.title.scenario,
        file: &at.file,
        line: at.line,
        came,
    });
    serde_json::to_string(&Summary { totals: stories.totals(), not_green: not_green.collect() })
}
