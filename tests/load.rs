//! `squall load` against a small server of the test's own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot unwrap should fail, and says what it saw"
)]

#[path = "../harness/traffic/tests/support/secured.rs"]
mod secured;
mod support;

use secured::{Authority, Papers, serve};
use serde_json::Value;
use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::net::UnixListener,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use support::{Ran, Squall, root};

/// What the server makes of its k-th request, from 0, so long after its first one.
type Answer = dyn Fn(usize, Duration) -> Say + Send + Sync;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Say {
    Status(u16),
    /// Only after so long.
    After(Duration),
    /// Never, and nothing on this connection any more.
    Nothing,
}

struct Server {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(answer: impl Fn(usize, Duration) -> Say + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Server { url, seen: Arc::default() };
        let serve = server.serve(answer);
        std::thread::spawn(move || {
            listener.incoming().flatten().for_each(|stream| serve(stream.try_clone().unwrap(), stream));
        });
        server
    }

    /// One more thread a connection.
    fn serve<R: Read + Send + 'static, W: Write + Send + 'static>(
        &self,
        answer: impl Fn(usize, Duration) -> Say + Send + Sync + 'static,
    ) -> Box<dyn Fn(R, W) + Send> {
        let (answer, seen): (Arc<Answer>, _) = (Arc::new(answer), Arc::clone(&self.seen));
        let (count, first) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None)));
        Box::new(move |mut reader: R, mut writer: W| {
            let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
            let (count, first) = (Arc::clone(&count), Arc::clone(&first));
            std::thread::spawn(move || {
                while let Some(request) = receive(&mut reader) {
                    seen.lock().unwrap().push(request);
                    let since = first.lock().unwrap().get_or_insert_with(Instant::now).elapsed();
                    let status = match answer(count.fetch_add(1, Ordering::SeqCst), since) {
                        Say::Status(status) => status,
                        Say::After(time) => {
                            wait(time);
                            200
                        }
                        Say::Nothing => {
                            let _ = reader.read(&mut [0]);
                            return;
                        }
                    };
                    let text = format!("HTTP/1.1 {status} x\r\ncontent-length: 2\r\nlocation: /elsewhere\r\n\r\nok");
                    if writer.write_all(text.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        })
    }

    fn load(&self, args: &[&str]) -> Ran {
        let mut all = vec!["load", &self.url];
        all.extend(args);
        // What is tested here is not whether this machine keeps a schedule.
        if !args.contains(&"--late") {
            all.extend(["--late", "1min"]);
        }
        Squall::new().run(&all)
    }
}

/// What a server does when it stands still: nothing comes to wake it before its time.
fn wait(time: Duration) {
    let never = Mutex::new(());
    drop(Condvar::new().wait_timeout_while(never.lock().unwrap(), time, |()| true));
}

/// A head and its body, as text.
fn receive(reader: &mut impl Read) -> Option<String> {
    let (mut text, mut byte) = (Vec::new(), [0]);
    while !text.ends_with(b"\r\n\r\n") {
        match reader.read(&mut byte) {
            Ok(1) => text.push(byte[0]),
            _ => return None,
        }
    }
    let head = String::from_utf8_lossy(&text).into_owned();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(head + &String::from_utf8_lossy(&body))
}

fn prompt(_: usize, _: Duration) -> Say {
    Say::Status(200)
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}:\n{}", ran.all()))
}

#[test]
fn a_run_is_told_for_people() {
    let server = Server::start(prompt);
    let ran =
        server.load(&["--rate", "200", "--duration", "1s", "--fail-if", "success < 90%", "--fail-if", "p50 > 5s"]);
    ran.expect(0).says(&[
        "open loop",
        "200 in 1 s",
        "success",
        "100%",
        "p99",
        "answered 200",
        "generator",
        "✓ p50 > 5s",
        "kept",
    ]);
    let seen = server.seen.lock().unwrap();
    assert_eq!(seen.len(), 200, "the look whether anybody is there carries no call");
    assert!(seen[0].starts_with("GET / HTTP/1.1\r\n"), "{}", seen[0]);
}

#[test]
fn method_headers_and_body_are_sent_and_no_redirect_is_followed() {
    let server = Server::start(|_, _| Say::Status(302));
    let url = format!("{}/a?b=c", server.url);
    let args = [
        "--rate",
        "20",
        "--duration",
        "500ms",
        "-X",
        "PUT",
        "-H",
        "x-tier: gold",
        "-H",
        "Host: shop",
        "--body",
        "30-bytes",
    ];
    let mut all = vec!["load", &url];
    all.extend(args);
    Squall::new().run(&all).expect(0).says(&["answered 302"]);
    let seen = server.seen.lock().unwrap();
    assert_eq!(seen.len(), 10, "no call but those of the schedule");
    let head = "PUT /a?b=c HTTP/1.1\r\nhost: shop\r\nuser-agent: squall\r\nx-tier: gold\r\ncontent-length: 30\r\n";
    assert!(seen[0].starts_with(head) && seen[0].ends_with("abcdefghijklmnopqrstuvwxyzabcd"), "{}", seen[0]);
}

#[test]
fn redirects_are_followed_where_that_is_asked_for() {
    let server = Server::start(|k, _| Say::Status(if k % 2 == 0 { 302 } else { 200 }));
    let one_by_one = ["--users", "1", "--thinking", "20ms", "--duration", "300ms"];
    server.load(&[&one_by_one[..], &["--follow-redirects"]].concat()).expect(0).says(&[
        "redirects",
        "at most 10",
        "100%  answered 200",
    ]);
    assert_eq!(asked(&server)[..2], ["GET /", "GET /elsewhere"]);
    let around = Server::start(|_, _| Say::Status(302));
    around
        .load(&[&one_by_one[..], &["--follow-redirects=2"]].concat())
        .expect(3)
        .says(&["redirected more often than is followed", "was answered"]);
    assert_eq!(asked(&around)[..4], ["GET /", "GET /elsewhere", "GET /elsewhere", "GET /"]);
}

#[test]
fn over_a_unix_socket() {
    let squall = Squall::new();
    let path = squall.home.path().join("web.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let server = Server { url: format!("unix:{}:/there", path.display()), seen: Arc::default() };
    let serve = server.serve(prompt);
    std::thread::spawn(move || {
        listener.incoming().flatten().for_each(|stream| serve(stream.try_clone().unwrap(), stream));
    });
    let ran = server.load(&["--users", "3", "--thinking", "50ms", "--duration", "500ms"]);
    ran.expect(0).says(&["closed loop", "3 users"]);
    assert!(server.seen.lock().unwrap()[0].starts_with("GET /there HTTP/1.1\r\nhost: localhost\r\n"));
}

#[test]
fn every_schedule_sends_what_it_says() {
    let server = Server::start(prompt);
    let squall = Squall::new();
    let recording = squall.feature("moments", "# seconds\n0\n0.01\n0.01\n50ms\n");
    for (args, calls) in [
        (&["--rate", "0..200", "--duration", "1s"][..], 100),
        (&["--rate", "100", "--duration", "1s", "--arrivals", "jitter"], 100),
        (&["--steps", "50:1s,0:200ms,100:500ms"], 100),
        (&["--bursts", "20 every 200ms", "--duration", "500ms"], 60),
        (&["--replay", &recording], 4),
    ] {
        let ran = server.load(&[args, &["--format", "json"]].concat());
        ran.expect(0);
        assert_eq!(json(&ran)["Squall"]["calls"]["made"], calls, "{args:?}");
    }
    let poisson = ["--rate", "200", "--duration", "1s", "--arrivals", "poisson", "--seed", "7", "--format", "json"];
    let made = |ran: Ran| json(&ran)["Squall"]["calls"]["made"].as_u64().unwrap();
    let (one, two) = (made(server.load(&poisson)), made(server.load(&poisson)));
    assert_eq!(one, two, "the same seed");
    assert!((100..300).contains(&one), "{one}");
}

/// What a closed-loop tool does not see: the calls that were due while the server stood still waited for it.
#[test]
fn a_stall_is_in_the_percentiles() {
    let stall = Duration::from_millis(1_000)..Duration::from_millis(1_300);
    let server = Server::start(
        move |_, since| {
            if stall.contains(&since) { Say::After(stall.end - since) } else { Say::Status(200) }
        },
    );
    let ran = server.load(&["--rate", "500", "--duration", "3s", "--format", "json"]);
    ran.expect(0);
    let result = json(&ran);
    let squall = &result["Squall"];
    assert_eq!((&squall["calls"]["meant"], &squall["calls"]["made"]), (&1_500.into(), &1_500.into()));
    // 150 of 1,500 calls waited for 0 to 300 ms: the 15th longest wait is 270 ms.
    let p99 = squall["latency"].as_array().unwrap().iter().find(|p| p["percentile"] == 99.0).unwrap();
    let p99 = p99["measured"].as_f64().unwrap();
    assert!((0.2..1.0).contains(&p99), "p99 {p99} s");
    let seconds = squall["seconds"].as_array().unwrap();
    assert!(seconds[1]["p99"].as_f64() > seconds[0]["p99"].as_f64(), "{seconds:?}");
}

/// The run ends on time, and what is in flight then is counted as unanswered.
#[test]
fn a_server_that_falls_silent_does_not_hold_the_run_up() {
    let server = Server::start(|k, _| if k < 50 { Say::Status(200) } else { Say::Nothing });
    let begin = Instant::now();
    let ran = server.load(&[
        "--rate",
        "100",
        "--duration",
        "1s",
        "--drain",
        "300ms",
        "--fail-if",
        "p90 > 1s",
        "--fail-if",
        "errors > 20%",
    ]);
    assert!(begin.elapsed() < Duration::from_secs(6), "{:?}", begin.elapsed());
    ran.expect(1).says(&["unanswered when the run ended", "50.0%", "no answer", "✗ p90 > 1s", "✗ errors > 20%"]);
}

#[test]
fn thresholds_have_three_outcomes() {
    let server = Server::start(|k, _| Say::Status(if k % 10 == 0 { 503 } else { 200 }));
    let with = |threshold: &str| server.load(&["--rate", "500", "--duration", "600ms", "--fail-if", threshold]);
    with("success < 50%").expect(0).says(&["✓", "kept"]);
    with("errors > 2%").expect(1).says(&["✗", "broken", "it is between"]);
    with("errors > 9.5%").expect(5).says(&["undecided", "more calls would tell"]);
    with("p99.9 > 20s").expect(5).says(&["undecided", "6,905 calls"]);
    with("errors > 0").expect(1).says(&["it is 10.0%"]);
}

#[test]
fn a_late_generator_is_told_and_decides_nothing() {
    let server = Server::start(prompt);
    let ran = server.load(&["--rate", "200", "--duration", "500ms", "--late", "0ms", "--fail-if", "p50 > 0ms"]);
    ran.expect(5).says(&["generator saturated", "undecided: the generator was saturated"]);
}

#[test]
fn what_the_cap_holds_back_is_counted() {
    let server = Server::start(|_, _| Say::After(Duration::from_millis(100)));
    let ran = server.load(&[
        "--rate",
        "100",
        "--duration",
        "500ms",
        "--connections",
        "2",
        "--drain",
        "100ms",
        "--format",
        "json",
    ]);
    ran.expect(0);
    let result = json(&ran);
    let generator = &result["Squall"]["generator"];
    assert_eq!(result["Squall"]["calls"]["made"], 50, "none is dropped");
    assert!(generator["held_back"].as_u64().unwrap() >= 40, "{generator}");
    assert!(result["Squall"]["outcomes"]["held back, never sent"].as_u64().unwrap() > 0, "{result:#}");
}

/// What fortio's own viewer reads (ui/static/js/fortio_chart.js), each of its type.
#[test]
fn json_has_the_shape_that_fortio_reads() {
    let server =
        Server::start(|k, _| if k == 5 { Say::Nothing } else { Say::Status(if k % 2 == 0 { 200 } else { 500 }) });
    let ran = server.load(&["--rate", "100", "--duration", "1s", "--timeout", "500ms", "--format", "json"]);
    ran.expect(0);
    let result = json(&ran);
    for field in ["RunType", "Labels", "StartTime", "RequestedQPS", "RequestedDuration", "Version", "ID", "URL"] {
        assert!(result[field].is_string(), "{field}: {}", result[field]);
    }
    for field in ["ActualQPS", "ActualDuration", "NumThreads", "Exactly"] {
        assert!(result[field].is_number(), "{field}: {}", result[field]);
    }
    assert_eq!(result["RequestedQPS"], "100");
    assert_eq!(result["ActualDuration"], 1_000_000_000);
    assert_eq!(result["RetCodes"], serde_json::json!({ "200": 50, "500": 49, "-1": 1 }));
    let histogram = &result["DurationHistogram"];
    assert_eq!(histogram["Count"], 100);
    let data = histogram["Data"].as_array().unwrap();
    assert_eq!(data.iter().map(|d| d["Count"].as_u64().unwrap()).sum::<u64>(), 100);
    assert_eq!(data.last().unwrap()["Percent"], 100.0);
    assert!(data.windows(2).all(|d| d[0]["End"].as_f64() <= d[1]["Start"].as_f64()), "{data:?}");
    let percentiles: Vec<f64> =
        histogram["Percentiles"].as_array().unwrap().iter().map(|p| p["Percentile"].as_f64().unwrap()).collect();
    assert_eq!(percentiles, [50.0, 75.0, 90.0, 99.0, 99.9]);
    assert!(histogram["Max"].as_f64().unwrap() >= 0.5, "the call without an answer is in it until it was given up");
    assert_eq!(result["ErrorsDurationHistogram"]["Count"], 50);
}

#[test]
fn csv_has_a_line_for_each_second() {
    let server = Server::start(prompt);
    let ran = server.load(&["--rate", "50", "--duration", "2s", "--format", "csv"]);
    ran.expect(0);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 3, "{}", ran.all());
    let columns = lines[0].split(',').count();
    assert!(lines.iter().all(|line| line.split(',').count() == columns), "{lines:?}");
    assert!(lines[1].starts_with("0,50,50,50,0,") && lines[2].starts_with("1,50,50,50,0,"), "{lines:?}");
}

#[test]
fn bad_input_is_one_clear_line_at_once() {
    let server = Server::start(prompt);
    let (here, squall) = (&*server.url, Squall::new());
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed = format!("http://{nobody}");
    let unsorted = squall.feature("unsorted", "1\n0.5\n");
    let ragged = squall.feature("ragged", "a,b\n1,2\n3\n");
    let (of_tcp, of_websocket) = (here.replace("http", "tcp"), here.replace("http", "ws"));
    let (templated, closed_path) = (format!("{here}/{{name}}"), format!("{here}/a"));
    for (args, status, hint) in [
        (&["ftp://a", "--rate", "1"][..], 2, "scheme"),
        (&["https://127.0.0.1:1", "--rate", "1", "--cacert", "/nonexistent"], 2, "/nonexistent"),
        (&["https://127.0.0.1:1", "--rate", "1", "--cacert", &unsorted], 2, "no certificate"),
        (&["https://127.0.0.1:1", "--rate", "1", "--server-identity", "web"], 2, "SPIFFE"),
        (&[here, "--rate", "1", "--insecure"], 2, "--insecure is of TLS"),
        (&["http://no.such.host.invalid", "--rate", "1"], 3, "no.such.host.invalid"),
        (&[&closed, "--rate", "1"], 3, "nobody answers"),
        (&["unix:/nonexistent.sock", "--rate", "1"], 3, "nobody answers"),
        (&[here], 2, "--rate"),
        (&[here, "--rate", "0"], 2, "no calls"),
        (&[here, "--rate", "-5"], 2, "rate"),
        (&[here, "--rate", "5", "--duration", "0s"], 2, "no calls"),
        (&[here, "--rate", "5", "--duration", "soon"], 2, "number"),
        (&[here, "--users", "0"], 2, "no calls"),
        (&[here, "--rate", "5", "--connections", "0"], 2, "connections"),
        (&[here, "--rate", "5", "--timeout", "0s"], 2, "timeout"),
        (&[here, "--rate", "5", "--body", "@/nonexistent"], 2, "/nonexistent"),
        (&[here, "--rate", "5", "--header", "nameless"], 2, "nameless"),
        (&[here, "--rate", "5", "--header", "content-length: 5"], 2, "content-length"),
        (&[here, "--rate", "5", "--method", "GE T"], 2, "method"),
        (&[&templated, "--rate", "5"], 2, "no place that a call could fill"),
        (&[here, "--rate", "5", "--header", "a: {b"], 2, "brace"),
        (&[here, "--rate", "5", "--answer", "line"], 2, "of TCP"),
        (&[&of_tcp, "--rate", "5"], 2, "--body"),
        (&[&of_tcp, "--rate", "5", "--body", "x", "--answer", "message"], 2, "no messages"),
        (&[&of_websocket, "--rate", "5"], 2, "--body ping"),
        (&[&of_websocket, "--rate", "5", "--body", "x", "--http2"], 2, "--http2 has no meaning"),
        (
            &[&of_websocket, "--rate", "5", "--body", "x", "--disable-keepalive"],
            2,
            "--disable-keepalive has no meaning",
        ),
        (&[&of_websocket, "--rate", "5", "--body", "x", "--answer", "line"], 2, "--answer echo, or message"),
        (&[&of_websocket, "--rate", "5", "--body", "x", "--insecure"], 2, "wss://"),
        (&[&of_tcp, "--rate", "5", "--body", "x", "--http2"], 2, "there is no HTTP"),
        (&[&of_tcp, "--rate", "5", "--body", "x", "--answer", "word"], 2, "write echo"),
        (&[here, "--rate", "5", "--mix", "GET /"], 2, "WEIGHT METHOD PATH"),
        (&[&closed_path, "--rate", "5", "--mix", "1 GET /"], 2, "paths of its own"),
        (&[here, "--rate", "5", "--data", "/nonexistent"], 2, "/nonexistent"),
        (&[here, "--rate", "5", "--data", &ragged], 2, "line: 3"),
        (&[here, "--rate", "5", "--fail-if", "p99"], 2, "threshold"),
        (&[here, "--rate", "5", "--fail-if", "mood < 5%"], 2, "mood"),
        (&[here, "--replay", "/nonexistent"], 2, "/nonexistent"),
        (&[here, "--replay", &unsorted], 2, "unsorted:2"),
        (&[here, "--rate", "5", "--http2", "--grpc"], 2, "--grpc"),
        (&[here, "--rate", "5", "--http2", "--disable-keepalive"], 2, "--disable-keepalive"),
        (&[here, "--rate", "5", "--grpc", "--follow-redirects"], 2, "--follow-redirects"),
        (&[here, "--rate", "5", "--follow-redirects=0"], 2, "0 is not in"),
        (&[&of_tcp, "--rate", "5", "--body", "x", "--follow-redirects"], 2, "there is no HTTP"),
        (&[here, "--rate", "5", "--messages", "5"], 2, "--stream"),
        (&[here, "--rate", "5", "--grpc", "--stream", "server"], 2, "--messages"),
        (&[here, "--rate", "5", "--stream", "server", "--messages", "5"], 2, "--grpc"),
        (
            &[here, "--rate", "5", "--grpc", "--stream", "client", "--messages", "2000000000", "--body", "x"],
            2,
            "--messages",
        ),
        (&[here, "--rate", "5", "--deadline", "1s"], 2, "--grpc"),
        (&[here, "--rate", "5", "--grpc", "--deadline", "0s"], 2, "deadline"),
    ] {
        let begin = Instant::now();
        let ran = squall.run(&[&["load"], args].concat());
        assert_eq!(ran.status, Some(status), "{args:?} said:\n{}", ran.all());
        ran.says(&[hint]);
        assert!(ran.out.is_empty(), "{args:?} printed a table:\n{}", ran.out);
        assert!(begin.elapsed() < Duration::from_secs(10), "{args:?} took {:?}", begin.elapsed());
    }
    assert!(server.seen.lock().unwrap().is_empty(), "nothing was sent");
}

/// One that speaks something else: no table passes for a result.
#[test]
fn a_server_of_another_protocol_is_an_error() {
    let server = Server::start(prompt);
    server
        .load(&["--http2", "--rate", "20", "--duration", "500ms"])
        .expect(3)
        .says(&["not the protocol", "none of 10 calls"]);
}

#[test]
fn a_body_comes_from_a_file() {
    let server = Server::start(prompt);
    let squall = Squall::new();
    let file = squall.feature("body", "from a file");
    let at = format!("@{file}");
    server.load(&["--rate", "5", "--duration", "300ms", "--body", &at]).expect(0);
    assert!(server.seen.lock().unwrap()[0].starts_with("POST / "));
    assert!(server.seen.lock().unwrap()[0].ends_with("\r\n\r\nfrom a file"));
    drop(fs::remove_file(file));
}

/// What a signal stops is told as far as it came, and is no green.
/// A run under way: ten calls have come in.
fn under_way(server: &Server, squall: &Squall, more: &[&str]) -> std::process::Child {
    let mut command = squall.command(&[&["load", &server.url, "--rate", "100"], more].concat());
    let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let by = Instant::now() + Duration::from_secs(30);
    while server.seen.lock().unwrap().len() < 10 && Instant::now() < by {
        wait(Duration::from_millis(10));
    }
    child
}

fn signal(child: &std::process::Child, signal: nix::sys::signal::Signal) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), signal).unwrap();
}

