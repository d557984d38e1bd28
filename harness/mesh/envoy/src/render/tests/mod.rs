//! Rendering, as people read it and by its laws.

mod laws;
mod nouns;
mod scenes;
mod snapshots;
mod splits;
