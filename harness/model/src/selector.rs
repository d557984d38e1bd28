//! Which traffic, which instances: the clauses `{target}`, `{calls}`, `{traffic}` of the language.

use crate::{Fraction, InstanceId, Place, ServiceName, Topology, VersionName};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Some or all instances of a service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The service.
    pub service: ServiceName,
    /// Which of its instances.
    pub which: Which,
    /// Only those in this place.
    pub place: Option<Place>,
}

/// Which instances of a service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// The service as a whole: all that it has, now and later.
    Service,
    /// Every instance, each for itself.
    Every,
    /// The one with this number.
    Instance(u32),
    /// The first so many.
    First(u32),
    /// Those of this version.
    Version(VersionName),
}

impl Target {
    /// The service as a whole.
    #[must_use]
    pub fn service(name: ServiceName) -> Target {
        Target { service: name, which: Which::Service, place: None }
    }

    /// The instances that it means in this topology, in order.
    #[must_use]
    pub fn instances(&self, topology: &Topology) -> Vec<InstanceId> {
        let Some(service) = topology.service(&self.service) else { return Vec::new() };
        service
            .ids()
            .zip(&service.instances)
            .filter(|(_, instance)| self.place.is_none() || instance.place == self.place)
            .filter(|(id, instance)| match &self.which {
                Which::Service | Which::Every => true,
                Which::Instance(number) => id.number == *number,
                Which::First(count) => id.number <= *count,
                Which::Version(version) => instance.version.as_ref() == Some(version),
            })
            .map(|(id, _)| id)
            .collect()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = &self.service;
        match &self.which {
            Which::Service => write!(f, "\"{service}\"")?,
            Which::Every => write!(f, "every instance of \"{service}\"")?,
            Which::Instance(number) => write!(f, "instance {number} of \"{service}\"")?,
            Which::First(count) => write!(f, "{count} instances of \"{service}\"")?,
            Which::Version(version) => write!(f, "version \"{version}\" of \"{service}\"")?,
        }
        match &self.place {
            Some(place) => write!(f, " in {place}"),
            None => Ok(()),
        }
    }
}

/// What a request must have to be meant. All that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// This very path, without the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// This host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// This query, as written: `a=1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// This method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// This header with this value: name in lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<(String, String)>,
    /// This user, known by the header `x-squall-user`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

impl Filter {
    /// True where nothing is asked of a request.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Filter::default()
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.path.as_ref().map(|p| format!(" on path \"{p}\"")),
            self.host.as_ref().map(|h| format!(" on host \"{h}\"")),
            self.query.as_ref().map(|q| format!(" with query \"{q}\"")),
            self.method.as_ref().map(|m| format!(" with method \"{m}\"")),
            self.header.as_ref().map(|(name, value)| format!(" with header \"{name}: {value}\"")),
        ];
        parts.into_iter().flatten().try_for_each(|part| f.write_str(&part))
    }
}

/// Some calls: whose, from where, to where, of what kind. All absent: every call of the traffic lines.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    /// Made by this service. Onward calls are meant only where it is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<ServiceName>,
    /// Made to these instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Target>,
    /// And looking like this.
    #[serde(default, skip_serializing_if = "Filter::is_empty")]
    pub filter: Filter,
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.filter.user {
            write!(f, " of user \"{user}\"")?;
        }
        if let Some(from) = &self.from {
            write!(f, " from \"{from}\"")?;
        }
        if let Some(to) = &self.to {
            write!(f, " to {to}")?;
        }
        self.filter.fmt(f)
    }
}

/// A call is what the caller made; a try is each attempt that a proxy makes for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// At the caller's proxy, before its retries and timeouts.
    Calls,
    /// At the callee's proxy.
    Tries,
}

/// A share of some calls or tries.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// How large a share; all of it where none was written.
    pub share: Fraction,
    /// Calls or tries.
    pub level: Level,
    /// Of these calls (for tries: of the tries made for them, `to` being what they reach).
    pub of: Calls,
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.share != Fraction::ALL {
            write!(f, "{} of the ", self.share)?;
        }
        match self.level {
            Level::Calls => write!(f, "calls{}", self.of),
            Level::Tries => {
                f.write_str("tries")?;
                if let Some(user) = &self.of.filter.user {
                    write!(f, " of user \"{user}\"")?;
                }
                if let Some(from) = &self.of.from {
                    write!(f, " from \"{from}\"")?;
                }
                if let Some(to) = &self.of.to {
                    write!(f, " reaching {to}")?;
                }
                self.of.filter.fmt(f)
            }
        }
    }
}
