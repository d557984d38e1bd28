//! Load engine, real Envoy, workload: that the three understand each other over HTTP/2 and gRPC.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail")]

use serde_json::{Value, json};
use squall_model::{
    Answer, Behaviour, CallRecord, ClientEnd, GrpcStatus, InstanceId, LedgerRecord, Protocol, ServiceName,
};
use squall_traffic::{Line, LoadThread, Request, Shape, Start};
use squall_workload::{Control, Endpoint, LedgerLine, Onward, WorkloadArgs, WorkloadConfig, parse_line, workload_main};
use std::{
    collections::BTreeSet,
    io::Write as _,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(30);
const CONFIG: &str = "SQUALL_TEST_WORKLOAD_CONFIG";

/// Not a test but a process under test: this binary, told by the variable to be a workload.
#[test]
fn workload_process() {
    if let Some(config) = std::env::var_os(CONFIG) {
        workload_main(&WorkloadArgs { config: PathBuf::from(config) }).unwrap();
    }
}

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `web` calls `reviews`, both through one Envoy, which retries what is unavailable once.
struct House {
    web: Workload,
    reviews: Workload,
    load: LoadThread,
    folder: TempDir,
    _envoy: Process,
}

struct Workload {
    control: Control,
    ledger: PathBuf,
    /// Tries that have been looked at.
    seen: usize,
    _process: Process,
}

impl House {
    /// `None`: there is no Envoy, and the test is skipped, loudly.
    async fn open(protocol: Protocol) -> Option<House> {
        let Some(found) = squall_place::envoy::at_hand(None).expect("an Envoy that is named runs") else {
            assert!(std::env::var_os("CI").is_none(), "no Envoy to be had");
            // Past the capture of the test harness, which hides what passing tests print.
            std::io::stderr().write_all(b"SKIPPED: no Envoy to be had, nothing was proven\n").unwrap();
            return None;
        };
        let folder = tempfile::Builder::new().prefix("sq").tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("envoy.json"), envoy(folder.path()).to_string()).unwrap();
        let mut command = Command::new(found.path);
        command.args(["--use-dynamic-base-id", "--concurrency", "1", "-l", "error", "-c"]).arg(at("envoy.json"));
        let envoy = Process(command.stdin(Stdio::null()).spawn().unwrap());
        let reviews = Workload::start(folder.path(), "reviews", protocol, vec![]).await;
        let via = Endpoint::Unix(at("out"));
        let onward = vec![Onward { service: "reviews".into(), via, protocol }];
        let web = Workload::start(folder.path(), "web", protocol, onward).await;
        let by = Instant::now() + DEADLINE;
        while UnixStream::connect(at("out")).is_err() {
            assert!(Instant::now() < by, "the proxy does not listen");
            tokio::task::yield_now().await;
        }
        Some(House { web, reviews, load: LoadThread::start().unwrap(), folder, _envoy: envoy })
    }

    /// Makes calls, and says how they ended: all alike, or it is no answer.
    async fn calls(&self, to: &str, protocol: Protocol, shape: Shape) -> ClientEnd {
        let target = squall_traffic::Endpoint::Unix(self.folder.path().join("out"));
        let line = Line::new(0, vec![target], Request::new("GET", to, "/").unwrap(), shape);
        let line = Line { protocol, deadline: Duration::from_secs(20), ..line };
        let run = self.load.begin(vec![line], Start::default()).unwrap();
        run.finish(DEADLINE).await.unwrap();
        let mut records = Vec::<CallRecord>::new();
        run.drain_into(&mut records);
        let first = records[0].end;
        assert!(records.iter().all(|r| r.end == first), "{records:?}");
        first
    }

    /// One call to `reviews` that is answered so, and what its ledger says of the tries.
    async fn one(&mut self, protocol: Protocol, answer: Answer) -> (ClientEnd, Vec<LedgerRecord>) {
        self.reviews.control.set(&Behaviour { answer, ..Behaviour::default() }).await.unwrap();
        let end = self.calls("reviews", protocol, Shape::Serial { calls: 1 }).await;
        (end, self.reviews.new_tries())
    }
}

impl Workload {
    async fn start(folder: &Path, name: &str, protocol: Protocol, onward: Vec<Onward>) -> Workload {
        let at = |what: &str| folder.join(format!("{name}.{what}"));
        let config = WorkloadConfig {
            instance: InstanceId { service: ServiceName::from(name), number: 1 },
            listen: Endpoint::Unix(at("app")),
            protocol,
            control: at("control"),
            ledger: at("ledger"),
            behaviour: Behaviour::default(),
            onward,
            seed: 1,
        };
        std::fs::write(at("config"), serde_json::to_vec(&config).unwrap()).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "workload_process"]).env(CONFIG, at("config")).stdout(Stdio::null());
        let process = Process(command.spawn().unwrap());
        let control = Control::connect(&config.control, DEADLINE).await.unwrap();
        Workload { control, ledger: config.ledger, seen: 0, _process: process }
    }

    /// The tries since the last look.
    fn new_tries(&mut self) -> Vec<LedgerRecord> {
        let text = std::fs::read_to_string(&self.ledger).unwrap();
        let tries: Vec<LedgerRecord> = text
            .lines()
            .map(|line| match parse_line(line).unwrap() {
                LedgerLine::Record(record) => record,
                LedgerLine::Marker(text) => panic!("marker {text}"),
            })
            .collect();
        let new = tries[self.seen..].to_vec();
        self.seen = tries.len();
        new
    }
}

