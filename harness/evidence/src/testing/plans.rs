//! Plans by hand, and what is put into them.

use super::WORK;
use squall_model::{
    Act, Blocks, Calls, Claim, ClaimId, ClaimKind, ControlRule, Cue, Damage, Fault, FaultId, FaultKind, Fraction,
    Instance, Latency, Level, Origin, OriginMap, PLAN_SCHEMA, Plan, PlanKey, Protocol, Rate, Service, ServiceName,
    Shape, Stage, Target, Terms, Timeline, Title, Topology, Touch, Traffic, TrafficLine, Variation, When, Which, Wires,
};
use std::time::Duration;

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
    reviews.latency = Latency::Fixed(WORK);
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
        topology: Topology { services: vec![web, reviews], ..Topology::default() },
        policies: Vec::new(),
        faults: Vec::new(),
        timeline: Timeline { stages: vec![Stage { lines: vec![line], ..Stage::default() }] },
        claims: Vec::new(),
        guards: Vec::new(),
        control: ControlRule::Default,
        terms: Terms::default(),
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
            Some(at) => stage.cues.push(Cue { at, act: Act::Arm(id) }),
        }
        stage.cues.extend(when.end().map(|at| Cue { at, act: Act::End(id) }));
        stage.cues.sort_by_key(|cue| cue.at);
    }
    plan
}

/// The plan with this fault as well, in blocks of 250 ms over a stage of two seconds.
#[must_use]
pub fn blocked(plan: Plan, does: FaultKind) -> Plan {
    let mut plan = faulty(plan, does, When::Standing);
    let blocks = Blocks { length: Blocks::LENGTH, count: Blocks::FEWEST };
    if let Some(stage) = plan.timeline.stages.first_mut() {
        stage.standing.clear();
        stage.cues = plan.faults.iter().flat_map(|fault| blocks.cues(fault.id)).collect();
        stage.cues.sort_by_key(|cue| cue.at);
        stage.blocks = Some(blocks);
        for line in &mut stage.lines {
            if let Shape::Open { length, .. } = &mut line.shape {
                *length = Blocks::shortest();
            }
        }
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

/// The wire from `web` to these instances of `reviews` is damaged.
#[must_use]
pub fn damage(which: Which, damage: Damage) -> FaultKind {
    FaultKind::Wire { of: Wires::Between { from: Some("web".into()), to: target(which) }, damage }
}

/// The plan with `reviews` speaking gRPC.
#[must_use]
pub fn speaking_grpc(mut plan: Plan) -> Plan {
    if let Some(service) = plan.topology.service_mut(&ServiceName::from("reviews")) {
        service.protocol = Protocol::Grpc;
    }
    plan
}
