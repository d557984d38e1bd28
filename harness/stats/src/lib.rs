//! Numerics: sequential tests, exact bounds, order statistics. Pure.
