//! Plans and observations made by hand: what the tests of this room and of `verdict` are written with.
//!
//! A [`Scene`] plays the whole mesh: told what became of each try of a call, it writes down what the client, both proxies, the
//! workload and the counters would have. A test then takes something away or adds something, and joins.

mod hop;

pub use hop::Hop;

use crate::{Evidence, Happened, LifeEnd, Observed, Process, StageTimes, join};
use squall_model::{
    AccessRecord, Act, CallRecord, Calls, Claim, ClaimId, ClaimKind, ClientEnd, ControlRule, CounterRecord, Effect,
    Fault, FaultId, FaultKind, Fraction, Instance, InstanceId, Latency, LedgerRecord, Level, Origin, OriginMap,
    PLAN_SCHEMA, Plan, PlanKey, Rate, Service, ServiceName, Shape, Side, Stage, Stamp, Target, Timeline, Title,
    Topology, Touch, Traffic, TrafficLine, TryRecord, Variation, When, Which,
};
use std::{collections::BTreeMap, time::Duration};

/// The time origin of the only stage: ten seconds after the machine was started.
pub const ORIGIN: Stamp = Stamp(10_000_000_000);
/// The prefix of all ids.
pub const PREFIX: &str = "t-";
/// How long a try takes that nothing holds up.
pub const TRY: Duration = Duration::from_millis(5);
/// From a call's sending to its arrival at the next proxy or workload.
const HOP: Duration = Duration::from_micros(100);

/// A moment of the stage, in milliseconds after its origin.
#[must_use]
pub fn at(ms: u64) -> Stamp {
    ORIGIN + Duration::from_millis(ms)
}

/// An instance of the service `reviews`.
#[must_use]
pub fn reviews(number: u32) -> InstanceId {
    InstanceId { service: "reviews".into(), number }
}

/// The only instance of the service `web`.
#[must_use]
pub fn web() -> InstanceId {
    InstanceId { service: "web".into(), number: 1 }
}

/// Some instances of `reviews`.
#[must_use]
pub fn target(which: Which) -> Target {
    Target { service: "reviews".into(), which, place: None }
}

/// Calls to these instances of `reviews`.
#[must_use]
pub fn calls_to(which: Which) -> Calls {
    Calls { to: Some(target(which)), ..Calls::default() }
}

/// `web` (one instance) calls `reviews` (three), 200 times a second for a second; no policy, no fault, no claim.
#[must_use]
pub fn plan() -> Plan {
    let mut web = Service::new("web".into());
    web.calls = vec!["reviews".into()];
    let mut reviews = Service::new("reviews".into());
    reviews.instances = vec![Instance::default(); 3];
    reviews.latency = Latency::Fixed(TRY);
    let shape =
        Shape::Open { rate: Rate::per_second(200), length: Duration::from_secs(1), arrivals: Default::default() };
    let line = TrafficLine {
        number: 0,
        caller: "web".into(),
        to: target(Which::Service),
        with: Default::default(),
        users: None,
        shape,
    };
    let origin = Origin { file: "test.feature".into(), line: 1, column: 1, length: 1 };
    Plan {
        schema: PLAN_SCHEMA,
        key: PlanKey("0123456789abcdef".into()),
        title: Title { feature: "Feature".into(), scenario: "Scenario".into(), tags: Vec::new() },
        variation: Variation::Main,
        topology: Topology { services: vec![web, reviews] },
        policies: Vec::new(),
        faults: Vec::new(),
        timeline: Timeline { stages: vec![Stage { lines: vec![line], ..Stage::default() }] },
        claims: Vec::new(),
        control: ControlRule::Default,
        needs: Vec::new(),
        seed: 1,
        origins: OriginMap::of(origin),
    }
}

/// The plan with this claim as well.
#[must_use]
pub fn claiming(mut plan: Plan, kind: ClaimKind) -> Plan {
    let id = ClaimId(plan.claims.len() as u32);
    plan.claims.push(Claim { id, text: format!("claim {}", id.0), kind });
    plan
}

/// The plan with this fault as well, standing or by cues of the only stage.
#[must_use]
pub fn faulty(mut plan: Plan, does: FaultKind, when: When) -> Plan {
    let id = FaultId(plan.faults.len() as u32);
    plan.faults.push(Fault { id, does, when });
    if let Some(stage) = plan.timeline.stages.first_mut() {
        match when.start() {
            None => stage.standing.push(Act::Arm(id)),
            Some(at) => stage.cues.push(squall_model::Cue { at, act: Act::Arm(id) }),
        }
        stage.cues.extend(when.end().map(|at| squall_model::Cue { at, act: Act::End(id) }));
        stage.cues.sort_by_key(|cue| cue.at);
    }
    plan
}

/// From one moment to another, in milliseconds.
#[must_use]
pub fn span(from: u64, to: u64) -> When {
    When::Span { from: Duration::from_millis(from), to: Some(Duration::from_millis(to)) }
}