/// Its process stands still for a second of three.
#[test]
fn a_generator_that_was_kept_from_its_work_says_so() {
    use nix::sys::signal::Signal::{SIGCONT, SIGSTOP};
    let (server, squall) = (Server::start(prompt), Squall::new());
    let child = under_way(&server, &squall, &["--duration", "3s", "--late", "500ms", "--format", "json"]);
    signal(&child, SIGSTOP);
    wait(Duration::from_secs(1));
    signal(&child, SIGCONT);
    let ran = Ran::from(child.wait_with_output().unwrap());
    ran.expect(5).says(&["generator saturated", "tenths of a second its thread woke more than 500 ms late"]);
    let generator = &json(&ran)["Squall"]["generator"];
    assert!(generator["saturated_by"].as_array().unwrap().contains(&"held_up".into()), "{generator}");
    let lags = generator["health"]["lag"].as_array().unwrap();
    assert!(lags.len() >= 10 && lags.iter().any(|lag| lag.as_f64().unwrap() > 0.5), "{lags:?}");
}

#[test]
fn a_run_that_is_stopped_tells_what_it_has() {
    let (server, squall) = (Server::start(prompt), Squall::new());
    let child = under_way(&server, &squall, &["--duration", "5min", "--late", "1min"]);
    signal(&child, nix::sys::signal::Signal::SIGINT);
    Ran::from(child.wait_with_output().unwrap()).expect(5).says(&[
        "stopped by SIGINT",
        "of 30,000 meant",
        "answered 200",
    ]);
}

