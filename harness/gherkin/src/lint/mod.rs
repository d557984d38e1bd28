//! Every mistake that can be known without running. What makes a scenario meaningless is an error, what misleads a warning.
//!
//! What a single line says wrongly is told where it is read ([`crate::clauses`], [`crate::compile`]); here lines are looked at
//! side by side.

mod breaks;
mod contradiction;
mod control;
mod decide;
mod envoy;
mod exchangeable;
mod grpc;
mod guards;
mod health;
mod impossible;
mod moments;
mod nobody;
mod overlap;
mod paired;
mod pairs;
mod phases;
mod planned;
mod populations;
mod predict;
#[cfg(test)]
pub(crate) mod render;
mod scene;
mod states;
mod sticky;
mod structure;
mod taking;
mod view;

use crate::compile::{Built, Sink};
use crate::document::Document;
pub use planned::rests_on;
use view::View;

/// Looks at the compiled scenarios of a feature.
pub(crate) fn feature(document: &Document, built: &[Built<'_>], sink: &mut Sink<'_>) {
    structure::file(document, sink);
    for built in built {
        let sound = structure::scenario(built, sink);
        // Of half a scenario, what is missing may be in the half that could not be read.
        if !sound || !built.complete {
            continue;
        }
        let mut view = View { built, sink: &mut *sink };
        nobody::check(&mut view);
        overlap::check(&mut view);
        phases::check(&mut view);
        states::check(&mut view);
        populations::check(&mut view);
        guards::check(&mut view);
        exchangeable::check(&mut view);
        paired::check(&mut view);
        envoy::check(&mut view);
        health::check(&mut view);
        sticky::check(&mut view);
        grpc::check(&mut view);
        impossible::check(&mut view);
        contradiction::check(&mut view);
        control::check(&mut view);
        decide::check(&mut view);
        pairs::check(&mut view);
    }
}
