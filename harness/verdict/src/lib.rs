//! Claims and evidence to findings. Pure.
