use super::*;
use squall_mesh::{Desired, Mesh as _};
use squall_model::{Instance, InstanceId, Service, Topology};

/// Says when it goes on; it does, too, where nobody tells it to.
#[derive(Debug)]
struct Ice {
    what: String,
    told: Rc<RefCell<Vec<String>>>,
    thaw: Rc<RefCell<Thaw>>,
}

/// What becomes of all that stands still.
#[derive(Debug, Default, Clone)]
enum Thaw {
    /// It lasts.
    #[default]
    Never,
    /// It has gone on.
    Early(Lapse),
    /// Its pod does not answer any more.
    Silent,
}

impl Frozen for Ice {
    fn lapse(&self) -> Option<Lapse> {
        match &*self.thaw.borrow() {
            Thaw::Early(lapse) => Some(lapse.clone()),
            Thaw::Never | Thaw::Silent => None,
        }
    }

    fn go_on(self: Box<Self>) -> LocalBoxFuture<'static, Result<(), Lapse>> {
        Box::pin(async move {
            let thaw = self.thaw.borrow().clone();
            drop(self);
            match thaw {
                Thaw::Never => Ok(()),
                Thaw::Early(lapse) => Err(lapse),
                Thaw::Silent => std::future::pending().await,
            }
        })
    }
}

impl Drop for Ice {
    fn drop(&mut self) {
        self.told.borrow_mut().push(format!("wake {}", self.what));
    }
}

/// A cluster that remembers what it was told, in order, and is away as often as it is to be.
#[derive(Debug, Default)]
pub(super) struct Told {
    all: Rc<RefCell<Vec<String>>>,
    away: RefCell<usize>,
    thaw: Rc<RefCell<Thaw>>,
    /// What pods of others there are at one look after the other, and from the last on.
    looks: RefCell<Vec<Vec<Value>>>,
}

impl Told {
    /// A cluster with these pods of others.
    pub(super) fn showing(mut looks: Vec<Vec<Value>>) -> Told {
        looks.reverse();
        Told { looks: RefCell::new(looks), ..Told::default() }
    }

    fn answer(&self, word: &str, object: &Value) -> Result<(), Unkept> {
        let mut away = self.away.borrow_mut();
        if *away > 0 {
            *away -= 1;
            return Err(Unkept { why: "away".into(), passing: true });
        }
        let (kind, name) = (object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
        self.all.borrow_mut().push(format!("{word} {kind} {name}"));
        Ok(())
    }

    pub(super) fn since(&self) -> Vec<String> {
        std::mem::take(&mut self.all.borrow_mut())
    }
}

impl Keep for Told {
    fn apply(&self, object: Value) -> LocalBoxFuture<'_, Result<(), Unkept>> {
        Box::pin(async move { self.answer("apply", &object) })
    }

    fn delete(&self, object: Value) -> LocalBoxFuture<'_, Result<(), Unkept>> {
        Box::pin(async move { self.answer("delete", &object) })
    }

    fn pods(&self, _: &str, _: &BTreeMap<String, String>) -> LocalBoxFuture<'_, Result<Vec<Value>, Unkept>> {
        let mut looks = self.looks.borrow_mut();
        let look = if looks.len() > 1 { looks.pop() } else { looks.last().cloned() };
        Box::pin(std::future::ready(Ok(look.unwrap_or_default())))
    }

    fn evict(&self, pod: Value) -> LocalBoxFuture<'_, Result<(), Unkept>> {
        if pod["metadata"]["labels"]["budget"] == "none" {
            let why = "it would violate the pod's disruption budget".to_owned();
            return Box::pin(std::future::ready(Err(Unkept { why, passing: false })));
        }
        let told = format!("evict {}", pod["metadata"]["name"].as_str().unwrap());
        self.all.borrow_mut().push(told);
        Box::pin(std::future::ready(Ok(())))
    }

    fn hold(&self, _: Value, _: &Path, _: &Path) -> Launch {
        unreachable!("nothing is started here")
    }

    fn process(&self, start: &WorkloadStart<'_>) -> Launch {
        start.here()
    }

    fn address(&self, _: &Path) -> Option<IpAddr> {
        Some([127, 0, 0, 1].into())
    }

    fn follow(&self, _: &Path, _: &[(PathBuf, PathBuf)]) {}

    fn freeze(&self, folder: &Path, part: Part) -> LocalBoxFuture<'_, Result<Box<dyn Frozen>, String>> {
        let what = format!("{part:?} of {}", folder.display());
        let (told, thaw) = (Rc::clone(&self.all), Rc::clone(&self.thaw));
        Box::pin(async move {
            told.borrow_mut().push(format!("freeze {what}"));
            Ok(Box::new(Ice { what, told, thaw }) as Box<dyn Frozen>)
        })
    }
}

