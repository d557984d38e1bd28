//! Runs a program on one core and says what it cost.

use crate::server::pin;
use nix::sys::resource::{UsageWho, getrusage};
use std::{io, process::Stdio, time::Duration};
use tokio::{process::Command, time::MissedTickBehavior};

/// Between two looks at the memory of the program.
const LOOK: Duration = Duration::from_millis(50);

/// What became of a program.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Whether it says itself that all went well.
    pub(crate) fine: bool,
    /// Processor time, of user and system together.
    pub(crate) cpu: Duration,
    /// The most memory that it had resident, in bytes, as last looked at.
    pub(crate) peak: u64,
}

/// Runs it to its end on `core`, and goes on at `home`. One at a time: the processor time is that of all children since.
pub(crate) async fn run(mut command: Command, core: usize, home: usize) -> io::Result<Done> {
    let before = children()?;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // A child inherits the cores of the thread that starts it.
    pin(core)?;
    let spawned = command.spawn();
    pin(home)?;
    let child = spawned?;
    let status = child.id().map(|id| format!("/proc/{id}/status"));
    let mut peak = 0;
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ended = std::pin::pin!(child.wait_with_output());
    let output = loop {
        tokio::select! {
            output = &mut ended => break output?,
            _ = looks.tick() => peak = status.as_deref().and_then(resident).unwrap_or(0).max(peak),
        }
    };
    Ok(Done {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        fine: output.status.success(),
        cpu: children()?.saturating_sub(before),
        peak,
    })
}

/// Processor time of all children that have been waited for.
fn children() -> io::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros =
        |time: nix::sys::time::TimeVal| u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).unwrap_or_default();
    Ok(Duration::from_micros(micros(usage.user_time()) + micros(usage.system_time())))
}

/// `VmHWM` of proc_pid_status(5), in bytes.
fn resident(path: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
