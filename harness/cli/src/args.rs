//! The command line, as clap reads it.

use crate::load::LoadArgs;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{path::PathBuf, time::Duration};

/// Chaos and functional testing for service meshes: say in Gherkin what your mesh promises, break it, and see.
#[derive(Debug, Parser)]
#[command(
    name = "squall",
    version,
    max_term_width = 110,
    after_help = "\
Exit status: 0 all hold · 1 something is violated or vacuous · 2 usage, syntax, lint · 3 environment, an error, interrupted
             4 nothing ran · 5 nothing violated, but something inconclusive or unsupported"
)]
pub struct Cli {
    /// Colours: on a terminal, always, never (NO_COLOR is obeyed).
    #[arg(long, global = true, value_enum, default_value_t = When::Auto, env = "SQUALL_COLOR")]
    pub color: When,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// When to do what a terminal can do and a file cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    Auto,
    Always,
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs features: builds each mesh, breaks it, drives traffic through it, judges.
    Run(RunArgs),
    /// Every mistake that can be known without running, all at once.
    Lint(Paths),
    /// What would be started, changed and sent, and for how long.
    Plan(PlanArgs),
    /// Calls to any server, without a mesh: open loop, exact percentiles, thresholds.
    Load(Box<LoadArgs>),
    /// Sends its share of a load run, and is told what that is. Not for people.
    #[command(hide = true)]
    LoadAgent(LoadAgentArgs),
    /// Reads the calls of a load run again, as CSV.
    Calls(CallsArgs),
    /// The vocabulary, with examples.
    Steps(StepsArgs),
    /// The JSON Schema of topologies and experiments in YAML, for editors.
    Schema,
    /// Brings up a cluster of kind's with Istio on it, by the tools on the PATH.
    Up(UpArgs),
    /// Deletes the cluster of kind's of this name, whoever made it.
    Down(DownArgs),
    /// Reads a recorded run again.
    Report(ReportArgs),
    /// Removes whatever earlier runs left, here or with `--on kubernetes` on a cluster, and says what it found.
    Recover(PlaceArgs),
    /// What this machine, or with `--on kubernetes` a cluster, can and cannot do, and what to do about it.
    Doctor(DoctorArgs),
    /// What stands beside a proxy in a pod. Not for people.
    #[command(hide = true)]
    Agent,
    /// What stands for a pod on the runner's machine. Not for people.
    #[command(hide = true)]
    Pod(ConfigArgs),
    /// What stands for a workload in a pod. Not for people.
    #[command(hide = true)]
    PodProcess(ConfigArgs),
    /// The engine of a run in a cluster. Not for people.
    #[command(hide = true)]
    Runner(ConfigArgs),
    /// What stands on a cluster and removes what is left of runs of which nobody is left (kind-config/reaper.yaml). Not for people.
    #[command(hide = true)]
    Reaper,
    /// The parent of all processes of a run. Not for people.
    #[command(hide = true)]
    Keeper(Rest),
    /// What carries the wires of a run that are to be damaged. Not for people.
    #[command(hide = true)]
    Link(ConfigArgs),
    /// One instance of a stand-in service. Not for people.
    #[command(hide = true)]
    Workload(ConfigArgs),
}

/// Arguments that another room reads.
#[derive(Debug, Args)]
pub struct Rest {
    /// As they are.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub rest: Vec<String>,
}

/// Which features, and which of their scenarios.
#[derive(Debug, Clone, Args)]
pub struct Paths {
    /// Feature files, experiments in YAML, or folders of them; `FILE:LINE` for the scenario around a line.
    #[arg(value_name = "PATH[:LINE]", default_value = "features")]
    pub paths: Vec<String>,
    /// Only scenarios with these tags: `@smoke and not @slow`.
    #[arg(long, short, value_name = "EXPR")]
    pub tags: Option<String>,
    /// The meshes: with several, one after the other, and a table of them. `istio` is a real istiod, on this machine without
    /// Kubernetes.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "envoy", value_name = "MESHES")]
    pub mesh: Vec<MeshKind>,
    /// Where the mesh is: on this machine, or on a cluster (with `--mesh istio`; all pods on one machine, as kind's are). With both, one
    /// after the other.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "local", value_name = "PLACES")]
    pub on: Vec<PlaceKind>,
    /// What makes faults at the proxies of an application that somebody else deployed: a fault port that they ask (an EnvoyFilter beside it, while
    /// the run lasts), or nothing.
    #[arg(long, value_enum, default_value = "auto", value_name = "HOW")]
    pub fault_by: FaultBy,
    /// Lets scenarios edit what somebody else deployed, where nothing else does: `is restarted` evicts pods of the application, and their
    /// controllers start others. Without it such scenarios are unsupported.
    #[arg(long)]
    pub allow_edit: bool,
    /// The seed of schedules, ids and draws of ours (never of the proxies' own draws); random unless given.
    #[arg(long, env = "SQUALL_SEED")]
    pub seed: Option<u64>,
}

