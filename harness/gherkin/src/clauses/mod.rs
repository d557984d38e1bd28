//! The clauses, read by hand: text to nouns of the model, with carets inside the clause.
//!
//! The regular expressions of [`crate::params`] have already told that the words are right; here they get their meaning, and
//! what no expression can tell is refused: a share of 130%, a path without a slash, an interval that runs backwards.
//! Nothing here knows the topology: names are noted with their places and looked up later.

pub(crate) mod answer;
pub(crate) mod calls;
pub(crate) mod check;
pub(crate) mod claim;
pub(crate) mod comparison;
pub(crate) mod outcome;
pub(crate) mod place;
pub(crate) mod reader;
pub(crate) mod shape;
pub(crate) mod state;
pub(crate) mod subject;
pub(crate) mod target;
pub(crate) mod time;
pub(crate) mod wire;

pub(crate) use reader::{Missing, Name, Named, Reader};
