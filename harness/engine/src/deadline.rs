//! Every wait of the engine, by name. Expiry is an event and a verdict, never a hang.

use crate::clock;
use squall_model::Stamp;
use std::time::Duration;

/// A named wait: what is waited for, and how long at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// The arrow of the engine that it bounds.
    pub name: &'static str,
    /// The longest that it may take.
    pub at_most: Duration,
}

macro_rules! deadlines {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $seconds:literal;)*) => {
        $($(#[$doc])* pub const $name: Deadline = Deadline { name: $text, at_most: Duration::from_secs($seconds) };)*

        /// All of them: docs/architecture.md has the same table, and a test compares the two.
        pub const ALL: &[Deadline] = &[$($name),*];
    };
}

deadlines! {
    /// Proxies and workloads are up: some 60 ms for one, half a second for eight at once on two loaded cores.
    PLACE = "place", 20;
    /// Every proxy has acknowledged a configuration and answers by it.
    CONFIRM = "confirm", 10;
    /// The first calls through every edge have been answered, so that pools are open.
    SETTLE = "settle", 10;
    /// A fault is armed or ended, on every proxy.
    ARM = "arm", 5;
    /// A link has taken over what is done to its wires.
    WIRE = "wire", 5;
    /// A process that was killed is gone.
    GONE = "gone", 5;
    /// A process that was asked to end in order has ended; else it is killed.
    STOP = "stop", 3;
    /// An instance that somebody else deployed has ended, in the time that its owners give it, and another is ready.
    REPLACE = "replace", 90;
    /// A process that was paused stands still.
    PAUSE = "pause", 5;
    /// A workload has taken over a new behaviour.
    BEHAVE = "behave", 5;
    /// The control plane is back, and every proxy has what it missed.
    CONTROL_PLANE = "control plane", 15;
    /// The last calls of a stage have ended, counted from the client's own deadline.
    QUIESCE = "quiesce", 12;
    /// The markers have come back through every log.
    BARRIER = "barrier", 5;
    /// Processes end by themselves when the run is over; those that have not are killed then.
    SHUTDOWN = "shutdown", 1;
}

impl Deadline {
    /// When it expires, if it begins now.
    #[must_use]
    pub fn from_now(self) -> Stamp {
        clock::now() + self.at_most
    }

    /// The same as an instant of the standard library, which reads the same clock.
    #[must_use]
    pub fn instant(self) -> std::time::Instant {
        std::time::Instant::now() + self.at_most
    }
}
