//! `squall.toml`: defaults of a project. Flags win over the environment, the environment over the file.

use crate::{
    limits::{Limits, Written},
    outcome::Failure,
};
use serde::Deserialize;
use squall_model::ErrorRates;
use std::path::{Path, PathBuf};

/// The file, looked for in the working folder.
pub const FILE: &str = "squall.toml";

/// What a project sets for itself.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Whether `run` makes control runs.
    pub controls: Option<bool>,
    /// The Envoy to use.
    pub envoy: Option<PathBuf>,
    /// The istiod to use.
    pub istiod: Option<PathBuf>,
    /// Clusters.
    #[serde(default)]
    pub kubernetes: Kubernetes,
    /// The error rates of verdicts.
    #[serde(default)]
    pub verdict: ErrorRates,
}

/// What a project sets for runs on clusters.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Kubernetes {
    /// The context of the kubeconfig.
    pub context: Option<String>,
    /// The image of this program.
    pub image: Option<String>,
    #[serde(default, rename = "limits")]
    written: Written,
    /// What runs may do there.
    #[serde(skip)]
    pub limits: Limits,
    /// The revision of Istio whose injector is used.
    pub revision: Option<String>,
    /// Where pods find istiod.
    pub istiod: Option<Istiod>,
}

/// Where istiod is found in a cluster, and by which name it is known: a host, and its port for TLS.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Istiod(String);

impl Istiod {
    /// Istiod's own, where no other is written.
    const PORT: u16 = 15012;
}

impl TryFrom<String> for Istiod {
    type Error = String;

    fn try_from(text: String) -> Result<Istiod, String> {
        let no = |what: &str| {
            format!(
                "`{text}` is no address of istiod: {what}; write a host and its port for TLS, like `istiod.istio-system.svc:15012`"
            )
        };
        if text.contains("://") {
            return Err(no("it is spoken to without a scheme"));
        }
        let (host, port) = text.split_once(':').map_or((text.as_str(), None), |(host, port)| (host, Some(port)));
        if !host.split('.').all(is_label) {
            return Err(no(&format!("`{host}` is no name of a host")));
        }
        let is_port = |port: &str| !port.starts_with('+') && port.parse().is_ok_and(|port: u16| port > 0);
        match port {
            None => Ok(Istiod(format!("{text}:{}", Istiod::PORT))),
            Some(port) if is_port(port) => Ok(Istiod(text)),
            Some(_) => Err(no("a port is a number from 1 to 65535")),
        }
    }
}

/// A part of the name of a host, between its dots (RFC 1123).
fn is_label(text: &str) -> bool {
    let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..64).contains(&text.len()) && text.bytes().all(is_inside) && !text.starts_with('-') && !text.ends_with('-')
}

impl Kubernetes {
    /// The context that was named, or the project's; `None`: the current one.
    #[cfg(feature = "kubernetes")]
    pub fn context<'s>(&'s self, named: Option<&'s str>) -> Option<&'s str> {
        named.or(self.context.as_deref())
    }

    /// Where pods find istiod: what the project says, or the service that every installation has, by its revision.
    #[cfg(feature = "kubernetes")]
    pub fn istiod(&self) -> String {
        let of_revision = || match self.revision.as_deref() {
            Some(revision) if revision != "default" => format!("istiod-{revision}.istio-system.svc:{}", Istiod::PORT),
            _ => format!("istiod.istio-system.svc:{}", Istiod::PORT),
        };
        self.istiod.clone().map_or_else(of_revision, |Istiod(written)| written)
    }

    /// The image of our own pods: the one that was named, or the project's, or that of this version.
    pub fn image(&self, named: Option<&str>) -> String {
        let named = named.or(self.image.as_deref());
        named.map_or_else(|| format!("squall:{}", env!("CARGO_PKG_VERSION")), str::to_owned)
    }
}

