//! A load run under way: calls are counted as they end, and whoever looks is told how it goes.

use super::{calls::CallLog, plan::Planned};
use crate::{outcome::Failure, stop::Signals, term::Out};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeVal,
};
use squall_load::{Generator, Health, Look, Recorder, live};
use squall_model::{CallRecord, Protocol, Stamp};
use squall_traffic::{Endpoint, LoadError, LoadThread, Run, Shape, Start, Summary, now};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Between two looks at the calls that have ended: what they take up in between is all the memory that grows with the rate.
pub const LOOK: Duration = Duration::from_millis(100);

/// Calls for which room is kept between two looks.
const PILE: usize = 1_024;

/// Between two parts of the record that an agent sends.
const PART: Duration = Duration::from_millis(500);

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
pub fn drive(planned: &Planned, log: Option<CallLog>, out: Option<Out>) -> Result<Driven, Failure> {
    runtime()?.block_on(async {
        let mut signals = Signals::listen().map_err(|e| unable(&e))?;
        let teller = out.map_or(Teller::Nobody, Teller::Terminal);
        send(planned, Start::default(), log, signals.only(), teller).await
    })
}

/// Where everything of a load run but its sends happens.
///
/// # Errors
/// Exit 3 where there is none to be had.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| unable(&e))
}

/// Who is told how it goes.
pub enum Teller {
    Nobody,
    /// A line that is drawn again and again.
    Terminal(Out),
    /// Whoever merges: the calls since the last time. What is told is not kept.
    Parts(Box<dyn FnMut(Recorder)>),
}

/// Sends from that moment on until all is sent, or until `stop` says why not.
///
/// # Errors
/// As [`drive`].
pub async fn send(
    planned: &Planned,
    start: Start,
    mut log: Option<CallLog>,
    stop: impl Future<Output = &'static str>,
    teller: Teller,
) -> Result<Driven, Failure> {
    let load = thread(planned).map_err(engine)?.with_fewer_connections(planned.connections);
    let cpu = cpu();
    let run = load.begin(vec![planned.line.clone()], start).map_err(engine)?;
    if let Some(log) = &mut log {
        log.begin(run.t0());
    }
    let mut watch = Watch {
        from: run.t0() + planned.uncounted,
        calls: Recorder::new(run.t0() + planned.uncounted),
        ended: Vec::new(),
        log,
        planned,
        teller,
        told: run.t0(),
        load: &load,
        health: Health::default(),
    };
    let (summary, stopped) = watch.until_the_end(&run, stop).await?;
    let cpu = self::cpu().saturating_sub(cpu);
    let generator = generator(&summary, planned, load.max_connections(), cpu, watch.health);
    let took = stopped.as_ref().map_or(planned.pace.length, |(_, after)| (*after).min(planned.pace.length));
    Ok(Driven { calls: watch.calls, generator, took, interrupted: stopped.map(|(why, _)| why) })
}

/// Answers wake the thread only where it matters: where users call again when they are answered, and where in exact mode nobody else knows
/// when an answer came.
fn thread(planned: &Planned) -> Result<LoadThread, LoadError> {
    let is_closed = matches!(planned.pace.shape, Shape::Closed { .. });
    let one_at_a_time = matches!(planned.line.protocol, Protocol::Http | Protocol::Tcp);
    let is_stamped = one_at_a_time
        && planned.line.websocket.is_none()
        && planned.line.targets.iter().all(|to| matches!(to, Endpoint::Tcp(_)));
    match is_closed || (planned.tick.is_zero() && !is_stamped) {
        true => LoadThread::start_with_tick(planned.tick),
        false => LoadThread::start_resting(planned.tick),
    }
}

/// It does not even begin.
pub fn unable(error: &std::io::Error) -> Failure {
    Failure::environment(format!("failed to start the load run: {error}"))
}

fn engine(error: LoadError) -> Failure {
    match error {
        LoadError::Line { error, .. } => Failure::usage(error.to_string()),
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
    teller: Teller,
    /// When parts were told last.
    told: Stamp,
    load: &'a LoadThread,
    health: Health,
}

impl Watch<'_> {
    /// Counts until every call has its record. With what stopped it and when, if anything did.
    async fn until_the_end(
        &mut self,
        run: &Run,
        stop: impl Future<Output = &'static str>,
    ) -> Result<(Summary, Option<(&'static str, Duration)>), Failure> {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stopped = None;
        let mut stop = std::pin::pin!(stop);
        let mut finish = std::pin::pin!(run.finish(self.planned.drain));
        let summary = loop {
            tokio::select! {
                summary = &mut finish => break summary.map_err(engine)?,
                _ = look.tick() => self.look(run)?,
                why = &mut stop, if stopped.is_none() => {
                    stopped = Some((why, now().since(run.t0())));
                    run.stop_sending();
                }
            }
        };
        self.look(run)?;
        if let Teller::Terminal(out) = self.teller {
            out.print_error("\r\x1b[2K");
        }
        Ok((summary, stopped.filter(|(_, after)| *after < self.planned.pace.length)))
    }

    /// Before the first send nothing depends on it, and after the last only answers do.
    fn look_at_the_generator(&mut self, t0: Stamp) {
        for look in self.load.take_looks() {
            if look.at >= t0 {
                let (late, lag, waited, asleep) = (look.late, look.lag, look.waited, look.asleep);
                self.health.add(look.at.since(t0), Look { late, lag, waited, asleep }, self.planned.late);
            }
        }
    }

    fn look(&mut self, run: &Run) -> Result<(), Failure> {
        self.look_at_the_generator(run.t0());
        let progress = run.drain_into(&mut self.ended);
        for call in self.ended.drain(..) {
            if call.intended >= self.from {
                self.calls.record(&call);
            }
            self.log.iter_mut().for_each(|log| log.add(&call));
        }
        // What a stall has piled up takes no room for good.
        self.ended.shrink_to(PILE);
        self.log.iter_mut().try_for_each(CallLog::flush)?;
        let out = match &mut self.teller {
            Teller::Nobody => return Ok(()),
            Teller::Parts(tell) => {
                if now().since(self.told) >= PART {
                    let origin = self.from;
                    tell(std::mem::replace(&mut self.calls, Recorder::new(origin)));
                    self.told = now();
                }
                return Ok(());
            }
            Teller::Terminal(out) => *out,
        };
        let (passed, length) = (now().since(run.t0()), self.planned.pace.length);
        let mut line = live(&self.calls, passed.min(length), length, progress.in_flight, out.error_style);
        if progress.oldest_unresolved_intended.is_some() && passed > length {
            line += "  waiting for answers";
        }
        out.print_error(&format!("\r\x1b[2K{line}"));
        Ok(())
    }
}

/// How it all went for the engine.
fn generator(summary: &Summary, planned: &Planned, cap: usize, cpu: Duration, health: Health) -> Generator {
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
        health,
    }
}

/// Processor time of this process so far.
fn cpu() -> Duration {
    let time = |t: TimeVal| Duration::from_micros(nix::sys::time::TimeValLike::num_microseconds(&t).unsigned_abs());
    getrusage(UsageWho::RUSAGE_SELF).map_or(Duration::ZERO, |usage| time(usage.user_time()) + time(usage.system_time()))
}
