//! What was observed, its join and its balances. Pure.
