//! The fault port, asked by a proxy that is not ours: nothing in it is but four filters and a cluster.

use crate::lab::{envoy, soon, until, until_some};
use futures_util::{StreamExt as _, future::join_all, stream};
use serde_json::{Value, json};
use squall_mesh_envoy::now;
use squall_mesh_proxy::{
    admin::Admin,
    bootstrap::Bootstrap,
    port::{FaultPort, Order, filters},
    render::{Condition, SlotTouch},
};
use squall_model::{AnswerCode, AskedRecord, FaultId, Fraction, GrpcStatus, InstanceId, Stamp};
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
    ops::Range,
    path::Path,
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    process::{Child, Command},
};

const RUN: &str = "r1.";

/// The status of a fault that cannot be taken for a mishap.
const TEAPOT: u16 = 418;

/// A call that waits for the port takes at least so long, and none that does not, on an idle machine: for what is printed.
const SLOW: Duration = Duration::from_millis(40);

/// An inbound proxy of somebody else before an upstream, and the port that it asks.
struct Theirs {
    port: Arc<FaultPort>,
    admin: Admin,
    inbound: SocketAddr,
    client: reqwest::Client,
    /// The heads of requests that the upstream got.
    heads: Arc<Mutex<Vec<String>>>,
    folder: TempDir,
    _process: Child,
}

/// How one call ended.
#[derive(Debug, Clone)]
struct Ended {
    id: String,
    began: Stamp,
    done: Stamp,
    /// Status of HTTP and, where there is one, of gRPC. `None`: it had no answer.
    status: Option<(u16, Option<String>)>,
}

impl Ended {
    fn took(&self) -> Duration {
        self.done.since(self.began)
    }

    fn is(&self, status: u16) -> bool {
        self.status.as_ref().is_some_and(|(found, _)| *found == status)
    }
}

fn shop() -> InstanceId {
    InstanceId { service: "shop".into(), number: 1 }
}

fn order(fault: u32, share: Fraction, does: SlotTouch) -> Order {
    let (fault, at) = (FaultId(fault), BTreeSet::from([shop()]));
    Order { fault, at, from: Some("web".into()), only: BTreeSet::new(), share, does }
}

fn abort(fault: u32, share: Fraction, status: u16) -> Order {
    order(fault, share, SlotTouch::Abort(AnswerCode::Status(status)))
}

fn delay(fault: u32, ms: u64) -> Order {
    order(fault, Fraction::ALL, SlotTouch::Delay(Duration::from_millis(ms)))
}

/// What a client sends that wants to be struck, or not to be.
const FORGED: [(&str, &str); 4] = [
    ("x-envoy-fault-abort-request", "451"),
    ("x-envoy-fault-abort-request-percentage", "0"),
    ("x-envoy-fault-delay-request", "5000"),
    ("x-envoy-fault-delay-request-percentage", "0"),
];

impl Theirs {
    async fn new() -> Option<Theirs> {
        let envoy = envoy()?;
        let folder = tempfile::Builder::new().prefix("sq").tempdir().unwrap();
        let port = Arc::new(FaultPort::start((Ipv4Addr::LOCALHOST, 0).into(), 7).unwrap());
        let heads = Arc::default();
        let config = bootstrap(folder.path(), upstream(Arc::clone(&heads)).await, port.address());
        let file = Bootstrap::file(folder.path());
        std::fs::write(&file, config.to_string()).unwrap();
        let flags = ["--concurrency", "1", "--disable-hot-restart", "--file-flush-interval-msec", "10"];
        let mut command = Command::new(envoy);
        let command = command.args(flags).arg("-c").arg(file).stdin(Stdio::null()).stdout(Stdio::null());
        let log = std::fs::File::create(Bootstrap::log(folder.path())).unwrap();
        let process = command.stderr(log).kill_on_drop(true).spawn().unwrap();
        let admin = Admin::new(&Bootstrap::admin(folder.path())).unwrap();
        let inbound = until_some("it listens", async || admin.listeners().await.ok()?.get("in").copied()).await;
        until("it is live", async || admin.ready().await.is_ok_and(|live| live)).await;
        let callers = BTreeMap::from([(Ipv4Addr::LOCALHOST.into(), "web".into())]);
        port.know(BTreeMap::from([(inbound, shop())]), callers);
        port.set(RUN, Vec::new());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Some(Theirs { port, admin, inbound, client, heads, folder, _process: process })
    }