/// The pids of the agents that this process leads.
fn agents_of(leader: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{leader}/task/{leader}/children")).unwrap_or_default();
    children.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

fn is_there(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|text| text.contains("load-agent"))
}

#[test]
fn agents_together_make_the_calls_of_one_run() {
    let server = Server::start(prompt);
    let args = ["--rate", "300", "--duration", "1s", "--late", "1min", "--seed", "7", "--format", "json"];
    let url = format!("{}/item/{{seq}}", server.url);
    let squall = Squall::new();
    let ran = squall.run(&[&["load", &url, "--agents", "3"], &args[..]].concat());
    ran.expect(0);
    let told = json(&ran);
    assert_eq!((told["DurationHistogram"]["Count"].as_u64(), told["RetCodes"]["200"].as_u64()), (Some(300), Some(300)));
    let mut asked: Vec<u32> =
        asked(&server).iter().map(|line| line.strip_prefix("GET /item/").unwrap().parse().unwrap()).collect();
    asked.sort_unstable();
    assert_eq!(asked, (0..300).collect::<Vec<_>>());
}

/// Starts a long run by two agents, and returns when both are sending.
fn led(server: &Server, squall: &Squall) -> (std::process::Child, Vec<u32>) {
    let args = ["load", &server.url, "--rate", "100", "--duration", "5min", "--late", "1min", "--agents", "2"];
    let mut command = squall.command(&args);
    let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let by = Instant::now() + Duration::from_secs(60);
    while server.seen.lock().unwrap().len() < 10 && Instant::now() < by {
        wait(Duration::from_millis(10));
    }
    let agents = agents_of(child.id());
    assert_eq!(agents.len(), 2);
    (child, agents)
}

