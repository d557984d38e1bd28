//! `run`: everything that a run needs is found or made first; then the engine runs, and one thread writes.

use crate::{
    args::RunArgs,
    date, envoy, features,
    outcome::{Exit, Failure},
    recorder::{self, FAIL_FAST},
    report,
    settings::Settings,
    stop::Signals,
    term::Out,
};
use squall_engine::{Engine, Events, Rates, Stopper, deadline};
use squall_mesh_envoy::Envoy;
use squall_model::{Body, Plan, RunStarted};
use squall_place::{Keeper, RunFolder};
use squall_report::{Stories, junit};
use squall_traffic::LoadThread;
use std::{
    fs::{self, File},
    io::BufWriter,
    path::{Path, PathBuf},
    time::Duration,
};

/// Runs the selected scenarios.
pub fn run(args: &RunArgs, out: Out) -> Result<Exit, Failure> {
    let settings = Settings::read(Path::new("."))?;
    let selected = features::select(&args.paths, out)?;
    if !selected.warnings.is_empty() {
        out.print_error(&selected.sources.render(&selected.warnings, out.error_style.colour));
    }
    for path in [&args.junit, &args.summary, &args.events].into_iter().flatten() {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            return Err(Failure::usage(format!(
                "{} cannot be written: there is no folder {}",
                path.display(),
                folder.display()
            )));
        }
    }
    let recovery = squall_place::recover();
    if !recovery.runs.is_empty() {
        out.note(report::told(&recovery).trim_end());
    }
    let found = envoy::locate(args.envoy.as_deref().or(settings.envoy.as_deref()), out)?;
    let controls = !args.no_controls && (args.controls || settings.controls.unwrap_or(false));
    let record = Record::create(args, selected.seed)?;
    let (events, reader) = Events::channel();
    let stopper = Stopper::default();
    let fail_fast = args.fail_fast.then(|| (stopper.clone(), args.allow_unsupported));
    let recorder = recorder::start(reader, record.files, out, args.verbose, fail_fast)
        .map_err(|e| Failure::environment(format!("failed to start a thread: {e}")))?;

    let job = Job {
        plans: selected.plans,
        controls,
        seed: selected.seed,
        run: record.name,
        rates: Rates { alpha: settings.verdict.alpha, beta: settings.verdict.beta },
        folder: record.folder.clone(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::environment(format!("failed to start the engine: {e}")))?;
    let outcome = runtime.block_on(drive(job, &found, events, stopper, args.timeout));
    drop(runtime);
    let stories = recorder.join().map_err(|_| Failure::environment("the recorder failed; the record is incomplete"))?;
    write_reports(args, &stories)?;
    if let Err(failure) = outcome {
        // A red never hides behind an error.
        let red = stories.totals().exit_status(args.allow_unsupported) == 1;
        out.error(&failure);
        return Ok(if red { Exit::Violated } else { failure.exit() });
    }
    out.note(&format!("recorded in {}", record.folder.display()));
    let interrupted = stories.interrupted.as_deref().is_some_and(|why| why != FAIL_FAST);
    let status = stories.totals().exit_status(args.allow_unsupported);
    Ok(match (interrupted, status) {
        // What was stopped has not been shown to hold.
        (true, 0 | 4 | 5) => Exit::Environment,
        (_, status) => Exit::of_status(status),
    })
}

/// What the engine is given.
struct Job {
    plans: Vec<Plan>,
    controls: bool,
    seed: u64,
    run: String,
    rates: Rates,
    folder: PathBuf,
}

/// Keeper, mesh and load thread around one run of the engine; all of it is ended here, whatever came of it.
async fn drive(
    job: Job,
    found: &squall_place::envoy::Found,
    events: Events,
    stopper: Stopper,
    timeout: Option<Duration>,
) -> Result<(), Failure> {
    let fail = |what: &str, why: String| Failure::environment(format!("failed to {what}: {why}"));
    let signals = Signals::listen().map_err(|e| fail("listen for signals", e.to_string()))?;
    let exe = std::env::current_exe().map_err(|e| fail("find this program", e.to_string()))?;
    let folder = RunFolder::create().map_err(|e| fail("make a folder for the run", e.to_string()))?;
    let keeper = Keeper::start(&exe, folder).await.map_err(|e| fail("start", e.to_string()))?;
    let mesh = Envoy::start(&found.path, keeper.folder().path())
        .map_err(|e| fail("start the control plane", e.to_string()))?;
    let load = LoadThread::start().map_err(|e| fail("start the load thread", e.to_string()))?;
    events.emit(
        None,
        Body::RunStarted(RunStarted {
            run: job.run.clone(),
            squall: env!("CARGO_PKG_VERSION").into(),
            mesh: "envoy".into(),
            mesh_version: format!("envoy {}", found.version),
            seed: job.seed,
            date: date::now(),
            cores: std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
            scenarios: job.plans.len() as u32,
            controls: job.controls,
            net: keeper.net().to_string(),
        }),
    );
    let engine = Engine {
        mesh: &mesh,
        keeper: &keeper,
        load: &load,
        exe: &exe,
        events: &events,
        stopper: stopper.clone(),
        controls: job.controls,
        seed: job.seed,
        rates: job.rates,
        record: &job.folder,
        runs: std::cell::Cell::new(0),
    };
    let watching = signals.stop(stopper, timeout);
    let running = engine.run(&job.plans);
    tokio::pin!(running);
    tokio::select! {
        () = &mut running => {}
        // The stopper is set: the scenario under way now leaves in order.
        watched = watching => {
            watched.map_err(|e| fail("listen for signals", e.to_string()))?;
            running.await;
        }
    }
    keeper.shutdown(deadline::SHUTDOWN.at_most).await.map_err(|e| fail("end every process", e.to_string()))
}

/// Where a run is recorded.
struct Record {
    name: String,
    folder: PathBuf,
    files: Vec<BufWriter<File>>,
}

impl Record {
    fn create(args: &RunArgs, seed: u64) -> Result<Record, Failure> {
        let name = format!("{}-{:04x}", date::stamp(), (seed ^ u64::from(std::process::id())) & 0xffff);
        let folder = args.out.join(&name);
        let fail =
            |path: &Path, e: std::io::Error| Failure::environment(format!("failed to write {}: {e}", path.display()));
        fs::create_dir_all(&folder).map_err(|e| fail(&folder, e))?;
        let mut paths = vec![folder.join("events.jsonl")];
        paths.extend(args.events.clone());
        let open = |path: &PathBuf| File::create(path).map(BufWriter::new).map_err(|e| fail(path, e));
        let files = paths.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Record { name, folder, files })
    }
}

fn write_reports(args: &RunArgs, stories: &Stories) -> Result<(), Failure> {
    let write = |path: &Path, text: String| {
        fs::write(path, text).map_err(|e| Failure::environment(format!("failed to write {}: {e}", path.display())))
    };
    if let Some(path) = &args.junit {
        write(path, junit(stories).map_err(|e| Failure::environment(format!("failed to write JUnit: {e}")))?)?;
    }
    if let Some(path) = &args.summary {
        let json = serde_json::to_string(&stories.totals()).map_err(|e| Failure::environment(e.to_string()))?;
        write(path, json + "\n")?;
    }
    Ok(())
}
