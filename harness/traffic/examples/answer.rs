//! A server that costs as little as can be, for comparisons of load generators: `200` and two bytes to whatever ends in an empty line.
//!
//! `cargo run --release -p squall-traffic --example answer PORT` serves until it is told to end (SIGTERM), then prints how many requests
//! it has answered: what a generator says of itself is compared with that. One thread.

#![expect(clippy::print_stdout, reason = "what it has counted is printed")]
#![allow(clippy::unwrap_used, reason = "a server for measurements may say what is wrong by panicking")]

use std::{cell::Cell, rc::Rc};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    task::{LocalSet, spawn_local},
};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn main() {
    let port: u16 = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answered = Rc::new(Cell::new(0_u64));
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        let mut end = signal(SignalKind::terminate()).unwrap();
        loop {
            tokio::select! {
                _ = end.recv() => break,
                accepted = listener.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    spawn_local(serve(stream, Rc::clone(&answered)));
                }
            }
        }
    });
    println!("{}", answered.get());
}

/// Until the other side goes away. A request is smaller than the buffer, and comes in one piece or in two.
async fn serve(mut stream: TcpStream, answered: Rc<Cell<u64>>) {
    let _ = stream.set_nodelay(true);
    let (mut kept, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut piece).await {
        kept.extend_from_slice(&piece[..read]);
        while let Some(end) = kept.windows(4).position(|four| four == b"\r\n\r\n") {
            kept.drain(..end + 4);
            answered.set(answered.get() + 1);
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
        }
    }
}
