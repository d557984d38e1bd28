//! The load generators: how each is found, told what to do, and read.

use crate::{
    job::{CONNECTIONS, Job},
    said::{self, Said},
};
use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
};
use tokio::process::Command;

/// One load generator in one of its modes.
#[derive(Debug, Clone)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) version: String,
    kind: Kind,
    program: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Each call in its own time.
    SquallExact,
    /// What is due within a millisecond together.
    SquallFrugal,
    Wrk,
    H2load,
    Oha,
    Hey,
    Fortio,
    Vegeta,
    K6,
}

/// Name, kind, and how it is asked for its version.
const PEERS: [(&str, Kind, &str); 7] = [
    ("wrk", Kind::Wrk, "-v"),
    ("h2load", Kind::H2load, "--version"),
    ("oha", Kind::Oha, "--version"),
    ("hey", Kind::Hey, ""),
    ("fortio", Kind::Fortio, "version"),
    ("vegeta", Kind::Vegeta, "-version"),
    ("k6", Kind::K6, "version"),
];

impl Tool {
    /// `squall load` in both of its modes, then whatever else is there; and the names of those that are not.
    ///
    /// # Errors
    /// Where `squall` is not there.
    pub(crate) fn all(squall: &Path) -> io::Result<(Vec<Tool>, Vec<&'static str>)> {
        let program = squall.canonicalize()?;
        let ours = version(&program, "--version").unwrap_or_default();
        let own = |name, kind| Tool { name, version: ours.clone(), kind, program: program.clone() };
        let mut tools = vec![own("squall, exact", Kind::SquallExact), own("squall, frugal", Kind::SquallFrugal)];
        let mut absent = Vec::new();
        for (name, kind, ask) in PEERS {
            match on_path(name) {
                Some(program) => {
                    let version = version(&program, ask).unwrap_or_default();
                    tools.push(Tool { name, version, kind, program });
                }
                None => absent.push(name),
            }
        }
        Ok((tools, absent))
    }

    /// Whether it is `squall load`.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self.kind, Kind::SquallExact | Kind::SquallFrugal)
    }

    /// How it is told to do this; `None`: it cannot. What it writes goes to `scratch`.
    ///
    /// # Errors
    /// Where `scratch` cannot be written.
    pub(crate) fn command(&self, job: Job, url: &str, scratch: &Path) -> io::Result<Option<Command>> {
        let (connections, seconds) = (CONNECTIONS.to_string(), format!("{}s", job.length().as_secs_f64()));
        // Those that share the rate out among their connections.
        let share = job.hz().map(|hz| f64::from(hz) / f64::from(CONNECTIONS));
        let hz = job.hz().map(|hz| hz.to_string());
        let mut command = Command::new(&self.program);
        match self.kind {
            Kind::SquallExact | Kind::SquallFrugal => {
                command.args(["load", url, "--format", "json", "--duration", &seconds]);
                match &hz {
                    Some(hz) => command.args(["--rate", hz]),
                    None => command.args(["--users", &connections]),
                };
                if self.kind == Kind::SquallFrugal {
                    command.args(["--tick", "1ms"]);
                }
            }
            Kind::Wrk if hz.is_some() => return Ok(None),
            Kind::Wrk => {
                command.args(["-t1", "-c", &connections, "-d", &whole(job), "--latency", url]);
            }
            Kind::H2load => {
                command.args(["--h1", "-t1", "-c", &connections, "-D", &job.length().as_secs_f64().to_string()]);
                if let Some(share) = share {
                    command.args(["--rps", &share.to_string()]);
                }
                command.arg(url);
            }
            Kind::Oha => {
                command.args(["--no-tui", "--output-format", "json", "-c", &connections, "-z", &seconds]);
                if let Some(hz) = &hz {
                    command.args(["-q", hz, "--latency-correction"]);
                }
                command.arg(url);
            }
            Kind::Hey => {
                command.args(["-c", &connections, "-z", &seconds]);
                if let Some(share) = share {
                    command.args(["-q", &share.to_string()]);
                }
                command.arg(url);
            }
            Kind::Fortio => {
                let hz = hz.as_deref().unwrap_or("0");
                let flags = ["load", "-quiet", "-json", "-", "-p", "50,99", "-r", "0.00001"];
                command.args(flags).args(["-c", &connections, "-t", &seconds, "-qps", hz, url]);
            }
            Kind::Vegeta => {
                let targets = scratch.join("targets");
                std::fs::write(&targets, format!("GET {url}\n"))?;
                let hz = hz.as_deref().unwrap_or("0");
                command.args(["attack", "-duration", &seconds, "-rate", hz, "-workers", &connections]);
                if job.hz().is_none() {
                    command.args(["-max-workers", &connections]);
                }
                command.arg("-targets").arg(targets).arg("-output").arg(scratch.join("vegeta.bin"));
            }
            Kind::K6 => {
                let script = scratch.join("k6.js");
                std::fs::write(&script, k6(job, url))?;
                command.args(["run", "--quiet", "--no-usage-report", "--summary-trend-stats", "med,p(99),max"]);
                command.arg("--summary-export").arg(scratch.join("k6.json")).arg(script);
            }
        }
        Ok(Some(command))
    }

    /// What it says of the run that is just over.
    pub(crate) async fn said(&self, stdout: &str, scratch: &Path) -> Said {
        match self.kind {
            Kind::SquallExact | Kind::SquallFrugal | Kind::Fortio => said::fortio(stdout),
            Kind::Wrk => said::wrk(stdout),
            Kind::H2load => said::h2load(stdout),
            Kind::Oha => said::oha(stdout),
            Kind::Hey => said::hey(stdout),
            Kind::Vegeta => {
                let mut report = Command::new(&self.program);
                report.args(["report", "-type", "json"]).arg(scratch.join("vegeta.bin"));
                let output = report.output().await;
                output.map(|o| said::vegeta(&String::from_utf8_lossy(&o.stdout))).unwrap_or_default()
            }
            Kind::K6 => std::fs::read_to_string(scratch.join("k6.json")).map(|t| said::k6(&t)).unwrap_or_default(),
        }
    }
}

fn whole(job: Job) -> String {
    format!("{}s", job.length().as_secs().max(1))
}

fn k6(job: Job, url: &str) -> String {
    let seconds = job.length().as_secs_f64();
    let scenario = match job.hz() {
        None => format!("{{executor: 'constant-vus', vus: {CONNECTIONS}, duration: '{seconds}s'}}"),
        Some(hz) => format!(
            "{{executor: 'constant-arrival-rate', rate: {hz}, timeUnit: '1s', duration: '{seconds}s', \
             preAllocatedVUs: {CONNECTIONS}, maxVUs: 3000}}"
        ),
    };
    format!(
        "import http from 'k6/http';\nexport const options = {{scenarios: {{s: {scenario}}}}};\n\
         export default function () {{ http.get('{url}'); }}\n"
    )
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The first number with a dot in what it says when it is asked; `None`: it does not say.
fn version(program: &Path, ask: &str) -> Option<String> {
    if ask.is_empty() {
        return None;
    }
    let output = std::process::Command::new(program).arg(OsStr::new(ask)).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    said::version(&String::from_utf8_lossy(&text))
}
