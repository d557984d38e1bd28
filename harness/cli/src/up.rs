//! `up` and `down`: a cluster of kind's with a mesh on it, by the tools that are on the PATH and nothing else.

use crate::{
    args::{ClusterMesh, DownArgs, UpArgs},
    outcome::{Exit, Failure},
    settings::Kubernetes,
    term::Out,
};
use std::{
    ffi::OsStr,
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

/// What kind and istioctl are given: the files of kind-config.
const CLUSTER: &str = include_str!("../../../kind-config/cluster.yaml");
const ISTIO: &str = include_str!("../../../kind-config/istio.yaml");

/// One command that has to be run.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    program: &'static str,
    args: Vec<String>,
    /// What it reads from its input.
    input: &'static str,
}

impl Step {
    fn new(program: &'static str, args: &[&str], input: &'static str) -> Step {
        Step { program, args: args.iter().map(|&arg| arg.to_owned()).collect(), input }
    }
}

/// Brings a cluster up; what is there already is left as it is.
pub fn up(args: &UpArgs, out: Out) -> Result<Exit, Failure> {
    let ClusterMesh::Istio = args.mesh;
    let image = Kubernetes::default().image(args.image.as_deref());
    missing(&["kind", "istioctl", "docker"])?;
    let exists = said("kind", &["get", "clusters"])?.lines().any(|line| line.trim() == args.name);
    let has_image = Command::new("docker")
        .args(["image", "inspect", &image])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    for step in steps(&args.name, !exists, has_image.then_some(image.as_str())) {
        out.note(&format!("{} {}", step.program, step.args.join(" ")));
        run(&step)?;
    }
    if !has_image {
        out.note(&format!(
            "docker has no image {image}: `kind-config/image/build target/image && docker build -t {image} target/image`, and `up --kind` again"
        ));
    }
    let kubernetes = format!("kind-{}", args.name);
    let named = args.image.as_ref().map_or(String::new(), |image| format!(" --image {image}"));
    out.print(&format!("up: squall run --mesh istio --on kubernetes --context {kubernetes}{named}\n"));
    Ok(Exit::Holds)
}

/// Removes it.
pub fn down(args: &DownArgs, out: Out) -> Result<Exit, Failure> {
    missing(&["kind"])?;
    run(&Step::new("kind", &["delete", "cluster", "--name", &args.name], ""))?;
    out.print(&format!("cluster {} is gone\n", args.name));
    Ok(Exit::Holds)
}

/// What is to be done, in order.
fn steps(name: &str, new: bool, image: Option<&str>) -> Vec<Step> {
    let context = format!("kind-{name}");
    let create = new.then(|| Step::new("kind", &["create", "cluster", "--name", name, "--config", "-"], CLUSTER));
    let load = image.map(|image| Step::new("kind", &["load", "docker-image", "--name", name, image], ""));
    let install = Step::new("istioctl", &["install", "-y", "--context", &context, "-f", "-"], ISTIO);
    create.into_iter().chain([install]).chain(load).collect()
}

/// Every tool that is not there, at once.
fn missing(tools: &[&str]) -> Result<(), Failure> {
    let path = std::env::var_os("PATH");
    let found =
        |tool: &str| -> Option<PathBuf> { squall_place::programs(path.as_deref(), OsStr::new(tool).to_str()?).next() };
    let missing: Vec<&str> = tools.iter().copied().filter(|tool| found(tool).is_none()).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Failure::environment(format!("not on the PATH: {}", missing.join(", ")))
            .help("kind.sigs.k8s.io and istio.io/latest/docs/setup say how to get them")),
    }
}

fn said(program: &str, args: &[&str]) -> Result<String, Failure> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output();
    let output = output.map_err(|e| Failure::environment(format!("failed to run {program}: {e}")))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Failure::environment(format!("{program} {}: {words}", args.join(" "))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs one, and lets it be seen.
fn run(step: &Step) -> Result<(), Failure> {
    let fail = |why: String| Failure::environment(format!("{} {}: {why}", step.program, step.args.join(" ")));
    let mut child =
        Command::new(step.program).args(&step.args).stdin(Stdio::piped()).spawn().map_err(|e| fail(e.to_string()))?;
    // One that reads nothing has nothing to read.
    let _ = child.stdin.take().map(|mut input| input.write_all(step.input.as_bytes()));
    let status = child.wait().map_err(|e| fail(e.to_string()))?;
    if status.success() { Ok(()) } else { Err(fail(status.to_string())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(steps: &[Step]) -> Vec<String> {
        steps.iter().map(|step| format!("{} {}", step.program, step.args.join(" "))).collect()
    }

    #[test]
    fn what_is_there_is_left_as_it_is() {
        let all = steps("squall", true, Some("squall:1"));
        let expected = [
            "kind create cluster --name squall --config -",
            "istioctl install -y --context kind-squall -f -",
            "kind load docker-image --name squall squall:1",
        ];
        assert_eq!(told(&all), expected);
        assert_eq!(all[0].input, CLUSTER);
        assert_eq!(told(&steps("squall", false, None)), expected[1..2]);
    }

    #[test]
    fn tools_that_are_missing_are_named_at_once() {
        let error = missing(&["sh", "no-such-tool", "nor-this"]).unwrap_err();
        assert!(error.to_string().contains("not on the PATH: no-such-tool, nor-this"), "{error}");
    }
}
