//! How a link begins and ends.

use crate::rig::{DEADLINE, End, Rig};
use nix::sys::signal::Signal;
use squall_link::{LinkArgs, LinkLine, link_main};
use squall_model::{Damage, WireEnd};
use std::{
    io::{ErrorKind, Read as _},
    net::TcpStream,
    os::unix::process::ExitStatusExt as _,
};

/// The connection is over, by a reset or not.
fn is_over(mut end: End) {
    end.0.set_read_timeout(Some(DEADLINE)).unwrap();
    match end.0.read(&mut [0]) {
        Ok(read) => assert_eq!(read, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

#[tokio::test]
async fn terminated_it_writes_down_what_was_open() {
    let mut rig = Rig::start().await;
    let (mut caller, mut callee) = rig.connect();
    caller.says("one");
    callee.hears("one");
    rig.signal(Signal::SIGTERM);
    assert!(rig.child.wait().unwrap().success());
    is_over(caller);
    is_over(callee);
    let [LinkLine::Record(record)] = &rig.lines()[..] else { panic!("{:?}", rig.lines()) };
    assert_eq!((record.end, record.ended, record.sent), (WireEnd::Open, None, 3));
}

#[tokio::test]
async fn killed_it_takes_its_damage_with_it() {
    let mut rig = Rig::start().await;
    drop(rig.connect());
    rig.ended(1);
    let (caller, callee) = rig.connect();
    rig.damage(&[Damage::Cut]).await;
    rig.signal(Signal::SIGKILL);
    assert_eq!(rig.child.wait().unwrap().signal(), Some(9));
    is_over(caller);
    is_over(callee);
    let met = TcpStream::connect_timeout(&rig.door(1), DEADLINE);
    assert_eq!(met.unwrap_err().kind(), ErrorKind::ConnectionRefused, "there is nobody to be silent");
    assert_eq!(rig.lines().len(), 1, "what has ended was written down");
    assert!(rig.control.mark("too late").await.is_err());
}

#[tokio::test]
async fn one_of_two_links_at_one_socket_does_not_start() {
    let mut rig = Rig::start().await;
    let folder = rig.config.control.parent().unwrap();
    let error = link_main(&LinkArgs { config: folder.join("config") }).unwrap_err();
    assert!(error.to_string().starts_with(&format!("listen on {}: ", rig.config.control.display())), "{error}");
    rig.is_good();
    // Of a dead one it takes the place.
    rig.signal(Signal::SIGKILL);
    rig.child.wait().unwrap();
    rig.restart().await;
    rig.is_good();
}

#[test]
fn a_configuration_that_is_none_is_an_error() {
    let error = link_main(&LinkArgs { config: "/nowhere/config".into() }).unwrap_err();
    assert_eq!(error.to_string(), "configuration: /nowhere/config: No such file or directory (os error 2)");
}
