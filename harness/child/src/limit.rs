//! How many files a process may have open.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Allows as many open files as the machine does: a connection is one or two, and a child that hangs has many.
pub fn raise_file_limit() {
    let raised =
        getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}
