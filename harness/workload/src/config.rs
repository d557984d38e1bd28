//! What a workload is told when it starts.

use crate::{BehaviourError, conduct::Conduct};
use serde::{Deserialize, Serialize};
use squall_child::{UnreadConfig, read_config};
use squall_model::{Behaviour, InstanceId, Protocol, ServiceName};
use std::{
    collections::BTreeSet,
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};
use thiserror::Error;

/// Where something listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Endpoint {
    /// On a Unix socket; its path is shorter than 108 bytes.
    Unix(PathBuf),
    /// On TCP; port 0 asks the kernel for one, and [`Ready`](crate::Ready) says which.
    Tcp(SocketAddr),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Unix(path) => write!(f, "{}", path.display()),
            Endpoint::Tcp(address) => write!(f, "{address}"),
        }
    }
}

/// A service that this one calls while it serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Onward {
    /// Its name: the `host` of the calls, and the first segment of paths that name it.
    pub service: ServiceName,
    /// The outbound listener of the instance's own proxy.
    pub via: Endpoint,
    /// What it speaks, and is called in; HTTP/2 and gRPC with prior knowledge.
    #[serde(default)]
    pub protocol: Protocol,
}

/// Everything about one workload: the JSON file of `squall workload --config`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadConfig {
    /// Which instance it is.
    pub instance: InstanceId,
    /// Where it accepts tries.
    pub listen: Endpoint,
    /// What it speaks there, and nothing else; HTTP/2 and gRPC with prior knowledge.
    #[serde(default)]
    pub protocol: Protocol,
    /// Unix socket of its control protocol; created when the workload is ready.
    pub control: PathBuf,
    /// File of its ledger; appended to.
    pub ledger: PathBuf,
    /// How it behaves at first.
    #[serde(default)]
    pub behaviour: Behaviour,
    /// The services that it calls, in this order.
    #[serde(default)]
    pub onward: Vec<Onward>,
    /// Seed of its latencies; instances with one seed draw independently of each other.
    pub seed: u64,
}

/// Why a configuration is none.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read, or is not what [`WorkloadConfig`] says.
    #[error(transparent)]
    Unread(#[from] UnreadConfig),
    /// The service has no name, or the instance no number.
    #[error("instance `{0}` has no name or no number: both count from 1")]
    Nameless(InstanceId),
    /// One service is named twice among the onward services.
    #[error("onward service `{0}` is named twice")]
    Twice(ServiceName),
    /// Bytes over TCP are no tries.
    #[error("a workload speaks, and calls in, http, http2 or grpc, and not plain TCP")]
    NoHttp,
    /// The first behaviour cannot be had.
    #[error("behaviour: {0}")]
    Behaviour(#[from] BehaviourError),
}

impl WorkloadConfig {
    /// Reads a configuration and checks it.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn read(path: &Path) -> Result<WorkloadConfig, ConfigError> {
        let config: WorkloadConfig = read_config(path)?;
        config.check()?;
        Ok(config)
    }

    /// Whether all of it makes sense together.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.instance.service.as_str().is_empty() || self.instance.number == 0 {
            return Err(ConfigError::Nameless(self.instance.clone()));
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = self.onward.iter().find(|o| !seen.insert(&o.service)) {
            return Err(ConfigError::Twice(twice.service.clone()));
        }
        if self.onward.iter().map(|o| o.protocol).chain([self.protocol]).any(|p| p == Protocol::Tcp) {
            return Err(ConfigError::NoHttp);
        }
        Conduct::try_from(&self.behaviour)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{
        "instance": {"service": "web", "number": 2},
        "listen": {"tcp": "127.0.0.1:0"},
        "control": "/run/c",
        "ledger": "/run/l",
        "behaviour": {"latency": {"fixed": "20 ms"}, "answer": {"status": 200}, "capacity": {"workers": 4, "queue": null}},
        "onward": [
            {"service": "reviews", "via": {"unix": "/run/out"}},
            {"service": "quotes", "via": {"unix": "/run/out"}, "protocol": "grpc"}
        ],
        "seed": 7
    }"#;

    fn written(text: &str) -> Result<WorkloadConfig, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        std::fs::write(&path, text).unwrap();
        WorkloadConfig::read(&path)
    }

    #[test]
    fn a_configuration_is_read_whole() {
        let config = written(TEXT).unwrap();
        assert_eq!(config.instance.to_string(), "web-2");
        assert_eq!(config.listen.to_string(), "127.0.0.1:0");
        assert_eq!(config.onward[0].via, Endpoint::Unix("/run/out".into()));
        assert_eq!(config.protocol, Protocol::Http);
        assert_eq!(config.onward.iter().map(|o| o.protocol).collect::<Vec<_>>(), [Protocol::Http, Protocol::Grpc]);
        assert_eq!(serde_json::from_str::<WorkloadConfig>(&serde_json::to_string(&config).unwrap()).unwrap(), config);
    }

    #[test]
    fn mistakes_are_named() {
        let error = |text: &str| written(text).unwrap_err().to_string();
        assert!(error(&TEXT.replace("\"seed\"", "\"sead\"")).contains("unknown field `sead`"));
        assert!(error(&TEXT.replace("\"number\": 2", "\"number\": 0")).contains("`web-0`"));
        assert!(error(&TEXT.replace("\"status\": 200", "\"status\": 99")).contains("99 is no final status"));
        let twice = TEXT.replace("\"onward\": [", r#""onward": [{"service": "reviews", "via": {"unix": "/run/o2"}},"#);
        assert!(error(&twice).contains("`reviews` is named twice"));
        assert!(error(&TEXT.replace("\"grpc\"", "\"tcp\"")).contains("not plain TCP"));
        assert!(error(&TEXT.replace("\"seed\"", "\"protocol\": \"tcp\", \"seed\"")).contains("not plain TCP"));
        assert!(WorkloadConfig::read(Path::new("/nowhere/at/all")).is_err());
    }
}
