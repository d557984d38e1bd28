//! Load by agents that are told by files and tell by their logs, as those in pods are: here as processes, and on a real cluster as a Job.
//!
//! Only clusters of this machine are touched (kind's): elsewhere, and without one, it says SKIPPED and why.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot unwrap should fail, and says what it saw"
)]

mod support;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use squall_load::{Merged, Own, Part, part};
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, channel},
    },
    time::{Duration, Instant},
};
use support::{
    Ran, Squall, before_the_next_look,
    cluster::{ask, cluster_to_be_had, namespaces_after},
};

/// How long a namespace takes to go, and some.
const GONE: Duration = Duration::from_secs(60);

fn wait(time: Duration) {
    let by = Instant::now() + time;
    while Instant::now() < by {
        before_the_next_look();
    }
}

// As processes.

/// A server that answers everything, and what was asked of it.
fn server() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/item/{{seq}}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let seen = Arc::clone(&seen);
            std::thread::spawn(move || answer(&stream, &seen));
        }
    });
    (url, asked)
}

fn answer(mut stream: &TcpStream, seen: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if lines.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        seen.lock().unwrap().push(head.split(' ').nth(1).unwrap().to_owned());
        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").is_err() {
            return;
        }
    }
}

/// What pods are told, in a folder that stands for theirs.
struct Told<'a> {
    squall: &'a Squall,
    agents: u32,
}

impl Told<'_> {
    fn home(&self) -> &Path {
        self.squall.home.path()
    }

    /// The task of all agents.
    fn task(&self, url: &str, args: &[&str]) {
        let args = [&["squall", "load", url], args].concat();
        let task = json!({"v": 1, "args": args, "seed": 7, "agents": self.agents});
        for folder in ["task", "orders"] {
            fs::create_dir_all(self.home().join(folder)).unwrap();
        }
        fs::write(self.home().join("task/told.json"), task.to_string()).unwrap();
        // Nobody has annotated a pod yet.
        fs::write(self.home().join("orders/told.json"), "").unwrap();
    }

    fn order(&self, start: Option<i128>, stop: bool) {
        let orders = json!({"sign": 1, "start": start.map(|at| at as u64), "stop": stop});
        // Whole, as Kubernetes does it.
        fs::write(self.home().join("orders/new"), orders.to_string()).unwrap();
        fs::rename(self.home().join("orders/new"), self.home().join("orders/told.json")).unwrap();
    }

    /// Starts one of them, and returns when it is ready.
    fn start(&self, nth: u32) -> Agent {
        let mut command = self.squall.command(&["load-agent", "--task", &self.home().display().to_string()]);
        command.env("JOB_COMPLETION_INDEX", nth.to_string()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut log = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        log.read_line(&mut line).unwrap();
        let word: Value = serde_json::from_str(&line).unwrap();
        assert!(word["ready"]["clock"].is_u64() && word["ready"]["address"].is_string(), "{line}");
        Agent { process, log }
    }
}

struct Agent {
    process: Child,
    log: BufReader<std::process::ChildStdout>,
}

impl Agent {
    /// Its last word, and how it ended.
    fn ends(mut self) -> (Value, Option<i32>) {
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        let status = self.process.wait().unwrap().code();
        let last = rest.lines().rfind(|line| !line.is_empty()).unwrap().to_owned();
        (serde_json::from_str(&last).unwrap(), status)
    }
}

/// So long from now, by the calendar.
fn from_now(time: Duration) -> i128 {
    jiff::Timestamp::now().as_nanosecond() + time.as_nanos() as i128
}

#[test]
fn agents_that_are_told_by_files_make_the_calls_of_one_run() {
    let (squall, (url, asked)) = (Squall::new(), server());
    let told = Told { squall: &squall, agents: 3 };
    told.task(&url, &["--rate", "250", "--duration", "2s", "--late", "1min", "--on", "kubernetes"]);
    let agents: Vec<Agent> = (0..3).map(|nth| told.start(nth)).collect();
    told.order(Some(from_now(Duration::from_secs(1))), false);
    let parts: Vec<(Own, Result<Part, String>)> = (0u32..)
        .zip(agents)
        .map(|(nth, agent)| {
            let (word, status) = agent.ends();
            assert_eq!((status, &word["told"]["stopped"]), (Some(0), &Value::Null));
            let meant = part(500, nth, 3);
            let own = Own { share: meant as f64 / 500.0, meant: Some(meant) };
            (own, Ok(serde_json::from_value(word["told"]["part"].clone()).unwrap()))
        })
        .collect();
    let merged = Merged::of(parts, false);
    let sent: Vec<u64> = merged.agents.iter().map(|agent| agent.came.as_ref().unwrap().calls).collect();
    assert_eq!(
        (sent, merged.calls.counts().succeeded, merged.took),
        (vec![167, 167, 166], 500, Duration::from_secs(2))
    );
    let mut asked: Vec<u32> =
        asked.lock().unwrap().iter().map(|path| path.strip_prefix("/item/").unwrap().parse().unwrap()).collect();
    asked.sort_unstable();
    assert_eq!(asked, (0..500).collect::<Vec<_>>());
}

