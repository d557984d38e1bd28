//! Envoy's release number.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A release of Envoy. Ordered as releases are: a development version comes before the release it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Version {
    /// As in **1**.40.0.
    pub major: u32,
    /// As in 1.**40**.0.
    pub minor: u32,
    /// As in 1.40.**0**.
    pub patch: u32,
    /// Built between two releases (`1.41.0-dev`).
    pub dev: bool,
}

impl Version {
    /// What `envoy --version` printed:
    /// `envoy  version: <commit>/<release>/<Clean|Modified>/<RELEASE|DEBUG>/<TLS library>`.
    pub(super) fn parse_output(output: &str) -> Option<Version> {
        let (_, version) = output.split_once("version:")?;
        Version::parse(version.trim().split('/').nth(1)?)
    }

    /// A release number, as `1.40.0` or `1.41.0-dev`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Version> {
        let (numbers, suffix) = text.split_once('-').map_or((text, None), |(numbers, suffix)| (numbers, Some(suffix)));
        let mut numbers = numbers.split('.').map(|number| number.parse().ok());
        let (major, minor, patch) = (numbers.next()??, numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some(Version { major, minor, patch, dev: suffix.is_some() })
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Version) -> std::cmp::Ordering {
        let key = |version: &Version| (version.major, version.minor, version.patch, !version.dev);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Version) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}{}", self.major, self.minor, self.patch, if self.dev { "-dev" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_output_of_envoy() {
        let output =
            "\n/usr/bin/envoy  version: 9e5580933739775e8bce696a57a2e1bc99368f23/1.40.0/Clean/RELEASE/BoringSSL\n\n";
        assert_eq!(Version::parse_output(output).unwrap().to_string(), "1.40.0");
        let mesh_build = "envoy  version: abc/1.34.2-dev/Modified/DEBUG/BoringSSL";
        assert_eq!(Version::parse_output(mesh_build).unwrap().to_string(), "1.34.2-dev");
        for other in [
            "",
            "Python 3.11.7",
            "envoy version: 1.40.0",
            "version: a/b/c",
            "version: a/1.40/c",
            "version: a/1.4.0.1/c",
        ] {
            assert_eq!(Version::parse_output(other), None, "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn text_and_order(a in (0u32..3, 0u32..3, 0u32..3, any::<bool>()), b in (0u32..3, 0u32..3, 0u32..3, any::<bool>())) {
            let version = |(major, minor, patch, dev)| Version { major, minor, patch, dev };
            let (a, b) = (version(a), version(b));
            prop_assert_eq!(Version::parse(&a.to_string()), Some(a));
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            prop_assert_eq!(a.cmp(&b).is_eq(), a == b);
            let released = Version { dev: false, ..a };
            prop_assert!(a <= released);
        }
    }
}