pub(super) async fn pods(told: &Rc<Told>) -> Pods {
    let pod = manifest::Settings {
        home: "/run/squall".into(),
        namespace: "squall-1".into(),
        image: "squall:1".into(),
        istiod: "istiod.istio-system.svc:15012".into(),
        labels: BTreeMap::new(),
    };
    let runner = Runner { address: [127, 0, 0, 1].into(), machine: "here".into(), can_be_silent: true };
    let way = Way::open(runner.address, pod.istiod.clone()).await.unwrap();
    Pods::new(Rc::clone(told) as Rc<dyn Keep>, pod, runner, way)
}

/// `web` calls `reviews`, which has so many instances.
fn config(instances: usize, tag: &str, pods: &Pods) -> (Config, Bindings) {
    let mut web = Service::new("web".into());
    web.calls = vec!["reviews".into()];
    let mut reviews = Service::new("reviews".into());
    reviews.instances = vec![Instance::default(); instances];
    let topology = Topology { services: vec![web, reviews], ..Topology::default() };
    let seat = |(n, id): (u8, InstanceId)| {
        let folder: PathBuf = format!("/run/p{n}").into();
        (id, Seat { node: format!("p{n}"), folder, inbound: ([10, 0, 0, n], INBOUND).into(), workload: None })
    };
    let seats = (0..).zip(topology.instances().map(|(id, ..)| id)).map(seat).collect();
    let at = Bindings { seats, tag: tag.into(), ..Bindings::default() };
    at.seats.values().for_each(|seat| pods.expect(&seat.node, &seat.folder));
    let want = Desired { topology: &topology, policies: Vec::new(), faults: &[] };
    (crate::render::render(&want, &at, pods.site()).unwrap(), at)
}

fn test(body: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(body);
}

#[test]
fn only_what_differs_is_told_and_what_proves_it_comes_last() {
    test(async {
        let told = Rc::new(Told::default());
        let pods = pods(&told).await;
        let by = now() + Duration::from_secs(60);
        let (two, _) = config(2, "r1", &pods);
        pods.give(&two, by).await.unwrap();
        let first = told.since();
        let probes = first.iter().position(|one| one.ends_with("-probes")).unwrap();
        assert!(first[probes..].iter().all(|one| one.ends_with("-probes")), "{first:?}");
        for pod in ["p0", "p1", "p2"] {
            assert!(first[..probes].contains(&format!("apply Pod {pod}")), "{first:?}");
        }
        pods.give(&two, by).await.unwrap();
        assert_eq!(told.since(), Vec::<String>::new(), "the same again");
        // One instance less: what is its own goes, and its pod is told that it is nobody.
        let (one, _) = config(1, "r1", &pods);
        pods.give(&one, by).await.unwrap();
        let then = told.since();
        for gone in ["delete WorkloadEntry reviews-2", "delete Sidecar reviews-2", "apply Pod p2"] {
            assert!(then.contains(&gone.to_owned()), "{gone}: {then:?}");
        }
        assert_eq!(then.last().unwrap(), "apply EnvoyFilter outbound-probes");
    });
}

