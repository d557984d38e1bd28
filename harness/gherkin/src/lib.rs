//! Text to Plan: sentences, clauses, lint. Pure.
