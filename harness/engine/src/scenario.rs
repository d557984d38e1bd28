//! One run of one scenario: place → bind → render → apply → confirm → settle → { arm → traffic ∥ cues → quiesce }* →
//! end faults → confirm clean → barrier → judge → recycle.

use crate::{
    Engine, asking, clock, deadline,
    error::EngineError,
    gather::Gatherer,
    guard::Guards,
    lag::LagWatch,
    lines,
    pool::{Placed, Pool, within},
    run_queue::RunQueueWatch,
    stage::{Cast, Playing, StageRecord, cue},
    watch::{Patience, Watch, happened},
    world::World,
};
use squall_evidence::{Evidence, Health, LifeEnd, Observed, Planned, StageTimes, join};
use squall_mesh::{Bindings, Mesh, MeshError, PoliciesInForce, settling};
use squall_model::{
    Body, CallRecord, ClientEnd, CounterRecord, Finding, Finished, GuardMet, InstanceId, Plan, Protocol, RunOf, Stamp,
    Variation, Verdict, Why,
};
use squall_traffic::ScheduleBound;
use squall_verdict::Settings;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What one run of one scenario came to.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    pub(crate) findings: Vec<Finding>,
    /// What the health record says against the machine; a proxy that died, say, is not the machine's trouble.
    machine: Option<String>,
}

/// How late sends may be: 99 of 100, and each. Far less than any time that a feature speaks of, far more than a healthy
/// machine needs (0.1 to 1 ms).
const SCHEDULE: ScheduleBound = ScheduleBound { p99: Duration::from_millis(20), any: Duration::from_millis(100) };

/// Runs one plan, main or control, and tells of it. `None` where the run was stopped meanwhile: it came to nothing, which is no
/// verdict.
pub(crate) async fn run<M: Mesh>(
    engine: &Engine<'_, M>,
    pool: &Pool<'_, M>,
    plan: &Plan,
    main: &Plan,
) -> Option<Outcome> {
    let of = RunOf { plan: plan.key.clone(), variation: plan.variation };
    let begin = clock::now();
    engine.events.emit(Some(&of), Body::Started);
    let mut act = Performance::new(engine, pool, plan, main, &of);
    let mut outcome = act.attempt().await?;
    if let Some(why) = outcome.machine.take() {
        // The machine's fault, by its own health record and blind to outcomes: once more, and both are recorded.
        engine.events.emit(Some(&of), Body::Rerun { why });
        act = Performance::new(engine, pool, plan, main, &of);
        outcome = act.attempt().await?;
    }
    let took = clock::now().since(begin).as_nanos() as u64;
    let cause = match &outcome.verdict {
        Verdict::Error(why) => Some(format!("{}: {why}", plan.origins.scenario)),
        _ => None,
    };
    let calls = act.calls.len() as u64;
    engine.events.emit(
        Some(&of),
        Body::Finished(Finished { verdict: outcome.verdict.clone(), calls, took, traffic: act.traffic, cause }),
    );
    Some(outcome)
}

/// Why this plan cannot be run here, before anything is touched.
fn refusals<M: Mesh>(mesh: &M, plan: &Plan) -> Option<String> {
    let needs = plan.needs.iter().map(|need| format!("{} ({})", need.what, need.origin));
    let all: Vec<String> = needs.chain(mesh.refuses(plan).into_iter().map(|r| r.0)).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

fn verdict_of(error: &EngineError) -> Verdict {
    match error {
        EngineError::Mesh(MeshError::Refused(refusal)) => Verdict::Unsupported(refusal.0.clone()),
        EngineError::Aborted(met) => Verdict::Inconclusive(Why::Aborted(met.clone())),
        other => Verdict::Error(other.to_string()),
    }
}

/// An error that came after a death is told with it: the death explains it.
fn after(died: Option<LifeEnd>, error: EngineError) -> EngineError {
    match (died, error) {
        (None, error)
        | (_, error @ (EngineError::Interrupted | EngineError::Aborted(_) | EngineError::Died { .. })) => error,
        (Some(died), error) => EngineError::Died { died: Box::new(died), then: Box::new(error) },
    }
}

/// A run under way, with all that it has learned so far.
struct Performance<'e, M> {
    engine: &'e Engine<'e, M>,
    pool: &'e Pool<'e, M>,
    plan: &'e Plan,
    /// The plan as written; the same one where this is no control run.
    main: &'e Plan,
    of: &'e RunOf,
    prefix: String,
    planned: Vec<Planned>,
    settings: Settings,
    calls: Vec<CallRecord>,
    stages: Vec<StageRecord>,
    traffic: u64,
    step: Stamp,
}

