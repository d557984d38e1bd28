//! An Envoy in miniature: it subscribes, warms and acknowledges as the real one does, a rejected batch applied in part, and
//! says what it cannot serve.

use crate::xds::{Generation, Kind, Lag, Resources, XdsEvent, node::Node};
use envoy_types::pb::{
    envoy::{
        config::{core::v3::Node as Identity, route::v3::RouteConfiguration},
        service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse},
    },
    google::rpc::Status as Detail,
};
use prost::Message;
use squall_model::Stamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tonic::Status;

type Responses = UnboundedReceiver<Result<DeltaDiscoveryResponse, Status>>;

/// A control plane's view of one proxy, that proxy, and the two directions between them, delivered one message at a time.
pub(super) struct Pair {
    pub(super) node: Node,
    pub(super) clock: u64,
    generation: u64,
    streams: u64,
    responses: Option<Responses>,
    requests: VecDeque<DeltaDiscoveryRequest>,
    /// What is in force, by version.
    pub(super) serving: BTreeMap<Kind, BTreeMap<String, String>>,
    /// What was acknowledged: the versions that a new stream names.
    acknowledged: BTreeMap<Kind, BTreeMap<String, String>>,
    asked: BTreeMap<Kind, BTreeSet<String>>,
    /// New clusters, not in force before their endpoints have come.
    warming: BTreeMap<String, String>,
    /// Acknowledgements of clusters that wait for their endpoints, with those.
    withheld: Vec<(DeltaDiscoveryRequest, BTreeSet<String>)>,
    route_to: Option<String>,
}

/// A cluster that no Envoy takes.
pub(super) const BAD: &str = "bad";

impl Pair {
    pub(super) fn new() -> Pair {
        Pair {
            node: Node::new("p"),
            clock: 0,
            generation: 0,
            streams: 0,
            responses: None,
            requests: VecDeque::new(),
            serving: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            asked: BTreeMap::new(),
            warming: BTreeMap::new(),
            withheld: Vec::new(),
            route_to: None,
        }
    }

    pub(super) fn set(&mut self, resources: Resources) -> Generation {
        self.generation += 1;
        let now = self.tick();
        self.node.set(self.generation, resources, now);
        Generation(self.generation)
    }

    /// A stream opens; after a loss everything is asked for at once, with the versions that were kept.
    pub(super) fn connect(&mut self) {
        self.disconnect();
        let (outlet, responses) = unbounded_channel();
        self.streams += 1;
        self.node.open(self.streams, outlet);
        self.responses = Some(responses);
        if self.streams == 1 {
            return self.ask(&Kind::Cluster, &[]);
        }
        for kind in [Kind::Cluster, Kind::Endpoint, Kind::Listener, Kind::Route] {
            let names: Vec<String> = self.asked.get(&kind).into_iter().flatten().cloned().collect();
            if kind.has_wildcard() || !names.is_empty() {
                self.ask(&kind, &names);
            }
        }
    }

    pub(super) fn disconnect(&mut self) {
        self.node.close();
        self.responses = None;
        self.requests.clear();
        self.withheld.clear();
    }

    /// The control plane takes one request in.
    pub(super) fn deliver_request(&mut self) -> Option<Option<XdsEvent>> {
        let request = self.requests.pop_front()?;
        let now = self.tick();
        Some(self.node.request(request, now))
    }

    /// The proxy takes one response in.
    pub(super) fn deliver_response(&mut self) -> Option<DeltaDiscoveryResponse> {
        let response = self.responses.as_mut()?.try_recv().ok()?.unwrap();
        self.apply(&response);
        self.assert_nothing_is_missing();
        Some(response)
    }

    /// Delivers everything, both ways, until nothing is on its way. Gives the responses as `Cluster +a +b -c`.
    pub(super) fn drain(&mut self) -> Vec<String> {
        let mut log = Vec::new();
        for _ in 0..10_000 {
            let response = self.deliver_response();
            let idle = response.is_none();
            log.extend(response.map(|response| shown(&response)));
            if self.deliver_request().is_none() && idle {
                return log;
            }
        }
        panic!("it never ends: {:?}", &log[..20]);
    }

    pub(super) fn outcome(&self, generation: Generation) -> Option<Result<(), Lag>> {
        self.node.outcome(generation).map(|outcome| outcome.map(drop))
    }

    fn tick(&mut self) -> Stamp {
        self.clock += 1;
        Stamp(self.clock)
    }

    fn ask(&mut self, kind: &Kind, names: &[String]) {
        let kept = self.acknowledged.get(kind).cloned().unwrap_or_default();
        let kept = kept.into_iter().filter(|(name, _)| kind.has_wildcard() || names.contains(name));
        self.asked.entry(kind.clone()).or_default().extend(names.iter().cloned());
        self.requests.push_back(DeltaDiscoveryRequest {
            node: Some(Identity { id: "p".into(), ..Identity::default() }),
            type_url: kind.url().into(),
            resource_names_subscribe: names.to_vec(),
            initial_resource_versions: kept.collect(),
            ..DeltaDiscoveryRequest::default()
        });
    }

