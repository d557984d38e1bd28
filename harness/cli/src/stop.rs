//! SIGINT, SIGTERM, SIGHUP and `--timeout`: one way out, in order.

use squall_engine::Stopper;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Stops the run at the first signal or at the timeout. A second signal is not caught any more: it ends the process, and the
/// keeper ends the rest.
pub async fn watch(stopper: Stopper, timeout: Option<Duration>) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let deadline = async {
        match timeout {
            Some(after) => tokio::time::sleep_until(tokio::time::Instant::now() + after).await,
            None => std::future::pending().await,
        }
    };
    let why = tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
        _ = hangup.recv() => "SIGHUP",
        () = deadline => "--timeout",
    };
    stopper.stop(why);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    // The second signal: whoever sent it has no patience. Dropping everything is safe: the keeper sees our end of its pipe close.
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL)?;
    Ok(())
}
