//! Where Istio's objects are kept, as far as they say so.

use super::DOMAIN;
use squall_model::Deployed;
use std::path::PathBuf;

/// The port by which services are called.
const PORT: u16 = 80;

/// The place of a mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The namespace of all objects.
    pub namespace: String,
    /// The folder that every proxy logs into, by the same name in all of them; empty: the one that it runs in.
    pub logs: PathBuf,
    /// Whether proxies are in pods. They go from one scenario to the next.
    pub pods: bool,
    /// The port by which services are called, which is part of a cluster's name.
    pub(super) port: u16,
}

impl Site {
    /// On one machine, with an istiod of its own.
    #[must_use]
    pub fn alone() -> Site {
        Site { namespace: "squall".into(), logs: PathBuf::new(), pods: false, port: PORT }
    }

    /// In a namespace of a cluster.
    #[must_use]
    pub fn pods(namespace: &str, logs: PathBuf) -> Site {
        Site { namespace: namespace.into(), logs, pods: true, port: PORT }
    }

    /// The same for one run of a scenario. Where proxies are used again it has a port of its own, by its number: its clusters are new
    /// then, and take no ejected host, open breaker or connection over from the one before.
    pub(super) fn of_run(&self, tag: &str) -> Site {
        let digits: String = tag.chars().filter(char::is_ascii_digit).collect();
        let number: u32 = digits.parse().unwrap_or(0);
        let port = if self.pods { 10_000 + (number % 50_000) as u16 } else { PORT };
        Site { port, ..self.clone() }
    }

    /// Whether services are called by the port that their protocol has anyway.
    pub(super) fn is_own_port(&self) -> bool {
        self.port == PORT
    }

    /// The host name of a service of ours.
    pub(super) fn host_of(&self, service: &str) -> String {
        format!("{service}.{}{DOMAIN}", self.namespace)
    }

    /// Where a service is called: its namespace, its host name, its port. Of one that somebody else deployed they are its own.
    pub(super) fn address(&self, service: &str, of: Option<&Deployed>) -> Address {
        match of {
            None => Address { namespace: self.namespace.clone(), host: self.host_of(service), port: self.port },
            Some(Deployed { namespace, port, .. }) => {
                let host = format!("{service}.{namespace}{DOMAIN}");
                Address { namespace: namespace.clone(), host, port: *port }
            }
        }
    }
}

/// Where a service is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) namespace: String,
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    /// The virtual host of it in the routes of whoever calls it.
    pub(super) fn virtual_host(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// What a Sidecar calls it, to have it known.
    pub(super) fn known_as(&self) -> String {
        format!("{}/{}", self.namespace, self.host)
    }
}