impl<'e, M: Mesh> Performance<'e, M> {
    fn new(engine: &'e Engine<'e, M>, pool: &'e Pool<'e, M>, plan: &'e Plan, main: &'e Plan, of: &'e RunOf) -> Self {
        Performance {
            engine,
            pool,
            plan,
            main,
            of,
            prefix: format!("{}r{}.", engine.word, engine.next_run()),
            planned: squall_evidence::planned(main),
            settings: Settings::of(plan),
            calls: Vec::new(),
            stages: Vec::new(),
            traffic: 0,
            step: clock::now(),
        }
    }

    /// One go at it, whatever comes of it; `None` where it was stopped.
    async fn attempt(&mut self) -> Option<Outcome> {
        let bare = |verdict| Outcome { verdict, findings: Vec::new(), machine: None };
        if let Some(why) = refusals(self.engine.mesh, self.plan) {
            return Some(bare(Verdict::Unsupported(why)));
        }
        match self.perform().await {
            Err(EngineError::Interrupted) => None,
            performed => Some(performed.unwrap_or_else(|error| bare(verdict_of(&error)))),
        }
    }

    /// Places the mesh, plays the scenario, and leaves the mesh as clean as it was, whatever happened between.
    async fn perform(&mut self) -> Result<Outcome, EngineError> {
        let tag = self.prefix.trim_end_matches('.').to_owned();
        let mut world = World::place(self.pool, self.plan, self.main, tag).await?;
        self.done("place");
        let stop = self.engine.stopper.clone();
        let mut played = tokio::select! {
            biased;
            () = stop.stopped() => Err(EngineError::Interrupted),
            played = self.play(&mut world) => played,
        };
        if let Err(EngineError::Aborted(met)) = &played
            && let Err(error) = self.abort(&mut world, met).await
        {
            played = Err(error);
        }
        // A process that died may be why it failed: that is told before its seat is thrown away.
        world.check_lives(self.engine.events, self.of);
        let died = world.ends().into_iter().find(|end| end.asked.is_none());
        let fit = played.is_ok() && world.is_healthy();
        world.leave(fit).await;
        self.done("recycle");
        let (observed, said) = played.map_err(|error| after(died, error))?;
        Ok(self.judge(observed, &said))
    }

    /// A guard was met: its faults end now and not with the world that they are in, and after this scenario there is no other.
    async fn abort(&self, world: &mut World<'e, M>, met: &GuardMet) -> Result<(), EngineError> {
        self.engine.stopper.stop(&format!("the guard at {}", met.origin));
        for (act, effect) in world.end_faults().await? {
            self.engine.events.emit(Some(self.of), Body::CueEffect(cue(self.plan, act, effect)));
        }
        Ok(())
    }

