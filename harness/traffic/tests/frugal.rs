//! Answers that are looked for now and then, and when they came nevertheless.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail")]

mod support;

use squall_model::ClientEnd;
use squall_traffic::{Endpoint, Line, LoadThread, Request, Start};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    time::Duration,
};
use support::{end, ends, every, ms};

/// A server on TCP that answers whatever comes in.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                while stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
                }
            });
        }
    });
    address
}

/// Sends are made in their own time though answers are not looked for.
#[tokio::test]
async fn rest_delays_no_send() {
    let line =
        Line::new(0, vec![Endpoint::Tcp(server())], Request::new("GET", "a", "/").unwrap(), every(50.0, ms(500)));
    let load = LoadThread::start_resting(Duration::ZERO).unwrap();
    let run = load.begin(vec![line], Start::default()).unwrap();
    let (summary, records) = end(&run).await;
    assert_eq!((summary.sent, ends(&records)), (25, vec![ClientEnd::Answered(200); 25]));
    assert!(summary.schedule.p50 < ms(10), "half of the sends were {:?} late or more", summary.schedule.p50);
}

/// The answers to what is sent in one tick are read in the next one, 100 ms later. They came long before.
#[tokio::test]
async fn an_answer_is_known_by_when_it_came_and_not_by_when_it_was_read() {
    let line =
        Line::new(0, vec![Endpoint::Tcp(server())], Request::new("GET", "a", "/").unwrap(), every(100.0, ms(500)));
    let run = LoadThread::start_resting(ms(100)).unwrap().begin(vec![line], Start::default()).unwrap();
    let (summary, records) = end(&run).await;
    assert_eq!((summary.sent, ends(&records)), (50, vec![ClientEnd::Answered(200); 50]));
    let mut times: Vec<Duration> = records.iter().map(|r| r.done.since(r.sent)).collect();
    times.sort();
    assert!(times[25] < ms(50), "half of the answers came after {:?} or later", times[25]);
    assert!(records.iter().all(|r| r.course.first_byte.is_some_and(|at| r.sent <= at && at <= r.done)));
}