fn all_end(agents: &[u32]) {
    let by = Instant::now() + Duration::from_secs(30);
    while agents.iter().any(|pid| is_there(*pid)) {
        assert!(Instant::now() < by, "an agent goes on without its leader");
        wait(Duration::from_millis(10));
    }
}

#[test]
fn agents_stop_with_the_run_and_with_its_death() {
    use nix::{sys::signal, unistd::Pid};
    let (server, squall) = (Server::start(prompt), Squall::new());
    let (child, agents) = led(&server, &squall);
    signal::kill(Pid::from_raw(child.id() as i32), signal::Signal::SIGINT).unwrap();
    Ran::from(child.wait_with_output().unwrap()).expect(5).says(&[
        "stopped by SIGINT",
        "of 30,000 meant",
        "answered 200",
    ]);
    all_end(&agents);
    let server = Server::start(prompt);
    let (child, agents) = led(&server, &squall);
    signal::kill(Pid::from_raw(child.id() as i32), signal::Signal::SIGKILL).unwrap();
    child.wait_with_output().unwrap();
    all_end(&agents);
}

#[test]
fn a_run_that_loses_an_agent_is_an_error() {
    use nix::{sys::signal, unistd::Pid};
    let (server, squall) = (Server::start(prompt), Squall::new());
    let (child, agents) = led(&server, &squall);
    signal::kill(Pid::from_raw(agents[1] as i32), signal::Signal::SIGKILL).unwrap();
    Ran::from(child.wait_with_output().unwrap()).expect(3).says(&["agent 2 of 2 is lost: it has ended"]);
    all_end(&agents);
}

