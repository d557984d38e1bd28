//! Rendering, as people read it and by its laws.

mod laws;
mod scenes;
mod snapshots;
mod splits;
