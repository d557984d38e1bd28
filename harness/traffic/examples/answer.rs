//! A server that costs as little as can be, for comparisons of load generators: `200` and two bytes to whatever ends in an empty line.
//!
//! `cargo run --release -p squall-traffic --example answer PORT [DELAY_MS FILE]` serves until it is told to end (SIGTERM), then prints how many
//! requests it has answered: what a generator says of itself is compared with that. With a FILE it answers each request DELAY_MS after it
//! came, and writes down when it came and when it was answered, a line each, in nanoseconds of the monotonic clock: what a generator says of
//! times is compared with that. One thread.

#![expect(clippy::print_stdout, reason = "what it has counted is printed")]
#![allow(clippy::unwrap_used, reason = "a server for measurements may say what is wrong by panicking")]

use std::{
    cell::RefCell,
    fmt::Write as _,
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    signal::unix::{SignalKind, signal},
    task::{LocalSet, spawn_local},
    time::sleep_until,
};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Connections that may wait to be accepted: as many as callers open while it is made to stand still. One more is told so by silence, and
/// tries again after a second, which would say nothing of the caller.
const QUEUE: u32 = 4_096;

/// What it has done.
#[derive(Default)]
struct Books {
    answered: u64,
    /// When each request came and was answered, where that is asked for.
    moments: Option<Vec<(u64, u64)>>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let port: u16 = arguments.first().and_then(|port| port.parse().ok()).unwrap_or(0);
    let delay = arguments.get(1).map_or(Duration::ZERO, |ms| Duration::from_millis(ms.parse().unwrap()));
    let file = arguments.get(2);
    let books = Rc::new(RefCell::new(Books { answered: 0, moments: file.map(|_| Vec::new()) }));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], port).into()).unwrap();
        let listener = socket.listen(QUEUE).unwrap();
        println!("{}", listener.local_addr().unwrap());
        let mut end = signal(SignalKind::terminate()).unwrap();
        loop {
            tokio::select! {
                _ = end.recv() => break,
                accepted = listener.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    spawn_local(serve(stream, delay, Rc::clone(&books)));
                }
            }
        }
    });
    let books = books.borrow();
    if let (Some(file), Some(moments)) = (file, &books.moments) {
        let mut lines = String::new();
        moments.iter().for_each(|(came, answered)| writeln!(lines, "{came} {answered}").unwrap());
        std::fs::write(file, lines).unwrap();
    }
    println!("{}", books.answered);
}

/// Until the other side goes away. A request is smaller than the buffer, and comes in one piece or in two.
async fn serve(mut stream: TcpStream, delay: Duration, books: Rc<RefCell<Books>>) {
    let _ = stream.set_nodelay(true);
    let (mut kept, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut piece).await {
        kept.extend_from_slice(&piece[..read]);
        while let Some(end) = kept.windows(4).position(|four| four == b"\r\n\r\n") {
            kept.drain(..end + 4);
            let came = squall_traffic::now().0;
            if !delay.is_zero() {
                sleep_until((Instant::now() + delay).into()).await;
            }
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
            let mut books = books.borrow_mut();
            books.answered += 1;
            if let Some(moments) = &mut books.moments {
                moments.push((came, squall_traffic::now().0));
            }
        }
    }
}
