//! This program was built without clusters, and says so wherever one is meant.

use crate::{
    args::{ConfigArgs, RunArgs},
    doctor::Line,
    load::{Errand, Heard},
    outcome::{Exit, Failure},
    run::Work,
    settings::{Kubernetes, Settings},
    term::Out,
};
use squall_engine::Stopper;
use squall_model::{RunEvent, Service};
use std::sync::mpsc::Sender;

/// A cluster to run on: there is none.
#[derive(Debug, Clone)]
pub enum Ground {}

fn without() -> Failure {
    Failure::usage("this squall was built without clusters")
        .help("build it with them: `cargo run --features kubernetes -- …`, or `cargo build --features kubernetes` for target/debug/squall")
}

pub fn ground(_: &RunArgs, _: &Settings) -> Result<Ground, Failure> {
    Err(without())
}

pub fn application(_: Option<&str>, _: &Kubernetes, _: &str) -> Result<Vec<Service>, Failure> {
    Err(without())
}

pub fn agents(_: &Errand, _: Out) -> Result<Heard, Failure> {
    Err(without())
}

pub async fn run_on(ground: &Ground, _: &Work, _: Sender<RunEvent>, _: Stopper, _: Out) -> Result<(), Failure> {
    match *ground {}
}

pub fn leftovers(_: Option<&str>, _: Out) -> Result<Exit, Failure> {
    Err(without())
}

pub fn reaper(_: Out) -> Result<Exit, Failure> {
    Err(without())
}

pub fn examined(_: Option<&str>, _: &Settings) -> Result<Vec<Line>, Failure> {
    Err(without())
}

pub fn pod(_: &ConfigArgs, _: Out) -> Result<Exit, Failure> {
    Err(without())
}

pub fn process(_: &ConfigArgs) -> Result<Exit, Failure> {
    Err(without())
}

pub fn runner(_: &ConfigArgs) -> Result<Exit, Failure> {
    Err(without())
}