#[test]
fn an_agent_that_is_late_sends_nothing_and_one_that_is_told_to_stop_stops() {
    let (squall, (url, asked)) = (Squall::new(), server());
    let told = Told { squall: &squall, agents: 1 };
    told.task(&url, &["--rate", "100", "--duration", "1min", "--late", "1min"]);
    let late = told.start(0);
    told.order(Some(from_now(Duration::ZERO) - 2_000_000_000), false);
    let (word, status) = late.ends();
    let why = word["failed"]["message"].as_str().unwrap();
    assert!(status == Some(3) && why.contains("it heard of the start 2.") && why.contains("sent nothing"), "{why}");
    assert!(asked.lock().unwrap().is_empty());
    // By an order, and as a pod that is deleted is.
    for by_an_order in [true, false] {
        told.order(None, false);
        let agent = told.start(0);
        let start = from_now(Duration::from_millis(500));
        told.order(Some(start), false);
        let before = asked.lock().unwrap().len();
        while asked.lock().unwrap().len() < before + 20 {
            before_the_next_look();
        }
        match by_an_order {
            true => told.order(Some(start), true),
            false => kill(Pid::from_raw(agent.process.id() as i32), Signal::SIGTERM).unwrap(),
        }
        let (word, status) = agent.ends();
        let why = if by_an_order { "an order" } else { "SIGTERM" };
        assert_eq!((status, &word["told"]["stopped"]), (Some(0), &json!(why)));
        let part: Part = serde_json::from_value(word["told"]["part"].clone()).unwrap();
        assert!(part.calls.counts().calls >= 20 && part.took < Duration::from_secs(30), "{:?}", part.took);
    }
}

// On a cluster.

/// Where the target is: no namespace of a run.
const TARGETS: &str = "squall-test-agents";

/// By which name it is called there.
const URL: &str = "http://target.squall-test-agents/";

/// A stand-in to be called, in a namespace that goes with the test.
struct Target;

impl Target {
    fn start() -> Target {
        let metadata = |name: &str| json!({"name": name, "namespace": TARGETS});
        let labels = json!({"app": "target"});
        let config = json!({
            "instance": {"service": "target", "number": 1},
            "listen": {"tcp": "0.0.0.0:9080"},
            "control": "/tmp/ctl.sock",
            "ledger": "/tmp/ledger.jsonl",
            "behaviour": {"latency": {"fixed": "5 ms"}, "answer": {"status": 200}, "capacity": null},
            "onward": [],
            "seed": 1,
        });
        let deployment = json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata("target"),
            "spec": {
                "replicas": 1,
                // Available is who has been ready for so long: by then every node knows the way to it.
                "minReadySeconds": 5,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": {"app": "target", "sidecar.istio.io/inject": "false"}},
                    "spec": {
                        "terminationGracePeriodSeconds": 1,
                        "containers": [{
                            "name": "target",
                            "image": std::env::var("SQUALL_IMAGE").unwrap_or_else(|_| format!("squall:{}", env!("CARGO_PKG_VERSION"))),
                            "imagePullPolicy": "IfNotPresent",
                            "args": ["workload", "--config", "/etc/app/target.json"],
                            "readinessProbe": {"tcpSocket": {"port": 9080}, "periodSeconds": 1},
                            "securityContext": {"runAsUser": 1000, "runAsGroup": 1000, "runAsNonRoot": true},
                            "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
                            "volumeMounts": [
                                {"name": "config", "mountPath": "/etc/app"},
                                {"name": "tmp", "mountPath": "/tmp"},
                            ],
                        }],
                        "volumes": [
                            {"name": "config", "configMap": {"name": "target"}},
                            {"name": "tmp", "emptyDir": {}},
                        ],
                    },
                },
            },
        });
        let objects = [
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": TARGETS}}),
            json!({
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": metadata("target"),
                "data": {"target.json": config.to_string()},
            }),
            json!({
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata("target"),
                "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": 9080}]},
            }),
            deployment,
        ];
        let target = Target;
        for object in &objects {
            ask(async |cluster| cluster.apply(object).await.unwrap());
        }
        let by = Instant::now() + Duration::from_secs(120);
        loop {
            let there = ask(async |cluster| cluster.get(&objects[3]).await.unwrap().unwrap());
            if there["status"]["availableReplicas"] == json!(1) {
                return target;
            }
            assert!(Instant::now() < by, "the target is not there: {}", there["status"]);
            wait(Duration::from_millis(200));
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        ask(async |cluster| cluster.remove_namespace(TARGETS, GONE).await).unwrap();
    }
}

/// What is asked for in each of these runs, but for how long: whether this machine keeps a schedule with all of them on it is not what is
/// tested.
const ASKED: [&str; 9] = ["load", URL, "--on", "kubernetes", "--agents", "4", "--late", "1min", "--rate"];

