//! A clean wire is no more than a wire.

use crate::rig::{DEADLINE, End, MOMENT, Rig, now, wire};
use squall_model::WireEnd;
use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    time::Instant,
};

#[tokio::test]
async fn bytes_and_ends_pass_both_ways() {
    let rig = Rig::start().await;
    let before = now();
    let (mut caller, mut callee) = rig.connect();
    caller.says("question");
    callee.hears("question");
    // Half closed, it carries the other way still.
    caller.finishes();
    callee.hears_the_end();
    callee.says("answer");
    caller.hears("answer");
    drop(callee);
    caller.hears_the_end();
    let record = rig.ended(1).remove(0);
    assert_eq!((record.wire, record.end, record.sent, record.answered), (wire(1), WireEnd::Caller, 8, 6));
    assert!(before < record.opened && record.opened < record.ended.unwrap() && record.ended.unwrap() < now());
    assert_eq!(record.hurt, []);
}

#[tokio::test]
async fn the_callee_may_end_it_first() {
    let rig = Rig::start().await;
    let (mut caller, mut callee) = rig.connect();
    callee.says("bye");
    drop(callee);
    caller.hears("bye");
    caller.hears_the_end();
    drop(caller);
    assert_eq!(rig.ended(1)[0].end, WireEnd::Callee);
}

#[tokio::test]
async fn resets_pass_both_ways() {
    let rig = Rig::start().await;
    let (caller, mut callee) = rig.connect();
    caller.resets();
    callee.hears_a_reset();
    let (mut caller, mut callee) = rig.connect();
    callee.says("half an ans");
    callee.resets();
    caller.hears("half an ans");
    caller.hears_a_reset();
    assert!(rig.ended(2).iter().all(|record| record.end == WireEnd::Reset));
}

#[tokio::test]
async fn who_has_gone_answers_with_a_reset_to_what_still_comes() {
    let rig = Rig::start().await;
    let (caller, mut callee) = rig.connect();
    drop(caller);
    callee.hears_the_end();
    // A read would not tell: it has seen the end.
    let by = Instant::now() + DEADLINE;
    while callee.0.write(b"is anybody there?").is_ok() {
        assert!(Instant::now() < by, "it talks to nobody");
    }
    assert_eq!(rig.ended(1)[0].end, WireEnd::Caller);
}

#[tokio::test]
async fn who_does_not_read_is_not_written_to_without_end() {
    let rig = Rig::start().await;
    let (caller, callee) = rig.connect();
    for (mut from, mut to) in [(&caller.0, &callee.0), (&callee.0, &caller.0)] {
        from.set_nonblocking(true).unwrap();
        let piece: Vec<u8> = (0..65_536u32).map(|n| (n % 251) as u8).collect();
        let (mut sent, by) = (0u64, Instant::now() + DEADLINE);
        // Until it has been full for a while: buffers take some time to fill.
        let mut last = Instant::now();
        while last.elapsed() < 3 * MOMENT {
            assert!(Instant::now() < by, "it takes without end");
            match from.write(&piece[(sent % 65_536) as usize..]) {
                Ok(written) => {
                    sent += written as u64;
                    last = Instant::now();
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        assert!(sent < 64 << 20, "{sent} bytes");
        from.set_nonblocking(false).unwrap();
        to.set_read_timeout(Some(DEADLINE)).unwrap();
        let (mut heard, mut some) = (0u64, vec![0; 65_536]);
        while heard < sent {
            let read = to.read(&mut some).unwrap();
            assert!(some[..read].iter().zip(heard..).all(|(&byte, n)| byte == piece[(n % 65_536) as usize]));
            heard += read as u64;
        }
    }
}

#[tokio::test]
async fn there_may_be_more_connections_than_files_are_allowed_at_first() {
    let rig = Rig::start_under("ulimit -S -n 64; exec \"$@\"").await;
    let mut all: Vec<(End, End)> = (0..200).map(|_| rig.connect()).collect();
    for (n, (caller, callee)) in all.iter_mut().enumerate() {
        caller.says(&format!("{n}"));
        callee.hears(&format!("{n}"));
    }
}

#[tokio::test]
async fn where_nobody_listens_who_comes_is_reset() {
    let mut rig = Rig::start().await;
    rig.callees.clear();
    match TcpStream::connect_timeout(&rig.door(1), DEADLINE) {
        Ok(caller) => End(caller).hears_a_reset(),
        // So soon that it was reset before it knew that it was connected.
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    let record = rig.ended(1).remove(0);
    assert_eq!((record.end, record.sent, record.answered), (WireEnd::Refused, 0, 0));
}

#[tokio::test]
async fn a_wire_leads_where_it_is_led() {
    let mut rig = Rig::start().await;
    let (mut caller, mut callee) = rig.connect();
    rig.control.lead(&wire(1), None).await.unwrap();
    rig.is_refusing();
    let door = rig.door(2);
    assert!(TcpStream::connect_timeout(&door, DEADLINE).is_ok(), "the other wire leads on");
    caller.says("still there");
    callee.hears("still there");
    let elsewhere = rig.callees[1].local_addr().unwrap();
    rig.control.lead(&wire(1), Some(elsewhere)).await.unwrap();
    // Over the other wire, before.
    let _ = rig.accept(2);
    let mut caller = End(TcpStream::connect_timeout(&rig.door(1), DEADLINE).unwrap());
    caller.says("hello");
    rig.accept(2).hears("hello");
}
