//! The nouns of Squall: topology, policy, fault, timeline, claim, verdict, event.
//!
//! Pure data: no async, no I/O, no clock. Every other room speaks in these types; none of them knows how a mesh is
//! configured, how a process is started or how a number is judged.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail"))]

mod behaviour;
mod claim;
mod code;
mod comparison;
mod course;
mod discord;
mod dose;
mod event;
mod explanation;
mod fault;
mod guard;
mod hang;
mod name;
mod origin;
mod place;
mod plan;
mod policy;
mod quantity;
mod record;
mod selector;
mod stamp;
mod terms;
mod timeline;
mod timing;
mod topology;
mod totals;
mod vary;
mod verdict;
mod wire;

pub use behaviour::{Answer, Behaviour, Capacity};
pub use claim::{
    Anchor, Bound, Claim, ClaimId, ClaimKind, Condition, Happening, MomentRef, Only, Outcome, Per, Phase, Population,
    Quantity, SeenBy, ShareBound, Shedder, State, Unit,
};
pub use code::{AnswerCode, GRPC_METHOD, GrpcStatus};
pub use comparison::{Margin, Reference};
pub use course::{Astray, Break, Course, Leg, TlsFault};
pub use discord::{Discord, Foreign, Lost, Restart, Source, Witness};
pub use dose::{Dose, DoseCount, DoseLeak, DosePart, Meant, Spared};
pub use event::{
    Absence, Body, ControlResult, Controlled, CueEffect, EVENT_VERSION, Finished, Holder, InForce, Judged, Progress,
    Queued, RunEvent, RunOf, RunStarted, Unsaid,
};
pub use explanation::{
    Attribute, Explanation, Mechanism, Moment, Onset, PercentileOf, Reading, Since, Split, Tally, Times,
};
pub use fault::{Answers, Down, Fault, FaultId, FaultKind, Part, Touch, When};
pub use guard::{Guard, GuardId, GuardKind, GuardMet, Threshold, Tripped};
pub use hang::DrawnBy;
pub use name::{Edge, InstanceId, PlaceName, ServiceName, VersionName};
pub use origin::{Diagnostic, Origin, Severity};
pub use place::{Members, Place, PlaceKind};
pub use plan::{ControlRule, Need, OriginMap, PLAN_SCHEMA, Plan, PlanKey, Replacement, Title, Variation};
pub use policy::{
    Balancer, Destination, HashKey, InFlight, Policy, PolicyId, PolicyKind, Probe, RetryOn, Stick, UnknownWord,
};
pub use quantity::{
    Fraction, Latency, QuantityError, Rate, duration, duration_text, duration_text_option, parse_duration,
};
pub use record::{
    AccessRecord, AskedRecord, CallRecord, ClientEnd, ControlRecord, CounterRecord, Hurt, LedgerRecord, Rated, Side,
    StateRecord, TryRecord, WireEnd, WireRecord,
};
pub use selector::{Calls, Filter, Level, Target, Traffic, Which};
pub use stamp::Stamp;
pub use terms::{ErrorRates, Quarantine, Terms};
pub use timeline::{Act, Arrivals, Blocks, Cue, Effect, Shape, Stage, Timeline, TrafficLine, within_a_second};
pub use topology::{Deployed, Instance, Protocol, Service, Topology};
pub use totals::Totals;
pub use vary::{controls, every_run, vary};
pub use verdict::{Compared, Exemplar, ExemplarTry, Finding, Measured, Verdict, Why};
pub use wire::{Damage, PACKET, Wire, Wires, burst, damaged_wires};
