//! What the load thread sees of itself every 100 ms: what kept it from its work is in its figures, and nobody else can tell.

use crate::clock;
use nix::time::{ClockId, clock_gettime};
use squall_model::Stamp;
use std::{
    collections::VecDeque,
    fs::File,
    os::unix::fs::FileExt as _,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// One look at the load thread: it meant to wake at a moment, and woke `lag` after it. A lag of up to 2 ms is none: the timer that
/// wakes it for this counts whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// When it should have woken.
    pub at: Stamp,
    /// How much later it did.
    pub lag: Duration,
    /// The latest send since the look before.
    pub late: Duration,
    /// For how long since then it was ready to run and had no processor; zero where the system does not count that.
    pub waited: Duration,
    /// For how long since then the machine was asleep: no clock of ours counts that.
    pub asleep: Duration,
}

/// The last looks at the load thread, oldest first.
#[derive(Debug, Default)]
pub(crate) struct LookLog(Mutex<VecDeque<Look>>);

impl LookLog {
    /// Ten minutes of looks every 100 ms.
    const KEPT: usize = 6_000;

    pub(crate) fn push(&self, look: Look) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() == LookLog::KEPT {
            log.pop_front();
        }
        log.push_back(look);
    }

    pub(crate) fn since(&self, from: Stamp) -> Vec<Look> {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.range(log.partition_point(|look| look.at < from)..).copied().collect()
    }

    pub(crate) fn take(&self) -> Vec<Look> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }
}

/// Looks at the thread that it is on.
#[derive(Debug)]
pub(crate) struct Mirror {
    /// Where the system counts for how long this thread waits for a processor.
    counted: Option<File>,
    before: Reading,
    late: Duration,
}

/// What has come together since the thread, or the machine, began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Reading {
    waited: Duration,
    /// By how much the clock that counts sleep is ahead of the one that does not.
    asleep: Duration,
}

impl Mirror {
    pub(crate) fn new() -> Mirror {
        let counted = File::open("/proc/thread-self/schedstat").ok();
        Mirror { before: Reading::now(counted.as_ref()), counted, late: Duration::ZERO }
    }

    /// A send is so late.
    pub(crate) fn sent(&mut self, late: Duration) {
        self.late = self.late.max(late);
    }

    /// One that was meant for `at` and is made at `now`.
    pub(crate) fn look(&mut self, at: Stamp, now: Stamp) -> Look {
        let reading = Reading::now(self.counted.as_ref());
        let before = std::mem::replace(&mut self.before, reading);
        let Reading { waited, asleep } = reading.since(before);
        Look { at, lag: now.since(at), late: std::mem::take(&mut self.late), waited, asleep }
    }
}

impl Reading {
    fn now(counted: Option<&File>) -> Reading {
        let mut text = [0; 64];
        let waited = counted.and_then(|file| {
            let read = file.read_at(&mut text, 0).ok()?;
            waited(&text[..read])
        });
        Reading { waited: waited.unwrap_or_default(), asleep: ahead() }
    }

    /// Two readings of two clocks are a little apart by themselves: less than a millisecond is no sleep.
    fn since(self, before: Reading) -> Reading {
        let asleep = self.asleep.saturating_sub(before.asleep);
        Reading {
            waited: self.waited.saturating_sub(before.waited),
            asleep: if asleep < Duration::from_millis(1) { Duration::ZERO } else { asleep },
        }
    }
}

/// The second number of `schedstat` is the time in the run queue, in nanoseconds (Documentation/scheduler/sched-stats.rst).
fn waited(schedstat: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(schedstat).ok()?;
    text.split_ascii_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)
}

/// For how long the machine has been asleep since it was started.
fn ahead() -> Duration {
    let monotonic = clock::now();
    let boot = clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from);
    boot.saturating_sub(Duration::from_nanos(monotonic.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn looks_are_kept_for_a_while() {
        let log = LookLog::default();
        let (late, waited, asleep) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        (0..7_000).for_each(|i| log.push(Look { at: Stamp(i), lag: ms(1), late, waited, asleep }));
        assert_eq!(log.since(Stamp(0)).first().unwrap().at, Stamp(1_000));
        assert_eq!(log.since(Stamp(6_998)).iter().map(|look| look.at.0).collect::<Vec<_>>(), [6_998, 6_999]);
        assert_eq!((log.take().len(), log.take().len()), (6_000, 0));
    }

    #[test]
    fn a_look_has_what_came_since_the_one_before() {
        let mut mirror = Mirror::new();
        mirror.sent(ms(3));
        mirror.sent(ms(2));
        let look = mirror.look(Stamp(5_000_000), Stamp(9_000_000));
        assert_eq!((look.lag, look.late), (ms(4), ms(3)));
        assert_eq!(mirror.look(Stamp(9_000_000), Stamp(8_000_000)).late, ms(0));
    }

    #[test]
    fn sleep_and_waiting_are_what_is_added_to_them() {
        let reading = |waited, asleep| Reading { waited: ms(waited), asleep: ms(asleep) };
        assert_eq!(reading(70, 9_000).since(reading(30, 9_000)), reading(40, 0));
        assert_eq!(reading(70, 21_000).since(reading(70, 9_000)), reading(0, 12_000));
        let jitter = Reading { asleep: Duration::from_micros(900), ..reading(0, 0) };
        assert_eq!(jitter.since(reading(0, 0)), reading(0, 0));
        assert_eq!(waited(b"123 4560000 7\n"), Some(Duration::from_nanos(4_560_000)));
        assert_eq!((waited(b""), waited(b"1")), (None, None));
    }
}
