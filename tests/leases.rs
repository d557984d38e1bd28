//! Whoever dies, hangs or is cut off: a fault at somebody else's proxies is gone, as a client sees it that is none of ours, and what is theirs is
//! as it was.
//!
//! Only clusters of this machine are touched (kind's): elsewhere, and without one, it says SKIPPED and why. One round of each in every run of the
//! tests, and a table of the worst; by hand as many of the first as `SQUALL_CRASHES` says, and a third as many of each other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot unwrap should fail, and says what it saw"
)]

mod support;

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rand::RngExt;
use serde_json::{Value, json};
use squall_mesh::word_of;
use squall_mesh_istio::asking::PORT;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use support::{
    Squall, before_the_next_look,
    cluster::{ORPHANED, ask, cluster_to_be_had, make, namespaces, namespaces_after},
    shop::{Shop, theirs},
};

/// Whatever struck, its effect is gone within this; by the port alone, of a runner that is gone or does not answer, within [`AT_ONCE`].
const WITHIN: Duration = Duration::from_secs(15);

/// How soon a run is over whose runner says nothing, or hears nobody.
const GIVEN_UP: Duration = Duration::from_secs(150);

/// How soon a port that is gone, or does not answer, has no effect.
const AT_ONCE: Duration = Duration::from_secs(1);

/// What befalls a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    /// The runner is killed, and with it the port.
    Runner,
    /// And the agents in the pods of the run.
    RunnerAndAgents,
    /// And whoever started it: nobody is left but the reaper, which is not here either.
    Everybody,
    /// The runner stands still: it holds its connections, and says nothing.
    Hung,
    /// Nothing comes through to the runner, and nothing from it.
    CutOff,
    /// Whoever started the run is killed. The runner notices, and ends in order.
    Starter,
}

impl Blow {
    const ALL: [Blow; 6] =
        [Blow::Runner, Blow::RunnerAndAgents, Blow::Everybody, Blow::Hung, Blow::CutOff, Blow::Starter];

    fn within(self) -> Duration {
        if self == Blow::Starter { WITHIN } else { AT_ONCE }
    }

    fn fall(self, starter: &mut Child) {
        match self {
            Blow::Runner => strike(&processes(RUNNER), Signal::SIGKILL),
            Blow::RunnerAndAgents | Blow::Everybody => {
                if self == Blow::Everybody {
                    starter.kill().unwrap();
                }
                strike(&[processes(RUNNER), processes(AGENT)].concat(), Signal::SIGKILL);
            }
            Blow::Hung => strike(&processes(RUNNER), Signal::SIGSTOP),
            Blow::CutOff => {
                let runner = processes(RUNNER)[0].to_string();
                let down = ["-t", &runner, "-n", "ip", "link", "set", "eth0", "down"];
                assert!(Command::new("nsenter").args(down).status().unwrap().success());
            }
            Blow::Starter => starter.kill().unwrap(),
        }
    }
}

/// What the runner and an agent are called by.
const RUNNER: &[&str] = &["runner", "--config", "/etc/squall/job.json"];
const AGENT: &[&str] = &["agent"];

/// Processes of which this is true, by their program and its arguments, in whatever pod.
fn running(is_one: impl Fn(&str, &[&str]) -> bool) -> Vec<Pid> {
    let is_one = |pid: &i32| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&str> = words.split(|byte| *byte == 0).filter_map(|word| str::from_utf8(word).ok()).collect();
        words.split_first().is_some_and(|(program, args)| is_one(program, args))
    };
    let all = fs::read_dir("/proc").unwrap().filter_map(|one| one.ok()?.file_name().to_str()?.parse().ok());
    all.filter(is_one).map(Pid::from_raw).collect()
}

/// Processes of this program with these arguments.
fn processes(args: &[&str]) -> Vec<Pid> {
    running(|program, its| program.ends_with("squall") && its.starts_with(args))
}

/// Whether somebody connects to this address from within the pod of this process.
fn comes_in(from: Pid, to: SocketAddr) -> bool {
    let connect = format!("exec 3<>/dev/tcp/{}/{}", to.ip(), to.port());
    let args = ["-t", &from.to_string(), "-n", "timeout", "2", "bash", "-c", &connect];
    Command::new("nsenter").args(args).stderr(Stdio::null()).status().unwrap().success()
}

