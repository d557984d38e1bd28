//! Plans and observations made by hand: what the tests of this room and of `verdict` are written with.
//!
//! A [`Scene`] plays the whole mesh: told what became of each try of a call, it writes down what the client, both proxies, the
//! workload and the counters would have. A test then takes something away or adds something, and joins.

mod counters;
mod hop;
mod plans;

pub use hop::Hop;
pub use plans::{blocked, calls_to, claiming, damage, faulty, plan, span, speaking_grpc, target, touch};

use crate::{Evidence, Happened, LifeEnd, Observed, Process, StageTimes, join};
use counters::counters;
use hop::{Answer, proxy_says};
use squall_model::{
    AccessRecord, Act, CallRecord, ClientEnd, Condition, Course, Damage, Effect, FaultId, Hurt, InstanceId,
    LedgerRecord, Plan, Protocol, Rated, Side, Stamp, StateRecord, TryRecord, Wire, WireEnd, WireRecord,
};
use std::time::Duration;

/// The time origin of the only stage: ten seconds after the machine was started.
pub const ORIGIN: Stamp = Stamp(10_000_000_000);
/// The prefix of all ids.
pub const PREFIX: &str = "t-";
/// How long a try takes that nothing holds up.
pub const TRY: Duration = Duration::from_millis(5);
/// How long a workload works on a try that nothing holds up.
pub const WORK: Duration = Duration::from_millis(4);
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
        let (answer, flags, details) = last.at_caller(self.protocol("reviews"));
        let good = matches!(answer, (200..=399, None | Some(squall_model::GrpcStatus::Ok)));
        let flags = match (hops.len(), flags) {
            _ if good => flags.to_owned(),
            (1, _) => flags.to_owned(),
            (_, "-") => "URX".to_owned(),
            (_, flags) => format!("URX,{flags}"),
        };
        let line = Line { answer, flags: &flags, details, attempts: hops.len() as u32 };
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
                grpc: None,
                flags: flags.into(),
                upstream: Some(reviews(1)),
                failure: String::new(),
                began,
                took: 0,
            });
        }
        let answer = proxy_says(status, self.protocol("reviews"));
        self.ended(ms, at(ms) + HOP, Line { answer, flags, details, attempts: u32::from(overflow) }, None)
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
            grpc: None,
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

    /// Every cue of the plan took effect, each so many milliseconds after its time.
    pub fn switched(&mut self, takes: u64) {
        let cues: Vec<_> = self.plan.timeline.stages.iter().flat_map(|stage| stage.cues.clone()).collect();
        for cue in cues {
            let asked = ORIGIN + cue.at;
            let settled = asked + Duration::from_millis(takes);
            let effect = Effect { asked, acked: settled, effective: settled, last_old: asked };
            self.seen.effects.push(Happened { act: cue.act, stage: 0, effect });
        }
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

    /// The proxy of `web` came to hold this instance of `reviews` for something, or held it so no longer.
    pub fn told(&mut self, of: u32, what: Condition, begins: bool, ms: u64) {
        self.seen.tells_states = true;
        self.seen.states.push(StateRecord { by: web(), of: reviews(of), what, begins, at: at(ms) });
    }

    /// A connection over the wire to this instance of `reviews`, with what damage did to it while it lasted.
    pub fn connection(&mut self, to: u32, opened: u64, ended: Option<u64>, end: WireEnd, hurt: &[(Damage, u64, u64)]) {
        let hurt = hurt.iter().map(|(by, first, last)| Hurt { by: *by, first: at(*first), last: at(*last) }).collect();
        self.seen.wires.push(WireRecord {
            wire: Wire { from: web(), to: reviews(to) },
            opened: at(opened),
            ended: ended.map(at),
            end,
            sent: 100,
            answered: 100,
            hurt,
            rated: Vec::new(),
        });
    }

    /// The last connection carried so many bytes back to its caller while its wire was held to a rate.
    pub fn rated(&mut self, bytes_per_second: u64, from: u64, to: u64, answered: u64) {
        let rated = Rated { bytes_per_second, from: at(from), to: at(to), sent: 0, answered };
        self.seen.wires.last_mut().into_iter().for_each(|connection| connection.rated.push(rated));
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

    fn protocol(&self, service: &str) -> Protocol {
        self.plan.topology.service(&service.into()).map(|s| s.protocol).unwrap_or_default()
    }

    fn next_id(&self) -> String {
        format!("{PREFIX}{}", self.seen.calls.len())
    }

    fn ended(&mut self, ms: u64, done: Stamp, line: Line<'_>, upstream: Option<InstanceId>) -> u64 {
        let (seq, id) = (self.seen.calls.len() as u64, self.next_id());
        let began = at(ms) + HOP;
        let (status, grpc) = line.answer;
        let end = grpc.map_or(ClientEnd::Answered(status), ClientEnd::Grpc);
        self.seen.calls.push(CallRecord {
            seq,
            line: 0,
            caller: 1,
            user: 0,
            intended: at(ms),
            sent: at(ms),
            done: done + HOP,
            end,
            course: Course::default(),
        });
        self.seen.access.push(AccessRecord {
            proxy: web(),
            side: Side::Outbound,
            id,
            attempts: line.attempts,
            status,
            grpc,
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
        let protocol = self.protocol(to.service.as_str());
        let ((status, grpc), flags) = hop.at_sender(protocol);
        self.seen.tries.push(TryRecord {
            proxy: from.clone(),
            id: id.into(),
            attempt,
            status,
            grpc,
            flags: flags.into(),
            upstream: Some(to.clone()),
            failure: String::new(),
            began,
            took: nanos(hop.took()),
        });
        if let Some(((status, grpc), flags, details)) = hop.at_callee(protocol) {
            self.seen.access.push(AccessRecord {
                proxy: to.clone(),
                side: Side::Inbound,
                id: id.into(),
                attempts: attempt,
                status,
                grpc,
                flags: flags.into(),
                details: details.into(),
                caller: from.service.to_string(),
                upstream: Some(to.clone()),
                began: began + HOP / 2,
                took: nanos(hop.took_callee()),
            });
        }
        if let Some((status, grpc)) = hop.at_workload(protocol) {
            let line = LedgerRecord {
                id: id.into(),
                attempt,
                caller: from.service.to_string(),
                copy: false,
                began: began + HOP / 2,
                ended: began + hop.took_callee() + HOP,
                status,
                grpc,
            };
            self.seen.ledger.push((to.clone(), line));
        }
    }
}

/// What the caller's proxy says of a call.
#[derive(Clone, Copy)]
struct Line<'a> {
    answer: Answer,
    flags: &'a str,
    details: &'a str,
    attempts: u32,
}

/// Counts anew what the records say, as a mesh would have.
pub fn recount(seen: &mut Observed) {
    seen.counters = counters(seen);
}

fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}
