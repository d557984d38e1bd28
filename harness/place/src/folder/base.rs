//! The folder that holds all run folders of one user.

use crate::error::PlaceError;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// A longer base leaves too little of a Unix socket's 107 bytes to the folders and socket names below it.
const LONGEST_BASE: usize = 48;

/// The user's own folder for runs: `$XDG_RUNTIME_DIR/squall` where that can be used, else `/tmp/squall-<uid>`.
///
/// It belongs to the user and nobody else can enter it (mode 0700): a run folder holds sockets that command proxies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    path: PathBuf,
}

impl Base {
    /// The base of this user on this machine, created if it is not there.
    ///
    /// # Errors
    /// [`PlaceError::Base`] if even the folder below `/tmp` is not ours alone or cannot be made.
    pub fn find() -> Result<Base, PlaceError> {
        Base::choose(std::env::var_os("XDG_RUNTIME_DIR"), Path::new("/tmp"))
    }

    /// A base in a place of the caller's choice, created with its parents if it is not there.
    ///
    /// # Errors
    /// [`PlaceError::Base`] if the folder is not ours alone or cannot be made.
    pub fn at(path: impl Into<PathBuf>) -> Result<Base, PlaceError> {
        let path = path.into();
        let refuse = |why: String| PlaceError::Base { path: path.clone(), why };
        let path = std::path::absolute(&path).map_err(|e| refuse(e.to_string()))?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(|e| refuse(e.to_string()))?;
        check_ownership(&path).map_err(refuse)?;
        Ok(Base { path })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every base in which an earlier run of this user may have left something, whatever its environment was.
    pub(crate) fn existing() -> Vec<Base> {
        let uid = nix::unistd::geteuid();
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let mut found: Vec<Base> = runtime
            .into_iter()
            .chain([PathBuf::from(format!("/run/user/{uid}"))])
            .map(|dir| dir.join("squall"))
            .chain([below_tmp(Path::new("/tmp"))])
            .filter(|path| path.is_absolute() && check_ownership(path).is_ok())
            .map(|path| Base { path })
            .collect();
        found.dedup();
        found
    }

    fn choose(runtime_dir: Option<OsString>, tmp: &Path) -> Result<Base, PlaceError> {
        runtime_dir
            .map(PathBuf::from)
            .filter(|dir| dir.is_absolute() && dir.is_dir())
            .map(|dir| dir.join("squall"))
            .filter(|path| path.as_os_str().len() <= LONGEST_BASE)
            .and_then(|path| Base::at(path).ok())
            .map_or_else(|| Base::at(below_tmp(tmp)), Ok)
    }
}

fn below_tmp(tmp: &Path) -> PathBuf {
    tmp.join(format!("squall-{}", nix::unistd::geteuid()))
}

/// In a folder that others can write to, anybody may have made "our" folder first: look before using it.
fn check_ownership(path: &Path) -> Result<(), String> {
    let found: io::Result<fs::Metadata> = fs::symlink_metadata(path);
    let meta = found.map_err(|e| e.to_string())?;
    if !meta.is_dir() {
        return Err("it is not a folder".into());
    }
    if meta.uid() != nix::unistd::geteuid().as_raw() {
        return Err(format!("it belongs to user {}", meta.uid()));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(format!("others can enter it (mode {:04o}, needs 0700)", meta.mode() & 0o7777));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_usable_runtime_dir_wins() {
        let dir = tempfile::tempdir().unwrap();
        let base = Base::choose(Some(dir.path().into()), Path::new("/nowhere")).unwrap();
        assert_eq!(base.path(), dir.path().join("squall"));
        assert_eq!(fs::metadata(base.path()).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn without_a_runtime_dir_it_is_below_tmp_by_user() {
        let tmp = tempfile::tempdir().unwrap();
        for useless in [None, Some("relative".into()), Some("/does/not/exist".into())] {
            let base = Base::choose(useless, tmp.path()).unwrap();
            assert_eq!(base.path(), tmp.path().join(format!("squall-{}", nix::unistd::geteuid())));
        }
    }

    #[test]
    fn a_runtime_dir_too_long_for_sockets_is_passed_over() {
        let tmp = tempfile::tempdir().unwrap();
        let long = tmp.path().join("a".repeat(60));
        fs::create_dir(&long).unwrap();
        let base = Base::choose(Some(long.into()), tmp.path()).unwrap();
        assert!(base.path().ends_with(format!("squall-{}", nix::unistd::geteuid())));
    }

    #[test]
    fn a_folder_that_others_can_enter_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let refused = Base::at(dir.path()).unwrap_err();
        assert!(refused.to_string().contains("others can enter it (mode 0755"), "{refused}");
    }

    #[test]
    fn a_link_in_place_of_the_folder_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path(), &link).unwrap();
        assert!(Base::at(link).unwrap_err().to_string().contains("not a folder"));
    }
}
