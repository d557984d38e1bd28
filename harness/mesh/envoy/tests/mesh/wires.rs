//! Wires that a link carries: callers connect there, and logs know the callee under that address, too.

use crate::town::{Town, id, topology};
use squall_mesh_envoy::now;
use squall_model::{Condition, Fraction, PolicyKind, Wire};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Carries connections to an address, and counts them.
async fn link(to: SocketAddr) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, carried) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&carried);
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::AcqRel);
            tokio::spawn(async move {
                let mut far = TcpStream::connect(to).await.unwrap();
                drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
            });
        }
    });
    (at, carried)
}

fn wire(to: u32) -> Wire {
    Wire { from: id("web", 1), to: id("reviews", to) }
}

#[tokio::test]
async fn calls_go_over_the_link_and_are_known_to_reach_the_instance() {
    let ejection =
        PolicyKind::Ejection { of: "reviews".into(), lasts: Duration::from_secs(60), after: 2, at_most: Fraction::ALL };
    let Some(mut town) = Town::new(topology(&[None, None]), vec![ejection], Vec::new()).await else { return };
    let (at, carried) = link(town.at.seats[&id("reviews", 2)].inbound).await;
    town.at.wires.insert(wire(2), at);
    town.configure().await.unwrap();
    let mut client = town.client().await;
    for n in 0..4 {
        assert_eq!(client.call(&format!("r1.{n}"), &[]).await.0, 200);
    }
    assert_eq!(carried.load(Ordering::Acquire), 1, "one connection, kept");
    let logged = town.logged("end").await;
    for n in 0..4 {
        let name = format!("r1.{n}");
        let served = &logged.inbound(&name)[0].proxy;
        assert_eq!(logged.tries(&name)[0].upstream.as_ref(), Some(served));
        assert_eq!(logged.outbound(&name).upstream.as_ref(), Some(served));
    }
    // So are ejections.
    town.workload("reviews", 2).answer(500, Duration::ZERO);
    crate::town::until("it is ejected", async || {
        town.client().await.call("r1.out", &[]).await;
        let states = town.states(&id("web", 1));
        states.iter().any(|s| s.what == Condition::Ejected && s.begins && s.of == id("reviews", 2))
    })
    .await;
    // Without the wire the way is direct again.
    town.at.wires.clear();
    town.at.tag = "r2".into();
    town.configure().await.unwrap();
    town.workload("reviews", 2).answer(200, Duration::ZERO);
    let before = carried.load(Ordering::Acquire);
    for n in 0..4 {
        assert_eq!(client.call(&format!("r2.{n}"), &[]).await.0, 200);
    }
    assert_eq!(carried.load(Ordering::Acquire), before);
}

/// A place where connections are neither accepted nor refused: its queue is full, and stays so.
async fn silence() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let at = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    // Until one is left waiting.
    while let Ok(queued) = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(at)).await {
        queue.push(queued.unwrap());
    }
    (at, listener, queue)
}

#[tokio::test]
async fn a_connection_that_does_not_come_to_be_is_given_up_after_a_second() {
    let Some(mut town) = Town::new(topology(&[None]), Vec::new(), Vec::new()).await else { return };
    let (at, _listener, _queue) = silence().await;
    town.at.wires.insert(wire(1), at);
    town.configure().await.unwrap();
    let began = now();
    assert_eq!(town.client().await.call("r1.1", &[]).await.0, 503);
    let took = now().since(began);
    assert!(took >= Duration::from_millis(950), "{took:?}");
    let logged = town.logged("end").await;
    let call = logged.outbound("r1.1");
    assert_eq!((call.flags.as_str(), call.attempts), ("UF", 1));
    assert_eq!(call.upstream, Some(id("reviews", 1)));
    assert_eq!(logged.tries("r1.1")[0].flags, "UF");
}