/// A share of the tries reaching these instances of `reviews`, or of the calls to it, is touched.
#[must_use]
pub fn touch(level: Level, percent: u32, which: Which, touch: Touch) -> FaultKind {
    FaultKind::Touch { on: Traffic { share: Fraction::percent(percent), level, of: calls_to(which) }, touch }
}

/// A plan and what is observed of a run of it, call by call.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The plan.
    pub plan: Plan,
    /// What was observed so far.
    pub seen: Observed,
}

impl Scene {
    /// Nothing has been sent yet.
    #[must_use]
    pub fn new(plan: Plan) -> Scene {
        let stage = StageTimes { origin: ORIGIN, last_intended: ORIGIN, ended: ORIGIN };
        let seen = Observed { prefix: PREFIX.into(), stages: vec![stage], quiet: true, ..Observed::default() };
        Scene { plan, seen }
    }

    /// A call of the first line, intended so many milliseconds after the origin; and what became of its tries, one after the
    /// other. Its number is returned.
    pub fn call(&mut self, ms: u64, hops: &[Hop]) -> u64 {
        let Some(last) = hops.last() else { return self.local(ms, 503, "UH", "no_healthy_upstream") };
        let id = self.next_id();
        let mut began = at(ms) + HOP;
        for (hop, attempt) in hops.iter().zip(1..) {
            self.try_of(&web(), &id, attempt, *hop, began);
            began = began + hop.took();
        }
        let (status, flags, details) = last.at_caller();
        let flags = match (status, hops.len(), flags) {
            (200..=399, ..) | (_, 1, _) => flags.to_owned(),
            (.., "-") => "URX".to_owned(),
            (.., flags) => format!("URX,{flags}"),
        };
        let line = Line { status, flags: &flags, details, attempts: hops.len() as u32 };
        self.ended(ms, began, line, Some(reviews(last.instance())))
    }

    /// A call that the caller's proxy answered by itself, without a try. What its breaker turns away (UO) is counted and logged
    /// as an attempt all the same, as Envoy does.
    pub fn local(&mut self, ms: u64, status: u16, flags: &str, details: &str) -> u64 {
        let overflow = flags == "UO";
        if overflow {
            let (id, began) = (self.next_id(), at(ms) + HOP);
            self.seen.tries.push(TryRecord {
                proxy: web(),
                id,
                attempt: 1,
                status: 0,
                flags: flags.into(),
                upstream: Some(reviews(1)),
                failure: String::new(),
                began,
                took: 0,
            });
        }
        self.ended(ms, at(ms) + HOP, Line { status, flags, details, attempts: u32::from(overflow) }, None)
    }

    /// So many calls, one every `every` milliseconds from `ms` on; each gets its tries from its number among them.
    pub fn calls<H: AsRef<[Hop]>>(&mut self, ms: u64, every: u64, count: u64, hops: impl Fn(u64) -> H) {
        for n in 0..count {
            self.call(ms + n * every, hops(n).as_ref());
        }
    }

    /// A call that a workload makes while it serves a try of call `seq`; to the service `ratings`, which answers 200.
    pub fn onward(&mut self, seq: u64, attempt: u32, from: u32, ms: u64) -> String {
        let id = format!("{PREFIX}{seq}.ratings.{attempt}");
        let callee = InstanceId { service: "ratings".into(), number: 1 };
        let began = at(ms) + HOP;
        self.records(&reviews(from), &callee, &id, 1, Hop::Ok(1), began);
        self.seen.access.push(AccessRecord {
            proxy: reviews(from),
            side: Side::Outbound,
            id: id.clone(),
            attempts: 1,
            status: 200,
            flags: "-".into(),
            details: "via_upstream".into(),
            caller: String::new(),
            upstream: Some(callee),
            began,
            took: nanos(TRY + HOP),
        });
        id
    }

    /// Something took effect: asked for at one moment, in force from another, in milliseconds after the origin.
    pub fn happened(&mut self, act: Act, asked: u64, settled: u64) {
        let (asked, settled) = (at(asked), at(settled));
        let effect = Effect { asked, acked: settled, effective: settled, last_old: asked };
        self.seen.effects.push(Happened { act, stage: 0, effect });
    }

    /// A standing fault took effect a second before the first call.
    pub fn stood(&mut self, fault: u32) {
        let (asked, settled) = (ORIGIN - Duration::from_secs(1), ORIGIN - Duration::from_millis(900));
        let effect = Effect { asked, acked: settled, effective: settled, last_old: asked };
        self.seen.effects.push(Happened { act: Act::Arm(FaultId(fault)), stage: 0, effect });
    }

    /// A process was killed when asked to, and seen gone a millisecond later.
    pub fn killed(&mut self, instance: InstanceId, what: Process, ms: u64) {
        let how = "signal 9".to_owned();
        self.seen.lives.push(LifeEnd { instance, what, asked: Some(at(ms)), at: at(ms + 1), how });
    }