    /// Everything between an empty mesh and a clean one.
    async fn play(&mut self, world: &mut World<'e, M>) -> Result<(Observed, Said), EngineError> {
        let mesh = self.engine.mesh;
        world.prepare_reserve().await?;
        world.configure().await?;
        self.done("confirm");
        self.settle(world).await?;
        world.behave().await?;
        let mut gatherer = Gatherer::new(&self.prefix);
        gatherer.adopt(mesh, world)?;
        let before = mesh.counters(&world.within_reach()).await?;
        let asleep = clock::suspended();
        let said_before = Said::of(mesh, world.seats()).lengths();
        self.done("settle");

        let patience = match self.plan.variation {
            _ if !self.engine.early_stop => Patience::Never,
            Variation::Main => Patience::UntilDecided,
            _ => Patience::UntilViolated,
        };
        let plan = self.plan;
        let planned = self.planned.clone();
        let mut watch = Watch::new(plan, self.settings, patience, &self.prefix, planned, mesh.unwritten());
        let mut guards = Guards::new(plan, &self.settings);
        let (begin, lag) = (clock::now(), LagWatch::start());
        let (mut queue, keeper) = (RunQueueWatch::default(), world.keeper());
        tokio::select! {
            done = self.stages(world, &mut gatherer, &mut watch, &mut guards) => done?,
            never = queue.watch(keeper), if plan.is_hurt_by_slowness() => match never {},
        }
        self.traffic = clock::now().since(begin).as_nanos() as u64;
        let lag = lag.worst();
        self.done("traffic");

        let last = self.stages.last().map_or(begin, |stage| stage.last_intended);
        world.check_lives(self.engine.events, self.of);
        world.rest(last + lines::CLIENT_DEADLINE).await?;
        let late = world.end_faults().await?;
        watch.effects.extend(happened(self.stages.len().saturating_sub(1), &late));
        self.done("clean");
        let marker = format!("{}end", self.prefix);
        gatherer.barrier(mesh, world, &marker).await?;
        world.check_lives(self.engine.events, self.of);
        let after = mesh.counters(&world.within_reach()).await?;
        self.done("barrier");

        let mut observed = self.observed(gatherer, watch);
        observed.counters = rises(&before, &after, world.begun_anew());
        observed.lives = world.ends();
        observed.control = world.control().to_vec();
        observed.lapses = world.lapses();
        observed.health.unwritten = mesh.unwritten().as_nanos() as u64;
        observed.health.slept = clock::suspended() > asleep;
        observed.health.loop_lag = self.load_lag(begin).max(lag);
        observed.health.queued = queue.worst().as_nanos() as u64;
        let mut said = Said { before: said_before, ..Said::of(mesh, world.seats()) };
        if plan.variation == Variation::Main {
            // A report may quote it; no verdict hangs on it.
            said.policies = mesh.policies(&self.callers(world)).await;
        }
        Ok((observed, said))
    }

    /// Sends a few calls over each edge of the traffic, so that pools are open when anything is counted.
    async fn settle(&mut self, world: &mut World<'e, M>) -> Result<(), EngineError> {
        world.relax().await?;
        let (mesh, by) = (self.engine.mesh, deadline::SETTLE.from_now());
        let (asking, settling) = (mesh.asking(self.plan), settling(&self.prefix));
        if !asking.is_empty() {
            // They ask from here on.
            world.touch().await?;
        }
        let callees = self.plan.lines().map(|line| (line.number, line.to.service.clone())).collect();
        loop {
            drop(mesh.asked(&settling));
            let calls = self.first_calls(world).await?;
            match asking::silent(&callees, &asking, &calls, &mesh.asked(&settling), &settling) {
                Some(why) if clock::now() > by => return Err(EngineError::Plan(why)),
                Some(_) => {}
                None => return Ok(()),
            }
        }
    }

