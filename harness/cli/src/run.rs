//! `run`: everything that a run needs is found or made first; then the engine runs, and one thread writes.

use crate::{
    args::RunArgs,
    date, envoy,
    features::{self, Selected},
    outcome::{Exit, Failure},
    recorder::{self, Shown},
    report,
    settings::Settings,
    stop::Signals,
    term::Out,
};
use squall_engine::{Engine, Events, Stopper, deadline};
use squall_mesh_envoy::{Envoy, bootstrap::Release};
use squall_model::{Body, Plan, RunStarted};
use squall_place::{Keeper, RunFolder, envoy::Found};
use squall_report::{Column, Stories, junit, matrix, summary};
use squall_traffic::LoadThread;
use std::{
    fs::{self, File},
    io::BufWriter,
    path::{Path, PathBuf},
    time::Duration,
};

/// Runs the selected scenarios: once, or on several releases of the mesh.
pub fn run(args: &RunArgs, out: Out) -> Result<Exit, Failure> {
    let settings = Settings::read(Path::new("."))?;
    let selected = features::select(&args.paths, &settings, out)?;
    if !selected.warnings.is_empty() {
        out.print_error(&selected.sources.render(&selected.warnings, out.error_style.colour));
    }
    check_reports(args)?;
    let recovery = squall_place::recover();
    if !recovery.runs.is_empty() {
        out.note(report::told(&recovery).trim_end());
    }
    if args.envoy_version.is_empty() {
        let found = envoy::locate(args.envoy.as_deref().or(settings.envoy.as_deref()), out)?;
        return once(args, &settings, &selected, &found, None, out).map(|ended| ended.exit);
    }
    let releases = envoy::releases(&args.envoy_version)?;
    // All of them first: a run of an hour must not end at the last one's fetch.
    let found: Vec<Found> = releases.iter().map(|release| envoy::fetched(release, out)).collect::<Result<_, _>>()?;
    let mut columns: Vec<(&str, Ended)> = Vec::new();
    for (release, found) in releases.iter().zip(&found) {
        let ended = once(args, &settings, &selected, found, Some(release), out)?;
        let stopped = ended.stories.interrupted.is_some();
        columns.push((release, ended));
        out.print("\n");
        if stopped {
            break;
        }
    }
    let table: Vec<Column<'_>> =
        columns.iter().map(|(release, ended)| Column { release, stories: &ended.stories }).collect();
    out.print(&matrix(&table, out.style));
    Ok(Exit::worst(columns.iter().map(|(_, ended)| ended.exit)))
}

/// A report that cannot be written is told before anything starts.
fn check_reports(args: &RunArgs) -> Result<(), Failure> {
    for path in [&args.junit, &args.summary, &args.events].into_iter().flatten() {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            let message = format!("{} cannot be written: there is no folder {}", path.display(), folder.display());
            return Err(Failure::usage(message));
        }
    }
    Ok(())
}

/// How a run ended.
struct Ended {
    exit: Exit,
    stories: Stories,
}

