//! Istio without Kubernetes: where istiod is, and how it is started beside everything else.

use crate::outcome::Failure;
use squall_engine::deadline;
use squall_mesh_istio::{Alone, Istio, Network, istiod::Istiod};
use squall_mesh_proxy::bootstrap::Release;
use squall_place::{Keeper, ProcessSpec};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// By what name it is looked for on the PATH.
const PROGRAM: &str = "istiod-standalone";

/// The istiod that was named, or the one on the PATH.
pub fn locate(named: Option<&Path>) -> Result<PathBuf, Failure> {
    let help = "build one that needs no Kubernetes (kind-config/istiod/README.md), and name it by --istiod, $SQUALL_ISTIOD, or \
                `istiod` in squall.toml";
    if let Some(path) = named {
        return match path.is_file() {
            true => Ok(path.to_owned()),
            false => Err(Failure::environment(format!("no istiod at {}", path.display())).help(help)),
        };
    }
    let found = squall_place::programs(std::env::var_os("PATH").as_deref(), PROGRAM).next();
    found.ok_or_else(|| {
        Failure::environment(format!("no istiod to be had: there is no `{PROGRAM}` on the PATH")).help(help)
    })
}

/// Starts istiod, and what the mesh needs beside it; says its version, too, and what has to be held until the last proxy is gone. The
/// keeper ends it, as it ends everything.
pub async fn start(
    keeper: &Keeper,
    program: &Path,
    envoy: &Path,
    release: Release,
) -> Result<(Istio<Alone>, String, Network), Failure> {
    let fail = |what: &str, why: &dyn std::fmt::Display| Failure::environment(format!("failed to {what}: {why}"));
    let network = Network::take().map_err(|e| fail("find a free part of 127.0.0.0/8", &e))?;
    let home = keeper.folder().process_folder("istiod").map_err(|e| fail("make a folder for istiod", &e))?;
    let istiod = Istiod::new(program, home.path(), &home.log(), &network);
    let alone =
        Alone::new(envoy, release, istiod, network.clone()).map_err(|e| fail("write the files of istiod", &e))?;
    let mesh = Istio::start(alone, keeper.folder().path()).map_err(|e| fail("start the fault channel", &e))?;
    let istiod = mesh.home().istiod();
    let mut spec = ProcessSpec::new("istiod", program, home.clone()).args(istiod.args());
    for (name, value) in Istiod::env() {
        spec = spec.env(name, value);
    }
    let process = keeper.spawn(spec).await.map_err(|e| fail("start istiod", &e))?;
    let deadline = Instant::now() + deadline::PLACE.at_most;
    tokio::select! {
        version = ready(istiod) => return Ok((mesh, version, network)),
        () = sleep_until(deadline) => {}
        _ = keeper.wait_exit(process.id, deadline.into()) => {}
    }
    let last = home.last_line().unwrap_or_else(|| "it says nothing".into());
    Err(Failure::environment(format!("istiod does not become ready: {last}")))
}

/// Its version, as soon as it is ready.
async fn ready(istiod: &Istiod) -> String {
    while !istiod.is_ready().await {
        sleep_until(Instant::now() + Duration::from_millis(10)).await;
    }
    istiod.version().await.unwrap_or_else(|| "of an unknown version".into())
}
