//! Everything raw of one run of one plan, as data: what a failed run is replayed from.

use serde::{Deserialize, Serialize};
use squall_model::{
    AccessRecord, Act, AskedRecord, CallRecord, ControlRecord, CounterRecord, Effect, FaultKind, Holder, InstanceId,
    LedgerRecord, Plan, Stamp, StateRecord, TryRecord, WireRecord, duration,
};
use std::{fmt, time::Duration};

/// Everything raw of one run of one plan, or of a run that is still under way.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Observed {
    /// The `x-request-id` of call n is this followed by n. Records with other ids (settling traffic) are left out of all counts.
    pub prefix: String,
    /// The client's records, in any order.
    pub calls: Vec<CallRecord>,
    /// Access logs of all proxies, both sides, in any order.
    pub access: Vec<AccessRecord>,
    /// Upstream logs of all proxies, in any order.
    pub tries: Vec<TryRecord>,
    /// Ledgers of all workloads, each line with its instance, in any order.
    pub ledger: Vec<(InstanceId, LedgerRecord)>,
    /// Health checks that reached each instance, by the access log of its proxy.
    pub checks: Vec<(InstanceId, u64)>,
    /// Counters of each life of each proxy; empty while a run is under way.
    pub counters: Vec<CounterRecord>,
    /// Whether proxies had their control plane, asked while it was to be away.
    pub control: Vec<ControlRecord>,
    /// What took effect, and when. Standing faults too.
    pub effects: Vec<Happened>,
    /// What the *main* run does, and when ([`planned`] of its plan): a control run keeps the phases of what it takes away.
    /// Empty: the plan's own.
    pub planned: Vec<Planned>,
    /// The stages that have begun, in order.
    pub stages: Vec<StageTimes>,
    /// Processes that ended, asked to or not.
    pub lives: Vec<LifeEnd>,
    /// Whose lease ran out before its time.
    pub lapses: Vec<Holder>,
    /// Lines of logs and ledgers that could not be read: the first few.
    pub unreadable: Vec<String>,
    /// Ejections, failed health checks and their ends, where the mesh tells of them, in any order.
    pub states: Vec<StateRecord>,
    /// The mesh tells of them, so that none told is none. Where it does not, an ejection is inferred from the tries that stay
    /// away, and of health checks nothing can be said.
    pub tells_states: bool,
    /// Connections over the wires that a link carries, in any order.
    pub wires: Vec<WireRecord>,
    /// What proxies of others asked the fault port about tries, in any order.
    pub asked: Vec<AskedRecord>,
    /// How the machine and the harness itself fared.
    pub health: Health,
    /// Calls intended at this moment or later may still be without a record; `None`: every call has its record.
    pub unresolved_from: Option<Stamp>,
    /// The barrier was passed: nothing is in flight, and every line written before it has been read.
    pub quiet: bool,
}

/// Something of the timeline that took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happened {
    /// What.
    pub act: Act,
    /// In which stage, from 0.
    pub stage: u32,
    /// When.
    pub effect: Effect,
}

/// Something of the timeline that is to take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// What.
    pub act: Act,
    /// In which stage, from 0.
    pub stage: u32,
    /// When, after the stage's origin; `None`: before its traffic.
    pub at: Option<Duration>,
    /// True for an event, which is no fault.
    pub event: bool,
    /// True for what has no end of its own: a restart is over when all is up again.
    #[serde(default)]
    pub at_once: bool,
}

/// The times of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StageTimes {
    /// The first intended send.
    pub origin: Stamp,
    /// The last intended send, so far.
    pub last_intended: Stamp,
    /// When its last call was over, or the drain ended.
    pub ended: Stamp,
}

/// Which process of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Process {
    /// Its proxy.
    Proxy,
    /// Its workload.
    Workload,
    /// The link that carries wires; it stands beside the instances.
    Link,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Process::Proxy => "proxy",
            Process::Workload => "workload",
            Process::Link => "link",
        })
    }
}

/// The end of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifeEnd {
    /// Whose.
    pub instance: InstanceId,
    /// Which of its processes.
    pub what: Process,
    /// When it was asked to end; `None`: nobody had asked.
    pub asked: Option<Stamp>,
    /// When it was seen gone.
    pub at: Stamp,
    /// How it ended: `was killed by SIGKILL`, `exited with status 1`.
    pub how: String,
}

/// What befell a process that nobody had asked to end.
impl fmt::Display for LifeEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            Process::Link => f.write_str("the link")?,
            what => write!(f, "the {what} of {}", self.instance)?,
        }
        write!(f, " died by itself: it {}", self.how)
    }
}

/// How the machine and the harness itself fared. Times in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    /// By how much 99 of 100 sends were late at most.
    pub late_p99: u64,
    /// What that may be.
    pub late_p99_limit: u64,
    /// By how much the latest send was late.
    pub late_max: u64,
    /// What that may be.
    pub late_max_limit: u64,
    /// Calls that found no room: the cap on connections was reached, or the machine refused a socket.
    pub starved: u64,
    /// The longest that the engine's own loop was held up.
    pub loop_lag: u64,
    /// What that may be.
    pub loop_lag_limit: u64,
    /// The longest that a thread of a proxy, a workload or a link was ready to run without a processor, of any fifth of a second.
    pub queued: u64,
    /// What that may be.
    pub queued_limit: u64,
    /// The machine was suspended meanwhile: boot time ran on without the monotonic clock.
    pub slept: bool,
    /// By how much a proxy's wall clock, mapped to the monotonic clock, may be off.
    pub clock_error: u64,
    /// For how long a line of a log may have been in its proxy's memory alone.
    pub unwritten: u64,
}

