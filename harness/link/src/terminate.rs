//! SIGTERM, as something that a poll can watch.

use nix::{
    errno::Errno,
    libc::c_int,
    sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction},
    unistd::write,
};
use std::{io, os::unix::net::UnixStream, sync::OnceLock};

/// Written to by the handler, read by nobody: that there is something to read says it all.
static PIPE: OnceLock<(UnixStream, UnixStream)> = OnceLock::new();

/// A stream that has something to read once the process was told to end by SIGTERM.
pub(crate) fn terminated() -> io::Result<mio::net::UnixStream> {
    let pipe = match PIPE.get() {
        Some(pipe) => pipe,
        None => {
            let (reader, writer) = UnixStream::pair()?;
            reader.set_nonblocking(true)?;
            writer.set_nonblocking(true)?;
            PIPE.get_or_init(|| (reader, writer))
        }
    };
    let action = SigAction::new(SigHandler::Handler(tell), SaFlags::SA_RESTART, SigSet::empty());
    #[expect(unsafe_code, reason = "a handler of signals cannot be set otherwise")]
    // SAFETY: the handler does nothing but a load and a write(2), which are allowed in one (signal-safety(7)).
    unsafe { sigaction(Signal::SIGTERM, &action) }?;
    Ok(mio::net::UnixStream::from_std(pipe.0.try_clone()?))
}

extern "C" fn tell(_: c_int) {
    let interrupted = Errno::last();
    if let Some((_, writer)) = PIPE.get() {
        // Full: then there is something to read already.
        let _ = write(writer, b"!");
    }
    interrupted.set();
}
