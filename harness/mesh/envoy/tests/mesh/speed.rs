//! How long a change takes. No bound is asserted: the numbers are printed (`--nocapture`) for whoever looks.

use crate::town::{Town, to_reviews, topology, touch};
use squall_mesh::Mesh;
use squall_model::{AnswerCode, Level, PolicyKind, RetryOn, Touch};
use std::{io::Write as _, time::Duration};

fn told(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let (half, last) = (times[times.len() / 2], times[times.len() - 1]);
    let line = format!("{what}: median {half:?}, longest {last:?} of {}\n", times.len());
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

#[tokio::test]
async fn four_proxies() {
    let faults = vec![touch(100, Level::Tries, to_reviews(), Touch::Abort(AnswerCode::Status(503)))];
    let Some(mut town) = Town::new(topology(&[None, None, None]), Vec::new(), faults).await else { return };
    let (mut pushes, mut changes, mut new_pushes, mut runs, mut arms) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..30_u32 {
        let on = vec![RetryOn::FiveHundreds];
        town.policies(vec![PolicyKind::Retries { of: to_reviews(), up_to: 1 + round, on, elsewhere: false }]);
        let began = squall_mesh_envoy::now();
        let applied = town.apply().await.unwrap();
        pushes.push(squall_mesh_envoy::now().since(began));
        town.mesh.confirm(&applied, &town.at, crate::town::soon()).await.unwrap();
        changes.push(squall_mesh_envoy::now().since(began));

        town.at.tag = format!("r{round}");
        let began = squall_mesh_envoy::now();
        let applied = town.apply().await.unwrap();
        new_pushes.push(squall_mesh_envoy::now().since(began));
        town.mesh.confirm(&applied, &town.at, crate::town::soon()).await.unwrap();
        runs.push(squall_mesh_envoy::now().since(began));

        for armed in [&[0][..], &[]] {
            let effect = town.arm(armed).await;
            arms.push(effect.effective.since(effect.asked));
        }
    }
    told("a policy, acknowledged", pushes);
    told("a policy, applied and confirmed", changes);
    told("a new run, acknowledged", new_pushes);
    told("a new run, applied and confirmed", runs);
    told("a fault armed or ended", arms);
}
