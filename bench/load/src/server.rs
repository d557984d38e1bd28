//! The server that is called: HTTP/1.1, one thread, an answer of two bytes, and a record of when requests came.

use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use std::{
    cell::RefCell,
    io,
    net::SocketAddr,
    rc::Rc,
    sync::mpsc,
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{mpsc as commands, oneshot},
};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok";
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// Pins the thread that calls to one core.
pub(crate) fn pin(core: usize) -> io::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core)?;
    sched_setaffinity(Pid::from_raw(0), &cores)?;
    Ok(())
}

/// What came since the last time it was asked.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) requests: u64,
    /// Nanoseconds since the first, where that was asked for.
    pub(crate) arrivals: Vec<u64>,
}

enum Command {
    /// Stand still so long after the next first request, for so long: what comes meanwhile is left with the kernel.
    Still { after: Duration, long: Duration },
    /// Say what came, and begin anew, with the moments or without.
    Tell { again: bool, to: oneshot::Sender<Seen> },
}

/// A running server; ends when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    commands: Option<commands::UnboundedSender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts it on this core.
    pub(crate) fn start(core: usize) -> io::Result<Server> {
        let (sender, inbox) = commands::unbounded_channel();
        let (ready, started) = mpsc::channel();
        let thread = std::thread::Builder::new().name("server".into()).spawn(move || {
            let listening = listen(core);
            match listening {
                Ok((runtime, listener, address)) => {
                    // Who asked is gone: then nobody will call either.
                    let _ = ready.send(Ok(address));
                    let local = tokio::task::LocalSet::new();
                    local.block_on(&runtime, serve(listener, inbox));
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        })?;
        let address = started.recv().map_err(io::Error::other)??;
        Ok(Server { address, commands: Some(sender), thread: Some(thread) })
    }

    /// Has it stand still so long after the next first request, for so long. Returns at once.
    pub(crate) fn will_stand_still(&self, after: Duration, long: Duration) {
        self.tell(Command::Still { after, long });
    }

    /// What came since the last time; from now on the moments are kept too, or not.
    pub(crate) async fn seen(&self, keep_moments: bool) -> Seen {
        let (to, told) = oneshot::channel();
        self.tell(Command::Tell { again: keep_moments, to });
        told.await.unwrap_or_default()
    }

    fn tell(&self, command: Command) {
        if let Some(commands) = &self.commands {
            // A server that is gone has seen nothing, and `seen` says so.
            let _ = commands.send(command);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.commands = None;
        // A panic there was printed there.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn listen(core: usize) -> io::Result<(tokio::runtime::Runtime, TcpListener, SocketAddr)> {
    pin(core)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    Ok((runtime, listener, address))
}

#[derive(Default)]
struct Book {
    seen: Seen,
    keeps: bool,
    first: Option<Instant>,
    will_stand_still: Option<(Duration, Duration)>,
}

impl Book {
    fn came(&mut self, requests: u64) {
        self.seen.requests += requests;
        if let Some((after, long)) = self.will_stand_still.take_if(|_| requests > 0) {
            tokio::task::spawn_local(stand_still(after, long));
        }
        if self.keeps {
            let now = Instant::now();
            let first = *self.first.get_or_insert(now);
            let at = u64::try_from(now.duration_since(first).as_nanos()).unwrap_or(u64::MAX);
            self.seen.arrivals.extend((0..requests).map(|_| at));
        }
    }
}

async fn serve(listener: TcpListener, mut inbox: commands::UnboundedReceiver<Command>) {
    let book = Rc::new(RefCell::new(Book::default()));
    loop {
        tokio::select! {
            command = inbox.recv() => match command {
                None => return,
                Some(Command::Still { after, long }) => book.borrow_mut().will_stand_still = Some((after, long)),
                Some(Command::Tell { again, to }) => {
                    let before = book.replace(Book { keeps: again, ..Book::default() });
                    // Who asked has given up.
                    let _ = to.send(before.seen);
                }
            },
            Ok((socket, _)) = listener.accept() => {
                tokio::task::spawn_local(answer(socket, Rc::clone(&book)));
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a server that stands still at its time is what is asked for")]
async fn stand_still(after: Duration, long: Duration) {
    tokio::time::sleep(after).await;
    std::thread::sleep(long);
}

/// Answers every request of a connection until that ends. Requests have no bodies.
async fn answer(mut socket: TcpStream, book: Rc<RefCell<Book>>) {
    let _ = socket.set_nodelay(true);
    let (mut buffer, mut kept) = ([0u8; 16 * 1024], 0);
    let mut answers = Vec::new();
    loop {
        let read = match socket.read(&mut buffer[kept..]).await {
            Ok(0) | Err(_) => return,
            Ok(read) => read,
        };
        let all = kept + read;
        let (requests, end) = heads(&buffer[..all]);
        buffer.copy_within(end..all, 0);
        kept = all - end;
        if kept == buffer.len() {
            return;
        }
        book.borrow_mut().came(requests);
        answers.clear();
        (0..requests).for_each(|_| answers.extend_from_slice(ANSWER));
        if socket.write_all(&answers).await.is_err() {
            return;
        }
    }
}

/// How many whole heads these bytes begin with, and where the last of them ends.
fn heads(bytes: &[u8]) -> (u64, usize) {
    let (mut heads, mut end) = (0, 0);
    while let Some(at) = bytes[end..].windows(END_OF_HEAD.len()).position(|window| window == END_OF_HEAD) {
        heads += 1;
        end += at + END_OF_HEAD.len();
    }
    (heads, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_counted_as_far_as_they_are_whole() {
        assert_eq!(heads(b""), (0, 0));
        assert_eq!(heads(b"GET / HTTP/1.1\r\n\r\nGET /"), (1, 18));
        assert_eq!(heads(b"a\r\n\r\nb\r\n\r\n"), (2, 10));
    }
}
