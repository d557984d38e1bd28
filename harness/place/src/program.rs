//! Programs that are looked for by name.

use std::{ffi::OsStr, fs, os::unix::fs::PermissionsExt, path::PathBuf};

/// Every program of this name in the folders of a `PATH`, in their order.
pub fn programs(path: Option<&OsStr>, name: &str) -> impl Iterator<Item = PathBuf> {
    let folders = path.into_iter().flat_map(std::env::split_paths);
    folders
        .map(move |folder| folder.join(name))
        .filter(|file| fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0))
}
