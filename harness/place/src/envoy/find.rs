//! Finding an Envoy that is there already.

use super::error::EnvoyError;
use super::run::run;
use super::version::Version;
use serde::Serialize;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// `envoy --version` costs 40 CPU ms.
const VERSION_TAKES: Duration = Duration::from_secs(20);

/// The variable that names a binary.
const VARIABLE: &str = "SQUALL_ENVOY";

/// An Envoy that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The binary, absolute.
    pub path: PathBuf,
    /// How it was found.
    pub via: Via,
    /// By its own words.
    pub version: Version,
}

/// How an Envoy was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// `--envoy`.
    Flag,
    /// `$SQUALL_ENVOY`.
    Variable,
    /// `$PATH`.
    Path,
    /// The user's cache, from an earlier fetch.
    Cache,
    /// Fetched into the user's cache just now.
    Fetched,
}

/// The user's own Envoy: the flag's, else `$SQUALL_ENVOY`'s, else the first on the `PATH` that runs. None: provision one.
///
/// Blocks for as long as `envoy --version` takes (50 ms).
///
/// # Errors
/// [`EnvoyError::NotEnvoy`] if a binary was named and does not run: another one must not silently take its place.
pub fn find(flag: Option<&Path>) -> Result<Option<Found>, EnvoyError> {
    Search { flag, variable: std::env::var_os(VARIABLE), path: std::env::var_os("PATH") }.run()
}

struct Search<'a> {
    flag: Option<&'a Path>,
    variable: Option<OsString>,
    path: Option<OsString>,
}

impl Search<'_> {
    fn run(&self) -> Result<Option<Found>, EnvoyError> {
        if let Some(flag) = self.flag {
            return examine(flag, Via::Flag).map(Some);
        }
        if let Some(variable) = self.variable.as_ref().filter(|value| !value.is_empty()) {
            return examine(Path::new(variable), Via::Variable).map(Some);
        }
        Ok(self.on_path())
    }

    /// A broken Envoy on the PATH was not meant for us: some shims are there for every version of Python.
    fn on_path(&self) -> Option<Found> {
        crate::programs(self.path.as_deref(), "envoy")
            .find_map(|path| examine(&path, Via::Path).inspect_err(|e| tracing::warn!("passed over: {e}")).ok())
    }
}

/// Asks the binary for its version.
pub(super) fn examine(path: &Path, via: Via) -> Result<Found, EnvoyError> {
    let refuse = |why: String| {
        let from = match via {
            Via::Flag => "from --envoy or squall.toml",
            Via::Variable => "from SQUALL_ENVOY",
            Via::Path => "on the PATH",
            Via::Cache | Via::Fetched => "fetched",
        };
        EnvoyError::NotEnvoy { path: path.to_owned(), from: from.into(), why }
    };
    let path = std::path::absolute(path).map_err(|e| refuse(e.to_string()))?;
    let finished = run(Command::new(&path).arg("--version"), Instant::now() + VERSION_TAKES, || {});
    let finished = finished.map_err(|e| refuse(e.to_string()))?;
    let Some(status) = finished.status else {
        return Err(refuse(format!("--version took more than {VERSION_TAKES:?}")));
    };
    if !status.success() {
        return Err(refuse(format!("--version ended with {status}: {}", finished.stderr)));
    }
    let version = Version::parse_output(&finished.stdout)
        .ok_or_else(|| refuse(format!("--version said {:?}", finished.stdout.lines().next().unwrap_or_default())))?;
    Ok(Found { path, via, version })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    /// A shell script as an executable.
    pub(crate) fn executable(path: &Path, script: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn envoy_saying(version: &str) -> String {
        format!("echo; echo \"envoy  version: 0123abc/{version}/Clean/RELEASE/BoringSSL\"")
    }

    struct Machine {
        dir: tempfile::TempDir,
    }

    impl Machine {
        fn new() -> Machine {
            Machine { dir: tempfile::tempdir().unwrap() }
        }

        fn envoy(&self, name: &str, script: &str) -> PathBuf {
            let path = self.dir.path().join(name);
            executable(&path, script);
            path
        }

        fn path(&self, folders: &[&str]) -> Option<OsString> {
            Some(std::env::join_paths(folders.iter().map(|folder| self.dir.path().join(folder))).unwrap())
        }
    }

    #[test]
    fn flag_before_variable_before_path() {
        let machine = Machine::new();
        let flag = machine.envoy("flag/envoy", &envoy_saying("1.38.3"));
        let variable = machine.envoy("variable/proxy", &envoy_saying("1.39.0"));
        machine.envoy("bin/envoy", &envoy_saying("1.40.0"));
        let (path, named) = (machine.path(&["empty", "bin"]), Some(variable.clone().into_os_string()));
        let search = |flag, variable| Search { flag, variable, path: path.clone() }.run().unwrap().unwrap();
        let found = search(Some(flag.as_path()), named.clone());
        assert_eq!((&found.path, found.via, found.version.to_string()), (&flag, Via::Flag, "1.38.3".into()));
        let found = search(None, named);
        assert_eq!((found.path, found.via, found.version.to_string()), (variable, Via::Variable, "1.39.0".into()));
        for unset in [None, Some("".into())] {
            let found = search(None, unset);
            assert_eq!((found.via, found.version.to_string()), (Via::Path, "1.40.0".into()));
        }
    }

    #[test]
    fn a_named_binary_that_does_not_run_is_an_error() {
        let machine = Machine::new();
        machine.envoy("bin/envoy", &envoy_saying("1.40.0"));
        let refused = |script: Option<&str>| {
            let flag = machine.dir.path().join("named");
            script.inspect(|script| executable(&flag, script));
            let search = Search { flag: Some(&flag), variable: None, path: machine.path(&["bin"]) };
            search.run().unwrap_err().to_string().replace(&flag.display().to_string(), "ENVOY")
        };
        let errors = [refused(None), refused(Some("echo no such option >&2; exit 2")), refused(Some("echo nginx/1.2"))];
        insta::assert_snapshot!(errors.join("\n"), @r#"
        ENVOY (from --envoy or squall.toml) is no Envoy that runs here: No such file or directory (os error 2)
        ENVOY (from --envoy or squall.toml) is no Envoy that runs here: --version ended with exit status: 2: no such option
        ENVOY (from --envoy or squall.toml) is no Envoy that runs here: --version said "nginx/1.2"
        "#);
    }

    #[test]
    fn a_broken_one_on_the_path_is_passed_over() {
        let machine = Machine::new();
        machine.envoy("shims/envoy", "echo 'no version is set' >&2; exit 127");
        fs::create_dir_all(machine.dir.path().join("folder/envoy")).unwrap();
        machine.envoy("bin/envoy", &envoy_saying("1.40.0"));
        let search = |folders| Search { flag: None, variable: None, path: machine.path(folders) }.run().unwrap();
        assert!(search(&["shims", "folder", "bin"]).unwrap().path.ends_with("bin/envoy"));
        assert_eq!(search(&["shims", "folder"]), None);
        assert_eq!(Search { flag: None, variable: None, path: None }.run().unwrap(), None);
    }
}
