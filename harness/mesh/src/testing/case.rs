//! A case of the contract: a plan, and what calls come to while it is played.

use super::Call;
use squall_model::{
    Act, Fault, FaultId, FaultKind, Filter, InstanceId, Origin, OriginMap, PLAN_SCHEMA, Plan, PlanKey, Policy,
    PolicyId, PolicyKind, Target, Timeline, Title, Topology, Variation, When,
};
use std::time::Duration;

/// A case.
#[derive(Debug, Clone)]
pub struct Case {
    /// A sentence about every mesh.
    pub name: &'static str,
    /// What is wanted. A policy that a step changes to is not in effect before it.
    pub plan: Plan,
    /// Workloads that do not answer with 200 at once: which, with what, and after how long.
    pub answers: Vec<(Target, u16, Duration)>,
    /// What comes of it.
    pub expected: Expected,
}

/// What comes of a plan.
#[derive(Debug, Clone)]
pub enum Expected {
    /// It is refused before anything is touched.
    Refused,
    /// Each step in order.
    Steps(Vec<Step>),
}

/// Something is brought about, and confirmed; then the very next calls are as expected.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// What is brought about, in order.
    pub acts: Vec<Act>,
    /// What calls then come to.
    pub calls: Vec<Expectation>,
}

/// Some calls, one after another, and what comes of each.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// The call.
    pub call: Call,
    /// How often it is made.
    pub times: u32,
    /// The status of each; `None`: any.
    pub status: Option<u16>,
    /// How many tries of each a workload serves; `None`: any number.
    pub tries: Option<usize>,
    /// The instances that serve them: all of these and no other; `None`: any.
    pub reached: Option<Target>,
    /// How long each takes at least.
    pub at_least: Duration,
}

/// A call from the first instance of a service to another service.
pub(super) fn call(from: &str, to: &str) -> Expectation {
    let from = InstanceId { service: from.into(), number: 1 };
    Expectation {
        call: Call { from, to: to.into(), with: Filter::default() },
        times: 1,
        status: None,
        tries: None,
        reached: None,
        at_least: Duration::ZERO,
    }
}

impl Expectation {
    pub(super) fn with(mut self, with: Filter) -> Expectation {
        self.call.with = with;
        self
    }

    pub(super) fn times(mut self, times: u32) -> Expectation {
        self.times = times;
        self
    }

    pub(super) fn status(mut self, status: u16) -> Expectation {
        self.status = Some(status);
        self
    }

    pub(super) fn tries(mut self, tries: usize) -> Expectation {
        self.tries = Some(tries);
        self
    }

    pub(super) fn reaching(mut self, target: Target) -> Expectation {
        self.reached = Some(target);
        self
    }

    pub(super) fn at_least(mut self, time: Duration) -> Expectation {
        self.at_least = time;
        self
    }
}

impl Case {
    /// A case without policies, faults and steps.
    pub(super) fn new(name: &'static str, topology: Topology) -> Case {
        Case { name, plan: plan(topology), answers: Vec::new(), expected: Expected::Steps(Vec::new()) }
    }

    pub(super) fn policies(mut self, policies: impl IntoIterator<Item = PolicyKind>) -> Case {
        let numbered = (0..).map(PolicyId).zip(policies);
        self.plan.policies = numbered.map(|(id, says)| Policy { id, own: true, says }).collect();
        self
    }

    pub(super) fn faults(mut self, faults: impl IntoIterator<Item = FaultKind>) -> Case {
        let numbered = (0..).map(FaultId).zip(faults);
        self.plan.faults = numbered.map(|(id, does)| Fault { id, does, when: When::Standing }).collect();
        self
    }

    pub(super) fn answer(mut self, of: Target, status: u16, after: Duration) -> Case {
        self.answers.push((of, status, after));
        self
    }

    pub(super) fn step(
        mut self,
        acts: impl IntoIterator<Item = Act>,
        calls: impl IntoIterator<Item = Expectation>,
    ) -> Case {
        if let Expected::Steps(steps) = &mut self.expected {
            steps.push(Step { acts: acts.into_iter().collect(), calls: calls.into_iter().collect() });
        }
        self
    }

    /// What calls come to from the start.
    pub(super) fn calls(self, calls: impl IntoIterator<Item = Expectation>) -> Case {
        self.step([], calls)
    }

    pub(super) fn refused(mut self) -> Case {
        self.expected = Expected::Refused;
        self
    }
}

/// A plan that wants nothing of its mesh.
pub(super) fn plan(topology: Topology) -> Plan {
    Plan {
        schema: PLAN_SCHEMA,
        key: PlanKey("c0".into()),
        title: Title { feature: "Contract".into(), scenario: "Case".into(), tags: Vec::new() },
        variation: Variation::Main,
        topology,
        policies: Vec::new(),
        faults: Vec::new(),
        timeline: Timeline::default(),
        claims: Vec::new(),
        guards: Vec::new(),
        control: squall_model::ControlRule::Default,
        terms: squall_model::Terms::default(),
        needs: Vec::new(),
        seed: 1,
        origins: OriginMap::of(Origin { file: "contract".into(), line: 1, column: 1, length: 1 }),
    }
}
