//! What keeps the lease on damage alive, on a thread and a connection of its own: a runner that is busy is not one that is dead.

use super::{Ask, Say};
use squall_model::Stamp;
use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    net::Shutdown,
    os::unix::net::UnixStream,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::Duration,
};

/// Between two heartbeats: several to a lease, so that a late one does no harm.
const BEAT: Duration = Duration::from_millis(500);

/// When the lease was last known to have run out.
#[derive(Debug, Clone, Default)]
pub(super) struct Lapse(Arc<Mutex<Option<Stamp>>>);

impl Lapse {
    pub(super) fn get(&self) -> Option<Stamp> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell(&self, at: Stamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }
}

/// Beats until it is dropped, or the link is gone.
#[derive(Debug)]
pub(super) struct Heartbeat {
    stream: UnixStream,
    /// Closed: beat no more.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Heartbeat {
    /// Of lapses before `since`, those of another runner, nothing is told.
    pub(super) fn start(path: &Path, lapse: Lapse, since: Stamp) -> io::Result<Heartbeat> {
        let stream = UnixStream::connect(path)?;
        let (stop, stopped) = channel();
        let beating = BufReader::new(stream.try_clone()?);
        let beat = move || match beat(beating, &stopped, &lapse, since) {
            Ok(()) => {}
            Err(error) => tracing::debug!(%error, "the link hears no heartbeats any more"),
        };
        let thread = std::thread::Builder::new().name("link-lease".into()).spawn(beat)?;
        Ok(Heartbeat { stream, stop: Some(stop), thread: Some(thread) })
    }
}

fn beat(mut link: BufReader<UnixStream>, stop: &Receiver<()>, lapse: &Lapse, since: Stamp) -> io::Result<()> {
    let mut beat = serde_json::to_vec(&Ask::Renew {})?;
    beat.push(b'\n');
    let mut line = String::new();
    link.read_line(&mut line)?;
    loop {
        link.get_mut().write_all(&beat)?;
        line.clear();
        if link.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if let Say::Renewed { lapsed: Some(at) } = serde_json::from_str(&line)?
            && at >= since
        {
            lapse.tell(at);
        }
        if stop.recv_timeout(BEAT) != Err(RecvTimeoutError::Timeout) {
            return Ok(());
        }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        // Whichever of the two it waits for.
        self.stop = None;
        let _ = self.stream.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
