//! The spine: one versioned event type. Terminal, JSONL, JUnit and summary are its readers, and `report` replays it.

use crate::{
    ClaimId, Condition, DoseCount, FaultId, Finding, GuardMet, InstanceId, Level, Origin, PlanKey, PolicyId,
    Quarantine, Stamp, Title, Totals, Variation, Verdict,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt};

/// Version of the event's serialised form. Additive within a version: readers keep kinds that they do not know.
pub const EVENT_VERSION: u16 = 1;

/// One thing that happened in a run: one line of `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunEvent {
    /// [`EVENT_VERSION`].
    pub v: u16,
    /// Number within the run, from 0, without gaps.
    pub seq: u64,
    /// When.
    pub at: Stamp,
    /// Which run of which scenario; `None` for what concerns the whole run.
    pub of: Option<RunOf>,
    /// What.
    pub body: Body,
}

/// One run of one scenario.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunOf {
    /// Which scenario.
    pub plan: PlanKey,
    /// Main run, or which control.
    pub variation: Variation,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Body {
    /// The first event of a run.
    RunStarted(RunStarted),
    /// A scenario will be run; all are announced before the first begins.
    Queued(Queued),
    /// A run of a scenario begins.
    Started,
    /// A phase of the engine ended: `place`, `confirm`, `settle`, `traffic`, `clean`, `barrier`, `recycle`, `judge`.
    Step {
        /// Its name.
        name: String,
        /// Nanoseconds that it took.
        took: u64,
    },
    /// A stage's traffic begins.
    StageBegan {
        /// Its number, from 0.
        stage: u32,
        /// Its time origin.
        origin: Stamp,
    },
    /// How far the traffic is, a few times a second at most.
    Progress(Progress),
    /// A cue took effect.
    CueEffect(CueEffect),
    /// A guard was met: the whole run is aborted.
    GuardMet(GuardMet),
    /// A process ended that nobody had asked to: a proxy, a workload, or the link.
    ProxyDied {
        /// Whose; of the link a name of its own, which is no instance of the scenario.
        instance: InstanceId,
        /// `proxy`, `workload` or `link`.
        what: String,
        /// How: `exit status 1`, `signal 11`.
        how: String,
        /// The end of its log.
        log: Vec<String>,
    },
    /// A caller's proxy took an instance out, and perhaps let it in again.
    Absence(Absence),
    /// What proxies have in force at the end of a main run that does not hold, by their own word.
    InForce(InForce),
    /// A proxy that was asked for that, and did not say.
    Unsaid(Unsaid),
    /// A lease ran out under us.
    Lapsed {
        /// Whose.
        #[serde(rename = "instance")]
        holder: Holder,
    },
    /// One claim was judged.
    Judged(Judged),
    /// What was counted of a fault.
    Dosed {
        /// The fault as written.
        text: String,
        /// Where.
        origin: Origin,
        /// What it was meant to touch.
        level: Option<Level>,
        /// The count.
        count: DoseCount,
    },
    /// A run of a scenario is over.
    Finished(Finished),
    /// The machine was in trouble: this run is made once more, and only the second counts. Decided blind to outcomes.
    Rerun {
        /// What the trouble was.
        why: String,
    },
    /// What the control runs of a scenario came to.
    Controlled(Controlled),
    /// A person, a deadline or a guard stopped the run.
    Interrupted {
        /// Why: `SIGINT`, `--timeout`, `the guard at f.feature:7:5`.
        why: String,
    },
    /// The last event of a run that ended by itself.
    RunFinished(Totals),
    /// A kind that this version does not know.
    #[serde(other)]
    Unknown,
}

/// Who holds a lease: what is broken ends by itself when it runs out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// The link, of the damaged wires. Written `link`.
    Link,
    /// The agent in the pod of an instance, of a pause of its processes.
    Agent {
        /// Whose.
        instance: InstanceId,
        /// After how long they went on, and why.
        why: String,
    },
    /// The proxy of an instance, of the faults on calls and tries. Written as the instance, as it was before links were told apart.
    #[serde(untagged)]
    Proxy(InstanceId),
}

/// What ran out: `the lease of the faults at web-1`, `the lease of the damaged wires`.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::Link => f.write_str("the lease of the damaged wires"),
            Holder::Agent { instance, why } => write!(f, "the lease of the pause of {instance} ({why})"),
            Holder::Proxy(instance) => write!(f, "the lease of the faults at {instance}"),
        }
    }
}

/// What a run was started with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// The run's name: `20261124-101500-3f2a`.
    pub run: String,
    /// Squall's version.
    pub squall: String,
    /// `envoy`.
    pub mesh: String,
    /// What the mesh says of itself: `envoy 1.40.0`.
    pub mesh_version: String,
    /// The one seed.
    pub seed: u64,
    /// Wall-clock time in RFC 3339, for people.
    pub date: String,
    /// Cores of the machine.
    pub cores: u32,
    /// Scenarios that will be run.
    pub scenarios: u32,
    /// True if control runs are made.
    pub controls: bool,
    /// What ends a fault when we are dead: `process tree and PID namespace`.
    pub net: String,
    /// Calls that are due within so long are sent together, in nanoseconds: frugal; 0: each in its own time, exact. Recordings that are
    /// older do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tick: Option<u64>,
}