#[test]
fn an_api_server_that_is_away_for_a_moment_is_asked_again() {
    test(async {
        let told = Rc::new(Told::default());
        let pods = pods(&told).await;
        let (config, _) = config(1, "r1", &pods);
        *told.away.borrow_mut() = 3;
        pods.give(&config, now() + Duration::from_secs(60)).await.unwrap();
        assert!(told.since().len() > 5);
        *told.away.borrow_mut() = usize::MAX;
        let (other, _) = self::config(2, "r2", &pods);
        let late = pods.give(&other, now()).await.unwrap_err();
        assert!(late.to_string().contains("away"), "{late}");
    });
}

#[test]
fn in_a_new_scenario_nobody_listens_yet() {
    test(async {
        let told = Rc::new(Told::default());
        let pods = pods(&told).await;
        let by = now() + Duration::from_secs(60);
        let (first, at) = config(1, "r1", &pods);
        let seat = at.seats.values().next().unwrap();
        pods.give(&first, by).await.unwrap();
        assert!(!pods.listens(seat));
        pods.proved(&at);
        assert!(pods.listens(seat));
        let (next, at) = config(1, "r2", &pods);
        pods.give(&next, by).await.unwrap();
        assert!(!pods.listens(at.seats.values().next().unwrap()));
        pods.forget("p0");
        assert!(!pods.knows("p0"));
    });
}

fn seated(number: u32) -> Bindings {
    let node = format!("p{number}");
    let (folder, inbound) = (PathBuf::from(format!("/tmp/{node}")), SocketAddr::from(([127, 0, 0, 1], 1)));
    let seat = Seat { node, folder, inbound, workload: None };
    let id = InstanceId { service: "reviews".into(), number };
    Bindings { seats: [(id, seat)].into(), ..Bindings::default() }
}

fn soon() -> Stamp {
    now() + Duration::from_secs(20)
}

#[tokio::test]
async fn what_stands_still_goes_on_by_part_and_instance_and_with_its_pod() {
    let told = Rc::new(Told::default());
    let pods = pods(&told).await;
    assert!(pods.pause(Part::Proxy, &seated(1), soon()).await.unwrap());
    assert!(pods.pause(Part::Workload, &seated(1), soon()).await.unwrap());
    assert!(pods.pause(Part::Proxy, &seated(2), soon()).await.unwrap());
    assert_eq!(told.since(), ["freeze Proxy of /tmp/p1", "freeze Workload of /tmp/p1", "freeze Proxy of /tmp/p2"]);
    assert!(pods.resume(Part::Workload, &seated(1), soon()).await.unwrap());
    assert_eq!(told.since(), ["wake Workload of /tmp/p1"]);
    // Whatever stands still of it.
    assert!(pods.resume(Part::Instance, &seated(1), soon()).await.unwrap());
    assert_eq!(told.since(), ["wake Proxy of /tmp/p1"]);
    pods.forget("p2");
    assert_eq!(told.since(), ["wake Proxy of /tmp/p2"]);
    assert_eq!(pods.events(), [], "all of them lasted");
}

#[tokio::test]
async fn a_pause_that_ends_early_is_told_once() {
    let told = Rc::new(Told::default());
    let pods = pods(&told).await;
    pods.pause(Part::Proxy, &seated(1), soon()).await.unwrap();
    assert_eq!(pods.events(), []);
    let at = now() + Duration::from_secs(1);
    *told.thaw.borrow_mut() = Thaw::Early(Lapse { at, why: "the proxy ended meanwhile".into() });
    let events = pods.events();
    let [MeshEvent::Woke { node, part: Part::Proxy, at: since, why }] = &events[..] else { panic!("{events:?}") };
    assert!(node == "p1" && *since == at && why.starts_with("over after 1"), "{events:?}");
    assert!(why.ends_with("the proxy ended meanwhile"), "{why}");
    // Others of it may stand still: nobody is woken before that is asked for.
    assert_eq!((pods.events(), told.since()), (vec![], vec!["freeze Proxy of /tmp/p1".into()]));
    assert!(pods.resume(Part::Proxy, &seated(1), soon()).await.unwrap(), "it is no error");
    assert_eq!((pods.events(), told.since()), (vec![], vec!["wake Proxy of /tmp/p1".into()]), "and no news");
}

