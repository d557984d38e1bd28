//! Laws of rendering, over random scenarios.

use super::scenes::{numbered, rendered, seats, to, town};
use crate::encode;
use proptest::prelude::*;
use squall_mesh::Desired;
use squall_mesh_proxy::{
    channel::RuntimeValue,
    render::{Action, Condition, Forward, ProxyConfig, Retry, RouteTable, layers, render},
};
use squall_model::{
    AnswerCode, Calls, ControlRule, Fault, FaultId, FaultKind, Filter, Fraction, InstanceId, Level, Origin, OriginMap,
    PLAN_SCHEMA, Plan, PlanKey, Policy, PolicyId, PolicyKind, RetryOn, Target, Terms, Timeline, Title, Topology, Touch,
    Traffic, Variation, Which,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

pub(super) fn plan(topology: Topology, policies: Vec<PolicyKind>, faults: &[FaultKind]) -> Plan {
    let policies = (0..).map(PolicyId).zip(policies).map(|(id, says)| Policy { id, own: true, says });
    Plan {
        schema: PLAN_SCHEMA,
        key: PlanKey("0".into()),
        title: Title { feature: "F".into(), scenario: "S".into(), tags: Vec::new() },
        variation: Variation::Main,
        topology,
        policies: policies.collect(),
        faults: numbered(faults),
        timeline: Timeline::default(),
        claims: Vec::new(),
        guards: Vec::new(),
        control: ControlRule::Default,
        terms: Terms::default(),
        needs: Vec::new(),
        seed: 1,
        origins: OriginMap::of(Origin { file: "t".into(), line: 1, column: 1, length: 1 }),
    }
}

/// A request as a client sends it.
#[derive(Debug, Clone)]
struct Asked {
    path: &'static str,
    host: &'static str,
    query: Option<&'static str>,
    user: Option<&'static str>,
}

impl Asked {
    fn is(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Path(path) => path == self.path,
            Condition::Host(host) => host == self.host,
            Condition::Query(query) => Some(query.as_str()) == self.query,
            Condition::Header(name, value) => name == "x-squall-user" && Some(value.as_str()) == self.user,
            Condition::Has(name) => name == "x-squall-user" && self.user.is_some(),
        }
    }

    /// The language's own reading of a filter, apart from any rendering.
    fn is_meant(&self, filter: &Filter) -> bool {
        let or_any = |wanted: &Option<String>, has: Option<&str>| wanted.is_none() || wanted.as_deref() == has;
        or_any(&filter.path, Some(self.path))
            && or_any(&filter.host, Some(self.host))
            && or_any(&filter.query, self.query)
            && or_any(&filter.user, self.user)
    }
}

fn maybe(values: &'static [&'static str]) -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![2 => Just(None), 1 => proptest::sample::select(values).prop_map(Some)]
}

fn filter() -> impl Strategy<Value = Filter> {
    let text = |value: Option<&str>| value.map(str::to_owned);
    (maybe(&["/a", "/b"]), maybe(&["shop.test"]), maybe(&["c=1"]), maybe(&["alice", "bob"])).prop_map(
        move |(path, host, query, user)| Filter {
            path: text(path),
            host: text(host),
            query: text(query),
            user: text(user),
            ..Filter::default()
        },
    )
}

fn asked() -> impl Strategy<Value = Asked> {
    let path = proptest::sample::select(&["/a", "/b", "/"]);
    let host = proptest::sample::select(&["reviews", "shop.test"]);
    (path, host, maybe(&["c=1"]), maybe(&["alice", "bob"])).prop_map(|(path, host, query, user)| Asked {
        path,
        host,
        query,
        user,
    })
}

fn calls() -> impl Strategy<Value = Calls> {
    (maybe(&["web", "shop"]), filter()).prop_map(|(from, filter)| Calls {
        from: from.map(Into::into),
        filter,
        ..to("reviews")
    })
}

