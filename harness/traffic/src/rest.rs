//! Rest between two sends, whatever comes in meanwhile.
//!
//! At the rates of a laptop a call costs next to nothing but the wake-ups for its send and for its answer. Where it is known without us when an
//! answer came ([`Stamped`](crate::stamped::Stamped)), or need not be known so well, answers share the wake-up of the next send: between two looks
//! at its sockets the thread is simply asleep.

use crate::clock;
use nix::{
    sys::prctl,
    time::{ClockId, ClockNanosleepFlags, clock_nanosleep},
};
use squall_model::Stamp;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::runtime::Handle;

/// When the thread may look at its sockets again.
#[derive(Debug)]
pub(crate) struct Rest {
    /// The longest between two looks while calls are under way.
    tick: Duration,
    until: AtomicU64,
    next_send: AtomicU64,
    /// Those who have to be woken by what they wait for.
    waking: AtomicUsize,
}

impl Rest {
    pub(crate) fn new(tick: Duration) -> Rest {
        Rest { tick, until: AtomicU64::new(0), next_send: AtomicU64::new(u64::MAX), waking: AtomicUsize::new(0) }
    }

    /// The thread has looked, or sent, at this moment.
    pub(crate) fn looked(&self, at: Stamp) {
        self.until.fetch_max((at + self.tick).0, Ordering::Relaxed);
    }

    /// The next send is due then.
    pub(crate) fn sends(&self, at: Option<Stamp>) {
        self.next_send.store(at.map_or(u64::MAX, |at| at.0), Ordering::Relaxed);
    }

    /// There is no rest as long as this is kept: somebody waits for what nobody else knows the moment of.
    pub(crate) fn awake(self: &Arc<Self>) -> Awake {
        self.waking.fetch_add(1, Ordering::Relaxed);
        Awake(Arc::clone(self))
    }

    /// Sleeps until it is time to look again. Where nothing is under way there is nothing to look for but the next send, which has an alarm.
    pub(crate) fn take(&self) {
        let until = self.until.load(Ordering::Relaxed).min(self.next_send.load(Ordering::Relaxed));
        let is_wanted =
            || self.waking.load(Ordering::Relaxed) == 0 && Handle::current().metrics().num_alive_tasks() > 0;
        if until > clock::now().0 && is_wanted() {
            let moment = Duration::from_nanos(until).into();
            // Woken before its time it looks before its time, and that is all.
            let _ = clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &moment);
        }
    }
}

/// Keeps the thread from its rest.
#[derive(Debug)]
pub(crate) struct Awake(Arc<Rest>);

impl Drop for Awake {
    fn drop(&mut self) {
        self.0.waking.fetch_sub(1, Ordering::Relaxed);
    }
}

/// From now on the sleeps of this thread end in their time, and not up to 50 µs later.
pub(crate) fn sleep_exactly() {
    // Where that is refused they end later, which the schedule's health shows.
    let _ = prctl::set_timerslack(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_rest_is_taken_while_calls_are_under_way() {
        let rest = Rest::new(Duration::from_millis(30));
        let call = tokio::spawn(std::future::pending::<()>());
        let looked = clock::now();
        rest.looked(looked);
        rest.take();
        assert!(clock::now() >= looked + Duration::from_millis(30));
        let soon = clock::now() + Duration::from_millis(20);
        rest.looked(soon + Duration::from_secs(10));
        rest.sends(Some(soon));
        rest.take();
        assert!((soon..soon + Duration::from_secs(10)).contains(&clock::now()), "a send ends it, and nothing before");
        call.abort();
    }

    #[tokio::test]
    async fn who_has_to_be_woken_is() {
        let rest = Arc::new(Rest::new(Duration::from_secs(10)));
        let call = tokio::spawn(std::future::pending::<()>());
        let looked = clock::now();
        rest.looked(looked);
        let awake = rest.awake();
        rest.take();
        assert!(clock::now() < looked + Duration::from_secs(10));
        drop(awake);
        rest.sends(Some(clock::now() + Duration::from_millis(20)));
        let before = clock::now();
        rest.take();
        assert!(clock::now() >= before + Duration::from_millis(15), "then it is rested again");
        call.abort();
    }

    #[tokio::test]
    async fn where_nothing_is_under_way_there_is_no_rest() {
        let rest = Rest::new(Duration::from_secs(10));
        let looked = clock::now();
        rest.looked(looked);
        rest.take();
        assert!(clock::now() < looked + Duration::from_secs(10));
    }
}
