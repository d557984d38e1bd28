//! The rounds: every tool does every job in turn, so that a slow minute of the machine is nobody's own.

use crate::{
    cost::{self, Done},
    job::Job,
    said::Said,
    server::{Seen, Server, pin},
    table::{AtRate, Row, Stalled, Table},
    tools::Tool,
    truth,
};
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use thiserror::Error;

/// The core of the tool, and that of the server and of what watches.
const CORES: (usize, usize) = (0, 1);
const RATES: [u32; 2] = [2_000, 10_000];

/// Why there is no table.
#[derive(Debug, Error)]
pub enum Failed {
    /// `squall` itself is not there.
    #[error("there is no squall at {path}; `cargo build --release` makes one")]
    NoSquall {
        /// Where it was looked for.
        path: String,
    },
    /// No socket, no core, no file.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// How long everything takes.
#[derive(Debug, Clone)]
pub struct Effort {
    rounds: usize,
    length: Duration,
    stall: Job,
}

impl Effort {
    /// Minutes.
    #[must_use]
    pub fn full(rounds: usize) -> Effort {
        let second = Duration::from_secs(1);
        let stall = Job::Stall { hz: 2_000, length: 15 * second, after: 5 * second, still: second };
        Effort { rounds: rounds.max(1), length: 5 * second, stall }
    }

    /// Seconds; what it measures means nothing.
    #[must_use]
    pub fn quick() -> Effort {
        let ms = Duration::from_millis;
        let stall = Job::Stall { hz: 500, length: ms(1_000), after: ms(300), still: ms(200) };
        Effort { rounds: 1, length: ms(1_000), stall }
    }

