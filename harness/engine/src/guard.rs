//! The guards of a scenario, asked at every look at the traffic of its main run.

use crate::{clock, error::EngineError, events::Events};
use squall_model::{Body, CallRecord, Guard, GuardMet, Plan, RunOf, Stage, Stamp, Variation};
use squall_traffic::{Progress, Run};
use squall_verdict::{GuardTest, InFlight, Settings};
use std::{pin::pin, time::Duration};

/// How often guards are asked while something else is waited for.
const ASKED: Duration = Duration::from_millis(100);

/// The guards of one run of one plan.
pub(crate) struct Guards<'p> {
    plan: &'p Plan,
    tests: Vec<GuardTest<'p>>,
    /// So many of the calls of the scenario have been taken in.
    read: usize,
}

/// The traffic of a stage, and who is told.
#[derive(Clone, Copy)]
pub(crate) struct Flow<'f> {
    pub(crate) run: &'f Run,
    pub(crate) stage: &'f Stage,
    /// Number of its first call.
    pub(crate) first_seq: u64,
    pub(crate) events: &'f Events,
    pub(crate) of: &'f RunOf,
}

impl<'p> Guards<'p> {
    /// Those of a main run. A control run has none: what it takes away may well be what keeps calls from failing.
    pub(crate) fn new(plan: &'p Plan, settings: &Settings) -> Guards<'p> {
        let guards: &[Guard] = if plan.variation == Variation::Main { &plan.guards } else { &[] };
        Guards { plan, tests: guards.iter().map(|guard| GuardTest::new(plan, guard, settings)).collect(), read: 0 }
    }

    /// Reads what calls have ended, and says how far the traffic is.
    ///
    /// # Errors
    /// Where a guard is met. Whoever drops the traffic then stops it at once.
    pub(crate) fn ask(&mut self, flow: Flow<'_>, calls: &mut Vec<CallRecord>) -> Result<Progress, EngineError> {
        // Before the records: a call that ends between the two is seen twice, and so does no harm, and is never missed.
        let in_flight = self.in_flight(flow);
        let progress = flow.run.drain_into(calls);
        let now = clock::now();
        let Some(met) = self.met(now, flow.run.t0(), progress.oldest_unresolved_intended, &in_flight, calls) else {
            return Ok(progress);
        };
        flow.events.emit(Some(flow.of), Body::GuardMet(met.clone()));
        Err(EngineError::Aborted(Box::new(met)))
    }

    /// Has something take effect, and asks meanwhile. Once a guard is met no call is sent any more; what is under way takes effect all the same, since
    /// half of it could not be ended.
    ///
    /// # Errors
    /// Those of what is waited for, and where a guard is met.
    pub(crate) async fn let_it_come<T>(
        &mut self,
        flow: Flow<'_>,
        calls: &mut Vec<CallRecord>,
        waited_for: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        let mut waited_for = pin!(waited_for);
        match self.meanwhile(flow, calls, waited_for.as_mut()).await {
            Err(aborted @ EngineError::Aborted(_)) => {
                flow.run.stop_sending();
                // Whatever comes of it: a guard that is met is what is told, and what ends the whole run.
                drop(waited_for.await);
                Err(aborted)
            }
            other => other,
        }
    }

    /// Waits for something, and asks meanwhile: the traffic goes on, and an instance that comes back may take its time.
    ///
    /// # Errors
    /// Those of what is waited for, and where a guard is met.
    pub(crate) async fn meanwhile<T>(
        &mut self,
        flow: Flow<'_>,
        calls: &mut Vec<CallRecord>,
        waited_for: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        let mut waited_for = pin!(waited_for);
        loop {
            tokio::select! {
                biased;
                done = &mut waited_for => return done,
                () = clock::until(clock::now() + ASKED) => drop(self.ask(flow, calls)?),
            }
        }
    }

    fn in_flight(&self, flow: Flow<'_>) -> Vec<InFlight> {
        if self.tests.is_empty() {
            return Vec::new();
        }
        let lines = &flow.stage.lines;
        // Lines take numbers in turn.
        let line = |seq: u64| {
            let nth = seq.checked_sub(flow.first_seq)?.checked_rem(lines.len() as u64)?;
            lines.get(nth as usize)
        };
        let flying = flow.run.in_flight().into_iter();
        flying.filter_map(|(intended, seq)| Some(InFlight { line: line(seq)?.number, intended })).collect()
    }

    /// The first guard that is met.
    fn met(
        &mut self,
        now: Stamp,
        origin: Stamp,
        unresolved: Option<Stamp>,
        in_flight: &[InFlight],
        calls: &[CallRecord],
    ) -> Option<GuardMet> {
        let news = calls.get(self.read..).unwrap_or_default();
        self.tests.iter_mut().for_each(|test| test.take(news));
        self.read = calls.len();
        let origins = &self.plan.origins;
        self.tests.iter_mut().find_map(|test| {
            let measured = test.look(now, unresolved, in_flight)?;
            let guard = test.guard();
            Some(GuardMet {
                text: guard.text.clone(),
                origin: origins.guards.get(&guard.id).unwrap_or(&origins.scenario).clone(),
                at: now.since(origin).as_nanos() as u64,
                measured,
            })
        })
    }
}
