//! What a child is told when it starts: a file of JSON.

use serde::de::DeserializeOwned;
use std::{
    io,
    path::{Path, PathBuf},
};
use thiserror::Error;

/// Why a file is no configuration.
#[derive(Debug, Error)]
pub enum UnreadConfig {
    /// It cannot be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what the child is told by.
    #[error("{path}: {source}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
}

/// Reads a configuration; whether it makes sense is for the child to check.
///
/// # Errors
/// See [`UnreadConfig`].
pub fn read_config<C: DeserializeOwned>(path: &Path) -> Result<C, UnreadConfig> {
    let text = std::fs::read(path).map_err(|source| UnreadConfig::Unreadable { path: path.to_owned(), source })?;
    serde_json::from_slice(&text).map_err(|source| UnreadConfig::Malformed { path: path.to_owned(), source })
}
