//! One stage: standing faults, then traffic and cues side by side, until the last call has ended.

use crate::{
    clock, deadline,
    error::EngineError,
    events::Events,
    gather::Gatherer,
    guard::{Flow, Guards},
    lines,
    watch::{Look, Watch},
    world::World,
};
use squall_mesh::{Endpoint, Mesh};
use squall_model::{
    Act, Body, CallRecord, ClientEnd, Cue, CueEffect, Effect, GrpcStatus, Plan, Progress, Protocol, RunOf, Shape,
    Stage, Stamp, TrafficLine,
};
use squall_traffic::{LoadThread, Phase, Run, ScheduleHealth, Start};
use std::time::Duration;

/// How often a stage looks at its traffic: often enough that an early stop saves time, seldom enough to cost nothing.
const LOOK: Duration = Duration::from_millis(100);

/// What a stage came to.
#[derive(Debug, Clone)]
pub(crate) struct StageRecord {
    /// Its time origin: the first intended send.
    pub(crate) origin: Stamp,
    /// Its last intended send.
    pub(crate) last_intended: Stamp,
    /// When its last call had ended.
    pub(crate) ended: Stamp,
    /// How well the schedule was kept.
    pub(crate) schedule: ScheduleHealth,
    /// What took effect when, standing faults first.
    pub(crate) effects: Vec<(Act, Effect)>,
}

/// What a stage is run with.
pub(crate) struct Cast<'c, M> {
    pub(crate) plan: &'c Plan,
    pub(crate) of: &'c RunOf,
    pub(crate) mesh: &'c M,
    pub(crate) load: &'c LoadThread,
    pub(crate) events: &'c Events,
    pub(crate) prefix: &'c str,
}

/// One stage under way: what it is run with, and what it adds to.
pub(crate) struct Playing<'s, 'w, 'p, M> {
    pub(crate) cast: &'s Cast<'s, M>,
    pub(crate) number: usize,
    pub(crate) stage: &'s Stage,
    pub(crate) world: &'s mut World<'w, M>,
    pub(crate) gatherer: &'s mut Gatherer,
    /// Every call of the scenario that has ended.
    pub(crate) calls: &'s mut Vec<CallRecord>,
    pub(crate) watch: &'s mut Watch<'p>,
    pub(crate) guards: &'s mut Guards<'p>,
    /// Number of its first call.
    pub(crate) first_seq: u64,
    /// What took effect in this stage.
    pub(crate) effects: Vec<(Act, Effect)>,
}

