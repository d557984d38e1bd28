//! Exact delays, many at a time.
//!
//! tokio's timers count whole milliseconds and round up twice: a service meant to answer in 2 ms would do so in 3, and
//! its capacity would be two thirds of what was written. On Linux one timerfd rings for all; elsewhere tokio's must do.

#[cfg(not(target_os = "linux"))]
pub(crate) use coarse::Alarms;
#[cfg(target_os = "linux")]
pub(crate) use exact::Alarms;

#[cfg(target_os = "linux")]
mod exact {
    use crate::{clock, socket::watch};
    use nix::sys::{
        time::TimeSpec,
        timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
    };
    use squall_model::Stamp;
    use std::{
        cell::{Cell, RefCell},
        collections::BTreeMap,
        future::poll_fn,
        io,
        os::fd::{AsFd as _, OwnedFd},
        task::{Poll, Waker},
        time::Duration,
    };
    use tokio::io::unix::AsyncFd;

    /// All who sleep, and the one timer that wakes them.
    #[derive(Debug)]
    pub(crate) struct Alarms {
        sleepers: RefCell<BTreeMap<(Stamp, u64), Waker>>,
        next: Cell<u64>,
        /// For when the timer is set: a ring at that time is certain to come.
        set_for: Cell<Option<Stamp>>,
        timer: TimerFd,
        rings: AsyncFd<OwnedFd>,
    }

    impl Alarms {
        pub(crate) fn new() -> io::Result<Alarms> {
            let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
            let rings = watch(timer.as_fd().try_clone_to_owned()?)?;
            Ok(Alarms { sleepers: RefCell::default(), next: Cell::new(0), set_for: Cell::new(None), timer, rings })
        }

        /// Wakes whoever's time has come, for ever. Nobody wakes without it.
        pub(crate) async fn ring(&self) -> io::Error {
            loop {
                match self.rings.readable().await {
                    // The expirations are not counted: setting the timer anew clears them (timerfd_create(2)).
                    Ok(mut ready) => ready.clear_ready(),
                    Err(error) => return error,
                }
                self.set_for.set(None);
                let now = clock::now();
                let mut sleepers = self.sleepers.borrow_mut();
                while let Some(sleeper) = sleepers.first_entry().filter(|sleeper| sleeper.key().0 <= now) {
                    sleeper.remove().wake();
                }
                let next = sleepers.first_key_value().map(|(&(at, _), _)| at);
                if let Some(Err(error)) = next.map(|at| self.set(at)) {
                    return error;
                }
            }
        }

        /// Sleeps for so long.
        ///
        /// # Errors
        /// If the timer cannot be set.
        pub(crate) async fn sleep(&self, long: Duration) -> io::Result<()> {
            let sleeper = Sleeper { alarms: self, key: (clock::now() + long, self.next.get()) };
            self.next.set(self.next.get() + 1);
            poll_fn(|cx| sleeper.poll(cx.waker())).await
        }

        fn set(&self, at: Stamp) -> io::Result<()> {
            if self.set_for.get().is_some_and(|set| set <= at) {
                return Ok(());
            }
            // A time of zero would unset it.
            let at_least_one = Duration::from_nanos(at.0.max(1));
            let moment = Expiration::OneShot(TimeSpec::from_duration(at_least_one));
            self.timer.set(moment, TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
            self.set_for.set(Some(at));
            Ok(())
        }
    }

    struct Sleeper<'a> {
        alarms: &'a Alarms,
        key: (Stamp, u64),
    }

    impl Sleeper<'_> {
        fn poll(&self, waker: &Waker) -> Poll<io::Result<()>> {
            if clock::now() >= self.key.0 {
                return Poll::Ready(Ok(()));
            }
            self.alarms.sleepers.borrow_mut().insert(self.key, waker.clone());
            match self.alarms.set(self.key.0) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            }
        }
    }

    impl Drop for Sleeper<'_> {
        fn drop(&mut self) {
            self.alarms.sleepers.borrow_mut().remove(&self.key);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod coarse {
    use std::{future::pending, io, time::Duration};

    /// tokio's timers.
    #[derive(Debug)]
    pub(crate) struct Alarms;

    impl Alarms {
        pub(crate) fn new() -> io::Result<Alarms> {
            Ok(Alarms)
        }

        pub(crate) async fn ring(&self) -> io::Error {
            pending().await
        }

        #[expect(clippy::disallowed_methods, reason = "the delay is the behaviour, not a wait for something")]
        pub(crate) async fn sleep(&self, long: Duration) -> io::Result<()> {
            tokio::time::sleep(long).await;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use std::time::Duration;

    /// Runs sleepers and the ringing beside them.
    async fn with_ringing<T>(alarms: &Alarms, sleepers: impl Future<Output = T>) -> T {
        tokio::select! {
            error = alarms.ring() => panic!("{error}"),
            done = tokio::time::timeout(Duration::from_secs(30), sleepers) => done.expect("nobody was woken"),
        }
    }

    #[tokio::test]
    async fn all_wake_and_none_before_its_time() {
        let alarms = Alarms::new().unwrap();
        let sleeper = async |ms| {
            let until = clock::now() + Duration::from_millis(ms);
            alarms.sleep(Duration::from_millis(ms)).await.unwrap();
            assert!(clock::now() >= until);
        };
        with_ringing(&alarms, async { tokio::join!(sleeper(30), sleeper(0), sleeper(15), sleeper(16), sleeper(15)) })
            .await;
    }

    #[tokio::test]
    async fn a_short_sleep_does_not_wait_for_a_long_one() {
        let alarms = Alarms::new().unwrap();
        let (long, short) = (alarms.sleep(Duration::from_secs(5)), alarms.sleep(Duration::from_millis(5)));
        let first = with_ringing(&alarms, async {
            tokio::select! { biased; _ = long => "long", _ = short => "short" }
        });
        assert_eq!(first.await, "short");
    }

    #[tokio::test]
    async fn a_sleeper_that_goes_away_takes_nobodys_ring_with_it() {
        let alarms = Alarms::new().unwrap();
        let ms = Duration::from_millis;
        with_ringing(&alarms, async {
            for _ in 0..20 {
                // The earlier sleeper set the timer, and goes before or after it rang.
                let mut early = Box::pin(alarms.sleep(ms(1)));
                let mut late = Box::pin(alarms.sleep(ms(2)));
                tokio::select! { biased; _ = early.as_mut() => {}, _ = late.as_mut() => {}, () = std::future::ready(()) => {} }
                drop(early);
                late.await.unwrap();
                alarms.sleep(ms(1)).await.unwrap();
            }
        })
        .await;
    }
}