/// A run under way, and what it remarks.
struct Under {
    child: Child,
    remarks: Receiver<String>,
    said: String,
}

impl Under {
    fn start(squall: &Squall, args: &[&str]) -> Under {
        let mut command = squall.command(&[&ASKED, args].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (heard, remarks) = channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| heard.send(line)));
        Under { child, remarks, said: String::new() }
    }

    /// Waits until it remarks this, and then until its agents send.
    fn until_it_sends(&mut self) {
        let by = Instant::now() + Duration::from_secs(180);
        while !self.said.contains("agents are ready") {
            match self.remarks.recv_timeout(by.saturating_duration_since(Instant::now())) {
                Ok(line) => self.said += &(line + "\n"),
                Err(_) => panic!("its agents are never ready; it said:\n{}", self.said),
            }
        }
        // They begin twenty seconds after that.
        wait(Duration::from_secs(25));
    }

    fn ends(mut self) -> Ran {
        let output = self.child.wait_with_output().unwrap();
        self.said.extend(self.remarks.iter().map(|line| line + "\n"));
        let ran = Ran { err: self.said, ..Ran::from(output) };
        eprintln!("{}", ran.all());
        ran
    }
}

#[test]
fn four_agents_in_pods_send_what_was_asked_and_what_they_tell_adds_up() {
    let Some(_turn) = cluster_to_be_had() else { return };
    let target = Target::start();
    let args = ["200", "--duration", "10s", "--fail-if", "success < 90%", "--format", "json"];
    let ran = Under::start(&Squall::new(), &args).ends();
    drop(target);
    ran.expect(0);
    let told: Value = serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}:\n{}", ran.all()));
    let agents = told["Squall"]["agents"]["each"].as_array().unwrap();
    let sent: Vec<u64> = agents.iter().map(|agent| agent["calls"].as_u64().unwrap()).collect();
    assert_eq!(sent, [500, 500, 500, 500]);
    let merged = &told["DurationHistogram"]["Count"];
    assert_eq!((merged.as_u64(), told["RetCodes"]["200"].as_u64()), (Some(sent.iter().sum()), Some(2_000)));
    let rate = told["ActualQPS"].as_f64().unwrap();
    assert!((rate - 200.0).abs() <= 2.0, "{rate}/s");
    // All at one time: in each second as many as were asked for.
    for second in told["Squall"]["seconds"].as_array().unwrap() {
        assert_eq!(second["calls"], json!(200), "{second}");
    }
    assert_eq!(namespaces_after(GONE), Vec::<String>::new());
}

/// The pod of an agent, from 0, of the run that is under way.
fn pod_of(nth: usize) -> Value {
    ask(async |cluster| {
        let namespace = cluster.namespaces_of_runs().await.unwrap().pop().unwrap();
        let like = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace}});
        let is_it = |pod: &Value| {
            pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] == json!(nth.to_string())
        };
        let found = cluster.list(&like).await.unwrap().into_iter().find(is_it).unwrap();
        // No account, and nothing of one.
        assert_eq!(found["spec"]["automountServiceAccountToken"], json!(false));
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": found["metadata"]["name"]}})
    })
}

#[test]
fn a_run_that_loses_an_agent_is_inconclusive_and_says_how_much_of_the_load_is_lost() {
    let Some(_turn) = cluster_to_be_had() else { return };
    let target = Target::start();
    let squall = Squall::new();
    let mut run = Under::start(&squall, &["200", "--duration", "30s", "--fail-if", "errors > 0"]);
    run.until_it_sends();
    let pod = pod_of(1);
    ask(async |cluster| cluster.delete(&pod).await.unwrap());
    let ran = run.ends();
    drop(target);
    ran.expect(5).says(&[
        "agent 2 of 4 was lost: 25% of the load",
        "inconclusive",
        "4,500 of 6,000 meant are known",
        "undecided: an agent was lost",
    ]);
    for other in [1, 3, 4] {
        assert!(!ran.all().contains(&format!("agent {other} of 4 was lost")), "the others go on:\n{}", ran.all());
    }
    assert_eq!(namespaces_after(GONE), Vec::<String>::new());
}

#[test]
fn ctrl_c_stops_the_agents_in_order_and_tells_what_they_sent() {
    let Some(_turn) = cluster_to_be_had() else { return };
    let target = Target::start();
    let squall = Squall::new();
    let mut run = Under::start(&squall, &["200", "--duration", "5min"]);
    run.until_it_sends();
    kill(Pid::from_raw(run.child.id() as i32), Signal::SIGINT).unwrap();
    let ran = run.ends();
    drop(target);
    ran.expect(5).says(&["stopped by SIGINT", "of 60,000 meant", "answered 200"]);
    assert!(!ran.all().contains("was lost"), "{}", ran.all());
    assert_eq!(namespaces_after(GONE), Vec::<String>::new());
}