/// How faults are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FaultBy {
    /// At our own proxies by their fault filters, at those of others by the fault port.
    Auto,
    /// At our own proxies alone: nothing is put beside an application, and scenarios that need it are unsupported.
    Native,
}

/// Who configures the proxies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MeshKind {
    /// A control plane of our own.
    Envoy,
    /// Istio: on this machine an istiod without Kubernetes, on a cluster the one that is there.
    Istio,
}

/// Where the mesh is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlaceKind {
    /// On this machine.
    Local,
    /// In a cluster.
    Kubernetes,
}

/// What features are run on: a mesh at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroundKind {
    /// Proxies on this machine, and a control plane of our own.
    Envoy,
    /// Proxies on this machine, and an istiod.
    Istio,
    /// Istio in a cluster.
    IstioOnKubernetes,
}

impl GroundKind {
    /// As it is told.
    pub fn word(self) -> &'static str {
        match self {
            GroundKind::Envoy => "envoy",
            GroundKind::Istio => "istio",
            GroundKind::IstioOnKubernetes => "istio-kubernetes",
        }
    }
}

impl Paths {
    /// Every mesh at every place, as far as there is such a thing.
    pub fn grounds(&self) -> Vec<GroundKind> {
        let at = |place: PlaceKind| self.mesh.iter().filter_map(move |mesh| ground(*mesh, place));
        let mut all: Vec<GroundKind> = self.on.iter().flat_map(|place| at(*place)).collect();
        all.dedup();
        all
    }
}

fn ground(mesh: MeshKind, place: PlaceKind) -> Option<GroundKind> {
    match (mesh, place) {
        (MeshKind::Envoy, PlaceKind::Local) => Some(GroundKind::Envoy),
        (MeshKind::Istio, PlaceKind::Local) => Some(GroundKind::Istio),
        (MeshKind::Istio, PlaceKind::Kubernetes) => Some(GroundKind::IstioOnKubernetes),
        (MeshKind::Envoy, PlaceKind::Kubernetes) => None,
    }
}

/// Arguments of `up`.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// Has to be said: so far a cluster can only be one of kind's.
    #[arg(long, required = true)]
    pub kind: bool,
    /// The mesh on it.
    #[arg(long, value_enum, default_value = "istio", value_name = "MESH")]
    pub mesh: ClusterMesh,
    /// Its name.
    #[arg(long, default_value = "squall")]
    pub name: String,
    /// The image of this program that is brought to its nodes; else `squall:VERSION`.
    #[arg(long, value_name = "IMAGE", env = "SQUALL_IMAGE")]
    pub image: Option<String>,
}

/// The meshes that `up` can bring to a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClusterMesh {
    Istio,
}

/// Arguments of `down`.
#[derive(Debug, Args)]
pub struct DownArgs {
    /// A cluster of kind's.
    #[arg(long, required = true)]
    pub kind: bool,
    /// Its name.
    #[arg(long, default_value = "squall")]
    pub name: String,
}

