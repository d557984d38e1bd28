//! Waiting with deadlines.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

/// Waits until one of the descriptors is readable or closed at the other end, or the deadline has come; says which.
pub(crate) fn poll_until(fds: &[BorrowedFd<'_>], deadline: Instant) -> io::Result<Vec<bool>> {
    let mut polled: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    loop {
        // A whole millisecond more, lest the last one is spent turning.
        let left = deadline.saturating_duration_since(Instant::now()).as_millis() + 1;
        match poll(&mut polled, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)) {
            Ok(0) if Instant::now() < deadline => {}
            Ok(_) => return Ok(polled.iter().map(|fd| fd.any().unwrap_or(false)).collect()),
            Err(Errno::EINTR) if Instant::now() < deadline => {}
            Err(Errno::EINTR) => return Ok(vec![false; fds.len()]),
            Err(e) => return Err(e.into()),
        }
    }
}