fn envoy(folder: &Path) -> Value {
    let pipe = |name: &str| json!({"pipe": {"path": folder.join(name)}});
    let cluster = |name: &str| {
        json!({
            "name": name, "type": "STATIC", "connect_timeout": "5s",
            "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }},
            "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [
                {"endpoint": {"address": pipe(&format!("{name}.app"))}},
            ]}]},
        })
    };
    let host = |name: &str| {
        json!({
            "name": name, "domains": [name], "include_request_attempt_count": true,
            "routes": [{"match": {"prefix": "/"}, "route": {
                "cluster": name, "timeout": "15s",
                "retry_policy": {"retry_on": "unavailable,retriable-status-codes", "num_retries": 1,
                    "retriable_status_codes": [503], "retry_back_off": {"base_interval": "0.001s"}},
            }}],
        })
    };
    json!({"static_resources": {
        "clusters": [cluster("web"), cluster("reviews")],
        "listeners": [{"name": "out", "address": pipe("out"), "filter_chains": [{"filters": [{
            "name": "hcm", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": "out", "preserve_external_request_id": true,
                "route_config": {"virtual_hosts": [host("web"), host("reviews")]},
                "http_filters": [{"name": "router", "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
            },
        }]}]}],
    }})
}

#[tokio::test]
async fn calls_and_onward_calls_over_grpc() {
    let Some(mut house) = House::open(Protocol::Grpc).await else { return };
    let shape =
        Shape::Open { rate_hz: 500.0, length: Duration::from_millis(400), arrivals: squall_traffic::Arrivals::Even };
    assert_eq!(house.calls("web", Protocol::Grpc, shape).await, ClientEnd::Grpc(GrpcStatus::Ok));
    for workload in [&mut house.web, &mut house.reviews] {
        let tries = workload.new_tries();
        assert_eq!(tries.len(), 200);
        assert!(tries.iter().all(|t| (t.status, t.grpc, t.attempt) == (200, Some(GrpcStatus::Ok), 1)), "{tries:?}");
        assert_eq!(tries.iter().map(|t| &t.id).collect::<BTreeSet<_>>().len(), 200);
    }
    // A failing onward call is said in gRPC's words.
    house.reviews.control.set(&Behaviour { answer: Answer::Status(500), ..Behaviour::default() }).await.unwrap();
    let end = house.calls("web", Protocol::Grpc, Shape::Serial { calls: 1 }).await;
    assert_eq!(end, ClientEnd::Grpc(GrpcStatus::Unavailable));
}

#[tokio::test]
async fn answers_over_grpc_and_what_envoy_makes_of_them() {
    let Some(mut house) = House::open(Protocol::Grpc).await else { return };
    let grpc = |status, after| Answer::Grpc { status, after };
    let (unavailable, not_found) = (GrpcStatus::Unavailable, GrpcStatus::NotFound);
    for (answer, end, tries, said) in [
        (Answer::Status(200), ClientEnd::Grpc(GrpcStatus::Ok), 1, (200, Some(GrpcStatus::Ok))),
        (grpc(not_found, 0), ClientEnd::Grpc(not_found), 1, (200, Some(not_found))),
        // Retried by its status as long as that comes alone.
        (grpc(unavailable, 0), ClientEnd::Grpc(unavailable), 2, (200, Some(unavailable))),
        (grpc(unavailable, 1), ClientEnd::Grpc(unavailable), 1, (200, Some(unavailable))),
        (Answer::Status(404), ClientEnd::Grpc(GrpcStatus::Unimplemented), 1, (404, None)),
        (Answer::CutBody, ClientEnd::Cut(200), 1, (200, None)),
        // No condition of the policy, and to a caller of gRPC a failure of the proxy is one of gRPC.
        (Answer::Reset, ClientEnd::Grpc(unavailable), 1, (0, None)),
        (Answer::Close, ClientEnd::Grpc(unavailable), 1, (0, None)),
        (Answer::Garbage, ClientEnd::Grpc(unavailable), 1, (0, None)),
    ] {
        let (ended, seen) = house.one(Protocol::Grpc, answer).await;
        let seen: Vec<_> = seen.iter().map(|t| (t.status, t.grpc)).collect();
        assert_eq!((ended, seen), (end, vec![said; tries]), "{answer:?}");
    }
}

#[tokio::test]
async fn answers_over_http_2_and_what_envoy_makes_of_them() {
    let Some(mut house) = House::open(Protocol::Http2).await else { return };
    for (answer, end, said) in [
        (Answer::Status(200), ClientEnd::Answered(200), vec![200]),
        (Answer::Status(204), ClientEnd::Answered(204), vec![204]),
        (Answer::Status(503), ClientEnd::Answered(503), vec![503, 503]),
        (Answer::CutBody, ClientEnd::Cut(200), vec![200]),
        // The policy is for a 503 of the service's own.
        (Answer::Reset, ClientEnd::Answered(503), vec![0]),
        (Answer::Close, ClientEnd::Answered(503), vec![0]),
        // An upstream's error of the protocol: response flag UPE.
        (Answer::Garbage, ClientEnd::Answered(502), vec![0]),
    ] {
        let (ended, seen) = house.one(Protocol::Http2, answer).await;
        let seen: Vec<_> = seen.iter().map(|t| t.status).collect();
        assert_eq!((ended, seen), (end, said), "{answer:?}");
    }
    house.reviews.control.set(&Behaviour::default()).await.unwrap();
    assert_eq!(house.calls("web", Protocol::Http2, Shape::Serial { calls: 5 }).await, ClientEnd::Answered(200));
    assert_eq!((house.web.new_tries().len(), house.reviews.new_tries().len()), (5, 5));
}
