//! One exact alarm for the load thread.
//!
//! tokio's timers count whole milliseconds and round up, so that a send would be 0.5 to 1 ms late on the average. On Linux a
//! timerfd rings within the wake-up time of a thread; elsewhere tokio's timer has to do.

use crate::clock;
use squall_model::Stamp;
use std::io;

/// Rings at a [`Stamp`]. May ring early: whoever waits looks at the clock.
#[derive(Debug)]
pub(crate) struct Alarm {
    #[cfg(target_os = "linux")]
    timer: linux::Timer,
}

impl Alarm {
    /// Needs the context of the runtime that will wait for it.
    pub(crate) fn new() -> io::Result<Alarm> {
        Ok(Alarm {
            #[cfg(target_os = "linux")]
            timer: linux::Timer::new()?,
        })
    }

    /// Waits until `at`. Dropping the future unsets nothing and loses nothing.
    pub(crate) async fn until(&mut self, at: Stamp) {
        #[cfg(target_os = "linux")]
        if self.timer.until(at).await.is_ok() {
            return;
        }
        tokio::time::sleep_until(clock::instant(at)).await;
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use nix::sys::{
        time::TimeSpec,
        timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
    };
    use squall_model::Stamp;
    use std::{
        io,
        os::fd::{AsFd as _, AsRawFd, RawFd},
        time::Duration,
    };
    use tokio::io::{Interest, unix::AsyncFd};

    #[derive(Debug)]
    struct Raw(TimerFd);

    impl AsRawFd for Raw {
        fn as_raw_fd(&self) -> RawFd {
            self.0.as_fd().as_raw_fd()
        }
    }

    #[derive(Debug)]
    pub(super) struct Timer {
        fd: AsyncFd<Raw>,
        set_for: Option<Stamp>,
    }

    impl Timer {
        pub(super) fn new() -> io::Result<Timer> {
            let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
            #[expect(
                unsafe_code,
                reason = "tokio has no other way to wait for a file descriptor of a kind it does not know"
            )]
            // SAFETY: `Raw` owns the descriptor, names the same one for ever, and closes it only when it is dropped.
            let fd = unsafe { AsyncFd::register_with_interest(Raw(timer), Interest::READABLE) }?;
            Ok(Timer { fd, set_for: None })
        }

        pub(super) async fn until(&mut self, at: Stamp) -> io::Result<()> {
            if self.set_for != Some(at) {
                // A zero time would unset the timer.
                let moment = TimeSpec::from_duration(Duration::from_nanos(at.0.max(1)));
                self.fd.get_ref().0.set(Expiration::OneShot(moment), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
                self.set_for = Some(at);
            }
            // The count of expirations is not read: setting the timer anew clears it (timerfd_create(2)).
            self.fd.readable().await?.clear_ready();
            self.set_for = None;
            Ok(())
        }
    }
}