/// A server that is secured, and the files that its callers need.
struct Secured {
    squall: Squall,
    url: String,
    authority: String,
}

impl Secured {
    fn start(issued: impl Fn(&Authority) -> Papers, asks: bool) -> (Secured, Authority) {
        let (squall, authority) = (Squall::new(), Authority::new());
        let at = serve(&issued(&authority), asks.then_some(&authority), &["http/1.1"]);
        let file = squall.feature("authority.pem", &authority.pem());
        (Secured { squall, url: format!("https://127.0.0.1:{}/", at.port()), authority: file }, authority)
    }

    fn load(&self, args: &[&str]) -> Ran {
        let all = ["load", &self.url, "--rate", "50", "--duration", "500ms", "--late", "1min"];
        self.squall.run(&[&all[..], args].concat())
    }
}

#[test]
fn calls_over_tls_are_told_part_by_part() {
    let (server, _) = Secured::start(|ours| ours.for_host("127.0.0.1"), false);
    let told = server.load(&["--cacert", &server.authority]);
    told.expect(0).says(&["secured", "for its name", "until sent", "connect", "TLS", "first byte", "last byte"]);
    let ran = server.load(&["--cacert", &server.authority, "--format", "json"]);
    let result = json(&ran);
    let parts = &result["Squall"]["parts"];
    let calls = |part: &str| parts[part]["calls"].as_u64().unwrap();
    assert_eq!((calls("until_sent"), calls("first_byte"), calls("last_byte")), (25, 25, 25));
    assert!((1..25).contains(&calls("tls")) && calls("tls") == calls("connect"), "{parts:#}");
    let mean = |part: &str, of: u64| parts[part]["mean"].as_f64().unwrap() * of as f64;
    let sum: f64 = ["until_sent", "connect", "tls", "first_byte", "last_byte"].map(|p| mean(p, calls(p))).iter().sum();
    let all = result["DurationHistogram"]["Sum"].as_f64().unwrap();
    assert!((sum / all - 1.0).abs() < 1e-6, "the parts are the whole: {sum} of {all}");
}

