//! A load run under way: calls are counted as they end, and whoever looks is told how it goes.

use super::{calls::CallLog, plan::Planned};
use crate::{outcome::Failure, stop::Signals, term::Out};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeVal,
};
use squall_load::{Generator, Recorder, live};
use squall_model::{CallRecord, Stamp};
use squall_traffic::{LoadThread, Run, Start, Summary, now};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Between two looks at the calls that have ended: what they take up in between is all the memory that grows with the rate.
const LOOK: Duration = Duration::from_millis(100);

/// What came of it.
pub struct Driven {
    /// The calls.
    pub calls: Recorder,
    /// How the engine did.
    pub generator: Generator,
    /// How long calls were sent.
    pub took: Duration,
    /// What stopped it before its time.
    pub interrupted: Option<&'static str>,
}

/// Sends everything, waits for the answers, and counts.
///
/// # Errors
/// Exit 2 for a line that the engine does not send, exit 3 where it does not work at all.
pub fn drive(planned: &Planned, mut log: Option<CallLog>, out: Option<Out>) -> Result<Driven, Failure> {
    let failed = |e: std::io::Error| Failure::environment(format!("failed to start the load run: {e}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let signals = Signals::listen().map_err(failed)?;
        let load =
            LoadThread::start_with_tick(planned.tick).map_err(engine)?.with_fewer_connections(planned.connections);
        let cpu = cpu();
        let run = load.begin(vec![planned.line.clone()], Start::default()).map_err(engine)?;
        if let Some(log) = &mut log {
            log.begin(run.t0());
        }
        let mut watch = Watch {
            from: run.t0() + planned.uncounted,
            calls: Recorder::new(run.t0() + planned.uncounted),
            ended: Vec::new(),
            log,
            planned,
            out,
        };
        let (summary, stopped) = watch.until_the_end(&run, signals).await?;
        let generator = generator(&summary, planned, load.max_connections(), self::cpu().saturating_sub(cpu));
        let took = stopped.as_ref().map_or(planned.pace.length, |(_, after)| (*after).min(planned.pace.length));
        Ok(Driven { calls: watch.calls, generator, took, interrupted: stopped.map(|(why, _)| why) })
    })
}

fn engine(error: squall_traffic::LoadError) -> Failure {
    match error {
        squall_traffic::LoadError::Line { error, .. } => Failure::usage(error.to_string()),
        other => Failure::environment(other.to_string()),
    }
}

/// What is counted while it runs.
struct Watch<'a> {
    /// Calls that were due before this do not count.
    from: Stamp,
    calls: Recorder,
    ended: Vec<CallRecord>,
    log: Option<CallLog>,
    planned: &'a Planned,
    /// Where a line can be redrawn.
    out: Option<Out>,
}

impl Watch<'_> {
    /// Counts until every call has its record. With what stopped it and when, if anything did.
    async fn until_the_end(
        &mut self,
        run: &Run,
        mut signals: Signals,
    ) -> Result<(Summary, Option<(&'static str, Duration)>), Failure> {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stopped = None;
        let mut finish = std::pin::pin!(run.finish(self.planned.drain));
        let summary = loop {
            tokio::select! {
                summary = &mut finish => break summary.map_err(engine)?,
                _ = look.tick() => self.look(run)?,
                why = signals.first(), if stopped.is_none() => {
                    // A second one ends the process at once.
                    let _ = Signals::forget();
                    stopped = Some((why, now().since(run.t0())));
                    run.stop_sending();
                }
            }
        };
        self.look(run)?;
        if let Some(out) = self.out {
            out.print_error("\r\x1b[2K");
        }
        Ok((summary, stopped.filter(|(_, after)| *after < self.planned.pace.length)))
    }

    fn look(&mut self, run: &Run) -> Result<(), Failure> {
        let progress = run.drain_into(&mut self.ended);
        for call in self.ended.drain(..) {
            if call.intended >= self.from {
                self.calls.record(&call);
            }
            self.log.iter_mut().for_each(|log| log.add(&call));
        }
        self.log.iter_mut().try_for_each(CallLog::flush)?;
        let Some(out) = self.out else { return Ok(()) };
        let (passed, length) = (now().since(run.t0()), self.planned.pace.length);
        let mut line = live(&self.calls, passed.min(length), length, progress.in_flight, out.error_style);
        if progress.oldest_unresolved_intended.is_some() && passed > length {
            line += "  waiting for answers";
        }
        out.print_error(&format!("\r\x1b[2K{line}"));
        Ok(())
    }
}

fn generator(summary: &Summary, planned: &Planned, cap: usize, cpu: Duration) -> Generator {
    let schedule = summary.schedule;
    Generator {
        late_p50: schedule.p50,
        late_p99: schedule.p99,
        late_max: schedule.max,
        bound: planned.late,
        tick: planned.tick,
        cap,
        held: schedule.held,
        held_max: schedule.held_max,
        starved: schedule.starved - schedule.held,
        cpu,
    }
}

/// Processor time of this process so far.
fn cpu() -> Duration {
    let time = |t: TimeVal| Duration::from_micros(nix::sys::time::TimeValLike::num_microseconds(&t).unsigned_abs());
    getrusage(UsageWho::RUSAGE_SELF).map_or(Duration::ZERO, |usage| time(usage.user_time()) + time(usage.system_time()))
}