    fn forget(&mut self, kind: &Kind, name: &str) {
        self.asked.entry(kind.clone()).or_default().remove(name);
        self.acknowledged.entry(kind.clone()).or_default().remove(name);
        self.serving.entry(kind.clone()).or_default().remove(name);
        self.requests.push_back(DeltaDiscoveryRequest {
            type_url: kind.url().into(),
            resource_names_unsubscribe: vec![name.into()],
            ..DeltaDiscoveryRequest::default()
        });
    }

    fn apply(&mut self, response: &DeltaDiscoveryResponse) {
        let kind = Kind::of(&response.type_url);
        let mut answer = DeltaDiscoveryRequest {
            type_url: response.type_url.clone(),
            response_nonce: response.nonce.clone(),
            ..DeltaDiscoveryRequest::default()
        };
        if kind == Kind::Cluster {
            return self.apply_clusters(response, answer);
        }
        for one in &response.resources {
            self.serving.entry(kind.clone()).or_default().insert(one.name.clone(), one.version.clone());
            self.acknowledged.entry(kind.clone()).or_default().insert(one.name.clone(), one.version.clone());
            if kind == Kind::Route {
                let body = one.resource.as_ref().unwrap().value.as_slice();
                self.route_to = Some(RouteConfiguration::decode(body).unwrap().virtual_hosts[0].name.clone());
            }
        }
        for name in &response.removed_resources {
            self.serving.entry(kind.clone()).or_default().remove(name);
            self.acknowledged.entry(kind.clone()).or_default().remove(name);
        }
        answer.error_detail = None;
        self.requests.push_back(answer);
        match kind {
            Kind::Endpoint => {
                let came = response
                    .resources
                    .iter()
                    .map(|one| one.name.as_str())
                    .chain(response.removed_resources.iter().map(String::as_str));
                self.warm(&came.collect());
            }
            Kind::Listener => self.follow_listener(),
            _ => {}
        }
    }

    /// New ones warm until their endpoints come; a changed one serves on in its old form, and asks for nothing.
    fn apply_clusters(&mut self, response: &DeltaDiscoveryResponse, mut answer: DeltaDiscoveryRequest) {
        let first = !self.acknowledged.contains_key(&Kind::Cluster);
        let mut awaited = BTreeSet::new();
        for one in &response.resources {
            if one.name == BAD {
                answer.error_detail = Some(Detail { message: "bad is bad".into(), ..Detail::default() });
                continue;
            }
            self.warming.insert(one.name.clone(), one.version.clone());
            awaited.insert(one.name.clone());
            if !self.asked.get(&Kind::Endpoint).is_some_and(|asked| asked.contains(&one.name)) {
                self.ask(&Kind::Endpoint, std::slice::from_ref(&one.name));
            }
        }
        for name in &response.removed_resources {
            let known = self.serving.entry(Kind::Cluster).or_default().remove(name).is_some();
            if self.warming.remove(name).is_some() || known {
                self.forget(&Kind::Endpoint, name);
            }
        }
        let acknowledged = self.acknowledged.entry(Kind::Cluster).or_default();
        if answer.error_detail.is_none() {
            acknowledged.extend(response.resources.iter().map(|one| (one.name.clone(), one.version.clone())));
            response.removed_resources.iter().for_each(|name| drop(acknowledged.remove(name)));
        }
        self.withheld.push((answer, awaited));
        self.warm(&BTreeSet::new());
        if first && self.withheld.is_empty() {
            self.ask(&Kind::Listener, &[]);
        }
    }

    fn warm(&mut self, came: &BTreeSet<&str>) {
        for name in came {
            if let Some(version) = self.warming.remove(*name) {
                self.serving.entry(Kind::Cluster).or_default().insert((*name).to_owned(), version);
            }
        }
        let waited = !self.withheld.is_empty();
        for (answer, mut awaited) in std::mem::take(&mut self.withheld) {
            awaited.retain(|name| self.warming.contains_key(name));
            if awaited.is_empty() {
                self.requests.push_back(answer);
            } else {
                self.withheld.push((answer, awaited));
            }
        }
        if waited && self.withheld.is_empty() && !self.asked.contains_key(&Kind::Listener) {
            self.ask(&Kind::Listener, &[]);
        }
    }

    fn follow_listener(&mut self) {
        let listens = self.serving.get(&Kind::Listener).is_some_and(|listeners| listeners.contains_key("out"));
        let follows = self.asked.get(&Kind::Route).is_some_and(|asked| asked.contains("r"));
        if listens && !follows {
            self.ask(&Kind::Route, &["r".into()]);
        } else if !listens && follows {
            self.forget(&Kind::Route, "r");
            self.route_to = None;
        }
    }

    /// Make before break: where a route leads, there is a cluster that has its endpoints.
    fn assert_nothing_is_missing(&self) {
        let Some(to) = &self.route_to else { return };
        let known = self.serving.get(&Kind::Cluster).is_some_and(|clusters| clusters.contains_key(to));
        assert!(known, "the route leads to {to}, and there is none");
    }
}

fn shown(response: &DeltaDiscoveryResponse) -> String {
    let made = response.resources.iter().map(|one| format!(" +{}", one.name));
    let gone = response.removed_resources.iter().map(|name| format!(" -{name}"));
    made.chain(gone).fold(Kind::of(&response.type_url).to_string(), |line, part| line + &part)
}