#[test]
fn a_server_that_is_not_who_it_should_be_gets_no_call() {
    let id = "spiffe://prod.example/ns/shop/sa/web";
    let (server, _) = Secured::start(|ours| ours.for_identity(id), false);
    server.load(&["--cacert", &server.authority, "--server-identity", id]).expect(0).says(&["the server is spiffe://"]);
    let other = "spiffe://prod.example/ns/shop/sa/cart";
    let ran = server.load(&["--cacert", &server.authority, "--server-identity", other]);
    ran.expect(3).says(&["somebody else", other, id]);
    server.load(&["--cacert", &server.authority]).expect(3).says(&["somebody else", "--server-identity"]);
    let ran = server.load(&[]);
    assert_eq!(
        ran.status,
        Some(if ran.err.contains("no certificates of authorities") { 2 } else { 3 }),
        "{}",
        ran.all()
    );
    server.load(&["--insecure"]).expect(0).says(&["the server's certificate is not checked"]);
    assert!(ran.out.is_empty(), "no table passes for a result: {}", ran.out);
}

#[test]
fn a_connection_for_each_call_is_a_part_of_each() {
    let (server, _) = Secured::start(|ours| ours.for_host("127.0.0.1"), false);
    let ran = server.load(&["--cacert", &server.authority, "--disable-keepalive", "--format", "json"]);
    ran.expect(0);
    let parts = &json(&ran)["Squall"]["parts"];
    let calls = |part: &str| parts[part]["calls"].as_u64().unwrap();
    assert_eq!((calls("connect"), calls("tls"), calls("first_byte")), (25, 25, 25), "{parts:#}");
    let plain = Server::start(prompt);
    plain.load(&["--rate", "20", "--duration", "500ms", "--disable-keepalive"]).expect(0).says(&["one for each call"]);
    assert!(plain.seen.lock().unwrap().iter().all(|request| request.contains("\r\nconnection: close\r\n")));
}