/// A scenario that will be run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Queued {
    /// Its name.
    pub title: Title,
    /// Its line.
    pub origin: Origin,
    /// Its claims as written, with their places.
    pub claims: Vec<(ClaimId, String, Origin)>,
    /// Its own policies, which a control run takes away, with their places; recordings that are older do not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<(PolicyId, Origin)>,
    /// `@control(none: "reason")`.
    pub no_control: Option<String>,
    /// Its verdict does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Quarantine>,
}

/// How far the traffic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Calls sent.
    pub sent: u64,
    /// Calls planned; 0 where that is open.
    pub planned: u64,
    /// Calls in flight.
    pub in_flight: u64,
    /// Calls that did not end with a status below 400.
    pub failed: u64,
}

/// A cue that took effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CueEffect {
    /// The line as written.
    pub text: String,
    /// Which fault, where it is one.
    pub fault: Option<FaultId>,
    /// `armed`, `ended`, `changed`, `reverted`.
    pub what: String,
    /// The observed moments.
    pub effect: crate::Effect,
}

/// A time for which a caller's proxy held an instance for ejected or unhealthy. Times in nanoseconds.
///
/// That it does is not that it calls it no more: Envoy's workers learn of a change of the host set up to
/// `common_lb_config.update_merge_window` later (config/cluster/v3/cluster.proto; 1 s by default).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absence {
    /// Whose proxy.
    pub by: InstanceId,
    /// Which instance.
    pub of: InstanceId,
    /// [`Condition::Ejected`] or [`Condition::Unhealthy`].
    pub what: Condition,
    /// Its number among those of its kind between these two, from 1.
    pub nth: u32,
    /// From the stage's time origin to its beginning.
    pub at: u64,
    /// How long it lasted; `None`: it was not over at the end of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasted: Option<u64>,
    /// Tries that the proxy had in flight to the instance when it began.
    pub in_flight: u64,
    /// Tries that the proxy began after that all the same, before it was over.
    pub late_tries: u64,
    /// From its beginning to that of the last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_late: Option<u64>,
}

/// What proxies do with the calls to a host, or with some of them: the policy in force, which may be other than the written one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// The proxies that say this of themselves.
    pub by: BTreeSet<InstanceId>,
    /// The host that is called.
    pub host: String,
    /// In words: `timeout 1.5 s; 2 retries on 5xx; no breaker; no ejection`.
    pub says: String,
}

/// A proxy of which is not known what it has in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsaid {
    /// Whose.
    pub by: InstanceId,
    /// Why it did not say.
    pub why: String,
}

/// One claim, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The line as written.
    pub text: String,
    /// Where.
    pub origin: Origin,
    /// What came of it.
    pub finding: Finding,
    /// Counters of the proxies concerned that bear on it: (proxy, counter, rise).
    pub counters: Vec<(InstanceId, String, u64)>,
    /// Log lines that bear on it.
    pub log: Vec<String>,
}

/// A run of a scenario is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// What came of it.
    pub verdict: Verdict,
    /// Calls made.
    pub calls: u64,
    /// Nanoseconds of it all.
    pub took: u64,
    /// Nanoseconds of its traffic alone.
    pub traffic: u64,
    /// Why it is in error, with a caret's place where there is one.
    pub cause: Option<String>,
}

/// What the control runs of a scenario came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Controlled {
    /// What they came to.
    pub result: ControlResult,
    /// Each control run with its verdict and the claims that it violated.
    pub runs: Vec<(Variation, Verdict, Vec<ClaimId>)>,
}

/// What the control runs of a scenario came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlResult {
    /// At least one claim was violated and none was in error: the scenario tests something.
    Red,
    /// All held: the scenario passes whether or not what it tests is there.
    Vacuous,
    /// Nothing was decided.
    Undecided,
    /// A control run was in error.
    Error(String),
    /// `@control(none: "reason")`.
    None(String),
    /// The edge that leaked, an unsupported need…: the main run says it.
    Skipped,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_holds_a_lease_is_read_as_before() {
        let web = Holder::Proxy(InstanceId { service: "web".into(), number: 1 });
        let link = Holder::Proxy(InstanceId { service: "link".into(), number: 1 });
        let paused =
            Holder::Agent { instance: InstanceId { service: "web".into(), number: 1 }, why: "after 1 s".into() };
        for (holder, text, told) in [
            (web, r#"{"lapsed":{"instance":{"service":"web","number":1}}}"#, "the lease of the faults at web-1"),
            (link, r#"{"lapsed":{"instance":{"service":"link","number":1}}}"#, "the lease of the faults at link-1"),
            (Holder::Link, r#"{"lapsed":{"instance":"link"}}"#, "the lease of the damaged wires"),
            (
                paused,
                r#"{"lapsed":{"instance":{"agent":{"instance":{"service":"web","number":1},"why":"after 1 s"}}}}"#,
                "the lease of the pause of web-1 (after 1 s)",
            ),
        ] {
            assert_eq!(holder.to_string(), told);
            let body = Body::Lapsed { holder };
            assert_eq!(serde_json::to_string(&body).unwrap(), text);
            assert_eq!(serde_json::from_str::<Body>(text).unwrap(), body);
        }
    }
}