impl<M: Mesh> Playing<'_, '_, '_, M> {
    /// Runs the stage, and says where the numbers of the next begin.
    pub(crate) async fn run(mut self) -> Result<(StageRecord, u64), EngineError> {
        for act in &self.stage.standing {
            self.enact(*act, clock::now(), None).await?;
        }
        let run = self.cast.load.begin(self.lines()?, Start { at: None, first_seq: self.first_seq })?;
        let origin = run.t0();
        self.cast.events.emit(Some(self.cast.of), Body::StageBegan { stage: self.number as u32, origin });
        self.follow(&run).await?;
        let flow = flow(self.cast, self.stage, self.first_seq, &run);
        let finished = async { Ok(run.finish(deadline::QUIESCE.at_most).await?) };
        let summary = self.guards.meanwhile(flow, self.calls, finished).await?;
        self.guards.ask(flow, self.calls)?;
        let record = StageRecord {
            origin,
            last_intended: summary.last_intended,
            ended: clock::now(),
            schedule: summary.schedule,
            effects: self.effects,
        };
        Ok((record, summary.next_seq))
    }

    fn lines(&self) -> Result<Vec<squall_traffic::Line>, EngineError> {
        let (cast, world) = (self.cast, &*self.world);
        let proxies = |line: &TrafficLine| -> Vec<Endpoint> {
            let seats = world.present().filter(|(id, _)| id.service == line.caller);
            seats.map(|(_, placed)| cast.mesh.outbound(placed.folder())).collect()
        };
        let seed = cast.plan.seed;
        let protocol =
            |line: &TrafficLine| world.topology().service(&line.to.service).map_or(Protocol::default(), |s| s.protocol);
        let made = |line| lines::line(line, protocol(line), &proxies(line), cast.prefix, seed);
        self.stage.lines.iter().map(made).collect()
    }

    /// Cues at their moments, looks in between, until the last call is sent and the last cue has come. A stage in blocks may end
    /// before that: all of its cues are switches, and pairs come in an order that does not depend on when it ends.
    async fn follow(&mut self, run: &Run) -> Result<(), EngineError> {
        let mut cues = self.stage.cues.iter().peekable();
        let mut look = run.t0() + LOOK;
        loop {
            let next = cues.peek().map(|cue| run.t0() + cue.at);
            tokio::select! {
                biased;
                () = clock::until(next.unwrap_or_default()), if next.is_some() => {
                    let Some(Cue { act, at }) = cues.next() else { continue };
                    self.enact(*act, run.t0() + *at, Some(run)).await?;
                }
                sent = run.reached(Phase::Draining), if next.is_none() => {
                    sent?;
                    return Ok(());
                }
                () = clock::until(look) => {
                    look = clock::now() + LOOK;
                    let stops = self.look(run)? && (cues.peek().is_none() || self.stage.blocks.is_some());
                    if stops {
                        // What is left of blocks is more of the same: pairs that nobody needs any more.
                        cues = self.stage.cues[self.stage.cues.len()..].iter().peekable();
                        run.stop_sending();
                    }
                }
            }
        }
    }

    /// Reads what there is, tells how far the traffic is, and says whether there is nothing left to learn.
    fn look(&mut self, run: &Run) -> Result<bool, EngineError> {
        let cast = self.cast;
        let progress = self.guards.ask(flow(cast, self.stage, self.first_seq, run), self.calls)?;
        cast.events.emit(Some(cast.of), Body::Progress(self.shown(progress)));
        self.world.check_lives(cast.events, cast.of);
        self.gatherer.pump(cast.mesh)?;
        Ok(self.watch.look(&mut Look {
            stage: self.number,
            origin: run.t0(),
            unresolved: progress.oldest_unresolved_intended,
            now: clock::now(),
            calls: self.calls,
            gatherer: self.gatherer,
            effects: &self.effects,
            lives: self.world.ends(),
            control: self.world.control(),
        }))
    }

    /// Has a cue take effect, tells everybody, and goes on reading whoever is new.
    async fn enact(&mut self, act: Act, due: Stamp, run: Option<&Run>) -> Result<(), EngineError> {
        // By the addresses that instances have until now: what comes back comes back under another.
        self.gatherer.pump(self.cast.mesh)?;
        let effects = match run {
            None => self.world.enact(act, due).await?,
            Some(run) => {
                let flow = flow(self.cast, self.stage, self.first_seq, run);
                self.guards.let_it_come(flow, self.calls, self.world.enact(act, due)).await?
            }
        };
        self.gatherer.adopt(self.cast.mesh, self.world)?;
        // What became of pods that are not ours is on record, whatever the scenario comes to.
        let mut who_came = self.world.who_came();
        for (act, effect) in effects {
            let mut cue = cue(self.cast.plan, act, effect);
            if let Some(who_came) = who_came.take() {
                cue.text = format!("{} ({who_came})", cue.text);
            }
            self.cast.events.emit(Some(self.cast.of), Body::CueEffect(cue));
            self.effects.push((act, effect));
        }
        Ok(())
    }

    fn shown(&self, progress: squall_traffic::Progress) -> Progress {
        let lines = &self.stage.lines;
        let open_ended = lines.iter().any(|line| matches!(line.shape, Shape::Decide { .. }));
        let planned = lines.iter().filter_map(|line| line.shape.calls()).sum();
        let failed = self
            .calls
            .iter()
            .filter(|c| !matches!(c.end, ClientEnd::Answered(0..400) | ClientEnd::Grpc(GrpcStatus::Ok)))
            .count();
        Progress {
            sent: progress.sent,
            planned: if open_ended { 0 } else { planned },
            in_flight: progress.in_flight,
            failed: failed as u64,
        }
    }
}

fn flow<'f, M>(cast: &'f Cast<'_, M>, stage: &'f Stage, first_seq: u64, run: &'f Run) -> Flow<'f> {
    Flow { run, stage, first_seq, events: cast.events, of: cast.of }
}

/// What took effect, for people.
pub(crate) fn cue(plan: &Plan, act: Act, effect: Effect) -> CueEffect {
    let (fault, what) = match act {
        Act::Arm(id) => (Some(id), "armed"),
        Act::End(id) => (Some(id), "ended"),
        Act::Change(_) => (None, "changed"),
        Act::Revert(_) => (None, "reverted"),
    };
    CueEffect { text: text(plan, act), fault, what: what.to_owned(), effect }
}

/// What an act is about, in the words of the language.
fn text(plan: &Plan, act: Act) -> String {
    match act {
        Act::Arm(id) | Act::End(id) => plan.fault(id).map(|f| format!("{}{}", f.does, f.when)),
        Act::Change(id) | Act::Revert(id) => plan.origins.policies.get(&id).map(|at| format!("the change at {at}")),
    }
    .unwrap_or_default()
}
