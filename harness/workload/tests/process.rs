//! A workload as a process: how it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail")]

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use squall_model::{Answer, Behaviour, InstanceId, Protocol};
use squall_workload::{Control, Endpoint, LedgerLine, Onward, WorkloadArgs, WorkloadConfig, parse_line, workload_main};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    os::unix::process::ExitStatusExt as _,
    path::PathBuf,
    process::{Child, Command},
    time::{Duration, Instant},
};

const DEADLINE: Duration = Duration::from_secs(30);
const CONFIG: &str = "SQUALL_TEST_WORKLOAD_CONFIG";

/// Not a test but the process under test: this binary, told by the variable to be a workload.
#[test]
fn workload_process() {
    if let Some(config) = std::env::var_os(CONFIG) {
        workload_main(&WorkloadArgs { config: PathBuf::from(config) }).unwrap();
    }
}

/// A workload process that calls `ratings`, whom the test plays.
struct Process {
    child: Child,
    control: Control,
    config: WorkloadConfig,
    ratings: UnixListener,
    _dir: tempfile::TempDir,
}

impl Drop for Process {
    fn drop(&mut self) {
        // Ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    async fn start() -> Process {
        Process::speaking(Protocol::Http).await
    }

    async fn speaking(protocol: Protocol) -> Process {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let config = WorkloadConfig {
            instance: InstanceId { service: "reviews".into(), number: 1 },
            listen: Endpoint::Unix(at("listen")),
            protocol,
            control: at("control"),
            ledger: at("ledger"),
            behaviour: Behaviour::default(),
            onward: vec![Onward {
                service: "ratings".into(),
                via: Endpoint::Unix(at("ratings")),
                protocol: Protocol::Http,
            }],
            seed: 1,
        };
        std::fs::write(at("config"), serde_json::to_vec(&config).unwrap()).unwrap();
        let ratings = UnixListener::bind(at("ratings")).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "workload_process"])
            .env(CONFIG, at("config"))
            .spawn()
            .unwrap();
        let control = Control::connect(&config.control, DEADLINE).await.unwrap();
        assert_eq!(control.ready().pid, child.id());
        Process { child, control, config, ratings, _dir: dir }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Sends a try.
    fn ask(&self, id: &str) -> UnixStream {
        let Endpoint::Unix(path) = &self.config.listen else { unreachable!("it was told a path") };
        let mut stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        write!(stream, "GET / HTTP/1.1\r\nhost: reviews\r\nx-request-id: {id}\r\n\r\n").unwrap();
        stream
    }

    /// Takes the onward call of a try, which is then certainly in flight.
    fn onward(&self) -> UnixStream {
        taken(&self.ratings)
    }

    /// Waits until it accepts no more.
    fn is_deaf(&self) {
        let Endpoint::Unix(path) = &self.config.listen else { unreachable!("it was told a path") };
        let by = Instant::now() + DEADLINE;
        while UnixStream::connect(path).is_ok() {
            assert!(Instant::now() < by, "still accepting");
            std::thread::yield_now();
        }
    }

    fn statuses(&self) -> Vec<u16> {
        let text = std::fs::read_to_string(&self.config.ledger).unwrap();
        let status = |line| match parse_line(line).unwrap() {
            LedgerLine::Record(record) => record.status,
            LedgerLine::Marker(text) => panic!("marker {text}"),
        };
        text.lines().map(status).collect()
    }
}

/// The next call that comes, its head read.
fn taken(ratings: &UnixListener) -> UnixStream {
    let (stream, _) = ratings.accept().unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0);
    }
    lines.into_inner()
}

#[tokio::test]
async fn terminated_it_finishes_what_is_in_flight() {
    let mut process = Process::start().await;
    let mut caller = process.ask("run-1");
    let mut onward = process.onward();
    process.signal(Signal::SIGTERM);
    process.is_deaf();
    onward.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    let mut answer = String::new();
    caller.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("connection: close\r\n"), "{answer}");
    assert!(process.child.wait().unwrap().success());
    assert_eq!(process.statuses(), [200]);
}

#[tokio::test]
async fn terminated_it_does_not_wait_for_what_never_ends() {
    let mut process = Process::start().await;
    let mut caller = process.ask("run-1");
    let _onward = process.onward();
    process.signal(Signal::SIGTERM);
    let mut answer = String::new();
    caller.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "");
    assert!(process.child.wait().unwrap().success());
    assert_eq!(process.statuses(), [0]);
}

#[tokio::test]
async fn killed_it_has_written_down_all_that_was_answered() {
    let mut process = Process::start().await;
    process.control.set(&Behaviour { answer: Answer::Status(503), ..Behaviour::default() }).await.unwrap();
    for n in 0..50 {
        let mut caller = process.ask(&format!("run-{n}"));
        let mut begin = [0; 12];
        caller.read_exact(&mut begin).unwrap();
    }
    process.signal(Signal::SIGKILL);
    assert_eq!(process.child.wait().unwrap().signal(), Some(9));
    assert_eq!(process.statuses(), [503; 50]);
}

#[test]
fn a_configuration_that_is_none_is_an_error() {
    let error = workload_main(&WorkloadArgs { config: "/nowhere/config".into() }).unwrap_err();
    assert_eq!(error.to_string(), "configuration: /nowhere/config: No such file or directory (os error 2)");
}

/// The same over HTTP/2: no call is taken any more, and what is in flight is answered on a connection that is said to end.
#[tokio::test]
async fn terminated_over_http_2_it_finishes_what_is_in_flight() {
    let mut process = Process::speaking(Protocol::Http2).await;
    let Endpoint::Unix(path) = &process.config.listen else { unreachable!("it was told a path") };
    let stream = tokio::net::UnixStream::connect(path).await.unwrap();
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    let driver = tokio::spawn(connection);
    let request = http::Request::builder().uri("http://reviews/").header("x-request-id", "run-1").body(()).unwrap();
    let (answer, _) = sender.send_request(request, true).unwrap();
    // Off the runtime's thread, which has the request to send meanwhile.
    let ratings = process.ratings.try_clone().unwrap();
    let mut onward = tokio::task::spawn_blocking(move || taken(&ratings)).await.unwrap();
    process.signal(Signal::SIGTERM);
    process.is_deaf();
    onward.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    assert_eq!(tokio::time::timeout(DEADLINE, answer).await.unwrap().unwrap().status(), 200);
    let _ended = tokio::time::timeout(DEADLINE, driver).await.unwrap();
    assert!(process.child.wait().unwrap().success());
    assert_eq!(process.statuses(), [200]);
}
