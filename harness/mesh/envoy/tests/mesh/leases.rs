//! Faults whose lease ran out: told, not armed again by themselves, and armed again by order.

use crate::town::{Town, id, to_reviews, topology, touch, until};
use nix::sys::signal::Signal;
use squall_mesh::{Mesh, MeshEvent};
use squall_model::{AnswerCode, Level, Touch};

#[tokio::test]
async fn a_proxy_that_slept_too_long_has_its_faults_again_when_they_are_armed_again() {
    let faults = vec![touch(100, Level::Tries, to_reviews(), Touch::Abort(AnswerCode::Status(418)))];
    let Some(town) = Town::new(topology(&[None]), Vec::new(), faults).await else { return };
    let reviews = id("reviews", 1);
    town.arm(&[0]).await;
    assert_eq!(town.client().await.call("r1.armed", &[]).await.0, 418);
    town.signal(&reviews, Signal::SIGSTOP);
    until("its lease has run out", async || {
        let node = &town.at.seats[&reviews].node;
        town.mesh.events().iter().any(|event| matches!(event, MeshEvent::Lapsed { node: n, .. } if n == node))
    })
    .await;
    town.signal(&reviews, Signal::SIGCONT);
    until("it has dropped its faults", async || town.client().await.call("r1.lapsed", &[]).await.0 == 200).await;
    // A configuration is no order: who lapsed stays so.
    town.configure().await.unwrap();
    assert_eq!(town.client().await.call("r1.still", &[]).await.0, 200);
    town.arm(&[0]).await;
    assert_eq!(town.client().await.call("r1.again", &[]).await.0, 418);
    town.arm(&[]).await;
    assert_eq!(town.client().await.call("r1.ended", &[]).await.0, 200);
}