    async fn call(&self, id: &str, headers: &[(&str, &str)]) -> Ended {
        let request = self.client.post(format!("http://{}/buy?n=1", self.inbound)).header("x-request-id", id);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let began = now();
        let status = request.send().await.ok().map(|answer| {
            let grpc = answer.headers().get("grpc-status").map(|code| code.to_str().unwrap().to_owned());
            (answer.status().as_u16(), grpc)
        });
        Ended { id: id.into(), began, done: now(), status }
    }

    /// Calls of these numbers, a few at once.
    async fn calls(&self, numbers: Range<usize>, headers: &[(&str, &str)]) -> Vec<Ended> {
        let ids = numbers.map(|n| format!("{RUN}{n}"));
        stream::iter(ids).map(async |id| self.call(&id, headers).await).buffer_unordered(8).collect().await
    }

    /// A call that the port decided about: on a busy machine an answer may come too late, and such a call goes on unharmed.
    async fn decided(&self, headers: &[(&str, &str)]) -> Ended {
        let numbers = Cell::new(0);
        let decided = async || {
            let before = self.undecided().await;
            numbers.set(numbers.get() + 1);
            let ended = self.call(&format!("{RUN}0.{}", numbers.get()), headers).await;
            (self.undecided().await == before).then_some(ended)
        };
        until_some("the port decides", decided).await
    }

    /// Calls one after the other, until it is told that they are enough.
    async fn stream_of_calls(&self, client: usize, enough: impl AsyncFn() -> bool) -> Vec<Ended> {
        let mut all = Vec::new();
        while !enough().await {
            all.push(self.call(&format!("{RUN}{client}.{}", all.len()), &[]).await);
        }
        all
    }

    async fn stat(&self, name: &str) -> u64 {
        self.admin.stats().await.unwrap().get(name).copied().unwrap_or_default()
    }

    /// Tries that went on without an answer of the port.
    async fn undecided(&self) -> u64 {
        self.stat("http.in.ext_authz.squall_port.failure_mode_allowed").await
    }

    /// What its log says of so many calls: the flags of each.
    async fn flags(&self, n: usize) -> Vec<(String, String)> {
        let read = || {
            let log = std::fs::read_to_string(self.folder.path().join("in.log")).unwrap_or_default();
            let line = |line: &str| line.split_once(' ').map(|(id, flags)| (id.to_owned(), flags.to_owned()));
            log.lines().filter_map(line).collect::<Vec<_>>()
        };
        until_some("every call is logged", async || Some(read()).filter(|lines| lines.len() >= n)).await
    }

    /// Heads with a header that steers faults.
    fn steered(&self) -> Vec<String> {
        let heads = self.heads.lock().unwrap();
        heads.iter().filter(|head| head.to_ascii_lowercase().contains("x-envoy-fault")).cloned().collect()
    }

    /// A moment at which the port decided again.
    async fn decides(&self) -> Stamp {
        let struck = async || Some(self.call("r1.0.0", &[]).await).filter(|call| call.is(TEAPOT));
        until_some("the port decides again", struck).await.done
    }
}

