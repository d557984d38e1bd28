//! SIGINT, SIGTERM, SIGHUP and `--timeout`: one way out, in order.

use nix::sys::signal::{SigHandler, Signal};
use squall_engine::Stopper;
use std::time::Duration;
use tokio::signal::unix::{Signal as Listener, SignalKind, signal};

/// The signals that stop a run. They are listened for from before anything is started.
pub struct Signals {
    interrupt: Listener,
    terminate: Listener,
    hangup: Listener,
}

impl Signals {
    /// Begins to listen: from now on none of them ends the process by itself.
    pub fn listen() -> std::io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Stops the run at the first signal or at the timeout, then returns. From then on the default handling is back: a second
    /// signal ends the process at once, and the keeper, which sees our end of its pipe close, ends the rest.
    pub async fn stop(mut self, stopper: Stopper, timeout: Option<Duration>) -> std::io::Result<()> {
        let deadline = async {
            match timeout {
                Some(after) => tokio::time::sleep_until(tokio::time::Instant::now() + after).await,
                None => std::future::pending().await,
            }
        };
        let why = tokio::select! {
            why = self.first() => why,
            () = deadline => "--timeout",
        };
        stopper.stop(why);
        Signals::forget()
    }

    /// Waits for a signal, and names it.
    pub async fn first(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.hangup.recv() => "SIGHUP",
        }
    }

    /// The same, and a second one ends the process at once.
    pub async fn only(&mut self) -> &'static str {
        let why = self.first().await;
        // Where the system does not forget the handler a second one is not obeyed, which is no reason to ignore the first.
        let _ = Signals::forget();
        why
    }

    /// Brings the default handling of the first two back.
    pub fn forget() -> std::io::Result<()> {
        [Signal::SIGINT, Signal::SIGTERM].into_iter().try_for_each(restore)
    }
}

/// Tokio keeps its handler for the life of the process: only the system can be told to forget it.
#[expect(unsafe_code, reason = "sigaction is unsafe; SIG_DFL runs no code of ours")]
fn restore(signal: Signal) -> std::io::Result<()> {
    // SAFETY: the default action is no handler, so there is nothing that could be unsafe in a handler.
    unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) }.map(drop).map_err(Into::into)
}
