//! `run`: everything that a run needs is found or made first; then the engine runs, and one thread writes.

use crate::{
    args::{GroundKind, RunArgs},
    cluster, date, envoy,
    features::{self, Selected},
    istio,
    outcome::{Exit, Failure},
    recorder::{self, Shown},
    report,
    settings::Settings,
    stop::Signals,
    term::Out,
};
use serde::{Deserialize, Serialize};
use squall_engine::{Engine, Events, Stopper, deadline};
use squall_mesh_envoy::Envoy;
use squall_mesh_proxy::bootstrap::Release;
use squall_model::{Body, Plan, RunEvent, RunStarted};
use squall_place::{Keeper, RunFolder, envoy::Found};
use squall_report::{Column, Stories, junit, matrix, summary};
use squall_traffic::LoadThread;
use std::{
    fs::{self, File},
    io::BufWriter,
    path::{Path, PathBuf},
    sync::mpsc::Sender,
    time::Duration,
};

/// Runs the selected scenarios: once, or on several releases of the mesh.
pub fn run(args: &RunArgs, out: Out) -> Result<Exit, Failure> {
    let settings = Settings::read(Path::new("."))?;
    let selected = features::select(&args.paths, &settings, args.context.as_deref(), out)?;
    if !selected.warnings.is_empty() {
        out.print_error(&selected.sources.render(&selected.warnings, out.error_style.colour));
    }
    check_reports(args)?;
    let recovery = squall_place::recover();
    if !recovery.runs.is_empty() {
        out.note(report::told(&recovery).trim_end());
    }
    // All of them first: a run of an hour must not end at the last one's fetch.
    let grounds = grounds(args, &settings, out)?;
    if let [only] = grounds.as_slice() {
        return once(args, &settings, &selected, only, out).map(|ended| ended.exit);
    }
    let mut columns: Vec<(&str, Ended)> = Vec::new();
    for ground in &grounds {
        let ended = once(args, &settings, &selected, ground, out)?;
        let stopped = ended.stories.interrupted.is_some();
        columns.push((ground.name.as_deref().unwrap_or_default(), ended));
        out.print("\n");
        if stopped {
            break;
        }
    }
    let table: Vec<Column<'_>> = columns.iter().map(|(on, ended)| Column { on, stories: &ended.stories }).collect();
    out.print(&matrix(&table, out.style));
    Ok(Exit::worst(columns.iter().map(|(_, ended)| ended.exit)))
}

/// What everything is run on once.
struct Ground {
    mesh: Mesh,
    /// What it is called, where there are several: `1.40.0`, `istio`, `istio-1.40.0`.
    name: Option<String>,
}

/// A mesh that can be run on.
#[derive(Clone)]
enum Mesh {
    /// Envoys on this machine; an istiod configures them, or we do.
    Local { envoy: Found, istiod: Option<PathBuf> },
    /// A cluster.
    Cluster(cluster::Ground),
}

