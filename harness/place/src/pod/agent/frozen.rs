//! Processes of the pod that stand still.

use crate::os::{identity, stands_still};
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::io;

/// Processes that stand still. Dropped, they go on.
pub(super) struct Frozen {
    there: Vec<One>,
    /// What each was that has ended, and nobody was told of yet.
    gone: Vec<&'static str>,
}

/// A process, told from a later one with the same number.
struct One {
    what: &'static str,
    pid: Pid,
    begun: u64,
}

impl Frozen {
    /// Stops these, by what they are. One that has ended by then keeps no other going.
    pub(super) fn stop(whom: Vec<(&'static str, Pid)>) -> io::Result<Frozen> {
        let mut frozen = Frozen { there: Vec::new(), gone: Vec::new() };
        for (what, pid) in whom {
            let Ok(found) = identity(number(pid)) else {
                frozen.gone.push(what);
                continue;
            };
            match kill(pid, Signal::SIGSTOP) {
                Ok(()) => frozen.there.push(One { what, pid, begun: found.start_time }),
                Err(Errno::ESRCH) => frozen.gone.push(what),
                Err(why) => return Err(why.into()),
            }
        }
        Ok(frozen)
    }

    /// Whether every thread does of those that there are.
    pub(super) fn all_stand(&self) -> io::Result<bool> {
        for one in &self.there {
            match stands_still(number(one.pid)) {
                Ok(true) => {}
                _ if one.has_ended() => {}
                Ok(false) => return Ok(false),
                Err(why) => return Err(why),
            }
        }
        Ok(true)
    }

    /// Whether there is any of them.
    pub(super) fn is_anybody(&self) -> bool {
        self.there.iter().any(|one| !one.has_ended())
    }

    /// What those are that have ended since this was asked last.
    pub(super) fn ended(&mut self) -> Vec<&'static str> {
        let ended = self.there.extract_if(.., |one| one.has_ended());
        self.gone.extend(ended.map(|one| one.what));
        std::mem::take(&mut self.gone)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for one in self.there.iter().filter(|one| !one.has_ended()) {
            // One that ends at this moment does not go on.
            let _ = kill(one.pid, Signal::SIGCONT);
        }
    }
}

impl One {
    fn has_ended(&self) -> bool {
        !identity(number(self.pid)).is_ok_and(|found| found.start_time == self.begun && !found.zombie)
    }
}

fn number(pid: Pid) -> u32 {
    pid.as_raw().cast_unsigned()
}
