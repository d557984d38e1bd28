//! Who calls over a cut wire meets with silence, where the kernel can be silent.

use crate::rig::{DEADLINE, MOMENT, Rig, wire};
use socket2::{Domain, Socket, Type};
use squall_model::Damage;
use std::{
    io::{ErrorKind, Write as _},
    net::TcpStream,
    time::Instant,
};

/// Nobody answers who wants a new connection over the first wire.
fn is_silent(rig: &Rig) {
    let met = TcpStream::connect_timeout(&rig.door(1), MOMENT);
    assert_eq!(met.unwrap_err().kind(), ErrorKind::TimedOut);
}

/// A caller that has begun to connect.
fn attempt(rig: &Rig) -> Socket {
    let caller = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    caller.set_nonblocking(true).unwrap();
    caller.connect(&rig.door(1).into()).unwrap_err();
    caller
}

#[tokio::test]
async fn nobody_answers_who_calls_over_a_cut_wire_until_it_ends() {
    let mut rig = Rig::start().await;
    rig.damage(&[Damage::Cut]).await;
    is_silent(&rig);
    let waiting = attempt(&rig);
    is_silent(&rig);
    // A refusal could not be heard over a cut wire, nor could it be seen that nobody is there.
    rig.damage(&[Damage::Cut, Damage::Refuse]).await;
    is_silent(&rig);
    rig.control.lead(&wire(1), None).await.unwrap();
    is_silent(&rig);
    rig.control.lead(&wire(1), Some(rig.callees[0].local_addr().unwrap())).await.unwrap();
    rig.clean().await;
    // Of those who were waiting, the one that has not given up.
    let mut waited = TcpStream::from(waiting);
    let by = Instant::now() + DEADLINE;
    while waited.peer_addr().is_err() {
        assert!(Instant::now() < by, "it never came to be");
        std::thread::yield_now();
    }
    waited.write_all(b"at last").unwrap();
    rig.accept(1).hears("at last");
    rig.is_good();
}
