//! When a poll is to return though nothing has happened.
//!
//! A poll's own timeout counts whole milliseconds on Linux: a delay of 5 ms would be one of 5 to 6. A timerfd is exact.

use mio::Registry;
use squall_model::Stamp;
use std::{io, time::Duration};

/// The one timer of the process.
#[derive(Debug)]
pub(crate) struct Timer {
    #[cfg(target_os = "linux")]
    exact: exact::Exact,
}

impl Timer {
    #[cfg(target_os = "linux")]
    pub(crate) fn new(registry: &Registry) -> io::Result<Timer> {
        Ok(Timer { exact: exact::Exact::new(registry)? })
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn new(_: &Registry) -> io::Result<Timer> {
        Ok(Timer {})
    }

    /// The timeout of a poll that is to return at `at`, or may sleep for ever.
    pub(crate) fn timeout(&mut self, at: Option<Stamp>, now: Stamp) -> io::Result<Option<Duration>> {
        match at {
            None => Ok(None),
            Some(at) if at <= now => Ok(Some(Duration::ZERO)),
            #[cfg(target_os = "linux")]
            Some(at) => self.exact.set(at).map(|()| None),
            #[cfg(not(target_os = "linux"))]
            Some(at) => Ok(Some(at.since(now))),
        }
    }
}

#[cfg(target_os = "linux")]
mod exact {
    use crate::token::Watched;
    use mio::{Interest, Registry, unix::SourceFd};
    use nix::sys::{
        time::TimeSpec,
        timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
    };
    use squall_model::Stamp;
    use std::{
        io,
        os::fd::{AsFd as _, AsRawFd as _},
        time::Duration,
    };

    #[derive(Debug)]
    pub(super) struct Exact {
        timer: TimerFd,
        set_for: Stamp,
    }

    impl Exact {
        pub(super) fn new(registry: &Registry) -> io::Result<Exact> {
            let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
            let fd = timer.as_fd().as_raw_fd();
            registry.register(&mut SourceFd(&fd), Watched::Timer.into(), Interest::READABLE)?;
            Ok(Exact { timer, set_for: Stamp::default() })
        }

        /// Rings at `at`. One that was set for that moment already, or has rung for it, is not set again.
        pub(super) fn set(&mut self, at: Stamp) -> io::Result<()> {
            if self.set_for != at {
                // The expirations are not counted: setting the timer anew clears them (timerfd_create(2)).
                let moment = TimeSpec::from_duration(Duration::from_nanos(at.0));
                self.timer.set(Expiration::OneShot(moment), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
                self.set_for = at;
            }
            Ok(())
        }
    }
}
