//! The lock that says whether a run's runner lives.
//!
//! It is an flock: the kernel gives it back at any death of its holder, so it can never go stale.

use crate::os;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

pub(crate) const FILE: &str = "lock";

/// Who holds a lock, written into it: pids and start times mean something only on that boot and in that PID namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
    pub(crate) pid: u32,
    pub(crate) boot: Option<String>,
    pub(crate) pid_namespace: Option<String>,
}

impl Holder {
    pub(crate) fn ourselves() -> Holder {
        Holder { pid: std::process::id(), boot: os::boot_id(), pid_namespace: os::pid_namespace() }
    }
}

/// A held lock. The file is close-on-exec, so that no child keeps it.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

/// What came of trying to take the lock of an existing folder.
#[derive(Debug)]
pub(crate) enum Taken {
    Ours(Lock, Option<Holder>),
    /// Its runner lives, or another recovery is at work.
    Held,
    /// The folder has no lock (any more).
    Absent,
}

impl Lock {
    /// Creates and takes the lock of a new folder. None if a recovery was faster: the folder is no longer ours.
    pub(crate) fn create(folder: &Path) -> io::Result<Option<Lock>> {
        let path = folder.join(FILE);
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = match opened {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        if !try_lock(&file)? || !is_at(&file, &path)? {
            return Ok(None);
        }
        (&file).write_all(&serde_json::to_vec(&Holder::ourselves())?)?;
        Ok(Some(Lock { file }))
    }

    /// Takes the lock of a folder whose runner is dead.
    pub(crate) fn take(folder: &Path) -> io::Result<Taken> {
        let path = folder.join(FILE);
        let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Taken::Absent),
            Err(e) => return Err(e),
        };
        if !try_lock(&file)? {
            return Ok(Taken::Held);
        }
        if !is_at(&file, &path)? {
            return Ok(Taken::Absent);
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(Taken::Ours(Lock { file }, serde_json::from_str(&text).ok()))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file does it too, unless a fork of another thread has not reached its exec yet.
        let _ = self.file.unlock();
    }
}

fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// Between open and lock somebody may have removed the file: then we hold the lock of nothing.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let held = file.metadata()?;
    match std::fs::symlink_metadata(path) {
        Ok(found) => Ok(found.ino() == held.ino() && found.dev() == held.dev()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}
