//! Which Envoy: the flag, the environment, the PATH, else one fetched once into the user's cache.

use crate::{outcome::Failure, term::Out};
use squall_place::envoy::{self, EnvoyError, Found, Progress};
use std::path::Path;

/// Finds Envoy, or fetches it and says so while it does.
pub fn locate(flag: Option<&Path>, out: Out) -> Result<Found, Failure> {
    if let Some(found) = envoy::find(flag).map_err(|e| failure(&e))? {
        return Ok(found);
    }
    fetched(envoy::DEFAULT_RELEASE, out)
}

/// The releases that were asked for, in that order, each once: by number, or so many of the newest.
pub fn releases(asked: &[String]) -> Result<Vec<String>, Failure> {
    let mut releases: Vec<String> = Vec::new();
    for text in asked {
        let meant: Vec<String> = match text.split_once(':') {
            Some(("newest", count)) => {
                let count: usize = count.parse().map_err(|_| Failure::usage(format!("`{text}`: write `newest:5`")))?;
                envoy::releases().take(count).map(str::to_owned).collect()
            }
            _ => vec![text.clone()],
        };
        for release in meant {
            if !releases.contains(&release) {
                releases.push(release);
            }
        }
    }
    match releases.is_empty() {
        true => Err(Failure::usage("--envoy-version names no release")),
        false => Ok(releases),
    }
}

/// One release, fetched once into the user's cache; says so while it does.
pub fn fetched(release: &str, out: Out) -> Result<Found, Failure> {
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
    envoy::Provision::new(&cache, release).and_then(|p| p.run(&mut say)).map_err(|e| failure(&e))
}

fn failure(error: &EnvoyError) -> Failure {
    error.help().lines().fold(Failure::environment(format!("no Envoy to be had: {error}")), Failure::help)
}