/// Nobody of another namespace reaches the pods of a run, nor its fault port, unless its proxies are to ask.
fn is_shut_to_strangers() {
    let stranger = running(|program, _| program.ends_with("coredns"))[0];
    let of = |api: &str, kind: &str, namespace: &str, name: &str| {
        let like = json!({"apiVersion": api, "kind": kind, "metadata": {"namespace": namespace, "name": name}});
        ask(async |cluster| cluster.get(&like).await.unwrap()).unwrap()
    };
    let [run] = <[String; 1]>::try_from(namespaces()).unwrap();
    let runner = of("v1", "Pod", &run, "squall-runner")["status"]["podIP"].as_str().unwrap().to_owned();
    let dns = of("v1", "Service", "kube-system", "kube-dns")["spec"]["clusterIP"].as_str().unwrap().to_owned();
    assert!(comes_in(stranger, format!("{dns}:53").parse().unwrap()), "a stranger gets nowhere at all");
    assert!(!comes_in(stranger, format!("{runner}:{PORT}").parse().unwrap()), "a stranger reaches the fault port");
}

fn strike(processes: &[Pid], signal: Signal) {
    assert!(!processes.is_empty(), "nobody is there to be struck");
    for pid in processes {
        // Whoever has ended meanwhile because of another does not have to be struck.
        assert!(matches!(kill(*pid, signal), Ok(()) | Err(Errno::ESRCH)), "{pid} cannot be struck");
    }
}

/// A user of the application, by a door of its own. Its calls have ids of the run, since no others are touched.
struct User {
    door: SocketAddr,
    /// By what the ids of the run's calls begin.
    word: String,
    calls: u64,
}

impl User {
    /// The door leads to `front`, which calls `reviews`.
    fn at(namespace: &str) -> User {
        let door = json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "door", "namespace": namespace},
            "spec": {"type": "NodePort", "selector": {"app": "front"}, "ports": [{"name": "http", "port": 80, "targetPort": 9080}]},
        });
        make(std::slice::from_ref(&door));
        let made = ask(async |cluster| cluster.get(&door).await.unwrap()).unwrap();
        let port = made["spec"]["ports"][0]["nodePort"].as_u64().unwrap();
        let nodes = ask(async |cluster| cluster.list(&json!({"apiVersion": "v1", "kind": "Node"})).await.unwrap());
        let addresses = nodes[0]["status"]["addresses"].as_array().unwrap();
        let own = addresses.iter().find(|address| address["type"] == "InternalIP").unwrap();
        let door: SocketAddr = format!("{}:{port}", own["address"].as_str().unwrap()).parse().unwrap();
        // It opens a moment after it was made.
        let by = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect_timeout(&door, Duration::from_secs(5)).is_err() {
            assert!(Instant::now() < by, "the door never opened");
            before_the_next_look();
        }
        User { door, word: String::new(), calls: 0 }
    }

    /// One call over a connection of its own: its status, and how long it took.
    fn call(&mut self) -> (u16, Duration) {
        self.calls += 1;
        let began = Instant::now();
        let mut connection = TcpStream::connect_timeout(&self.door, Duration::from_secs(5)).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let id = format!("{}r0.{}", self.word, 1_000_000 + self.calls);
        let head = format!("GET / HTTP/1.1\r\nhost: front\r\nx-request-id: {id}\r\nconnection: close\r\n\r\n");
        connection.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).unwrap();
        let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
        (status, began.elapsed())
    }

    /// Calls until the fault is felt that this run makes.
    fn feel(&mut self, starter: &mut Child) {
        let by = Instant::now() + Duration::from_secs(90);
        while self.call().0 == 200 {
            if let [namespace] = namespaces().as_slice() {
                self.word = word_of(namespace.trim_start_matches("squall-"));
            }
            assert_eq!(starter.try_wait().unwrap(), None, "the run ended before its fault was felt");
            assert!(Instant::now() < by, "the fault was never felt");
            before_the_next_look();
        }
    }

    /// When the last call that felt it had begun, and the slowest of the others, among all until it was not felt for a second.
    fn felt_last(&mut self, from: Instant, within: Duration) -> (Duration, Duration) {
        let (mut last, mut slowest) = (from, Duration::ZERO);
        while last.elapsed() < Duration::from_secs(1) {
            let began = Instant::now();
            match self.call() {
                (200, took) => slowest = slowest.max(took),
                _ => last = began,
            }
            assert!(last.duration_since(from) < within + WITHIN, "it is felt for ever");
        }
        (last.duration_since(from), slowest)
    }
}