impl Settings {
    /// Reads the file of this folder; all defaults where there is none.
    ///
    /// # Errors
    /// Exit 2, with place and caret, where it is not what it should be.
    pub fn read(folder: &Path) -> Result<Settings, Failure> {
        let path = folder.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Settings::default()),
            Err(e) => return Err(Failure::usage(format!("failed to read {FILE}: {e}"))),
        };
        // toml's own message has line, column, the line itself and a caret.
        let mut settings: Settings = toml::from_str(&text).map_err(|e| Failure::usage(format!("in {FILE}: {e}")))?;
        let rate = |name: &str, value: f64| match ErrorRates::is_rate(value) {
            true => Ok(()),
            false => Err(Failure::usage(format!(
                "in {FILE}: verdict.{name} = {value} is no error rate: use one between 0 and 0.5"
            ))),
        };
        rate("alpha", settings.verdict.alpha)?;
        rate("beta", settings.verdict.beta)?;
        settings.kubernetes.limits = std::mem::take(&mut settings.kubernetes.written).in_text(&text);
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, Failure> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), text).unwrap();
        Settings::read(folder.path())
    }

    #[test]
    fn a_project_may_set_little_or_nothing() {
        assert_eq!(Settings::read(Path::new("/nonexistent")).unwrap(), Settings::default());
        let settings = read("controls = true\n[verdict]\nalpha = 1e-6\n").unwrap();
        assert_eq!(settings.controls, Some(true));
        assert_eq!(settings.verdict, ErrorRates { alpha: 1e-6, beta: 1e-3 });
    }

    #[test]
    fn mistakes_are_shown_with_their_place() {
        let message = read("controls = true\ncontrolz = 2\n").unwrap_err().to_string();
        assert!(message.contains("line 2") && message.contains("controlz"), "{message}");
        assert!(read("[verdict]\nalpha = 7.0\n").is_err());
    }

    fn istiod(written: &str) -> Result<Option<Istiod>, Failure> {
        read(&format!("controls = true\n[kubernetes]\nistiod = \"{written}\"\n")).map(|all| all.kubernetes.istiod)
    }

    #[test]
    fn istiod_is_a_host_and_a_port() {
        for (written, meant) in [
            ("istiod-canary.istio-system.svc:15012", "istiod-canary.istio-system.svc:15012"),
            ("istiod.istio-system.svc", "istiod.istio-system.svc:15012"),
            ("10.96.0.7:443", "10.96.0.7:443"),
        ] {
            assert_eq!(istiod(written).unwrap(), Some(Istiod(meant.into())), "{written}");
        }
        for (written, why) in [
            ("", "`` is no name of a host"),
            ("   ", "no name of a host"),
            ("istiod.svc :15012", "no name of a host"),
            (" istiod.svc:15012", "no name of a host"),
            ("istiod..svc:15012", "no name of a host"),
            (":15012", "no name of a host"),
            ("istiod.svc/debug", "no name of a host"),
            ("http://istiod.svc:15012", "without a scheme"),
            ("istiod.svc:", "from 1 to 65535"),
            ("istiod.svc:https", "from 1 to 65535"),
            ("istiod.svc:+15012", "from 1 to 65535"),
            ("istiod.svc:0", "from 1 to 65535"),
            ("istiod.svc:65536", "from 1 to 65535"),
            ("istiod.svc:15012:15012", "from 1 to 65535"),
            ("istiod.svc:15012 ", "from 1 to 65535"),
        ] {
            let message = istiod(written).expect_err(written).to_string();
            assert!(message.contains("line 3") && message.contains(why), "{written}: {message}");
            assert!(message.contains(FILE) && message.contains("istiod.istio-system.svc:15012"), "{message}");
        }
    }

    #[cfg(feature = "kubernetes")]
    #[test]
    fn istiod_is_the_one_that_is_written_or_that_of_the_revision() {
        let of = |lines: &str| read(&format!("[kubernetes]\n{lines}\n")).unwrap().kubernetes.istiod();
        assert_eq!(of(""), "istiod.istio-system.svc:15012");
        assert_eq!(of("revision = \"canary\""), "istiod-canary.istio-system.svc:15012");
        assert_eq!(of("revision = \"canary\"\nistiod = \"istiod.mesh.svc\""), "istiod.mesh.svc:15012");
    }
}
