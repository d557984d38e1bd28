//! What a wire costs: the latency that it adds to a call, and CPU of the link a call.
//!
//! `cargo run --release -p squall-link --example cost [RATE [SECONDS [CONNECTIONS]]]`; 1,000 calls per second for 5 s over 20
//! connections unless said otherwise. A call is 300 bytes there and 300 back; as many go directly in between, so that both meet
//! the same machine. The link is this program again; the server is a thread a connection.

#![expect(clippy::print_stdout, reason = "a measurement is printed")]
#![allow(clippy::unwrap_used, reason = "a measurement that fails may say so by panicking")]

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeVal,
};
use squall_link::{Control, LinkArgs, LinkConfig, WireConfig, link_main};
use squall_model::{InstanceId, Wire};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

const MESSAGE: [u8; 300] = [b'x'; 300];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &*arguments {
        [flag, config] if flag == "--link" => link_main(&LinkArgs { config: PathBuf::from(config) }).unwrap(),
        _ => {
            let number = |place: usize, usual| arguments.get(place).map_or(usual, |a| a.parse().unwrap());
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(measure(number(0, 1_000.0), number(1, 5.0), number(2, 20.0) as usize));
        }
    }
}

async fn measure(rate_hz: f64, seconds: f64, connections: usize) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let server = serve();
    let id = |service: &str| InstanceId { service: service.into(), number: 1 };
    let wire = Wire { from: id("web"), to: id("reviews") };
    let config = LinkConfig {
        host: std::net::Ipv4Addr::LOCALHOST.into(),
        control: at("control"),
        records: at("records"),
        wires: vec![WireConfig { wire, to: Some(server) }],
        seed: 1,
        ttl: Duration::from_secs(3),
    };
    std::fs::write(at("config"), serde_json::to_vec(&config).unwrap()).unwrap();
    let mut link = Command::new(std::env::current_exe().unwrap()).arg("--link").arg(at("config")).spawn().unwrap();
    let control = Control::connect(&config.control, Duration::from_secs(10)).await.unwrap();
    let listens = control.ready().listens[0].1;

    let open = |to: SocketAddr| -> Vec<TcpStream> { (0..connections).map(|_| connect(to)).collect() };
    let (mut direct, mut linked) = (open(server), open(listens));
    let calls = (rate_hz * seconds) as usize;
    let (mut direct_took, mut linked_took) = (Vec::new(), Vec::new());
    // So that no first call, with its connection, is in the figures.
    linked.iter_mut().chain(&mut direct).for_each(|stream| _ = call(stream));
    let begin = Instant::now();
    for n in 0..2 * calls {
        sleep_until(begin + Duration::from_secs_f64(n as f64 / (2.0 * rate_hz)));
        match n % 2 {
            0 => linked_took.push(call(&mut linked[n / 2 % connections])),
            _ => direct_took.push(call(&mut direct[n / 2 % connections])),
        }
    }
    // Cargo, whose process this was, has had children, too.
    let cpu_before = cpu_of_children();
    control.quit().await.unwrap();
    link.wait().unwrap();
    let cpu_used = cpu_of_children() - cpu_before;

    let quantile = |took: &mut Vec<Duration>, q: f64| {
        took.sort();
        took[((took.len() - 1) as f64 * q) as usize]
    };
    for (name, took) in [("directly", &mut direct_took), ("linked", &mut linked_took)] {
        println!("{name}: p50 {:?}, p99 {:?}", quantile(took, 0.5), quantile(took, 0.99));
    }
    println!(
        "{calls} calls over the link: it adds {:?} at p50 and takes {:.1} µs of CPU a call",
        quantile(&mut linked_took, 0.5).saturating_sub(quantile(&mut direct_took, 0.5)),
        cpu_used.as_secs_f64() * 1e6 / calls as f64,
    );
}

/// Answers each message with one as long, on every connection.
fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_nodelay(true).unwrap();
            thread::spawn(move || {
                let mut message = MESSAGE;
                while stream.read_exact(&mut message).is_ok() && stream.write_all(&message).is_ok() {}
            });
        }
    });
    at
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn call(stream: &mut TcpStream) -> Duration {
    let begin = Instant::now();
    stream.write_all(&MESSAGE).unwrap();
    stream.read_exact(&mut [0; MESSAGE.len()]).unwrap();
    begin.elapsed()
}

/// User and system time of the link, from its start, which takes about a millisecond, to its end.
fn cpu_of_children() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let time = |t: TimeVal| Duration::new(t.tv_sec() as u64, t.tv_usec() as u32 * 1_000);
    time(usage.user_time()) + time(usage.system_time())
}

fn sleep_until(at: Instant) {
    while let Some(left) = at.checked_duration_since(Instant::now()) {
        thread::park_timeout(left);
    }
}