    /// One go at it: at least one call has to be answered.
    async fn first_calls(&self, world: &World<'e, M>) -> Result<Vec<CallRecord>, EngineError> {
        let mut made = Vec::new();
        for line in self.plan.lines() {
            let proxies: Vec<_> = world
                .present()
                .filter(|(id, _)| id.service == line.caller)
                .map(|(_, placed)| self.engine.mesh.outbound(placed.folder()))
                .collect();
            let callee = world.topology().service(&line.to.service);
            let calls = (proxies.len() * callee.map_or(1, |s| s.instances.len()) * 2) as u64;
            let protocol = callee.map_or(Protocol::default(), |s| s.protocol);
            let theirs = world.topology().deployed(&line.to.service).is_some();
            let calls = lines::first(line, calls, theirs, self.plan.lines().count());
            made.push(lines::settling(
                line.number,
                line.to.service.as_str(),
                protocol,
                &proxies,
                calls,
                &settling(&self.prefix),
            )?);
        }
        let run = self.engine.load.begin(made, squall_traffic::Start::default())?;
        within(deadline::SETTLE, "the first calls over each edge", run.finish(deadline::SETTLE.at_most)).await??;
        let mut calls = Vec::new();
        run.drain_into(&mut calls);
        match calls.iter().any(|call| matches!(call.end, ClientEnd::Answered(_) | ClientEnd::Grpc(_))) {
            true => Ok(calls),
            false => {
                Err(EngineError::Plan("not one call over its edges was answered before anything was broken".into()))
            }
        }
    }

    async fn stages(
        &mut self,
        world: &mut World<'e, M>,
        gatherer: &mut Gatherer,
        watch: &mut Watch<'e>,
        guards: &mut Guards<'e>,
    ) -> Result<(), EngineError> {
        let engine = self.engine;
        let prefix = self.prefix.clone();
        let cast = Cast {
            plan: self.plan,
            of: self.of,
            mesh: engine.mesh,
            load: engine.load,
            events: engine.events,
            prefix: &prefix,
        };
        let mut seq = 0;
        for (number, stage) in self.plan.timeline.stages.iter().enumerate() {
            if watch.over() && self.plan.variation != Variation::Main {
                break;
            }
            let playing = Playing {
                cast: &cast,
                number,
                stage,
                world: &mut *world,
                gatherer: &mut *gatherer,
                calls: &mut self.calls,
                watch: &mut *watch,
                guards: &mut *guards,
                first_seq: seq,
                effects: Vec::new(),
            };
            let (record, next) = playing.run().await?;
            seq = next;
            watch.stages.push(times(&record));
            watch.effects.extend(happened(number, &record.effects));
            self.stages.push(record);
        }
        Ok(())
    }

    fn observed(&self, gatherer: Gatherer, watch: Watch<'_>) -> Observed {
        let worst = |f: fn(&squall_traffic::ScheduleHealth) -> Duration| {
            self.stages.iter().map(|s| f(&s.schedule).as_nanos() as u64).max().unwrap_or(0)
        };
        let health = Health {
            late_p99: worst(|s| s.p99),
            late_p99_limit: SCHEDULE.p99.as_nanos() as u64,
            late_max: worst(|s| s.max),
            late_max_limit: SCHEDULE.any.as_nanos() as u64,
            starved: self.stages.iter().map(|s| s.schedule.starved).sum(),
            ..Health::default()
        };
        let tells_states = gatherer.tells_states();
        Observed {
            prefix: self.prefix.clone(),
            calls: self.calls.clone(),
            access: gatherer.access,
            tries: gatherer.tries,
            ledger: gatherer.ledger,
            tells_states,
            states: gatherer.states,
            checks: gatherer.checks.into_iter().collect(),
            wires: gatherer.wires,
            asked: gatherer.asked,
            unreadable: gatherer.unreadable,
            effects: watch.effects,
            planned: self.planned.clone(),
            stages: watch.stages,
            health,
            quiet: true,
            ..Observed::default()
        }
    }

    /// The longest that the load thread's loop was held up since a moment.
    fn load_lag(&self, since: Stamp) -> u64 {
        self.engine.load.looks_since(since).iter().map(|look| look.lag.as_nanos() as u64).max().unwrap_or(0)
    }

