//! Proxies that end in order.

use crate::town::{Town, id, soon, topology, until};
use squall_mesh::{Mesh, MeshError};
use squall_mesh_envoy::now;
use std::time::Duration;
use tokio::net::TcpStream;

#[tokio::test]
async fn a_drained_proxy_has_finished_what_it_had_and_takes_no_more() {
    let Some(town) = Town::new(topology(&[None]), Vec::new(), Vec::new()).await else { return };
    let (it, seat) = town.at.seats.get_key_value(&id("reviews", 1)).unwrap();
    let took = Duration::from_millis(500);
    town.workload("reviews", 1).answer(200, took);
    let began = now();
    let mut client = town.client().await;
    let (answer, drained) = tokio::join!(client.call("r1.1", &[]), async {
        until("the call has come", async || town.served("reviews") == 1).await;
        town.mesh.drain(it, seat, soon()).await
    });
    drained.unwrap();
    assert_eq!(answer.0, 200);
    assert!(now().since(began) >= took);
    assert!(TcpStream::connect(seat.inbound).await.is_err(), "it still listens");
}

#[tokio::test]
async fn what_does_not_end_is_waited_for_no_longer_than_asked() {
    let Some(town) = Town::new(topology(&[None]), Vec::new(), Vec::new()).await else { return };
    let (it, seat) = town.at.seats.get_key_value(&id("reviews", 1)).unwrap();
    town.workload("reviews", 1).stall();
    let mut client = town.client().await;
    let drained = async {
        until("the call has come", async || town.served("reviews") == 1).await;
        town.mesh.drain(it, seat, now() + Duration::from_millis(500)).await
    };
    tokio::select! {
        _ = client.call("r1.1", &[]) => panic!("a call that never ends has ended"),
        drained = drained => assert!(matches!(drained, Err(MeshError::Silent { .. })), "{drained:?}"),
    }
}
