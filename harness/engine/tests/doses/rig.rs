//! A whole run in one process, but for the keeper, the workloads and the proxies.

use crate::misaimed::{Aim, Loses, Misaimed};
use squall_engine::{Engine, Events, Stopper};
use squall_gherkin::{Defaults, Selection, Source};
use squall_mesh_envoy::Envoy;
use squall_model::{Body, DoseCount, Plan, Verdict, Why};
use squall_place::{Keeper, RunFolder};
use squall_traffic::LoadThread;
use squall_workload::WorkloadArgs;
use std::{
    cell::Cell,
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

/// What a run told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) doses: Vec<DoseCount>,
    pub(crate) verdict: Verdict,
}

impl Told {
    /// Why it is inconclusive, in words.
    pub(crate) fn verdict_text(&self) -> String {
        match &self.verdict {
            Verdict::Inconclusive(why) => why.to_string(),
            other => panic!("{other:?}"),
        }
    }
}

/// The Envoy to test on; `None`: there is none, and that has been said.
pub(crate) fn envoy() -> Option<PathBuf> {
    match squall_place::envoy::at_hand(None).expect("an Envoy that is named runs") {
        Some(found) => Some(found.path),
        None => {
            assert!(std::env::var_os("CI").is_none(), "no Envoy to be had");
            eprintln!("SKIPPED: no Envoy to be had, nothing was proven");
            None
        }
    }
}

pub(crate) fn workload(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let config = args.find(|arg| arg != "--config").expect("a configuration").into();
    match squall_workload::workload_main(&WorkloadArgs { config }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the one scenario of a feature on a mesh that aims its faults so; and again, three times at most, while what the run
/// says is that it proves nothing: by its health record alone, never because a dose was not the wanted one.
pub(crate) fn run(feature: &str, envoy: &Path, aim: Aim, loses: Loses) -> Told {
    let source = Source::new("doses.feature", feature);
    let mut plans = squall_gherkin::compile(&source, &Defaults::default(), &Selection::default())
        .expect("a feature without mistakes")
        .plans;
    let plan = plans.pop().expect("a scenario");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for _ in 0..2 {
        let told = runtime.block_on(drive(plan.clone(), envoy, aim, loses));
        let Verdict::Inconclusive(Why::Environment(why)) = &told.verdict else { return told };
        eprintln!("once more: {why}");
    }
    runtime.block_on(drive(plan, envoy, aim, loses))
}

async fn drive(plan: Plan, envoy: &Path, aim: Aim, loses: Loses) -> Told {
    let exe = std::env::current_exe().unwrap();
    let keeper = Keeper::start(&exe, RunFolder::create().unwrap()).await.unwrap();
    let envoys = Envoy::start(envoy, Default::default(), keeper.folder().path()).unwrap();
    let mesh = Misaimed { mesh: envoys, aim, loses };
    let load = LoadThread::start().unwrap();
    let record = tempfile::tempdir().unwrap();
    let (events, told) = Events::channel();
    let engine = Engine {
        mesh: &mesh,
        keeper: &keeper,
        load: &load,
        exe: &exe,
        events: &events,
        stopper: Stopper::default(),
        controls: false,
        word: String::new(),
        seed: 1,
        early_stop: true,
        record: record.path(),
        runs: Cell::new(0),
    };
    engine.run(&[plan]).await;
    keeper.shutdown(Duration::from_secs(1)).await.unwrap();
    let (mut doses, mut verdict) = (Vec::new(), None);
    for event in told.try_iter() {
        match event.body {
            Body::Dosed { count, .. } => doses.push(count),
            Body::Finished(finished) => verdict = Some(finished.verdict),
            // What was counted before belongs to a run that was made once more.
            Body::Rerun { .. } => doses.clear(),
            _ => {}
        }
    }
    Told { doses, verdict: verdict.expect("a verdict") }
}