/// That a server wants a certificate of its callers is known only when the first call is with it.
#[test]
fn a_caller_shows_its_certificate_or_is_turned_away() {
    let (server, authority) = Secured::start(|ours| ours.for_host("127.0.0.1"), true);
    let own = authority.for_identity("spiffe://prod.example/ns/shop/sa/web");
    let certificate = server.squall.feature("own.pem", &own.certificate);
    let key = server.squall.feature("own.key", &own.key);
    let both = server.squall.feature("both.pem", &(own.certificate + &own.key));
    let trusted = ["--cacert", &server.authority];
    server.load(&[&trusted[..], &["--cert", &certificate, "--key", &key]].concat()).expect(0);
    server.load(&[&trusted[..], &["--cert", &both]].concat()).expect(0).says(&["the caller has one of its own"]);
    server.load(&[&trusted[..], &["--cert", &certificate]].concat()).expect(2).says(&["no private key", "--key"]);
    server.load(&trusted).expect(3).says(&["TLS failed: the server turned the caller away", "none of 25 calls"]);
}

/// Every call is on disk, as it was counted.
#[test]
fn the_call_log_has_every_call() {
    let server = Server::start(|k, _| Say::Status(if k % 4 == 0 { 503 } else { 200 }));
    let squall = Squall::new();
    let log = squall.home.path().join("calls").display().to_string();
    server.load(&["--rate", "200", "--duration", "1s", "--calls", &log]).expect(0);
    let read = squall.run(&["calls", &log]);
    read.expect(0);
    let lines: Vec<Vec<&str>> = read.out.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), 201, "{}", read.all());
    assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{}", read.out);
    let column = |name: &str| lines[0].iter().position(|n| *n == name).unwrap();
    let (outcome, intended) = (column("outcome"), column("intended_us"));
    assert_eq!(lines.iter().filter(|line| line[outcome] == "answered 503").count(), 50);
    let mut moments: Vec<f64> = lines[1..].iter().map(|line| line[intended].parse().unwrap()).collect();
    moments.sort_by(f64::total_cmp);
    assert_eq!((moments[0], moments[199]), (0.0, 995_000.0), "they count from the first intended send");
    let bytes = fs::read(&log).unwrap();
    let cut = squall.home.path().join("cut");
    fs::write(&cut, &bytes[..bytes.len() - 5]).unwrap();
    let read = squall.run(&["calls", &cut.display().to_string()]);
    read.expect(0).says(&["in the middle of a call"]);
    assert_eq!(read.out.lines().count(), 200, "all but the last");
    let readme = root().join("README.md").display().to_string();
    squall.run(&["calls", &readme]).expect(2).says(&["does not begin as a call log does"]);
}

#[test]
fn histograms_are_written_as_an_interval_log() {
    let server = Server::start(prompt);
    let ran = server.load(&["--rate", "50", "--duration", "2s", "--format", "hdr"]);
    ran.expect(0);
    let lines: Vec<&str> = ran.out.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(ran.out.starts_with("#[Histogram log format version 1.3]\n"), "{}", ran.out);
    let answered: Vec<&&str> = lines.iter().filter(|line| !line.starts_with("Tag=")).collect();
    assert_eq!(answered.len(), 2, "one a second: {}", ran.out);
    // What the format's compressed histograms begin with, in base64.
    assert!(answered.iter().all(|line| line.contains(",HISTFAAA")), "{}", ran.out);
    assert_eq!(lines.iter().filter(|line| line.starts_with("Tag=service,")).count(), 2, "{}", ran.out);
}

/// The first line of each request, in the order in which they were sent.
fn asked(server: &Server) -> Vec<String> {
    let seen = server.seen.lock().unwrap();
    seen.iter().map(|request| request.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned()).collect()
}