fn bootstrap(folder: &Path, upstream: SocketAddr, port: SocketAddr) -> Value {
    let type_url = |name: &str| format!("type.googleapis.com/envoy.{name}");
    let router = json!({
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": type_url("extensions.filters.http.router.v3.Router")},
    });
    let chain: Vec<Value> = filters::filters("").into_iter().chain([router]).collect();
    let log = json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": type_url("extensions.access_loggers.file.v3.FileAccessLog"),
            "path": folder.join("in.log"),
            "log_format": {"text_format_source": {"inline_string": "%REQ(X-REQUEST-ID)% %RESPONSE_FLAGS%\n"}},
        },
    });
    let manager = json!({
        "@type": type_url("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "in",
        "access_log": [log],
        "http_filters": chain,
        "route_config": {"virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "app"}}],
        }]},
    });
    let address = |at: SocketAddr| json!({"socket_address": {"address": at.ip().to_string(), "port_value": at.port()}});
    json!({
        "node": {"id": "theirs", "cluster": "theirs"},
        "admin": {"address": {"pipe": {"path": Bootstrap::admin(folder)}}},
        "stats_flush_on_admin": true,
        "static_resources": {
            "listeners": [{
                "name": "in",
                "address": address((Ipv4Addr::LOCALHOST, 0).into()),
                "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
            }],
            "clusters": [filters::cluster(port), {
                "name": "app",
                "type": "STATIC",
                "load_assignment": {
                    "cluster_name": "app",
                    "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(upstream)}}]}],
                },
            }],
        },
    })
}

/// Answers OK, and keeps the heads.
async fn upstream(heads: Arc<Mutex<Vec<String>>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let heads = Arc::clone(&heads);
            tokio::spawn(async move {
                let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
                while let Ok(read @ 1..) = connection.read(&mut buffer).await {
                    seen.extend_from_slice(&buffer[..read]);
                    if seen.ends_with(b"\r\n\r\n") {
                        heads.lock().unwrap().push(String::from_utf8(std::mem::take(&mut seen)).unwrap());
                        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                    }
                }
            });
        }
    });
    address
}

fn ids(of: impl Iterator<Item = String>) -> BTreeSet<String> {
    of.collect()
}

#[tokio::test]
async fn what_is_not_ours_is_neither_asked_about_nor_touched() {
    let Some(theirs) = Theirs::new().await else { return };
    theirs.port.set(RUN, vec![abort(0, Fraction::ALL, TEAPOT)]);
    let foreign = ["6f6b8a0e-7e3b-4a55-9c7e-0d1d6d5d2b11", "xr1.0", "r1.", "r1.0x", ""];
    for id in foreign {
        let ended = theirs.call(id, &FORGED).await;
        assert!(ended.is(200), "{ended:?}");
    }
    assert!(theirs.client.get(format!("http://{}/", theirs.inbound)).send().await.unwrap().status().is_success());
    assert_eq!(theirs.stat("cluster.squall-port.upstream_rq_total").await, 0, "the port is never asked");
    assert_eq!(theirs.steered().len(), foreign.len(), "what was forged is not ours to remove");

    // The control: one that is ours does reach the port.
    assert!(theirs.decided(&FORGED).await.is(TEAPOT));
    assert_ne!(theirs.stat("cluster.squall-port.upstream_rq_total").await, 0);
    eprintln!("not ours: of {} requests none was asked about, and none obeyed", foreign.len() + 1);
}