#[tokio::test]
async fn a_pause_that_ended_unseen_is_told_when_it_is_ended() {
    let told = Rc::new(Told::default());
    let pods = pods(&told).await;
    let was_told = |events: Vec<MeshEvent>, words: &str| {
        assert!(matches!(&events[..], [MeshEvent::Woke { why, .. }] if why.contains(words)), "{events:?}");
    };
    pods.pause(Part::Proxy, &seated(1), soon()).await.unwrap();
    *told.thaw.borrow_mut() = Thaw::Early(Lapse { at: now(), why: "no sign of life".into() });
    pods.resume(Part::Proxy, &seated(1), soon()).await.unwrap();
    was_told(pods.events(), "no sign of life");
    // Nobody knows whether it lasted.
    *told.thaw.borrow_mut() = Thaw::Silent;
    pods.pause(Part::Proxy, &seated(1), soon()).await.unwrap();
    pods.resume(Part::Proxy, &seated(1), now()).await.unwrap_err();
    was_told(pods.events(), "no word from the pod");
    // What was told of a seat that was thrown away is nobody's business.
    pods.pause(Part::Proxy, &seated(1), soon()).await.unwrap();
    pods.resume(Part::Proxy, &seated(1), now()).await.unwrap_err();
    pods.forget("p1");
    assert_eq!(pods.events(), []);
}

/// A sidecar that finds no istiod is not there, or has nothing of what is wanted, and cannot say why.
#[tokio::test]
async fn why_istiod_is_not_reached_is_said_of_proxies_that_wait_for_it() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut pods = pods(&Rc::new(Told::default())).await;
    let ours: IpAddr = [127, 0, 0, 1].into();
    pods.way = Way::open(ours, nobody.to_string()).await.unwrap();
    let port = pods.way.port();
    let folder = tempfile::tempdir().unwrap();
    let mesh = crate::Istio::start(pods, folder.path()).unwrap();
    let unready = async || mesh.ready("p0", folder.path(), now()).await.unwrap_err().to_string();
    let lags = async || mesh.with_reasons(vec!["web-1 has nothing".into()], &Bindings::default()).await;
    assert!(!unready().await.contains("istiod"), "nobody has tried to reach it");
    assert_eq!(lags().await, ["web-1 has nothing"]);
    let mut proxy = tokio::net::TcpStream::connect((ours, port)).await.unwrap();
    let _ = tokio::io::AsyncReadExt::read(&mut proxy, &mut [0]).await;
    let (unready, lags) = (unready().await, lags().await);
    assert!(unready.starts_with("the control plane failed: istiod is not reached at"), "{unready}");
    assert!(matches!(&lags[..], [_, why] if why.contains("refused")), "{lags:?}");
}

#[tokio::test]
async fn one_that_does_not_follow_connects_anew() {
    use tokio::{
        io::AsyncReadExt,
        net::{TcpListener, TcpStream},
    };
    let istiod = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = || manifest::Settings {
        home: "/run/squall".into(),
        namespace: "squall-1".into(),
        image: "squall:1".into(),
        istiod: istiod.local_addr().unwrap().to_string(),
        labels: BTreeMap::new(),
    };
    let ours: IpAddr = [127, 0, 0, 1].into();
    let way = Way::open(ours, settings().istiod).await.unwrap();
    let runner = Runner { address: ours, machine: "here".into(), can_be_silent: true };
    let pods = Pods::new(Rc::new(Told::default()) as Rc<dyn Keep>, settings(), runner, way);
    let at = seated(1);
    let mut proxy = TcpStream::connect((ours, pods.way.port())).await.unwrap();
    let (_first, _) = istiod.accept().await.unwrap();
    let mut byte = [0];
    let ended = async { tokio::time::timeout(5 * PATIENCE, proxy.read(&mut byte)).await.expect("an end").unwrap_or(0) };
    tokio::select! {
        ended = ended => assert_eq!(ended, 0),
        unable = pods.admit(&at) => panic!("{unable}"),
    }
    assert!(!pods.is_severed("p1"));
}