#[test]
fn places_are_filled_for_each_call() {
    let server = Server::start(prompt);
    let squall = Squall::new();
    let data = squall.feature("users.csv", "user,note\nann b,\"x, y\"\nbob,z\n");
    let url = format!("{}/u/{{user}}/{{seq}}/{{rand 1..3}}?id={{uuid}}", server.url);
    let all = ["load", &url, "--rate", "100", "--duration", "200ms", "--late", "1min", "--data", &data, "--seed", "5"];
    let body = ["--body-template", "{\"note\": \"{note}\", \"n\": {seq}}", "-H", "x-user: {user}"];
    squall.run(&[&all[..], &body].concat()).expect(0).says(&["seed 5"]);
    let mut first = asked(&server);
    first.sort();
    assert_eq!(first.len(), 20);
    assert!(first[0].starts_with("POST /u/ann%20b/0/"), "{first:?}");
    let ids: std::collections::HashSet<&str> = first.iter().map(|line| line.split_once("?id=").unwrap().1).collect();
    assert_eq!(ids.len(), 20, "{first:?}");
    let seen = server.seen.lock().unwrap().clone();
    let of_bob = seen.iter().find(|request| request.contains("/u/bob/1/")).unwrap();
    assert!(of_bob.contains("x-user: bob\r\n") && of_bob.ends_with("{\"note\": \"z\", \"n\": 1}"), "{of_bob}");
    server.seen.lock().unwrap().clear();
    squall.run(&[&all[..], &body].concat()).expect(0);
    let mut second = asked(&server);
    second.sort();
    assert_eq!(first, second, "the same seed makes the same calls");
}

#[test]
fn a_mix_is_sent_by_weight_and_told_by_request() {
    let server = Server::start(prompt);
    let mix = ["--mix", "9 GET /item/{rand 1..100}", "--mix", "1 POST /cart two words"];
    let args = ["--rate", "500", "--duration", "1s", "--format", "json", "--seed", "1"];
    let ran = server.load(&[&args[..], &mix].concat());
    ran.expect(0);
    let asked = asked(&server);
    let carts = asked.iter().filter(|line| *line == "POST /cart").count();
    assert_eq!(asked.iter().filter(|line| line.starts_with("GET /item/")).count() + carts, 500);
    assert!((15..100).contains(&carts), "{carts} of 500");
    let result = json(&ran);
    let requests = result["Squall"]["requests"].as_array().unwrap();
    assert_eq!(requests[1]["request"], "POST /cart");
    assert_eq!(
        requests.iter().map(|r| r["calls"].as_u64().unwrap()).collect::<Vec<_>>(),
        [500 - carts as u64, carts as u64]
    );
    assert!(server.seen.lock().unwrap().iter().any(|request| request.ends_with("two words")));
    server.load(&[&args[..4], &mix].concat()).expect(0).says(&["requests", "GET /item/{rand 1..100}"]);
}

/// A server that one call at a time keeps busy for 5 ms bears 200 calls a second, and no more.
#[test]
fn the_highest_rate_that_holds_is_found_and_told_with_its_reasons() {
    let turn = Mutex::new(());
    let server = Server::start(move |_, _| {
        let _one = turn.lock().unwrap();
        wait(Duration::from_millis(5));
        Say::Status(200)
    });
    let ran =
        server.load(&["--search-rate", "p90 < 150ms", "--duration", "1s", "--search-time", "90s", "--drain", "5s"]);
    ran.says(&["p90 < 150ms: holds", "does not hold"]);
    let held = ran.out.split("/s").next().unwrap().rsplit(' ').next().unwrap().parse::<f64>().unwrap();
    assert!((25.0..=220.0).contains(&held), "{}", ran.all());
}

#[test]
fn a_condition_that_no_rate_meets_is_red() {
    let server = Server::start(|_, _| Say::Status(503));
    let ran = server.load(&["--search-rate", "success > 99%", "--duration", "300ms", "--format", "json"]);
    ran.expect(1);
    let result = json(&ran);
    assert_eq!((&result["holds"], &result["fails"]), (&Value::Null, &1.0.into()));
}

/// A server that gives to each connection what this makes of what it read.
fn talks(answer: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + Copy + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut bytes = [0; 1024];
                while let Ok(read @ 1..) = stream.read(&mut bytes) {
                    if stream.write_all(&answer(&bytes[..read])).is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

#[test]
fn bytes_over_tcp_are_calls_too() {
    let load = |url: &str, args: &[&str]| {
        Squall::new().run(&[&["load", url, "--rate", "50", "--duration", "400ms", "--late", "1min"], args].concat())
    };
    let echo = talks(<[u8]>::to_vec);
    load(&echo, &["--body", "ping"]).expect(0).says(&["TCP", "20 in 400 ms", "100%  answered"]);
    load(&echo, &["--body-template", "ping {seq} {uuid}", "--answer", "echo"]).expect(0).says(&["100%  answered"]);
    load(&echo, &["--body", "12345", "--answer", "5-bytes"]).expect(0);
    let line = talks(|_| b"PONG\r\n".to_vec());
    load(&line, &["--body", "PING\r\n", "--answer", "line"]).expect(0).says(&["first byte"]);
    load(&line, &["--body", "PING\r\n"]).expect(3).says(&["not the protocol spoken", "none of 20 calls"]);
}