#[tokio::test]
async fn tries_are_struck_as_the_records_say() {
    const N: usize = 600;
    let Some(theirs) = Theirs::new().await else { return };
    let orders = vec![abort(3, Fraction::percent(30), 503)];
    theirs.port.set(RUN, orders.clone());
    let headers = [FORGED.as_slice(), &[("x-envoy-attempt-count", "2")]].concat();
    // A port that hitches on a busy machine is left alone for a while.
    let (by, mut ended, mut asked) = (soon(), Vec::new(), Vec::new());
    while asked.len() < N {
        ended.extend(theirs.calls(ended.len()..ended.len() + N, &headers).await);
        asked.extend(theirs.port.take(RUN));
        assert!(now() < by, "the port decides about {} of {}", asked.len(), ended.len());
    }
    let flags = theirs.flags(ended.len()).await;

    let struck = ids(asked.iter().filter(|one| !one.struck.is_empty()).map(|one| one.id.clone()));
    let failed = ids(ended.iter().filter(|call| call.is(503)).map(|call| call.id.clone()));
    let flagged = ids(flags.iter().filter(|(_, flags)| flags.contains("FI")).map(|(id, _)| id.clone()));
    let undecided = theirs.undecided().await;
    eprintln!(
        "30 % of {}: asked {}, struck {}, answered 503 {}, flagged FI {}, undecided {undecided}",
        ended.len(),
        asked.len(),
        struck.len(),
        failed.len(),
        flagged.len(),
    );
    assert_eq!(failed, flagged, "a 503 is a fault of ours, and the proxy says so");
    assert!(failed.is_subset(&struck), "what fails was struck: {:?}", failed.difference(&struck));
    assert!(
        (struck.len() - failed.len()) as u64 <= undecided,
        "what was struck fails: {:?}",
        struck.difference(&failed)
    );
    assert!(ended.iter().all(|call| call.is(503) || call.is(200)), "what was forged is not obeyed");
    assert!(undecided > 0 || asked.len() == ended.len());
    let share = struck.len() as f64 / asked.len() as f64;
    assert!((0.2..0.4).contains(&share), "about 30 %: {share}");
    let told = |one: &AskedRecord| {
        (one.attempt, &one.at, &one.meant) == (2, &shop(), &vec![FaultId(3)]) && one.caller == Some("web".into())
    };
    assert!(asked.iter().all(told), "{asked:?}");
    assert_eq!(theirs.steered(), [] as [String; 0], "the upstream sees nothing of it");

    // The same tries once more are drawn for anew, as those of an application that calls twice; once nothing was in place, they have
    // the fate that they had: it hangs on the seed alone.
    let fates: BTreeMap<&String, &Vec<FaultId>> = asked.iter().map(|one| (&one.id, &one.struck)).collect();
    let again = async || {
        theirs.calls(0..N, &headers).await;
        theirs.port.take(RUN)
    };
    let as_before = |one: &AskedRecord| fates.get(&one.id).is_none_or(|struck| **struck == one.struck);
    assert!(!again().await.iter().all(as_before), "asked twice, drawn for twice");
    theirs.port.set(RUN, Vec::new());
    theirs.port.set(RUN, orders);
    let repeated = again().await;
    assert!(!repeated.is_empty() && repeated.iter().all(as_before), "{repeated:?}");
}

#[tokio::test]
async fn delays_add_up_before_an_abort_and_grpc_is_answered_as_such() {
    let Some(theirs) = Theirs::new().await else { return };
    theirs.port.set(RUN, vec![delay(0, 120), delay(1, 80), abort(2, Fraction::ALL, TEAPOT)]);
    let both = theirs.decided(&FORGED).await;
    assert!(both.is(TEAPOT), "{both:?}");
    theirs.port.set(RUN, vec![delay(0, 120), delay(1, 80)]);
    let held = theirs.decided(&FORGED).await;
    assert!(held.is(200), "{held:?}");
    for flags in ["DI,FI", "DI"] {
        until("it is logged", async || theirs.flags(1).await.iter().any(|(_, found)| found == flags)).await;
    }
    eprintln!("delays of 120 and 80 ms: {:?} with an abort behind, {:?} alone", both.took(), held.took());
    for call in [both, held] {
        // A timer of the proxy's may be 3 ms early, and a busy machine late.
        assert!(call.took() > Duration::from_millis(190) && call.took() < Duration::from_secs(2), "{:?}", call.took());
    }
    assert_eq!(theirs.steered(), [] as [String; 0], "the upstream sees nothing of it");

    let unavailable = SlotTouch::Abort(AnswerCode::Grpc(GrpcStatus::Unavailable));
    let only = BTreeSet::from([Condition::Path("/buy".into()), Condition::Query("n=1".into())]);
    theirs.port.set(RUN, vec![Order { only, ..order(0, Fraction::ALL, unavailable) }]);
    let grpc = theirs.decided(&[("content-type", "application/grpc")]).await;
    assert_eq!(grpc.status, Some((200, Some("14".into()))));
}

