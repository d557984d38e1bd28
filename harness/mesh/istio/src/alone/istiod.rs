//! An istiod that needs no Kubernetes: its configuration is a folder, and its log says what it thinks of it.
//!
//! The program is Istio's discovery server with flags of its own for folder, mesh file and addresses (kind-config/istiod has the
//! recipe). Our proxies are the official Envoy, which knows none of Istio's own filters and rejects a whole listener or cluster
//! for one unknown type: so what would name them is off.

use super::Network;
use serde_json::{Value, json};
use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Where istiod serves discovery, in plain text.
const DISCOVERY: u16 = 15_010;
/// Where it says whether it is ready.
const HTTP: u16 = 15_080;
/// Where its metrics are.
const MONITOR: u16 = 15_014;

/// How an istiod is started. Pure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Istiod {
    /// The program.
    pub program: PathBuf,
    /// A folder of its own.
    pub folder: PathBuf,
    /// The file that it writes its log to.
    pub log: PathBuf,
    /// Where proxies find it.
    pub discovery: SocketAddr,
    /// Where it says whether it is ready.
    pub http: SocketAddr,
    monitor: SocketAddr,
}

impl Istiod {
    /// One in this folder, which logs to this file, at the addresses that this network has for it.
    #[must_use]
    pub fn new(program: &Path, folder: &Path, log: &Path, network: &Network) -> Istiod {
        Istiod {
            program: program.to_owned(),
            folder: folder.to_owned(),
            log: log.to_owned(),
            discovery: network.istiod(DISCOVERY),
            http: network.istiod(HTTP),
            monitor: network.istiod(MONITOR),
        }
    }

    /// The folder that its configuration is read from.
    #[must_use]
    pub fn configuration(&self) -> PathBuf {
        self.folder.join("config")
    }

    fn mesh_file(&self) -> PathBuf {
        self.folder.join("meshconfig.yaml")
    }

    /// Makes the files that it is started with.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn prepare(&self) -> io::Result<()> {
        std::fs::create_dir_all(self.configuration())?;
        std::fs::write(self.mesh_file(), mesh().to_string())
    }

    /// Its arguments.
    #[must_use]
    pub fn args(&self) -> Vec<String> {
        let flags = [
            ("-config", self.configuration().display().to_string()),
            ("-mesh", self.mesh_file().display().to_string()),
            ("-grpc", self.discovery.to_string()),
            ("-http", self.http.to_string()),
            ("-monitor", self.monitor.to_string()),
        ];
        flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect()
    }

    /// Whether it is ready: it answers so.
    pub async fn is_ready(&self) -> bool {
        answer(self.http, "/ready").await.is_some()
    }

    /// What it is, in its own words: `1.31.0-…`.
    pub async fn version(&self) -> Option<String> {
        let version = answer(self.monitor, "/version").await?;
        // A version, the state of its sources, and their commit.
        version.trim().split('-').next().filter(|v| !v.is_empty()).map(str::to_owned)
    }

    /// Its environment: everything that needs Kubernetes is off, and so is what would name filters that an official Envoy lacks.
    #[must_use]
    pub fn env() -> &'static [(&'static str, &'static str)] {
        &[
            ("PILOT_ENABLE_METADATA_EXCHANGE", "false"),
            ("PILOT_ENABLE_ALPN_FILTER", "false"),
            ("PILOT_DEBOUNCE_AFTER", "10ms"),
            ("PILOT_ENABLE_GATEWAY_API", "false"),
            ("ENABLE_CA_SERVER", "false"),
            ("ENABLE_LEADER_ELECTION", "false"),
            ("INJECT_ENABLED", "false"),
            ("VALIDATION_WEBHOOK_CONFIG_NAME", ""),
            ("INJECTION_WEBHOOK_CONFIG_NAME", ""),
            ("POD_NAME", "istiod"),
            ("POD_NAMESPACE", "istio-system"),
        ]
    }
}

/// The body of an answer with status 200.
async fn answer(at: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(at).await.ok()?;
    let request = format!("GET {path} HTTP/1.0\r\nhost: istiod\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.split(' ').nth(1).filter(|status| *status == "200")?;
    Some(body.to_owned())
}

/// MeshConfig (mesh/v1alpha1/config.proto). Without a provider of metrics istiod names no filter for them.
fn mesh() -> Value {
    json!({
        "trustDomain": "cluster.local",
        "rootNamespace": "istio-system",
        "enableAutoMtls": false,
        "defaultProviders": {"metrics": []},
        "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"},
        "localityLbSetting": {"enabled": true},
        "defaultConfig": {"drainDuration": "1s"},
    })
}

/// What istiod says in its log that somebody has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The configuration was not taken over: a file that it cannot read freezes all of them as they were.
    Unread(String),
    /// A proxy rejects what it was sent.
    Rejected(String),
    /// It tells proxies of a configuration that it has taken over.
    Pushed,
}

/// What some lines of its log say. A list of errors goes on in the lines after it.
#[must_use]
pub fn said(lines: &str) -> Vec<Said> {
    let mut all: Vec<Said> = Vec::new();
    for line in lines.lines() {
        let after =
            |mark: &str| line.split_once(mark).map(|(_, rest)| rest.trim_start_matches([':', ' ', '\t']).to_owned());
        let more = line.trim_start();
        if let Some(why) = after("unable to reload file configuration") {
            all.push(Said::Unread(why));
        } else if let Some(why) = after("ACK ERROR") {
            all.push(Said::Rejected(why));
        } else if line.contains("XDS: Pushing Services") {
            all.push(Said::Pushed);
        } else if let (Some(Said::Unread(words)), true) = (all.last_mut(), more.starts_with('*')) {
            words.push_str(&format!(" {more}"));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_istiod_complains_of() {
        let bad = "2026-11-26T10:00:00.1Z\terror\tmodel\tunable to reload file configuration config: yaml: line 3";
        assert_eq!(said(bad), [Said::Unread("config: yaml: line 3".into())]);
        let list =
            "error\tunable to reload file configuration d: 2 errors occurred:\n\t* one\n\t* two\n\ninfo\tother\n";
        assert_eq!(said(list), [Said::Unread("d: 2 errors occurred: * one * two".into())]);
        let nack = "2026-11-26T10:00:00.1Z\twarn\tdelta\tADS:LDS: ACK ERROR p1-2 Internal:Error adding listener";
        let push = "2026-11-26T10:00:00.2Z\tinfo\tads\tXDS: Pushing Services:2 ConnectedEndpoints:4 Version:1";
        let both = [Said::Rejected("p1-2 Internal:Error adding listener".into()), Said::Pushed];
        assert_eq!(said(&format!("{nack}\n{push}\n")), both);
        assert_eq!(said("info\tads\tPush Status: {}"), []);
    }
}
