//! Which Envoy: the flag, the environment, the PATH, else one fetched once into the user's cache.

use crate::{outcome::Failure, term::Out};
use squall_place::envoy::{self, EnvoyError, Found, Progress};
use std::path::Path;

/// Finds Envoy, or fetches it and says so while it does.
pub fn locate(flag: Option<&Path>, out: Out) -> Result<Found, Failure> {
    if let Some(found) = envoy::find(flag).map_err(|e| failure(&e))? {
        return Ok(found);
    }
    let cache = envoy::user_cache().map_err(|e| failure(&e))?;
    let mut told = None;
    let mut say = |progress: Progress| {
        // A download tells its bytes often; every tenth of it is worth a line.
        let step = match progress {
            Progress::Downloading { received, of } => (1, received * 10 / of.max(1)),
            Progress::Waiting => (0, 0),
            Progress::Checking => (2, 0),
            Progress::Unpacking => (3, 0),
        };
        if told != Some(step) {
            told = Some(step);
            out.note(&progress.to_string());
        }
    };
    envoy::provision(&cache, &mut say).map_err(|e| failure(&e))
}

fn failure(error: &EnvoyError) -> Failure {
    error.help().lines().fold(Failure::environment(format!("no Envoy to be had: {error}")), Failure::help)
}