    /// Joins, judges, and tells of every claim and fault.
    fn judge(&mut self, observed: Observed, said: &Said) -> Outcome {
        let evidence: Evidence = join(self.plan, observed);
        let machine = evidence.observed().troubles().iter().find(|t| t.is_of_the_machine()).map(ToString::to_string);
        let findings = squall_verdict::judge(self.plan, &evidence, &self.settings);
        let verdict = squall_verdict::scenario(&findings);
        let doses = squall_evidence::doses(self.plan, &evidence);
        crate::tell::judgement(self.engine.events, self.of, self.plan, &evidence, &findings, &doses, said);
        // What others promise is told even where it holds: nobody wrote it into the scenario.
        let theirs = self.plan.topology.theirs().next().is_some();
        if verdict != Verdict::Holds || theirs {
            crate::tell::in_force(self.engine.events, self.of, &said.policies, &evidence.observed().counters);
        }
        if verdict != Verdict::Holds {
            crate::tell::keep_evidence(self.engine.record, self.of, &evidence);
        }
        self.done("judge");
        Outcome { verdict, findings, machine }
    }

    /// Who can be asked, of those that call anybody.
    fn callers(&self, world: &World<'_, M>) -> Bindings {
        let mut at = world.within_reach();
        at.seats.retain(|id, _| self.plan.topology.service(&id.service).is_some_and(|s| !s.calls.is_empty()));
        at
    }

    fn done(&mut self, name: &str) {
        let now = clock::now();
        let took = now.since(self.step).as_nanos() as u64;
        self.engine.events.emit(Some(self.of), Body::Step { name: name.to_owned(), took });
        self.step = now;
    }
}

/// What the proxies of a run wrote, and said: for what a report quotes.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) access: Vec<std::path::PathBuf>,
    pub(crate) own: Vec<(InstanceId, std::path::PathBuf)>,
    /// How long the logs of those proxies were that have served other runs before, in bytes.
    pub(crate) before: BTreeMap<std::path::PathBuf, u64>,
    /// Of a main run's callers, at its end.
    pub(crate) policies: PoliciesInForce,
}

impl Said {
    fn of<'p, M: Mesh>(mesh: &M, seats: impl Iterator<Item = (&'p InstanceId, &'p Placed)>) -> Said {
        let mut said = Said::default();
        for (id, placed) in seats {
            let paths = mesh.logs(placed.folder());
            said.access.extend([paths.outbound, paths.inbound]);
            said.own.push((id.clone(), paths.own));
        }
        said
    }

    /// How long they are, their own ones.
    fn lengths(&self) -> BTreeMap<std::path::PathBuf, u64> {
        let length = |path: &std::path::PathBuf| Some((path.clone(), std::fs::metadata(path).ok()?.len()));
        self.own.iter().filter_map(|(_, path)| length(path)).collect()
    }
}

fn times(record: &StageRecord) -> StageTimes {
    StageTimes { origin: record.origin, last_intended: record.last_intended, ended: record.ended }
}

type Counters = BTreeMap<InstanceId, BTreeMap<String, u64>>;

/// What each counter rose by. A proxy that is not there now has no record; nor has one that was never there before, and has not
/// begun anew.
fn rises(before: &Counters, after: &Counters, anew: &BTreeSet<InstanceId>) -> Vec<CounterRecord> {
    let zero = BTreeMap::new();
    let rise = |id: &InstanceId, now: &BTreeMap<String, u64>| {
        // One that has begun anew counts from nothing.
        let base = before.get(id).map(|base| if anew.contains(id) { &zero } else { base })?;
        let rises = now
            .iter()
            .map(|(name, value)| (name.clone(), value.saturating_sub(base.get(name).copied().unwrap_or(0))))
            .filter(|(_, rise)| *rise > 0)
            .collect();
        Some(CounterRecord { proxy: id.clone(), rises })
    };
    after.iter().filter_map(|(id, now)| rise(id, now)).collect()
}
