//! Readers of RunEvent: terminal, JSONL, JUnit, summary. Pure but for files.