/// Retries and time limits, each told from the others by its number.
fn policies() -> impl Strategy<Value = Vec<PolicyKind>> {
    let one = (calls(), 0..3).prop_map(|(of, which)| match which {
        0 => PolicyKind::Retries { of, up_to: 0, on: vec![RetryOn::Reset], elsewhere: false },
        1 => PolicyKind::Timeout {
            of: Traffic { share: Fraction::ALL, level: Level::Calls, of },
            after: Duration::from_secs(1),
        },
        _ => PolicyKind::Timeout {
            of: Traffic { share: Fraction::ALL, level: Level::Tries, of },
            after: Duration::from_secs(1),
        },
    });
    let mark = |(n, mut policy): (u32, PolicyKind)| {
        match &mut policy {
            PolicyKind::Retries { up_to, .. } => *up_to = n + 1,
            PolicyKind::Timeout { after, .. } => *after = Duration::from_secs(u64::from(n) + 1),
            _ => {}
        }
        policy
    };
    proptest::collection::vec(one, 0..6).prop_map(move |all| (0..).zip(all).map(mark).collect())
}

fn target() -> impl Strategy<Value = Option<Target>> {
    let which = prop_oneof![
        Just(Which::Service),
        (1..4_u32).prop_map(Which::Instance),
        (1..4_u32).prop_map(Which::First),
        proptest::sample::select(&["v1", "v2"]).prop_map(|v| Which::Version(v.into())),
    ];
    let target = (which, maybe(&["east", "west"])).prop_map(|(which, zone)| Target {
        service: "reviews".into(),
        which,
        place: zone.map(squall_model::Place::zone),
    });
    proptest::option::of(target)
}

fn faults() -> impl Strategy<Value = Vec<FaultKind>> {
    let tries = (target(), maybe(&["web", "shop"]), 1..=100_u32).prop_map(|(to, from, percent)| {
        let of = Calls { from: from.map(Into::into), to, filter: Filter::default() };
        let on = Traffic { share: Fraction::percent(percent), level: Level::Tries, of };
        FaultKind::Touch { on, touch: Touch::Abort(AnswerCode::Status(503)) }
    });
    let calls =
        (maybe(&["web", "shop"]), maybe(&["reviews", "ratings"]), 1..=100_u32).prop_map(|(from, to, percent)| {
            let to = to.map(|to| Target::service(to.into()));
            let of = Calls { from: from.map(Into::into), to, filter: Filter::default() };
            let on = Traffic { share: Fraction::percent(percent), level: Level::Calls, of };
            FaultKind::Touch { on, touch: Touch::Delay(Duration::from_millis(5)) }
        });
    proptest::collection::vec(prop_oneof![tries, calls], 0..5)
}

/// Whether a fault has any business at the proxy of this instance: by the language, apart from any rendering.
fn is_aimed(fault: &Fault, instance: &InstanceId, topology: &Topology) -> bool {
    let FaultKind::Touch { on, .. } = &fault.does else { return false };
    let to = |service: &str| on.of.to.as_ref().is_none_or(|target| target.service.as_str() == service);
    match on.level {
        Level::Tries => on.of.to.as_ref().is_none_or(|target| target.instances(topology).contains(instance)),
        Level::Calls => {
            let service = topology.service(&instance.service).unwrap();
            let from = on.of.from.as_ref().is_none_or(|from| *from == service.name);
            from && service.calls.iter().any(|callee| to(callee.as_str()))
        }
    }
}

fn slot_keys(proxy: &ProxyConfig) -> BTreeMap<String, Vec<FaultId>> {
    let hosts = |table: &RouteTable| table.hosts.clone();
    let slots = hosts(&proxy.outbound).into_iter().chain(hosts(&proxy.inbound)).flat_map(|host| host.faults);
    slots.map(|slot| (slot.key, slot.of)).collect()
}