impl Default for Health {
    fn default() -> Self {
        Health {
            late_p99: 0,
            late_p99_limit: 10_000_000,
            late_max: 0,
            late_max_limit: 100_000_000,
            starved: 0,
            loop_lag: 0,
            loop_lag_limit: 250_000_000,
            queued: 0,
            queued_limit: 75_000_000,
            slept: false,
            clock_error: 1_000_000,
            unwritten: 0,
        }
    }
}

/// Why a run proves nothing, whatever its calls say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Too many sends were late, or one was far too late.
    Late {
        /// Which: `1% of the sends were` or `a send was`.
        what: &'static str,
        /// By how much, nanoseconds.
        by: u64,
        /// What is allowed, nanoseconds.
        limit: u64,
    },
    /// Calls found no room for a connection.
    Starved(u64),
    /// The engine's loop was held up.
    Lag {
        /// For how long, nanoseconds.
        by: u64,
        /// What is allowed, nanoseconds.
        limit: u64,
    },
    /// A process of the mesh stood in the machine's run queue.
    Queued {
        /// For how long, nanoseconds.
        by: u64,
        /// What is allowed, nanoseconds.
        limit: u64,
    },
    /// The machine was suspended.
    Slept,
    /// A process ended that nobody had asked to.
    Died(LifeEnd),
    /// A fault's lease ran out under us.
    Lapsed(Holder),
    /// A line that an observer wrote cannot be read.
    Unreadable(String),
}

impl Trouble {
    /// True for trouble of the machine, which says nothing of the mesh: such a run may be made once more.
    #[must_use]
    pub fn is_of_the_machine(&self) -> bool {
        match self {
            Trouble::Late { .. } | Trouble::Starved(_) | Trouble::Lag { .. } | Trouble::Slept => true,
            // It makes no run be made once more: only a red would ask for it.
            Trouble::Queued { .. } | Trouble::Died(_) | Trouble::Lapsed(_) | Trouble::Unreadable(_) => false,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |nanos: u64| duration(Duration::from_nanos(nanos));
        match self {
            Trouble::Late { what, by, limit } => {
                write!(f, "{what} more than {} late, {} is allowed", time(*by), time(*limit))
            }
            Trouble::Starved(calls) => write!(f, "{calls} calls found no free connection"),
            Trouble::Lag { by, limit } => {
                write!(f, "the engine was held up for {}, {} is allowed", time(*by), time(*limit))
            }
            Trouble::Queued { by, limit } => write!(
                f,
                "a process of the mesh waited {} of a fifth of a second for a processor, {} is allowed",
                time(*by),
                time(*limit)
            ),
            Trouble::Slept => f.write_str("the machine was suspended"),
            Trouble::Lapsed(holder) => write!(f, "{holder} ran out before its time"),
            Trouble::Unreadable(line) => write!(f, "a line of a log cannot be read: {line}"),
            Trouble::Died(life) => life.fmt(f),
        }
    }
}

impl Observed {
    /// What went wrong with the machine or the harness, worst first; empty if the run can be trusted in this respect.
    #[must_use]
    pub fn troubles(&self) -> Vec<Trouble> {
        let h = &self.health;
        let died = self.lives.iter().filter(|l| l.asked.is_none()).cloned().map(Trouble::Died);
        died.chain(self.lapses.iter().cloned().map(Trouble::Lapsed))
            .chain(self.unreadable.first().cloned().map(Trouble::Unreadable))
            .chain(h.slept.then_some(Trouble::Slept))
            .chain((h.starved > 0).then_some(Trouble::Starved(h.starved)))
            .chain((h.late_max > h.late_max_limit).then_some(Trouble::Late {
                what: "a send was",
                by: h.late_max,
                limit: h.late_max_limit,
            }))
            .chain((h.late_p99 > h.late_p99_limit).then_some(Trouble::Late {
                what: "1% of the sends were",
                by: h.late_p99,
                limit: h.late_p99_limit,
            }))
            .chain((h.loop_lag > h.loop_lag_limit).then_some(Trouble::Lag { by: h.loop_lag, limit: h.loop_lag_limit }))
            .collect()
    }

    /// A machine that kept the mesh from working, where that can have decided anything: it makes calls slower and never faster, so it
    /// speaks against a red and not against a green, and a control run that it makes red has noticed something all the same.
    #[must_use]
    pub fn slowed(&self, plan: &Plan) -> Option<Trouble> {
        let h = &self.health;
        (plan.is_hurt_by_slowness() && h.queued > h.queued_limit)
            .then_some(Trouble::Queued { by: h.queued, limit: h.queued_limit })
    }
}

/// What a plan does, and when: for [`Observed::planned`] of its control runs.
#[must_use]
pub fn planned(plan: &Plan) -> Vec<Planned> {
    let does = |act: Act| match act {
        Act::Arm(id) | Act::End(id) => plan.fault(id).map(|fault| &fault.does),
        Act::Change(_) | Act::Revert(_) => None,
    };
    let event = |act: Act| does(act).is_some_and(FaultKind::is_event);
    let at_once = |act: Act| matches!(does(act), Some(FaultKind::Restarted { .. }));
    let stages = plan.timeline.stages.iter().zip(0u32..);
    stages
        .flat_map(|(stage, number)| {
            let standing = stage.standing.iter().map(|act| (*act, None));
            let cues = stage.cues.iter().map(|cue| (cue.act, Some(cue.at)));
            standing.chain(cues).map(move |(act, at)| (act, number, at))
        })
        .map(|(act, stage, at)| Planned { act, stage, at, event: event(act), at_once: at_once(act) })
        .collect()
}
