//! The two pipes between runner and keeper: one JSON value a line.

use super::types::{Exit, Net, ProcessId, ProcessSpec, Signal};
use crate::error::PlaceError;
use serde::{Deserialize, Serialize};
use squall_model::Stamp;
use std::io::{self, Write};
use std::path::PathBuf;

/// From the runner, by the keeper's standard input. Its end means: kill everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Command {
    Spawn(Spawn),
    Signal { seq: u64, id: ProcessId, signal: Signal },
    Shutdown { grace_ms: u64 },
}

/// A process to start. The request's number becomes the process's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Spawn {
    pub(super) seq: u64,
    pub(super) name: String,
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) cwd: PathBuf,
    pub(super) log: PathBuf,
}

/// From the keeper, by its standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Event {
    /// First of all.
    Ready { net: Net },
    /// Answers a spawn.
    Started { seq: u64, pid: u32, at: Stamp },
    /// Answers a signal.
    Done { seq: u64 },
    /// Answers either.
    Refused { seq: u64, refusal: Refusal },
    /// A process ended.
    Exited { id: ProcessId, pid: u32, how: Exit, asked: bool, at: Stamp },
    /// Last of all, after a shutdown: every process is reaped and the folder removed, but for what `left` says.
    Gone { left: Option<String> },
}

/// Why the keeper did not do something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Refusal {
    ShuttingDown,
    UnknownProcess,
    HasExited,
    /// The system refused a step.
    System {
        what: String,
        errno: i32,
    },
}

impl Refusal {
    pub(super) fn system(what: impl Into<String>, error: &io::Error) -> Refusal {
        Refusal::System { what: what.into(), errno: error.raw_os_error().unwrap_or(nix::libc::EIO) }
    }
}

impl Spawn {
    /// What crosses the pipe is text, and paths are absolute: the keeper works elsewhere.
    pub(super) fn new(seq: u64, spec: &ProcessSpec) -> Result<Spawn, PlaceError> {
        let refuse = |why: String| PlaceError::Spec { name: spec.name.clone(), why };
        let text = |what: &std::ffi::OsStr| {
            what.to_str().map(str::to_owned).ok_or_else(|| refuse(format!("{} is not UTF-8", what.display())))
        };
        let absolute = |path: &std::path::Path| {
            let path = std::path::absolute(path).map_err(|e| refuse(format!("{}: {e}", path.display())))?;
            text(path.as_os_str()).map(PathBuf::from)
        };
        let on_path =
            spec.program.components().count() == 1 && !spec.program.as_os_str().as_encoded_bytes().contains(&b'/');
        Ok(Spawn {
            seq,
            name: spec.name.clone(),
            program: if on_path { spec.program.clone() } else { absolute(&spec.program)? },
            args: spec.args.iter().map(|arg| text(arg)).collect::<Result<_, _>>()?,
            env: spec
                .env
                .iter()
                .map(|(name, value)| Ok((text(name)?, text(value)?)))
                .collect::<Result<_, PlaceError>>()?,
            cwd: absolute(spec.cwd.as_deref().unwrap_or(spec.folder.path()))?,
            log: absolute(&spec.folder.log())?,
        })
    }
}

/// Writes one value as one line, by one write.
pub(super) fn write_line(mut to: impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    to.write_all(&line)?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_are_these() {
        let lines = [
            serde_json::to_string(&Command::Spawn(Spawn {
                seq: 1,
                name: "web".into(),
                program: "sleep".into(),
                args: vec!["1".into()],
                env: vec![("A".into(), "b c".into())],
                cwd: "/run/x/1-web".into(),
                log: "/run/x/1-web/output.log".into(),
            })),
            serde_json::to_string(&Command::Signal { seq: 2, id: ProcessId(1), signal: Signal::Pause }),
            serde_json::to_string(&Command::Shutdown { grace_ms: 500 }),
            serde_json::to_string(&Event::Ready { net: Net::PidNamespace { user: false } }),
            serde_json::to_string(&Event::Started { seq: 1, pid: 4711, at: Stamp(5) }),
            serde_json::to_string(&Event::Refused { seq: 1, refusal: Refusal::UnknownProcess }),
            serde_json::to_string(&Event::Exited {
                id: ProcessId(1),
                pid: 4711,
                how: Exit::Signal(9),
                asked: true,
                at: Stamp(6),
            }),
            serde_json::to_string(&Event::Gone { left: None }),
        ];
        insta::assert_snapshot!(lines.map(Result::unwrap).join("\n"), @r#"
        {"spawn":{"seq":1,"name":"web","program":"sleep","args":["1"],"env":[["A","b c"]],"cwd":"/run/x/1-web","log":"/run/x/1-web/output.log"}}
        {"signal":{"seq":2,"id":1,"signal":"pause"}}
        {"shutdown":{"grace_ms":500}}
        {"ready":{"net":{"pid_namespace":{"user":false}}}}
        {"started":{"seq":1,"pid":4711,"at":5}}
        {"refused":{"seq":1,"refusal":"unknown_process"}}
        {"exited":{"id":1,"pid":4711,"how":{"signal":9},"asked":true,"at":6}}
        {"gone":{"left":null}}
        "#);
    }
}
