//! What a link is told when it starts.

use serde::{Deserialize, Serialize};
use squall_child::{UnreadConfig, read_config};
use squall_model::{Wire, duration_text};
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};
use thiserror::Error;

/// Everything about one link: the JSON file of `squall link --config`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkConfig {
    /// Unix socket of its control protocol, its path shorter than 108 bytes; created when the link is ready.
    pub control: PathBuf,
    /// File of its records; appended to.
    pub records: PathBuf,
    /// The address at which callers find it.
    #[serde(default = "loopback")]
    pub host: IpAddr,
    /// The wires that it carries.
    pub wires: Vec<WireConfig>,
    /// Seed of its draws; wires with one seed draw independently of each other.
    pub seed: u64,
    /// How long damage outlives the last heartbeat.
    #[serde(with = "duration_text", default = "ttl")]
    pub ttl: Duration,
}

/// One wire of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireConfig {
    /// Which.
    pub wire: Wire,
    /// Where its callee's proxy accepts tries; `None`: nobody is there yet.
    #[serde(default)]
    pub to: Option<SocketAddr>,
}

fn loopback() -> IpAddr {
    Ipv4Addr::LOCALHOST.into()
}

/// As long as that of the faults in the proxies.
fn ttl() -> Duration {
    Duration::from_secs(3)
}

/// Why a configuration is none.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read, or is not what [`LinkConfig`] says.
    #[error(transparent)]
    Unread(#[from] UnreadConfig),
    /// One wire is named twice.
    #[error("wire {0} is named twice")]
    Twice(Wire),
    /// Damage that ends before it begins.
    #[error("a time to live of nothing lets no damage live")]
    NoTtl,
}

impl LinkConfig {
    /// Reads a configuration and checks it.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn read(path: &Path) -> Result<LinkConfig, ConfigError> {
        let config: LinkConfig = read_config(path)?;
        config.check()?;
        Ok(config)
    }

    /// Whether all of it makes sense together.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut seen = BTreeSet::new();
        if let Some(twice) = self.wires.iter().find(|config| !seen.insert(&config.wire)) {
            return Err(ConfigError::Twice(twice.wire.clone()));
        }
        if self.ttl.is_zero() {
            return Err(ConfigError::NoTtl);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{
        "control": "/run/c",
        "records": "/run/r",
        "wires": [
            {"wire": {"from": {"service": "web", "number": 1}, "to": {"service": "reviews", "number": 2}}, "to": "127.0.0.1:9000"},
            {"wire": {"from": {"service": "web", "number": 1}, "to": {"service": "reviews", "number": 3}}}
        ],
        "seed": 7
    }"#;

    fn written(text: &str) -> Result<LinkConfig, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        std::fs::write(&path, text).unwrap();
        LinkConfig::read(&path)
    }

    #[test]
    fn a_configuration_is_read_whole() {
        let config = written(TEXT).unwrap();
        assert_eq!(config.wires[0].wire.to_string(), "web-1 → reviews-2");
        assert_eq!(config.wires[0].to, Some("127.0.0.1:9000".parse().unwrap()));
        assert_eq!((config.wires[1].to, config.ttl), (None, Duration::from_secs(3)));
        assert_eq!(serde_json::from_str::<LinkConfig>(&serde_json::to_string(&config).unwrap()).unwrap(), config);
    }

    #[test]
    fn mistakes_are_named() {
        let error = |text: &str| written(text).unwrap_err().to_string();
        assert!(error(&TEXT.replace("\"seed\"", "\"sead\"")).contains("unknown field `sead`"));
        assert_eq!(error(&TEXT.replace("\"number\": 3", "\"number\": 2")), "wire web-1 → reviews-2 is named twice");
        let ttl = |ttl: &str| error(&TEXT.replace("\"seed\": 7", &format!("\"seed\": 7, \"ttl\": \"{ttl}\"")));
        assert_eq!(ttl("0 s"), "a time to live of nothing lets no damage live");
        assert!(ttl("soon").contains("`soon` does not begin with a number"));
        assert!(LinkConfig::read(Path::new("/nowhere/at/all")).is_err());
    }
}