#[tokio::test]
async fn a_port_that_dies_takes_its_faults_along() {
    let Some(theirs) = Theirs::new().await else { return };
    theirs.port.set(RUN, vec![abort(0, Fraction::ALL, TEAPOT)]);
    let (is_dead, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    let calling = join_all((0..4).map(|n| theirs.stream_of_calls(n, async || is_over.load(Ordering::Acquire))));
    let dying = async {
        let asked = async || theirs.stat("http.in.fault.aborts_injected").await;
        until("faults strike", async || asked().await >= 50).await;
        // On a thread of its own: the calls that are under way are answered meanwhile.
        let port = Arc::clone(&theirs.port);
        let die = move || (now(), port.stop().unwrap(), now());
        let (from, (), to) = tokio::task::spawn_blocking(die).await.unwrap();
        is_dead.store(true, Ordering::Release);
        let heads = || theirs.heads.lock().unwrap().len();
        let before = heads();
        until("calls go on without it", async || heads() > before + 500).await;
        is_over.store(true, Ordering::Release);
        (from, to)
    };
    let (ended, (killed, dead)) = tokio::join!(calling, dying);
    let ended: Vec<Ended> = ended.into_iter().flatten().collect();
    assert!(ended.iter().all(|call| call.is(TEAPOT) || call.is(200)), "no client sees an error");
    let later: Vec<&Ended> = ended.iter().filter(|call| call.began > dead).collect();
    assert!(later.iter().all(|call| call.is(200)), "no try is struck that began after it");
    let last = ended.iter().filter(|call| call.is(TEAPOT)).map(|call| call.done).max().unwrap();
    let worst = later.iter().map(|call| call.took()).max().unwrap();
    let late = last.signed_since(killed) as f64 / 1e6;
    eprintln!("killed: last fault {late:.1} ms after, then {} calls without one, the slowest {worst:?}", later.len());
    assert!(last.since(killed) < Duration::from_secs(1));

    theirs.port.resume().unwrap();
    let resumed = now();
    eprintln!("back: decides {:?} later", theirs.decides().await.since(resumed));
    assert_eq!(theirs.steered(), [] as [String; 0]);
}

/// Calls of so many clients in the first three seconds of a stall, and then its end; what was measured, in words.
async fn stall(clients: usize) -> Option<String> {
    let theirs = Theirs::new().await?;
    theirs.port.set(RUN, vec![abort(0, Fraction::ALL, TEAPOT)]);
    assert!(theirs.decided(&[]).await.is(TEAPOT));
    drop(theirs.port.take(RUN));
    theirs.port.stall();
    let until_then = now() + Duration::from_secs(3);
    let calling = (0..clients).map(|n| theirs.stream_of_calls(n, async || now() > until_then));
    let ended: Vec<Ended> = join_all(calling).await.into_iter().flatten().collect();
    assert!(ended.iter().all(|call| call.is(200)), "it fails open, and no client sees an error");
    let slow: Vec<Duration> = ended.iter().map(Ended::took).filter(|took| *took > SLOW).collect();
    assert!(ended.iter().all(|call| call.took() < Duration::from_secs(1)), "{:?}", slow.iter().max());
    let ejections = theirs.stat("cluster.squall-port.outlier_detection.ejections_enforced_total").await;
    assert_ne!(ejections, 0, "it is left alone");
    let asked = theirs.stat("cluster.squall-port.upstream_rq_total").await;
    assert!(asked < ended.len() as u64 / 2, "after a few calls nobody asks: {asked} of {}", ended.len());
    assert_eq!(theirs.port.take(RUN), [], "what was not answered is not written down");

    theirs.port.unstall();
    let unstalled = now();
    let back = theirs.decides().await.since(unstalled);
    let (slowest, slow, all) = (slow.iter().max(), slow.len(), ended.len());
    Some(format!(
        "stalled, {clients} clients: {slow} of {all} calls slow, up to {slowest:?}; then decides {back:?} later"
    ))
}

#[tokio::test]
async fn a_port_that_hangs_is_left_alone() {
    let Some(measured) = stall(1).await else { return };
    eprintln!("{measured}");
}

#[tokio::test]
async fn a_port_that_hangs_under_load_is_left_alone() {
    let Some(measured) = stall(8).await else { return };
    eprintln!("{measured}");
}
