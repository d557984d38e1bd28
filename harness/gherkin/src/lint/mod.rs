//! Every mistake that can be known without running.

#[cfg(test)]
pub(crate) mod render;

use crate::compile::{Built, Sink};
use crate::document::Document;

/// Looks at the compiled scenarios of a feature.
pub(crate) fn feature(_document: &Document, _built: &[Built<'_>], _sink: &mut Sink<'_>) {}
