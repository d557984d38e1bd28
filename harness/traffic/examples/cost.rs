//! What a call costs: CPU of the load thread and lateness of its sends, against a server in a process of its own.
//!
//! `cargo run --release -p squall-traffic --example cost [RATE [SECONDS [RUNS]]]` measures HTTP/1.1, HTTP/2 and gRPC one after the
//! other: 1,000 calls per second for 5 s in one run unless said otherwise. The server is this program again, on a Unix socket.

#![expect(clippy::print_stdout, reason = "a measurement is printed")]
#![allow(clippy::unwrap_used, reason = "a measurement that fails may say so by panicking")]

use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Response};
use nix::sys::resource::{UsageWho, getrusage};
use squall_model::{CallRecord, Protocol};
use squall_traffic::{Arrivals, Endpoint, Line, LoadThread, Request, Run, Shape, Start};
use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
};

/// How long the server works on a call, as a proxy would: an answer that comes while the load thread is still awake costs it less.
const WORK: Duration = Duration::from_micros(60);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match &*arguments {
        [flag, protocol, path] if flag == "--serve" => runtime.block_on(serve(protocol, Path::new(path))),
        _ => {
            let number = |place: usize, usual| arguments.get(place).map_or(usual, |a| a.parse().unwrap());
            for protocol in [Protocol::Http, Protocol::Http2, Protocol::Grpc] {
                runtime.block_on(measure(protocol, number(0, 1_000.0), number(1, 5.0), number(2, 1.0) as u16));
            }
        }
    }
}

async fn serve(protocol: &str, path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    println!("ready");
    while let Ok((stream, _)) = listener.accept().await {
        if protocol == "Http" {
            tokio::spawn(answer(stream));
        } else {
            tokio::spawn(answer_streams(stream));
        }
    }
}

fn work() {
    let working = std::time::Instant::now();
    while working.elapsed() < WORK {
        std::hint::spin_loop();
    }
}

async fn answer(mut stream: UnixStream) {
    let mut request = [0; 4096];
    while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
        work();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    }
}

async fn answer_streams(stream: UnixStream) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((request, response))) = connection.accept().await {
        work();
        answer_stream(request.headers().contains_key("te"), response);
    }
}

fn answer_stream(grpc: bool, mut response: SendResponse<Bytes>) {
    let mut body = response.send_response(Response::new(()), false).unwrap();
    if grpc {
        body.send_data(Bytes::from_static(b"\0\0\0\0\x02ok"), false).unwrap();
        body.send_trailers(HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from(0))])).unwrap();
    } else {
        body.send_data(Bytes::from_static(b"ok"), true).unwrap();
    }
}

/// The server, in a process of its own.
fn server(protocol: Protocol, path: &PathBuf) -> Child {
    let mut server = Command::new(std::env::current_exe().unwrap())
        .args(["--serve", &format!("{protocol:?}")])
        .arg(path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    server.stdout.as_mut().unwrap().read_exact(&mut [0; 5]).unwrap();
    server
}

async fn measure(protocol: Protocol, rate_hz: f64, seconds: f64, runs: u16) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.sock");
    let mut server = server(protocol, &path);
    let load = LoadThread::start().unwrap();
    let shape = Shape::Open {
        rate_hz: rate_hz / f64::from(runs),
        length: Duration::from_secs_f64(seconds),
        arrivals: Arrivals::Even,
    };
    let request = Request::new("GET", "reviews", "/").unwrap();
    let line = Line { protocol, ..Line::new(0, vec![Endpoint::Unix(path)], request, shape) };
    let before = usage();
    let all: Vec<Run> = (0..runs).map(|_| load.begin(vec![line.clone()], Start::default()).unwrap()).collect();
    let (mut records, mut calls) = (Vec::<CallRecord>::new(), 0);
    for run in &all {
        let summary = run.finish(Duration::from_secs(1)).await.unwrap();
        calls += summary.sent;
        println!("{protocol:?}: {:?}", summary.schedule);
        run.drain_into(&mut records);
    }
    let (cpu, wake_ups) = usage();
    server.kill().unwrap();
    server.wait().unwrap();

    let mut latency: Vec<Duration> = records.iter().map(|r| r.done.since(r.sent)).collect();
    latency.sort();
    println!(
        "{protocol:?}: {calls} calls, each {:.1} µs of CPU and {:.2} wake-ups; from send to answer p50 {:?}, p99 {:?}; \
         ends {:?}",
        (cpu - before.0).as_secs_f64() * 1e6 / calls as f64,
        (wake_ups - before.1) as f64 / calls as f64,
        latency[latency.len() / 2],
        latency[latency.len() * 99 / 100],
        records.iter().map(|r| r.end).collect::<std::collections::HashSet<_>>(),
    );
}

/// User and system time of this process, and how often it has slept: the load thread, and next to nothing else.
fn usage() -> (Duration, i64) {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let time = |t: nix::sys::time::TimeVal| Duration::new(t.tv_sec() as u64, t.tv_usec() as u32 * 1_000);
    (time(usage.user_time()) + time(usage.system_time()), usage.voluntary_context_switches())
}
