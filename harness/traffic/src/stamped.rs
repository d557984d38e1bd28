//! A TCP socket that says when what is read from it came in.
//!
//! Who looks at its sockets only now and then reads an answer some time after it has come. The kernel knows better: it stamps what it receives
//! (`SO_TIMESTAMPNS`, socket(7)), with the clock of the calendar.

use crate::clock;
use nix::{
    cmsg_space,
    sys::{
        socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt::ReceiveTimestampns},
        time::TimeSpec,
    },
    time::{ClockId, clock_gettime},
};
use squall_model::Stamp;
use std::{
    io::{self, IoSliceMut},
    net::{Ipv4Addr, TcpStream, UdpSocket},
    os::fd::AsRawFd as _,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// A socket, and when the last of what was read from it came in.
#[derive(Debug)]
pub(crate) struct Stamped {
    pub(crate) stream: TcpStream,
    /// 0: not known.
    arrived: AtomicU64,
}

impl Stamped {
    pub(crate) fn new(stream: TcpStream) -> Stamped {
        // Where the kernel does not stamp, nothing is known of arrivals.
        let _ = setsockopt(&stream, ReceiveTimestampns, &true);
        Stamped { stream, arrived: AtomicU64::new(0) }
    }

    pub(crate) fn read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut room = cmsg_space!(TimeSpec);
        let mut into = [IoSliceMut::new(bytes)];
        let message = recvmsg::<()>(self.stream.as_raw_fd(), &mut into, Some(&mut room), MsgFlags::empty())?;
        let stamp = message.cmsgs()?.find_map(|said| match said {
            ControlMessageOwned::ScmTimestampns(time) => Some(ours(time)),
            _ => None,
        });
        self.arrived.store(stamp.map_or(0, |at| at.0), Ordering::Relaxed);
        Ok(message.bytes)
    }

    /// When the last of what was read came in.
    pub(crate) fn arrived(&self) -> Option<Stamp> {
        Some(Stamp(self.arrived.load(Ordering::Relaxed))).filter(|at| at.0 > 0)
    }
}

/// The kernel begins to stamp a moment after the first socket has asked for it, and goes on as long as there is one.
pub(crate) fn ask_the_kernel() -> Option<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
    setsockopt(&socket, ReceiveTimestampns, &true).ok()?;
    Some(socket)
}

/// A moment of the calendar on our clock. Right to what the calendar was set by in between, and never in the future.
fn ours(calendar: TimeSpec) -> Stamp {
    let now = clock::now();
    let passed = |wall: TimeSpec| Duration::from(wall).saturating_sub(calendar.into());
    let ago = clock_gettime(ClockId::CLOCK_REALTIME).map_or(Duration::ZERO, passed);
    Stamp(now.0.saturating_sub(ago.as_nanos() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::Write as _,
        net::TcpListener,
        time::{Duration, Instant},
    };

    /// However long it lies there before it is read. The kernel begins to stamp a moment after it was asked to, so the first may come without.
    #[test]
    fn what_came_in_is_known_by_its_arrival() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stamped = Stamped::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        let (mut other, _) = listener.accept().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let before = clock::now();
            other.write_all(b"answer").unwrap();
            let sent = clock::now();
            while clock::now() < sent + Duration::from_millis(20) {
                std::thread::yield_now();
            }
            assert_eq!(stamped.read(&mut [0; 64]).unwrap(), 6);
            if let Some(arrived) = stamped.arrived() {
                let (early, late) = (before.0 - 1_000_000, sent.0 + 10_000_000);
                assert!((early..late).contains(&arrived.0), "sent from {before:?} to {sent:?}, there at {arrived:?}");
                break;
            }
            assert!(Instant::now() < deadline, "no stamp ever");
        }
    }
}