/// Which place a command is about.
#[derive(Debug, Args)]
pub struct PlaceArgs {
    /// This machine, or a cluster.
    #[arg(long, value_enum, default_value = "local", value_name = "PLACE")]
    pub on: PlaceKind,
    /// The context of the kubeconfig; else the current one.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Which scenarios.
    #[command(flatten)]
    pub paths: Paths,
    /// Also runs each scenario without what it tests: one that holds all the same is vacuous, and red.
    #[arg(long, overrides_with = "no_controls")]
    pub controls: bool,
    /// No control runs, whatever squall.toml says.
    #[arg(long)]
    pub no_controls: bool,
    /// The Envoy to use; else $SQUALL_ENVOY, else the PATH, else one fetched once into the cache.
    #[arg(long, value_name = "FILE")]
    pub envoy: Option<PathBuf>,
    /// Releases of Envoy to run on, one after the other, each fetched once into the cache: `1.40.0,1.38.3`, or `newest:5`.
    /// Reports get the release into their names.
    #[arg(long, value_name = "RELEASES", value_delimiter = ',', conflicts_with = "envoy")]
    pub envoy_version: Vec<String>,
    /// The istiod for `--mesh istio`, one that needs no Kubernetes (kind-config/istiod); else the one on the PATH.
    #[arg(long, value_name = "FILE", env = "SQUALL_ISTIOD")]
    pub istiod: Option<PathBuf>,
    /// The context of the kubeconfig, for `--on kubernetes`; else the current one.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The image of this program, for `--on kubernetes` (kind-config/image); else `squall:VERSION`.
    #[arg(long, value_name = "IMAGE", env = "SQUALL_IMAGE")]
    pub image: Option<String>,
    /// Where runs are recorded.
    #[arg(long, value_name = "DIR", default_value = "runs", env = "SQUALL_OUT")]
    pub out: PathBuf,
    /// Writes a JUnit report.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Writes the totals as JSON.
    #[arg(long, value_name = "FILE")]
    pub summary: Option<PathBuf>,
    /// Writes the events here as well, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Stops the whole run after this time, in order, with what was found so far.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub timeout: Option<Duration>,
    /// Runs every stage its whole length, also where its claims are decided before that.
    #[arg(long)]
    pub no_early_stop: bool,
    /// Stops after the first scenario that is not green.
    #[arg(long)]
    pub fail_fast: bool,
    /// Counts unsupported scenarios as green.
    #[arg(long)]
    pub allow_unsupported: bool,
    /// Shows every claim and fault, not only those that did not hold.
    #[arg(long, short)]
    pub verbose: bool,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Which scenarios.
    #[command(flatten)]
    pub paths: Paths,
    /// The context of the kubeconfig, for `--on kubernetes`; else the current one.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The plans exactly as the engine runs them.
    #[arg(long)]
    pub json: bool,
    /// What Istio would be told of policies and services, as YAML; with --mesh istio.
    #[arg(long, conflicts_with = "json")]
    pub objects: bool,
}

/// Arguments of `steps`.
#[derive(Debug, Args)]
pub struct StepsArgs {
    /// As JSON.
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,
    /// As docs/vocabulary.md has it.
    #[arg(long)]
    pub markdown: bool,
    /// Only sentences about this word, ours or that of other tools: `killed`, `timeout`, `p99`.
    pub word: Option<String>,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A folder of `runs`, or `last`.
    #[arg(default_value = "last")]
    pub run: String,
    /// As what.
    #[arg(long, value_enum, default_value_t = Format::Terminal)]
    pub format: Format,
    /// Where runs are recorded.
    #[arg(long, value_name = "DIR", default_value = "runs", env = "SQUALL_OUT")]
    pub out: PathBuf,
    /// Shows every claim and fault.
    #[arg(long, short)]
    pub verbose: bool,
}

/// Readers of a recorded run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// What the terminal showed.
    Terminal,
    /// JUnit XML.
    Junit,
    /// The totals as JSON.
    Summary,
    /// A picture of what the terminal showed.
    Svg,
}

/// Arguments of `calls`.
#[derive(Debug, Args)]
pub struct CallsArgs {
    /// What `load --calls FILE` wrote.
    pub file: PathBuf,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The Envoy to look at.
    #[arg(long, value_name = "FILE")]
    pub envoy: Option<PathBuf>,
    /// What is looked at.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// Arguments of an agent of a load run.
#[derive(Debug, Args)]
pub struct LoadAgentArgs {
    /// Where its pod has what it is told; else its input says it.
    #[arg(long, value_name = "FOLDER")]
    pub task: Option<PathBuf>,
}

/// Arguments of a process of a run.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// Its configuration.
    #[arg(long)]
    pub config: PathBuf,
}

fn time(text: &str) -> Result<Duration, String> {
    squall_model::parse_duration(text).map_err(|e| e.to_string())
}