/// Runs everything once, on this Envoy. Of several releases, the reports are named after each.
fn once(
    args: &RunArgs,
    settings: &Settings,
    selected: &Selected,
    found: &Found,
    release: Option<&str>,
    out: Out,
) -> Result<Ended, Failure> {
    let controls = !args.no_controls && (args.controls || settings.controls.unwrap_or(false));
    let reports = Reports::of(args, release);
    let record = Record::create(args, &reports, selected.seed)?;
    let (events, reader) = Events::channel();
    let stopper = Stopper::default();
    let fail_fast = args.fail_fast.then(|| stopper.clone());
    let shown = Shown { verbose: args.verbose, allow_unsupported: args.allow_unsupported };
    let recorder = recorder::start(reader, record.files, out, shown, fail_fast)
        .map_err(|e| Failure::environment(format!("failed to start a thread: {e}")))?;

    let job = Job {
        plans: selected.plans.clone(),
        controls,
        seed: selected.seed,
        run: record.name,
        early_stop: !args.no_early_stop,
        folder: record.folder.clone(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::environment(format!("failed to start the engine: {e}")))?;
    let outcome = runtime.block_on(drive(job, found, events, stopper, args.timeout));
    drop(runtime);
    let stories = recorder.join().map_err(|_| Failure::environment("the recorder failed; the record is incomplete"))?;
    reports.write(&stories)?;
    let status = stories.exit_status(args.allow_unsupported);
    if let Err(failure) = outcome {
        // A red never hides behind an error.
        out.error(&failure);
        let exit = if status == 1 { Exit::Violated } else { failure.exit() };
        return Ok(Ended { exit, stories });
    }
    if stories.interrupted.is_some() {
        out.note("all that was started has been ended, and nothing is left behind");
    }
    out.note(&format!("recorded in {}", record.folder.display()));
    Ok(Ended { exit: Exit::of_status(status), stories })
}

/// What the engine is given.
struct Job {
    plans: Vec<Plan>,
    controls: bool,
    seed: u64,
    run: String,
    early_stop: bool,
    folder: PathBuf,
}

/// Keeper, mesh and load thread around one run of the engine; all of it is ended here, whatever came of it.
async fn drive(
    job: Job,
    found: &Found,
    events: Events,
    stopper: Stopper,
    timeout: Option<Duration>,
) -> Result<(), Failure> {
    let fail = |what: &str, why: String| Failure::environment(format!("failed to {what}: {why}"));
    let signals = Signals::listen().map_err(|e| fail("listen for signals", e.to_string()))?;
    let exe = std::env::current_exe().map_err(|e| fail("find this program", e.to_string()))?;
    let folder = RunFolder::create().map_err(|e| fail("make a folder for the run", e.to_string()))?;
    let keeper = Keeper::start(&exe, folder).await.map_err(|e| fail("start", e.to_string()))?;
    let release = Release { major: found.version.major, minor: found.version.minor };
    let mesh = Envoy::start(&found.path, release, keeper.folder().path())
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
            tick: Some(load.tick().as_nanos() as u64),
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
        early_stop: job.early_stop,
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
    fn create(args: &RunArgs, reports: &Reports, seed: u64) -> Result<Record, Failure> {
        let own = format!("{}-{:04x}", date::stamp(), (seed ^ u64::from(std::process::id())) & 0xffff);
        // Two releases may begin within a second.
        let taken = |name: &String| args.out.join(name).exists();
        let name = (1..).map(|n| if n == 1 { own.clone() } else { format!("{own}-{n}") }).find(|name| !taken(name));
        let name = name.unwrap_or(own);
        let folder = args.out.join(&name);
        let fail =
            |path: &Path, e: std::io::Error| Failure::environment(format!("failed to write {}: {e}", path.display()));
        fs::create_dir_all(&folder).map_err(|e| fail(&folder, e))?;
        let mut paths = vec![folder.join("events.jsonl")];
        paths.extend(reports.events.clone());
        let open = |path: &PathBuf| File::create(path).map(BufWriter::new).map_err(|e| fail(path, e));
        let files = paths.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Record { name, folder, files })
    }
}

/// The reports of one run, by the names that they get.
struct Reports {
    junit: Option<PathBuf>,
    summary: Option<PathBuf>,
    events: Option<PathBuf>,
}

impl Reports {
    fn of(args: &RunArgs, release: Option<&str>) -> Reports {
        let named = |path: &Option<PathBuf>| path.as_ref().map(|path| with_release(path, release));
        Reports { junit: named(&args.junit), summary: named(&args.summary), events: named(&args.events) }
    }

    fn write(&self, stories: &Stories) -> Result<(), Failure> {
        let write = |path: &Path, text: String| {
            fs::write(path, text).map_err(|e| Failure::environment(format!("failed to write {}: {e}", path.display())))
        };
        if let Some(path) = &self.junit {
            write(path, junit(stories).map_err(|e| Failure::environment(format!("failed to write JUnit: {e}")))?)?;
        }
        if let Some(path) = &self.summary {
            let json = summary(stories).map_err(|e| Failure::environment(e.to_string()))?;
            write(path, json + "\n")?;
        }
        Ok(())
    }
}

/// `report.xml` is `report-1.40.0.xml` where there are several.
fn with_release(path: &Path, release: Option<&str>) -> PathBuf {
    let Some(release) = release else { return path.to_owned() };
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
    path.with_file_name(format!("{stem}-{release}{extension}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_several_releases_have_names_of_their_own() {
        assert_eq!(with_release(Path::new("out/r.xml"), Some("1.40.0")), Path::new("out/r-1.40.0.xml"));
        assert_eq!(with_release(Path::new("r"), Some("1.40.0")), Path::new("r-1.40.0"));
        assert_eq!(with_release(Path::new("r.xml"), None), Path::new("r.xml"));
    }
}