    fn jobs(&self) -> Vec<Job> {
        let length = self.length;
        let rates = RATES.map(|hz| Job::Rate { hz, length });
        [Job::Full { length }].into_iter().chain(rates).chain([self.stall]).collect()
    }
}

/// Runs everything and says what came of it; `tell` hears of every run.
///
/// # Errors
/// [`Failed`].
pub fn compare(squall: &Path, effort: &Effort, tell: &mut dyn FnMut(&str)) -> Result<Table, Failed> {
    let (tools, absent) = Tool::all(squall).map_err(|_| Failed::NoSquall { path: squall.display().to_string() })?;
    let scratch = Scratch::new()?;
    pin(CORES.1)?;
    let server = Server::start(CORES.1)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut runs: BTreeMap<usize, Vec<(Job, Run)>> = BTreeMap::new();
    for round in 1..=effort.rounds {
        for (at, tool) in tools.iter().enumerate() {
            for job in effort.jobs() {
                let Some(run) = runtime.block_on(one(tool, job, &server, &scratch.0))? else { continue };
                tell(&format!("round {round} · {} · {job:?} · {} requests", tool.name, run.seen.requests));
                if !run.done.fine {
                    tell(&format!("  it failed: {}", run.done.stderr.lines().last().unwrap_or("and says nothing")));
                }
                runs.entry(at).or_default().push((job, run));
            }
        }
    }
    let rows = tools.iter().enumerate().map(|(at, tool)| row(tool, runs.get(&at).map_or(&[], Vec::as_slice)));
    Ok(Table { rows: rows.collect(), absent, rounds: effort.rounds, truth: truth_of(effort.stall) })
}

/// One run of one tool, as it says and as the server saw it.
struct Run {
    done: Done,
    said: Said,
    seen: Seen,
    lateness: Option<u64>,
}

async fn one(tool: &Tool, job: Job, server: &Server, scratch: &Path) -> Result<Option<Run>, Failed> {
    let url = format!("http://{}/", server.address);
    let Some(command) = tool.command(job, &url, scratch)? else { return Ok(None) };
    let keeps = matches!(job, Job::Rate { .. });
    server.seen(keeps).await;
    if let Job::Stall { after, still, .. } = job {
        server.will_stand_still(after, still);
    }
    let done = cost::run(command, CORES.0, CORES.1).await?;
    let seen = server.seen(false).await;
    let said = tool.said(&done.stdout, scratch).await;
    let lateness = job.hz().and_then(|hz| truth::lateness(&seen.arrivals, hz));
    Ok(Some(Run { done, said, seen, lateness }))
}

fn row(tool: &Tool, runs: &[(Job, Run)]) -> Row {
    let of = |is: &dyn Fn(Job) -> bool| runs.iter().filter(|(job, _)| is(*job)).map(|(_, run)| run).collect::<Vec<_>>();
    let full = of(&|job| matches!(job, Job::Full { .. }));
    let at = |hz: u32| at_rate(&of(&|job| matches!(job, Job::Rate { hz: own, .. } if own == hz)));
    let stalled = of(&|job| matches!(job, Job::Stall { .. }));
    Row {
        tool: tool.name.to_owned(),
        version: tool.version.clone(),
        is_ours: tool.is_ours(),
        cpu_us_per_request: middle(&full, cost_of),
        requests_per_cpu_second: middle(&full, cost_of).map(|micros| 1e6 / micros),
        peak_mib: middle(&full, |run| Some(run.done.peak as f64 / f64::from(1 << 20))),
        at_2000: at(RATES[0]),
        at_10000: at(RATES[1]),
        stall: (!stalled.is_empty()).then(|| Stalled {
            made: middle(&stalled, |run| Some(run.seen.requests as f64)),
            p99_ms: middle(&stalled, |run| millis(run.said.p99)),
            max_ms: middle(&stalled, |run| millis(run.said.max)),
        }),
    }
}

fn at_rate(runs: &[&Run]) -> Option<AtRate> {
    (!runs.is_empty()).then(|| AtRate {
        achieved: middle(runs, |run| Some(run.seen.requests as f64 / run.spread()?)),
        cpu_us_per_request: middle(runs, cost_of),
        late_p99_us: middle(runs, |run| Some(run.lateness? as f64 / 1e3)),
        p50_ms: middle(runs, |run| millis(run.said.p50)),
        p99_ms: middle(runs, |run| millis(run.said.p99)),
        max_ms: middle(runs, |run| millis(run.said.max)),
    })
}

impl Run {
    /// Seconds from the first request to the last, with the gap after that.
    fn spread(&self) -> Option<f64> {
        let (first, last) = (self.seen.arrivals.first()?, self.seen.arrivals.last()?);
        let gaps = self.seen.arrivals.len().checked_sub(1).filter(|gaps| *gaps > 0)? as f64;
        let seconds = (last - first) as f64 / 1e9;
        (seconds > 0.0).then(|| seconds * (gaps + 1.0) / gaps)
    }
}

fn cost_of(run: &Run) -> Option<f64> {
    let requests = run.seen.requests;
    (run.done.fine && requests > 0).then(|| run.done.cpu.as_secs_f64() * 1e6 / requests as f64)
}

fn middle(runs: &[&Run], of: impl Fn(&Run) -> Option<f64>) -> Option<f64> {
    truth::median(runs.iter().filter_map(|run| of(run)).collect())
}

fn millis(time: Option<Duration>) -> Option<f64> {
    time.map(|time| time.as_secs_f64() * 1e3)
}

fn truth_of(stall: Job) -> Stalled {
    let Job::Stall { hz, length, still, .. } = stall else { return Stalled::default() };
    Stalled {
        made: Some(f64::from(hz) * length.as_secs_f64()),
        p99_ms: millis(Some(truth::stalled(0.99, hz, length, still))),
        max_ms: millis(Some(still)),
    }
}

/// A folder for what tools want to read and write; gone when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> io::Result<Scratch> {
        let folder = std::env::temp_dir().join(format!("squall-bench-load-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Scratch(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Only the system's own clearing of its temporary folder would be left to do.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
