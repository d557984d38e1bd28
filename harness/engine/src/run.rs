//! A whole run: every scenario in order, each with its controls, one at a time: two at once would share the control plane that
//! one of them kills, and take the other's processor time.

use crate::{clock, control, events::Events, pool::Pool, scenario, stopper::Stopper};
use squall_mesh::Mesh;
use squall_model::{Body, ClaimKind, ControlRule, Plan, Policy, Queued, RunOf, Totals, Variation};
use squall_place::Keeper;
use squall_traffic::LoadThread;
use std::{cell::Cell, path::Path};

/// What a run is made with.
pub struct Engine<'a, M> {
    /// How proxies are configured.
    pub mesh: &'a M,
    /// The parent of every process.
    pub keeper: &'a Keeper,
    /// The one load thread.
    pub load: &'a LoadThread,
    /// This program: workloads are started from it.
    pub exe: &'a Path,
    /// Where events go.
    pub events: &'a Events,
    /// What stops it.
    pub stopper: Stopper,
    /// Whether control runs are made.
    pub controls: bool,
    /// By what all ids of its calls begin, where proxies are shared with other runs; empty elsewhere.
    pub word: String,
    /// The one seed.
    pub seed: u64,
    /// Whether a stage may end as soon as nothing is left to learn; else all of them run their length.
    pub early_stop: bool,
    /// Folder of the run's record.
    pub record: &'a Path,
    /// Runs of scenarios so far: each has a number of its own in its calls' ids.
    pub runs: Cell<u32>,
}

impl<M: Mesh> Engine<'_, M> {
    /// Runs every plan, and tells of it. It ends early only by its stopper.
    pub async fn run(&self, plans: &[Plan]) {
        let begin = clock::now();
        plans.iter().for_each(|plan| self.events.emit(Some(&main_run(plan)), Body::Queued(queued(plan))));
        let pool = Pool::new(self.mesh, self.keeper, self.exe, self.seed);
        let mut totals = Totals::default();
        // Boots come in bulk before the first traffic: a boot beside traffic steals from it. If it fails, scenarios say why.
        let most = plans.iter().map(Plan::proxies).max().unwrap_or(0);
        tokio::select! {
            _ = pool.warm(most) => {}
            () = self.stopper.stopped() => {}
        }
        for plan in plans {
            self.one(&pool, plan, &mut totals).await;
        }
        totals.not_run = (plans.len() as u32).saturating_sub(totals.scenarios);
        totals.wall_s = clock::now().since(begin).as_secs_f64();
        if let Some(why) = self.stopper.why() {
            self.events.emit(None, Body::Interrupted { why: why.to_owned() });
        }
        self.events.emit(None, Body::RunFinished(totals));
    }

    async fn one(&self, pool: &Pool<'_, M>, plan: &Plan, totals: &mut Totals) {
        if self.stopper.is_stopped() {
            return;
        }
        let Some(outcome) = scenario::run(self, pool, plan, plan).await else { return };
        totals.alpha += plan.terms.rates.alpha * statistical_claims(plan);
        let controlled = match self.controls {
            true => Some(control::run(self, pool, plan, &outcome.verdict).await),
            false => None,
        };
        totals.count(&outcome.verdict, controlled.as_ref(), plan.terms.quarantine.is_some());
    }

    pub(crate) fn next_run(&self) -> u32 {
        self.runs.replace(self.runs.get() + 1)
    }
}

fn statistical_claims(plan: &Plan) -> f64 {
    plan.claims.iter().filter(|c| matches!(c.kind, ClaimKind::Share { .. } | ClaimKind::Paired { .. })).count() as f64
}

fn main_run(plan: &Plan) -> RunOf {
    RunOf { plan: plan.key.clone(), variation: Variation::Main }
}

fn queued(plan: &Plan) -> Queued {
    let origin = |id| plan.origins.claims.get(&id).unwrap_or(&plan.origins.scenario).clone();
    let policy = |p: &Policy| Some((p.id, plan.origins.policies.get(&p.id)?.clone()));
    Queued {
        title: plan.title.clone(),
        origin: plan.origins.scenario.clone(),
        claims: plan.claims.iter().map(|c| (c.id, c.text.clone(), origin(c.id))).collect(),
        policies: plan.policies.iter().filter(|p| p.own).filter_map(policy).collect(),
        no_control: match &plan.control {
            ControlRule::None(why) => Some(why.clone()),
            _ => None,
        },
        quarantine: plan.terms.quarantine.clone(),
    }
}