/// Every mesh that was asked for, each on every release that was asked for.
fn grounds(args: &RunArgs, settings: &Settings, out: Out) -> Result<Vec<Ground>, Failure> {
    let kinds = args.paths.grounds();
    if kinds.is_empty() {
        return Err(Failure::usage("`--mesh envoy`, which is the default, does not run on a cluster")
            .help("`--mesh istio --on kubernetes`"));
    }
    let several = kinds.len() > 1;
    let is_local = kinds.iter().any(|kind| *kind != GroundKind::IstioOnKubernetes);
    let releases: Vec<(Option<String>, Found)> = match args.envoy_version.is_empty() {
        _ if !is_local => Vec::new(),
        true => vec![(None, envoy::locate(args.envoy.as_deref().or(settings.envoy.as_deref()), out)?)],
        false => {
            let fetched = |release: String| Ok((Some(release.clone()), envoy::fetched(&release, out)?));
            envoy::releases(&args.envoy_version)?.into_iter().map(fetched).collect::<Result<_, Failure>>()?
        }
    };
    let mut grounds = Vec::new();
    for kind in &kinds {
        let istiod = match kind {
            GroundKind::Istio => Some(istio::locate(args.istiod.as_deref().or(settings.istiod.as_deref()))?),
            GroundKind::Envoy => None,
            GroundKind::IstioOnKubernetes => {
                let name = several.then(|| kind.word().to_owned());
                grounds.push(Ground { mesh: Mesh::Cluster(cluster::ground(args, settings)?), name });
                continue;
            }
        };
        for (release, envoy) in &releases {
            let name = match (several, release) {
                (true, Some(release)) => Some(format!("{}-{release}", kind.word())),
                (true, None) => Some(kind.word().to_owned()),
                (false, release) => release.clone(),
            };
            grounds.push(Ground { mesh: Mesh::Local { envoy: envoy.clone(), istiod: istiod.clone() }, name });
        }
    }
    Ok(grounds)
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

/// Runs everything once, on this ground. Of several, the reports are named after each.
fn once(args: &RunArgs, settings: &Settings, selected: &Selected, ground: &Ground, out: Out) -> Result<Ended, Failure> {
    let controls = !args.no_controls && (args.controls || settings.controls.unwrap_or(false));
    let reports = Reports::of(args, ground.name.as_deref());
    let record = Record::create(args, &reports, selected.seed)?;
    let stopper = Stopper::default();
    let fail_fast = args.fail_fast.then(|| stopper.clone());
    let shown = Shown { verbose: args.verbose, allow_unsupported: args.allow_unsupported };
    let record_on = |reader| {
        recorder::start(reader, record.files, out, shown, fail_fast)
            .map_err(|e| Failure::environment(format!("failed to start a thread: {e}")))
    };
    let work = Work {
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
    let (outcome, recorder) = match &ground.mesh {
        Mesh::Local { envoy, istiod } => {
            let (events, reader) = Events::channel();
            let recorder = record_on(reader)?;
            let local = (envoy, istiod.as_deref());
            (runtime.block_on(drive(work, local, events, stopper, args.timeout)), recorder)
        }
        Mesh::Cluster(ground) => {
            let (events, reader) = std::sync::mpsc::channel();
            let recorder = record_on(reader)?;
            (runtime.block_on(drive_there(&work, ground, events, stopper, args.timeout, out)), recorder)
        }
    };
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Work {
    pub plans: Vec<Plan>,
    pub controls: bool,
    pub seed: u64,
    /// The run's name.
    pub run: String,
    pub early_stop: bool,
    /// Where it is recorded.
    pub folder: PathBuf,
}

/// The same in a cluster: here are only its events, and its end.
async fn drive_there(
    work: &Work,
    ground: &cluster::Ground,
    events: Sender<RunEvent>,
    stopper: Stopper,
    timeout: Option<Duration>,
    out: Out,
) -> Result<(), Failure> {
    let fail = |e: std::io::Error| Failure::environment(format!("failed to listen for signals: {e}"));
    let watching = Signals::listen().map_err(fail)?.stop(stopper.clone(), timeout);
    let running = cluster::run_on(ground, work, events, stopper, out);
    tokio::pin!(running);
    tokio::select! {
        ran = &mut running => ran,
        // The stopper is set: what is there is ended in order.
        watched = watching => watched.map_err(fail).and(running.await),
    }
}

/// Keeper, mesh and load thread around one run of the engine; all of it is ended here, whatever came of it.
async fn drive(
    work: Work,
    (envoy, istiod): (&Found, Option<&Path>),
    events: Events,
    stopper: Stopper,
    timeout: Option<Duration>,
) -> Result<(), Failure> {
    let fail = |what: &str, why: String| Failure::environment(format!("failed to {what}: {why}"));
    let Begun { signals, exe, keeper, load } = Begun::begin().await?;
    let watching = signals.stop(stopper.clone(), timeout);
    let tools =
        Tools { work: &work, keeper: &keeper, load: &load, exe: &exe, events: &events, stopper, word: String::new() };
    let version = &envoy.version;
    let release = Release { major: version.major, minor: version.minor };
    let (envoy, folder) = (envoy.path.as_path(), keeper.folder().path());
    let mut addresses = None;
    let ran = match istiod {
        None => match Envoy::start(envoy, release, folder) {
            Ok(mesh) => tools.run(&mesh, format!("envoy {version}"), watching).await,
            Err(error) => Err(fail("start the control plane", error.to_string())),
        },
        Some(istiod) => match istio::start(&keeper, istiod, envoy, release).await {
            Ok((mesh, istio, network)) => {
                addresses = Some(network);
                tools.run(&mesh, format!("istio {istio} · envoy {version}"), watching).await
            }
            Err(failure) => Err(failure),
        },
    };
    let ended = keeper.shutdown(deadline::SHUTDOWN.at_most).await;
    drop(addresses);
    ran.and(ended.map_err(|e| fail("end every process", e.to_string())))
}

/// What every run of the engine is begun with, wherever it is.
pub struct Begun {
    pub signals: Signals,
    /// This program.
    pub exe: PathBuf,
    pub keeper: Keeper,
    pub load: LoadThread,
}

impl Begun {
    /// Listens for signals before anything is started.
    pub async fn begin() -> Result<Begun, Failure> {
        let fail = |what: &str, why: String| Failure::environment(format!("failed to {what}: {why}"));
        let signals = Signals::listen().map_err(|e| fail("listen for signals", e.to_string()))?;
        let exe = std::env::current_exe().map_err(|e| fail("find this program", e.to_string()))?;
        let folder = RunFolder::create().map_err(|e| fail("make a folder for the run", e.to_string()))?;
        let keeper = Keeper::start(&exe, folder).await.map_err(|e| fail("start", e.to_string()))?;
        let load = LoadThread::start().map_err(|e| fail("start the load thread", e.to_string()))?;
        Ok(Begun { signals, exe, keeper, load })
    }
}

/// What the engine works with, whatever the mesh.
pub struct Tools<'a> {
    pub work: &'a Work,
    pub keeper: &'a Keeper,
    pub load: &'a LoadThread,
    pub exe: &'a Path,
    pub events: &'a Events,
    pub stopper: Stopper,
    /// By what all ids of its calls begin.
    pub word: String,
}

impl Tools<'_> {
    fn started(&self, mesh: &str, mesh_version: String) -> RunStarted {
        RunStarted {
            run: self.work.run.clone(),
            squall: env!("CARGO_PKG_VERSION").into(),
            mesh: mesh.into(),
            mesh_version,
            seed: self.work.seed,
            date: date::now(),
            cores: std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
            scenarios: self.work.plans.len() as u32,
            controls: self.work.controls,
            net: self.keeper.net().to_string(),
            tick: Some(self.load.tick().as_nanos() as u64),
        }
    }

    /// Runs everything on this mesh, until it is done or a signal says that it is enough.
    pub async fn run<M: squall_mesh::Mesh>(
        &self,
        mesh: &M,
        version: String,
        watching: impl Future<Output = std::io::Result<()>>,
    ) -> Result<(), Failure> {
        self.events.emit(None, Body::RunStarted(self.started(mesh.name(), version)));
        let engine = Engine {
            mesh,
            keeper: self.keeper,
            load: self.load,
            exe: self.exe,
            events: self.events,
            stopper: self.stopper.clone(),
            controls: self.work.controls,
            word: self.word.clone(),
            seed: self.work.seed,
            early_stop: self.work.early_stop,
            record: &self.work.folder,
            runs: std::cell::Cell::new(0),
        };
        let running = engine.run(&self.work.plans);
        tokio::pin!(running);
        tokio::select! {
            () = &mut running => {}
            // The stopper is set: the scenario under way now leaves in order.
            watched = watching => {
                watched.map_err(|e| Failure::environment(format!("failed to listen for signals: {e}")))?;
                running.await;
            }
        }
        Ok(())
    }
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
