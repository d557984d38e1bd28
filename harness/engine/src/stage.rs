//! One stage: standing faults, then traffic and cues side by side, until the last call has ended.

use crate::{clock, deadline, error::EngineError, events::Events, gather::Gatherer, lines, watch::Watch, world::World};
use squall_mesh::{Endpoint, Mesh};
use squall_model::{
    Act, Body, CallRecord, Cue, CueEffect, Effect, Plan, Progress, RunOf, Shape, Stage, Stamp, TrafficLine,
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

/// Runs one stage. Calls are appended to `calls` as they end.
pub(crate) async fn run<M: Mesh>(
    cast: &Cast<'_, M>,
    number: usize,
    stage: &Stage,
    world: &mut World<'_, M>,
    gatherer: &mut Gatherer,
    calls: &mut Vec<CallRecord>,
    watch: &mut Watch<'_>,
    first_seq: u64,
) -> Result<(StageRecord, u64), EngineError> {
    let mut effects = Vec::new();
    for id in &stage.standing {
        effects.push(enact(cast, world, gatherer, Act::Arm(*id)).await?);
    }
    let proxies = |line: &TrafficLine| -> Vec<Endpoint> {
        let seats = world.seats().filter(|(id, _)| id.service == line.caller);
        seats.map(|(_, placed)| cast.mesh.outbound(&placed.folder)).collect()
    };
    let seed = cast.plan.seed;
    let made: Result<Vec<_>, EngineError> =
        stage.lines.iter().map(|line| lines::line(line, &proxies(line), cast.prefix, seed)).collect();
    let run = cast.load.begin(made?, Start { at: None, first_seq })?;
    let origin = run.t0();
    cast.events.emit(Some(cast.of), Body::StageBegan { stage: number as u32, origin });
    follow(cast, number, stage, &run, world, gatherer, calls, watch, &mut effects).await?;
    let summary = run.finish(deadline::QUIESCE.at_most).await?;
    run.drain_into(calls);
    let record = StageRecord {
        origin,
        last_intended: summary.last_intended,
        ended: clock::now(),
        schedule: summary.schedule,
        effects,
    };
    Ok((record, summary.next_seq))
}

/// Cues at their moments, looks in between, until the last call is sent and the last cue has come.
#[expect(clippy::too_many_arguments, reason = "the two loops of a stage share what the stage was given")]
async fn follow<M: Mesh>(
    cast: &Cast<'_, M>,
    number: usize,
    stage: &Stage,
    run: &Run,
    world: &mut World<'_, M>,
    gatherer: &mut Gatherer,
    calls: &mut Vec<CallRecord>,
    watch: &mut Watch<'_>,
    effects: &mut Vec<(Act, Effect)>,
) -> Result<(), EngineError> {
    let planned: u64 = stage.lines.iter().filter_map(|line| line.shape.calls()).sum();
    let open_ended = stage.lines.iter().any(|line| matches!(line.shape, Shape::Decide { .. }));
    let mut cues = stage.cues.iter().peekable();
    let mut look = run.t0() + LOOK;
    loop {
        let next = cues.peek().map(|cue| run.t0() + cue.at);
        tokio::select! {
            biased;
            () = clock::until(next.unwrap_or_default()), if next.is_some() => {
                let Some(Cue { act, .. }) = cues.next() else { continue };
                effects.push(enact(cast, world, gatherer, *act).await?);
            }
            sent = run.reached(Phase::Draining), if next.is_none() => {
                sent?;
                return Ok(());
            }
            () = clock::until(look) => {
                look = clock::now() + LOOK;
                let progress = run.drain_into(calls);
                cast.events.emit(Some(cast.of), Body::Progress(shown(progress, planned, open_ended, calls)));
                world.check_lives(cast.events, cast.of);
                gatherer.pump(cast.mesh, &world.all())?;
                let quiet = cues.peek().is_none();
                let unresolved = progress.oldest_unresolved_intended;
                if quiet && watch.look(number, run.t0(), unresolved, clock::now(), calls, gatherer, effects, world.ends()) {
                    run.stop_sending();
                }
            }
        }
    }
}

/// Has a cue take effect, tells everybody, and goes on reading whoever is new.
async fn enact<M: Mesh>(
    cast: &Cast<'_, M>,
    world: &mut World<'_, M>,
    gatherer: &mut Gatherer,
    act: Act,
) -> Result<(Act, Effect), EngineError> {
    let effect = world.enact(act).await?;
    gatherer.adopt(cast.mesh, world.seats())?;
    let (fault, what) = match act {
        Act::Arm(id) => (Some(id), "armed"),
        Act::End(id) => (Some(id), "ended"),
        Act::Change(_) => (None, "changed"),
        Act::Revert(_) => (None, "reverted"),
    };
    let text = text(cast.plan, act);
    let cue = CueEffect { text, fault, what: what.to_owned(), effect };
    cast.events.emit(Some(cast.of), Body::CueEffect(cue));
    Ok((act, effect))
}

/// What an act is about, in the words of the language.
fn text(plan: &Plan, act: Act) -> String {
    match act {
        Act::Arm(id) | Act::End(id) => plan.fault(id).map(|f| format!("{}{}", f.does, f.when)),
        Act::Change(id) | Act::Revert(id) => plan.origins.policies.get(&id).map(|at| format!("the change at {at}")),
    }
    .unwrap_or_default()
}

fn shown(progress: squall_traffic::Progress, planned: u64, open_ended: bool, calls: &[CallRecord]) -> Progress {
    let failed = calls.iter().filter(|c| !matches!(c.end, squall_model::ClientEnd::Answered(0..400))).count();
    Progress {
        sent: progress.sent,
        planned: if open_ended { 0 } else { planned },
        in_flight: progress.in_flight,
        failed: failed as u64,
    }
}