proptest! {
    #[test]
    fn the_first_route_that_matches_has_every_policy_that_is_meant(policies in policies(), asked in asked()) {
        let config = rendered(&policies, &[]).unwrap();
        let web = config.proxies.values().find(|proxy| proxy.instance == "web-1").unwrap();
        let host = web.outbound.hosts.iter().find(|host| host.name == "reviews").unwrap();
        prop_assert!(asked.host == "reviews" || !policies.iter().any(|p| of(p).from.as_ref().is_none_or(|f| f.as_str() == "web")
            && of(p).filter.host.is_some()) || host.domains.iter().any(|domain| domain == asked.host));
        let route = host.routes.iter().find(|route| route.when.asks.iter().all(|c| asked.is(c))).unwrap();
        let Action::Forward(Forward { timeout, retry, .. }) = &route.then else { panic!("forwarded") };

        // What the language says: of those that mean this request the most special counts, of equals the later.
        let last = |aspect: &dyn Fn(&PolicyKind) -> bool| {
            let meant = policies.iter().filter(|p| {
                aspect(p) && of(p).from.as_ref().is_none_or(|from| from.as_str() == "web") && asked.is_meant(&of(p).filter)
            });
            let asks = |filter: &Filter| {
                [&filter.path, &filter.host, &filter.query, &filter.user].iter().filter(|f| f.is_some()).count()
            };
            meant.max_by_key(|p| (asks(&of(p).filter), of(p).from.is_some()))
        };
        let level = |p: &PolicyKind| match p { PolicyKind::Timeout { of, .. } => Some(of.level), _ => None };
        let after = |p: &PolicyKind| match p { PolicyKind::Timeout { after, .. } => Some(*after), _ => None };
        let retries = last(&|p| matches!(p, PolicyKind::Retries { .. }));
        let times = retries.map_or(0, |p| match p { PolicyKind::Retries { up_to, .. } => *up_to, _ => 0 });
        let retry = retry.clone().unwrap_or_default();
        prop_assert_eq!(timeout, &last(&|p| level(p) == Some(Level::Calls)).and_then(after));
        prop_assert_eq!(retry.per_try, last(&|p| level(p) == Some(Level::Tries)).and_then(after));
        prop_assert_eq!(retry.times, times);
        prop_assert_eq!(retry == Retry::default(), retry.per_try.is_none() && retries.is_none());
    }

    #[test]
    fn layers_touch_what_is_aimed_at_and_nothing_else(faults in faults(), armed in proptest::bits::u8::between(0, 5)) {
        let topology = town();
        let plan = plan(topology.clone(), Vec::new(), &faults);
        let at = seats(&topology);
        let armed: BTreeSet<FaultId> = (0..5).filter(|n| armed & (1 << n) != 0).map(FaultId).collect();
        let want = Desired { topology: &topology, policies: Vec::new(), faults: &plan.faults };
        let (layers, config) = match (layers(&plan, &at, &armed), render(&want, &at)) {
            (Ok(layers), Ok(config)) => (layers, config),
            (layers, config) => {
                prop_assert!(layers.is_err() && config.is_err(), "refused by both");
                return Ok(());
            }
        };
        for (instance, layer) in &layers {
            let aimed = |id: &FaultId| armed.contains(id) && is_aimed(plan.fault(*id).unwrap(), instance, &topology);
            let aimed_at = plan.faults.iter().filter(|fault| aimed(&fault.id)).count();
            prop_assert_eq!(layer.is_empty(), aimed_at == 0, "{}", instance);
            // Every key of the layer is that of a slot which is there, and every slot of armed faults has its key.
            let proxy = config.proxies.values().find(|proxy| proxy.instance == instance.to_string()).unwrap();
            let mut wanted = slot_keys(proxy);
            wanted.retain(|_, of| of.iter().any(|id| armed.contains(id)));
            prop_assert_eq!(layer.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
            for (key, of) in &wanted {
                let chance = 1.0 - of.iter().filter(|id| armed.contains(id)).fold(1.0, |spared, id| {
                    spared * (1.0 - plan.fault(*id).unwrap().does.share().unwrap().as_f64())
                });
                let RuntimeValue::Fraction(share) = layer[key] else { panic!("a share") };
                prop_assert!((share.as_f64() - chance).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn the_same_is_rendered_and_named_the_same(policies in policies(), faults in faults(), more in calls()) {
        let Ok(config) = rendered(&policies, &faults) else { return Ok(()) };
        prop_assert_eq!(&config, &rendered(&policies, &faults).unwrap());
        let at = seats(&town());
        let seat = |node: &str| at.seats.values().find(|seat| seat.node == node).unwrap();
        let versions = |proxy: &ProxyConfig, node: &str| {
            let all = encode::resources(proxy, seat(node));
            all.iter().map(|(kind, name, one)| (kind.to_string(), name.to_owned(), one.version().to_owned())).collect::<Vec<_>>()
        };
        for (node, proxy) in &config.proxies {
            prop_assert_eq!(versions(proxy, node), versions(proxy, node));
        }
        // Another policy at the end of them all is a new version for whom it concerns, and for nobody else.
        let added = PolicyKind::Retries { of: more, up_to: 99, on: vec![RetryOn::Reset], elsewhere: true };
        let changed = rendered(&[policies, vec![added]].concat(), &faults).unwrap();
        for (node, proxy) in &config.proxies {
            let other = &changed.proxies[node];
            prop_assert_eq!(proxy == other, versions(proxy, node) == versions(other, node));
        }
    }
}

/// The calls that a policy of these tests is about.
fn of(policy: &PolicyKind) -> &Calls {
    match policy {
        PolicyKind::Retries { of, .. } => of,
        PolicyKind::Timeout { of, .. } => &of.of,
        other => panic!("{other:?}"),
    }
}

#[test]
fn seats_beyond_the_plan_are_like_the_last() {
    let topology = town();
    let fault = |which| FaultKind::Touch {
        on: Traffic {
            share: Fraction::ALL,
            level: Level::Tries,
            of: Calls { to: Some(super::scenes::part(which)), ..Calls::default() },
        },
        touch: Touch::Abort(AnswerCode::Status(500)),
    };
    let plan = plan(topology.clone(), Vec::new(), &[fault(Which::Version("v2".into()))]);
    let mut at = seats(&topology);
    let (id, seat) = at.seats.pop_first().unwrap();
    at.seats.retain(|id, _| id.number != 2);
    // Number 4 has come, number 2 is dead.
    at.seats.insert(InstanceId { service: "reviews".into(), number: 4 }, seat);
    let armed = layers(&plan, &at, &BTreeSet::from([FaultId(0)])).unwrap();
    let touched: Vec<String> = armed.iter().filter(|(_, l)| !l.is_empty()).map(|(id, _)| id.to_string()).collect();
    assert_eq!(touched, ["reviews-3", "reviews-4"], "{id}");
}

#[test]
fn the_same_fault_twice_shares_a_slot() {
    let fault = |percent| FaultKind::Touch {
        on: Traffic { share: Fraction::percent(percent), level: Level::Tries, of: to("reviews") },
        touch: Touch::Abort(AnswerCode::Status(503)),
    };
    let plan = plan(town(), Vec::new(), &[fault(50), fault(20), fault(30)]);
    let at = seats(&plan.topology);
    let layer = |armed: &[u32]| {
        let armed = armed.iter().copied().map(FaultId).collect();
        let all = layers(&plan, &at, &armed).unwrap();
        all[&InstanceId { service: "reviews".into(), number: 1 }].clone()
    };
    let share = |ppm| {
        let value = RuntimeValue::Fraction(Fraction::from_ppm(ppm).unwrap());
        BTreeMap::from([("squall.f0-1-2.share".to_owned(), value)])
    };
    assert_eq!(layer(&[1]), share(200_000));
    assert_eq!(layer(&[0, 1]), share(600_000));
    assert_eq!(layer(&[0, 1, 2]), share(720_000));
    assert!(layer(&[]).is_empty());
}
