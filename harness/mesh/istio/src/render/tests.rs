//! Rendering, as people read it.