/// A run, which does not outlive its test.
struct Starter(Child);

impl Drop for Starter {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whoever calls `front` feels it, as long as it is in place.
const FEATURE: &str = r#"Feature: A fault between services of an application
  Scenario: One of them fails the other
    Given the application in namespace "shop"
    And a service "web" that calls "front"
    When tries from "front" reaching "reviews" are aborted with status 503
    And "web" makes 20 calls per second to "front" for 120 seconds
    Then every call fails
"#;

/// Deals a blow to a run at some moment of its traffic. How long it was felt after that, and the slowest call that did not feel it.
fn dealt(blow: Blow, user: &mut User, feature: &str) -> (Duration, Duration) {
    let squall = Squall::new();
    let feature = squall.feature("between.feature", feature);
    let args = ["run", "--mesh", "istio", "--on", "kubernetes", "--no-early-stop", &feature];
    let starter = squall.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut starter = Starter(starter);
    user.feel(&mut starter.0);
    if blow == Blow::Runner {
        is_shut_to_strangers();
    }
    let moment = Instant::now() + Duration::from_millis(rand::rng().random_range(0..2_000));
    while Instant::now() < moment {
        assert_ne!(user.call().0, 200, "the fault was gone before");
    }
    let from = Instant::now();
    blow.fall(&mut starter.0);
    let came = user.felt_last(from, blow.within());
    if matches!(blow, Blow::Hung | Blow::CutOff) {
        // Whoever waits for it gives it up after a minute without a word; and who reaches no API server ends by himself, a little later.
        ends_by_itself(&mut starter.0, GIVEN_UP);
    }
    if matches!(blow, Blow::Everybody | Blow::Starter) {
        starter.0.wait().unwrap();
    }
    if blow == Blow::Everybody {
        squall.run(&["recover", "--on", "kubernetes"]).expect(0);
    }
    assert_eq!(namespaces_after(ORPHANED * 2), Vec::<String>::new(), "{blow:?}");
    came
}

/// Waits until a run has ended, in error.
fn ends_by_itself(starter: &mut Child, within: Duration) {
    let (began, by) = (Instant::now(), Instant::now() + within);
    let status = loop {
        match starter.try_wait().unwrap() {
            Some(status) => break status,
            None => assert!(Instant::now() < by, "it is waited for, for ever"),
        }
        before_the_next_look();
    };
    eprintln!("the run was given up after {:.0?}", began.elapsed());
    assert_eq!(status.code(), Some(3));
}

#[test]
fn whoever_dies_hangs_or_is_cut_off_a_fault_at_somebody_elses_is_gone() {
    let Some(_turn) = cluster_to_be_had() else { return };
    // Its door is open to whoever comes.
    let shop = Shop::deploy(|text| text.replace("STRICT", "PERMISSIVE"));
    let mut user = User::at(shop.namespace());
    let feature = shop.own(FEATURE);
    let crashes = std::env::var("SQUALL_CRASHES").ok().and_then(|n| n.parse().ok()).unwrap_or(1_u32);
    let before = theirs(shop.namespace());
    eprintln!("blow · rounds · felt after it for at most · slowest call that did not feel it");
    let mut late = Vec::new();
    for blow in Blow::ALL {
        let rounds = if blow == Blow::Runner { crashes } else { crashes.div_ceil(3) };
        let all: Vec<(Duration, Duration)> = (0..rounds).map(|_| dealt(blow, &mut user, &feature)).collect();
        let (felt, slowest) = (all.iter().map(|one| one.0).max().unwrap(), all.iter().map(|one| one.1).max().unwrap());
        eprintln!("{blow:?} · {rounds} · {felt:.0?} · {slowest:.0?}");
        late.extend((felt > blow.within()).then_some((blow, felt)));
        let after = after(shop.namespace(), &before);
        assert_eq!(after, before, "{blow:?}");
    }
    assert_eq!(late, []);
    assert_eq!(namespaces(), Vec::<String>::new());
}

/// What is theirs once what was put beside it is gone, which the garbage collection sees to a moment after the run's namespace.
fn after(
    namespace: &str,
    before: &std::collections::BTreeMap<String, Value>,
) -> std::collections::BTreeMap<String, Value> {
    let by = Instant::now() + WITHIN;
    loop {
        let now = theirs(namespace);
        if now == *before || Instant::now() > by {
            return now;
        }
        before_the_next_look();
    }
}
