//! What the runner in the cluster is given.

use crate::{limits::Limits, run::Work};
use serde::{Deserialize, Serialize};
use squall_mesh_istio::manifest::Settings;
use squall_place::pod::HOME;
use std::{collections::BTreeMap, time::Duration};

/// Everything that it has to know, as one file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    pub work: Work,
    /// What the mesh is, in its own words.
    pub mesh_version: String,
    /// Where everything of the run is.
    pub namespace: String,
    /// The image of every pod of ours.
    pub image: String,
    /// By which name pods know istiod, and its port for TLS.
    pub istiod: String,
    /// What the run may do.
    pub limits: Limits,
    /// The labels of everything that the run makes.
    pub labels: BTreeMap<String, String>,
    /// For how long the one who started the run may be silent.
    pub lease: Duration,
}

impl Job {
    /// What all pods of the mesh have in common.
    pub fn pods(&self) -> Settings {
        Settings {
            home: HOME.into(),
            namespace: self.namespace.clone(),
            image: self.image.clone(),
            istiod: self.istiod.clone(),
            labels: self.labels.clone(),
        }
    }
}
