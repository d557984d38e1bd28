//! The Plan: the only input of the engine, and what lint, `plan`, control runs and history speak of.

use crate::{
    Claim, ClaimId, Fault, FaultId, Guard, GuardId, Origin, Policy, PolicyId, PolicyKind, Terms, Timeline, Topology,
    TrafficLine,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// Version of the plan's serialised form.
pub const PLAN_SCHEMA: u16 = 1;

/// Everything that a scenario says, compiled whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`PLAN_SCHEMA`].
    pub schema: u16,
    /// From canonical content, never from line numbers: history survives an inserted line.
    pub key: PlanKey,
    /// What people call it.
    pub title: Title,
    /// Main run, or which control.
    pub variation: Variation,
    /// Services and instances.
    pub topology: Topology,
    /// What the mesh promises. A policy named by an [`Act::Change`](crate::Act::Change) is not in effect before that.
    pub policies: Vec<Policy>,
    /// What is broken, what happens.
    pub faults: Vec<Fault>,
    /// When.
    pub timeline: Timeline,
    /// What is expected.
    pub claims: Vec<Claim>,
    /// What ends the whole run, judged in the main run alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<Guard>,
    /// What its control run does.
    pub control: ControlRule,
    /// On what terms it is judged.
    #[serde(default)]
    pub terms: Terms,
    /// Lines of the language that this version reads but cannot run: the scenario is *unsupported*, with these reasons.
    pub needs: Vec<Need>,
    /// The one seed that its schedule and ids are drawn from.
    pub seed: u64,
    /// Where each element was written. Not part of the key.
    pub origins: OriginMap,
}

/// Identity of a plan over the history: 16 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlanKey(pub String);

impl fmt::Display for PlanKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What people call a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Title {
    /// The feature.
    pub feature: String,
    /// The scenario, placeholders filled in.
    pub scenario: String,
    /// Tags of feature, rule, scenario and examples, with their `@`.
    pub tags: Vec<String>,
}

/// Something that this version, or a mesh, may not be able to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// What is needed, in words: `cutting the wire`.
    pub what: String,
    /// Where it was written.
    pub origin: Origin,
}

/// How the control run is made (language: control runs).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlRule {
    /// The scenario's own policies go, else the faults, else the events.
    Default,
    /// `@control(policies)`.
    Policies,
    /// `@control(faults)`.
    Faults,
    /// `@control(outage)`: all stays, and the wire of the claimed calls is cut in the fault's window as well.
    Outage,
    /// `@control(none: "reason")`: counted and shown, never green by itself.
    None(String),
    /// Lines that begin `in the control run`: they replace the line of the same subject, nothing else changes.
    Replace(Vec<Replacement>),
}

/// One line that begins `in the control run`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replacement {
    /// A policy instead of another, or besides all others.
    Policy {
        /// Which one goes.
        instead_of: Option<PolicyId>,
        /// What comes.
        says: PolicyKind,
    },
    /// A fault instead of another, or besides all others.
    Fault {
        /// Which one goes.
        instead_of: Option<FaultId>,
        /// What comes.
        fault: Fault,
    },
}

/// Which run of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variation {
    /// As written.
    Main,
    /// Without the scenario's own policies.
    WithoutPolicies,
    /// Without this one of them.
    WithoutPolicy(PolicyId),
    /// Without its faults.
    WithoutFaults,
    /// Without its events.
    WithoutEvents,
    /// With the lines that begin `in the control run`.
    Replaced,
    /// With the claimed calls cut off while the fault is in place.
    Outage,
}

impl Variation {
    /// What it takes away, in words; `policy` names one of the policies.
    pub fn words(self, policy: impl FnOnce(PolicyId) -> String) -> String {
        match self {
            Variation::Main => "as written".into(),
            Variation::WithoutPolicies => "without its policies".into(),
            Variation::WithoutPolicy(id) => format!("without {}", policy(id)),
            Variation::WithoutFaults => "without its faults".into(),
            Variation::WithoutEvents => "without its events".into(),
            Variation::Replaced => "with the lines `in the control run`".into(),
            Variation::Outage => "with the claimed calls cut off while the fault lasts".into(),
        }
    }
}

/// Where each element was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OriginMap {
    /// The scenario's own line.
    pub scenario: Origin,
    /// Each policy.
    pub policies: BTreeMap<PolicyId, Origin>,
    /// Each fault.
    pub faults: BTreeMap<FaultId, Origin>,
    /// Each traffic line, by number.
    pub lines: BTreeMap<u16, Origin>,
    /// Each claim.
    pub claims: BTreeMap<ClaimId, Origin>,
    /// Each guard.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub guards: BTreeMap<GuardId, Origin>,
}

impl OriginMap {
    /// A map that so far knows the scenario's own line only.
    #[must_use]
    pub fn of(scenario: Origin) -> OriginMap {
        OriginMap {
            scenario,
            policies: BTreeMap::new(),
            faults: BTreeMap::new(),
            lines: BTreeMap::new(),
            claims: BTreeMap::new(),
            guards: BTreeMap::new(),
        }
    }
}

impl Plan {
    /// Every traffic line, stage by stage.
    pub fn lines(&self) -> impl Iterator<Item = &TrafficLine> + '_ {
        self.timeline.stages.iter().flat_map(|s| &s.lines)
    }

    /// The fault of this number.
    #[must_use]
    pub fn fault(&self, id: FaultId) -> Option<&Fault> {
        self.faults.iter().find(|f| f.id == id)
    }

    /// The policy of this number.
    #[must_use]
    pub fn policy(&self, id: PolicyId) -> Option<&Policy> {
        self.policies.iter().find(|p| p.id == id)
    }

    /// The claim of this number.
    #[must_use]
    pub fn claim(&self, id: ClaimId) -> Option<&Claim> {
        self.claims.iter().find(|c| c.id == id)
    }

    /// Proxies that it needs: one an instance that it places.
    #[must_use]
    pub fn proxies(&self) -> usize {
        self.topology.services.iter().filter(|s| s.deployed.is_none()).map(|s| s.instances.len()).sum()
    }
}
