//! The folder of one run: sockets, logs, bootstrap files; a lock for the runner's life; a journal of its processes.

mod base;
pub(crate) mod journal;
pub(crate) mod lock;

use crate::error::PlaceError;
use lock::Lock;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

pub use base::Base;

/// `sizeof(sockaddr_un.sun_path)` is 108 with the closing NUL.
const LONGEST_SOCKET_PATH: usize = 107;

/// How much of a process's name its folder's name shows; the number before it makes it unique.
const NAME_IN_FOLDER: usize = 20;

/// The name of a run folder is this many random letters and digits.
const RUN_ID_LENGTH: usize = 8;

/// One short-lived folder per run, for everything its processes need on disk.
///
/// The runner holds its lock for as long as this value lives, and the kernel gives it back at any death. The folder goes
/// when this value goes, or, once a keeper was started in it, when the keeper has ended the run's processes.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    next: AtomicU32,
    kept: AtomicBool,
    _lock: Lock,
}

impl RunFolder {
    /// A new folder in the user's base.
    ///
    /// # Errors
    /// [`PlaceError::Base`] or [`PlaceError::Folder`].
    pub fn create() -> Result<RunFolder, PlaceError> {
        RunFolder::create_in(&Base::find()?)
    }

    /// A new folder in the given base. Any number of runs may do this at once.
    ///
    /// # Errors
    /// [`PlaceError::Folder`] if the folder or its lock cannot be made.
    pub fn create_in(base: &Base) -> Result<RunFolder, PlaceError> {
        loop {
            let path = tempfile::Builder::new()
                .prefix("")
                .rand_bytes(RUN_ID_LENGTH)
                .permissions(fs::Permissions::from_mode(0o700))
                .tempdir_in(base.path())
                .map_err(PlaceError::folder("cannot create a run folder in", base.path()))?
                .keep();
            // A recovery may mistake a folder without a lock for a dead one; then the next attempt has a new name.
            if let Some(lock) = Lock::create(&path).map_err(PlaceError::folder("cannot lock", &path))? {
                return Ok(RunFolder { path, next: AtomicU32::new(1), kept: AtomicBool::new(false), _lock: lock });
            }
        }
    }

    /// Where it is: absolute, and unique to this run.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A fresh folder for one process, with a short path: `<run>/<number>-<name>`.
    ///
    /// Never give one folder to two processes: a second Envoy silently takes over the first one's admin socket.
    ///
    /// # Errors
    /// [`PlaceError::Folder`] if it cannot be made.
    pub fn process_folder(&self, name: &str) -> Result<ProcessFolder, PlaceError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(format!("{number}-{}", plain(name)));
        fs::DirBuilder::new().mode(0o700).create(&path).map_err(PlaceError::folder("cannot create", &path))?;
        Ok(ProcessFolder { path })
    }

    /// From now on the keeper removes the folder, and this value only releases the lock.
    pub(crate) fn leave_to_keeper(&self, kept: bool) {
        self.kept.store(kept, Ordering::Relaxed);
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        if !self.kept.load(Ordering::Relaxed)
            && let Err(e) = remove(&self.path)
        {
            tracing::warn!("the run folder {} stays until the next recovery: {e}", self.path.display());
        }
    }
}

/// The folder of one process of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessFolder {
    path: PathBuf,
}

impl ProcessFolder {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The path of a Unix socket in it.
    ///
    /// # Errors
    /// [`PlaceError::SocketPath`] if the kernel could not bind it.
    pub fn socket(&self, name: &str) -> Result<PathBuf, PlaceError> {
        let path = self.path.join(name);
        let bytes = path.as_os_str().as_bytes().len();
        if bytes > LONGEST_SOCKET_PATH {
            return Err(PlaceError::SocketPath { path, bytes, most: LONGEST_SOCKET_PATH });
        }
        Ok(path)
    }

    /// The last line with anything in it of what the process has said.
    #[must_use]
    pub fn last_line(&self) -> Option<String> {
        let text = fs::read_to_string(self.log()).ok()?;
        text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned)
    }

    /// The file to which the process's standard output and error are appended.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.path.join(LOG_FILE)
    }
}

/// A process's standard output and error, in its folder.
pub(crate) const LOG_FILE: &str = "output.log";

/// The letters and digits of a name, in a length that leaves room for sockets.
fn plain(name: &str) -> String {
    let harmless = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    name.chars().take(NAME_IN_FOLDER).map(harmless).collect()
}

/// Removes a run folder, its lock last: a removal that is itself interrupted leaves a folder that can be taken again.
pub(crate) fn remove(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name() == lock::FILE {
            continue;
        }
        let path = entry.path();
        let gone = if entry.file_type()?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        or_absent(gone)?;
    }
    or_absent(fs::remove_file(folder.join(lock::FILE)))?;
    or_absent(fs::remove_dir(folder))
}

/// Somebody else may be removing the same thing.
fn or_absent(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lock::Taken;
    use std::collections::HashSet;

    fn base() -> (tempfile::TempDir, Base) {
        let dir = tempfile::tempdir().unwrap();
        let base = Base::at(dir.path().join("base")).unwrap();
        (dir, base)
    }

    #[test]
    fn a_hundred_runs_at_once_do_not_collide() {
        let (_dir, base) = base();
        let folders: Vec<RunFolder> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..100).map(|_| scope.spawn(|| RunFolder::create_in(&base).unwrap())).collect();
            makers.into_iter().map(|maker| maker.join().unwrap()).collect()
        });
        let paths: HashSet<_> = folders.iter().map(|folder| folder.path().to_owned()).collect();
        assert_eq!(paths.len(), 100);
        for path in &paths {
            assert!(matches!(Lock::take(path).unwrap(), Taken::Held));
        }
    }

    #[test]
    fn the_folder_goes_with_its_value() {
        let (_dir, base) = base();
        let folder = RunFolder::create_in(&base).unwrap();
        let path = folder.path().to_owned();
        fs::write(folder.process_folder("web").unwrap().file("bootstrap.json"), "{}").unwrap();
        assert!(path.exists());
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_left_to_the_keeper_stays_and_its_lock_is_free() {
        let (_dir, base) = base();
        let folder = RunFolder::create_in(&base).unwrap();
        folder.leave_to_keeper(true);
        let path = folder.path().to_owned();
        drop(folder);
        let Taken::Ours(_lock, holder) = Lock::take(&path).unwrap() else { panic!("not free") };
        assert_eq!(holder, Some(lock::Holder::ourselves()));
        assert!(matches!(Lock::take(&path).unwrap(), Taken::Held));
    }

    #[test]
    fn process_folders_are_fresh_and_short() {
        let (_dir, base) = base();
        let run = RunFolder::create_in(&base).unwrap();
        let one = run.process_folder("reviews/2: proxy of the second instance").unwrap();
        let two = run.process_folder("reviews/2: proxy of the second instance").unwrap();
        assert_ne!(one.path(), two.path());
        assert!(one.path().ends_with("1-reviews-2--proxy-of-"), "{one:?}");
        assert!(one.socket("admin.sock").is_ok());
        let refused = one.socket(&"a".repeat(108)).unwrap_err();
        assert!(matches!(refused, PlaceError::SocketPath { most: 107, .. }), "{refused}");
    }

    #[test]
    fn removing_what_is_gone_is_no_error() {
        let (_dir, base) = base();
        remove(&base.path().join("nothing")).unwrap();
    }
}