    /// What was observed, with the counters that belong to it.
    #[must_use]
    pub fn observed(&self) -> Observed {
        let mut seen = self.seen.clone();
        if seen.counters.is_empty() {
            seen.counters = counters(&seen);
        }
        seen
    }

    /// The join of it all.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        join(&self.plan, self.observed())
    }

    fn next_id(&self) -> String {
        format!("{PREFIX}{}", self.seen.calls.len())
    }

    fn ended(&mut self, ms: u64, done: Stamp, line: Line<'_>, upstream: Option<InstanceId>) -> u64 {
        let (seq, id) = (self.seen.calls.len() as u64, self.next_id());
        let began = at(ms) + HOP;
        self.seen.calls.push(CallRecord {
            seq,
            line: 0,
            caller: 1,
            user: 0,
            intended: at(ms),
            sent: at(ms),
            done: done + HOP,
            end: ClientEnd::Answered(line.status),
        });
        self.seen.access.push(AccessRecord {
            proxy: web(),
            side: Side::Outbound,
            id,
            attempts: line.attempts,
            status: line.status,
            flags: line.flags.into(),
            details: line.details.into(),
            caller: String::new(),
            upstream,
            began,
            took: nanos(done.since(began)),
        });
        if let Some(stage) = self.seen.stages.last_mut() {
            stage.last_intended = stage.last_intended.max(at(ms));
            stage.ended = stage.ended.max(done + HOP);
        }
        seq
    }

    fn try_of(&mut self, from: &InstanceId, id: &str, attempt: u32, hop: Hop, began: Stamp) {
        self.records(from, &reviews(hop.instance()), id, attempt, hop, began);
    }

    /// What the sender, the callee's proxy and the workload write of a try.
    fn records(&mut self, from: &InstanceId, to: &InstanceId, id: &str, attempt: u32, hop: Hop, began: Stamp) {
        let (status, flags) = hop.at_sender();
        self.seen.tries.push(TryRecord {
            proxy: from.clone(),
            id: id.into(),
            attempt,
            status,
            flags: flags.into(),
            upstream: Some(to.clone()),
            failure: String::new(),
            began,
            took: nanos(hop.took()),
        });
        if let Some((status, flags, details)) = hop.at_callee() {
            self.seen.access.push(AccessRecord {
                proxy: to.clone(),
                side: Side::Inbound,
                id: id.into(),
                attempts: attempt,
                status,
                flags: flags.into(),
                details: details.into(),
                caller: from.service.to_string(),
                upstream: Some(to.clone()),
                began: began + HOP / 2,
                took: nanos(hop.took().saturating_sub(HOP)),
            });
        }
        if let Some(status) = hop.at_workload() {
            let caller = from.service.to_string();
            let ended = began + hop.took();
            let line =
                LedgerRecord { id: id.into(), attempt, caller, copy: false, began: began + HOP / 2, ended, status };
            self.seen.ledger.push((to.clone(), line));
        }
    }
}

/// What the caller's proxy says of a call.
#[derive(Clone, Copy)]
struct Line<'a> {
    status: u16,
    flags: &'a str,
    details: &'a str,
    attempts: u32,
}

fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

/// The counters that a mesh would have shown for these records.
fn counters(seen: &Observed) -> Vec<CounterRecord> {
    let mut all: BTreeMap<InstanceId, BTreeMap<String, u64>> = BTreeMap::new();
    let mut add = |proxy: &InstanceId, name: String| {
        *all.entry(proxy.clone()).or_default().entry(name).or_default() += 1;
    };
    let service =
        |upstream: &Option<InstanceId>| upstream.as_ref().map_or(ServiceName::from("reviews"), |id| id.service.clone());
    for sent in &seen.tries {
        let counter = match sent.flags.as_str() {
            "UF" => "upstream_cx_connect_fail",
            "UO" => "upstream_rq_active_overflow",
            _ => "upstream_rq_total",
        };
        add(&sent.proxy, format!("cluster.out.{}.{counter}", service(&sent.upstream)));
    }
    for line in &seen.access {
        let listener = if line.side == Side::Outbound { "out" } else { "in" };
        for (flag, counter) in [("FI", "aborts_injected"), ("DI", "delays_injected")] {
            if line.flags.split(',').any(|f| f == flag) {
                add(&line.proxy, format!("http.{listener}.fault.{counter}"));
            }
        }
        if line.side == Side::Outbound && line.attempts > 1 {
            for _ in 1..line.attempts {
                add(&line.proxy, format!("cluster.out.{}.upstream_rq_retry", service(&line.upstream)));
            }
        }
    }
    let record = |(proxy, rises)| CounterRecord { proxy, rises };
    all.into_iter().map(record).collect()
}
