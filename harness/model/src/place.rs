//! Where instances are, and which of them an event means.

use crate::{InstanceId, PlaceName, Target, Topology};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A part of the world that instances are in: what is near each other, and fails together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// What it is.
    pub kind: PlaceKind,
    /// Its name.
    pub name: PlaceName,
}

/// What a place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceKind {
    /// An availability zone: the control plane is everywhere.
    Zone,
    /// A site at the edge: the control plane is elsewhere, and a site that is cut off is cut off from it, too.
    Site,
}

impl Place {
    /// A zone of this name.
    #[must_use]
    pub fn zone(name: impl Into<PlaceName>) -> Place {
        Place { kind: PlaceKind::Zone, name: name.into() }
    }
}

impl fmt::Display for PlaceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PlaceKind::Zone => "zone",
            PlaceKind::Site => "site",
        })
    }
}

/// `zone "east"`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} \"{}\"", self.kind, self.name)
    }
}

/// Those to whom something happens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Members {
    /// Instances of one service.
    Of(Target),
    /// Every instance in a place.
    In(Place),
}

impl Members {
    /// The instances that are meant in this topology, in order.
    #[must_use]
    pub fn instances(&self, topology: &Topology) -> Vec<InstanceId> {
        match self {
            Members::Of(target) => target.instances(topology),
            Members::In(place) => {
                let here = topology.instances().filter(|(_, _, instance)| instance.place.as_ref() == Some(place));
                here.map(|(id, ..)| id).collect()
            }
        }
    }
}

impl fmt::Display for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Members::Of(target) => target.fmt(f),
            Members::In(place) => place.fmt(f),
        }
    }
}
