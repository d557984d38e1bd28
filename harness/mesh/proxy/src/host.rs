//! A gRPC server on a thread of its own: on a Unix socket, or where proxies of others find it, on TCP.
//!
//! The thread is what keeps control plane and fault channel apart from each other and from the engine: overload on two
//! cores starves a shared runtime first. Stopping is abrupt on purpose (connections are dropped, not drained): it stands
//! for the death of the server.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
    thread::{Builder, JoinHandle},
};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::oneshot,
};
use tokio_stream::{Stream, wrappers::UnixListenerStream};
use tonic::{
    service::Routes,
    transport::{
        Server,
        server::{Connected, TcpIncoming},
    },
};

/// Why a server does not run.
#[derive(Debug, Error)]
pub enum ServeError {
    /// Another process, or another server of this one, listens on the socket.
    #[error("{} is in use by a live server", .0.display())]
    InUse(PathBuf),
    /// The socket cannot be bound.
    #[error("{} cannot be listened on: {why}", path.display())]
    Bind {
        /// The socket; 107 bytes at most (`sockaddr_un`).
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// The address cannot be bound.
    #[error("{at} cannot be listened on: {why}")]
    Address {
        /// The address.
        at: SocketAddr,
        /// Why.
        why: io::Error,
    },
    /// No thread, or no event loop for it.
    #[error("no thread for the server: {0}")]
    Thread(io::Error),
    /// Its thread panicked; the message is in the process's standard error.
    #[error("the server's thread panicked")]
    Panicked,
    /// It was asked to start, and it already runs.
    #[error("the server already runs")]
    Running,
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Host {
    /// What it leaves on the disk.
    socket: Option<PathBuf>,
    quit: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Host {
    /// Serves `routes` on `socket`; `beside` runs on the same thread, as long as the server does.
    pub fn start<F>(name: &str, socket: &Path, routes: Routes, beside: F) -> Result<Host, ServeError>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = bind(socket)?;
        let listen = move || tokio::net::UnixListener::from_std(listener).map(UnixListenerStream::new);
        Host::run(name, Some(socket.into()), listen, routes, beside)
    }

    /// Serves `routes` at this address, and says which it is: port 0 is any that is free; `beside` as above.
    pub fn start_at<F>(name: &str, at: SocketAddr, routes: Routes, beside: F) -> Result<(Host, SocketAddr), ServeError>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let failed = |why| ServeError::Address { at, why };
        let listener = TcpListener::bind(at).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let listen = move || {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            // An answer must not wait for the acknowledgement of the one before.
            Ok(TcpIncoming::from(listener).with_nodelay(Some(true)))
        };
        Ok((Host::run(name, None, listen, routes, beside)?, bound))
    }

    fn run<L, S, C, F>(
        name: &str,
        socket: Option<PathBuf>,
        listen: L,
        routes: Routes,
        beside: F,
    ) -> Result<Host, ServeError>
    where
        L: FnOnce() -> io::Result<S> + Send + 'static,
        S: Stream<Item = io::Result<C>>,
        C: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let (quit, quitting) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        let thread = Builder::new()
            .name(name.into())
            .spawn(move || {
                let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                    Ok(runtime) => runtime,
                    Err(why) => return drop(tell.send(Err(why))),
                };
                runtime.block_on(async move {
                    let connections = match listen() {
                        Ok(connections) => connections,
                        Err(why) => return drop(tell.send(Err(why))),
                    };
                    drop(tell.send(Ok(())));
                    let serving = Server::builder().add_routes(routes).serve_with_incoming(connections);
                    tokio::select! {
                        ended = serving => tracing::error!(?ended, "the server ended by itself"),
                        () = beside => {}
                        _ = quitting => {}
                    }
                });
            })
            .map_err(ServeError::Thread)?;
        let host = Host { socket, quit: Some(quit), thread: Some(thread) };
        match told.recv() {
            Ok(Ok(())) => Ok(host),
            Ok(Err(why)) => Err(ServeError::Thread(why)),
            Err(mpsc::RecvError) => Err(ServeError::Panicked),
        }
    }

    /// Closes the listener, drops every connection, ends the thread and removes the socket, if there is one. Takes about a millisecond.
    pub fn stop(mut self) -> Result<(), ServeError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), ServeError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        drop(self.quit.take());
        let ended = thread.join().map_err(|_| ServeError::Panicked);
        if let Some(socket) = &self.socket {
            drop(std::fs::remove_file(socket));
        }
        ended
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Err(why) = self.end() {
            tracing::error!(%why, socket = ?self.socket, "a server did not end well");
        }
    }
}

/// A server that can die and come back on one socket, any number of times.
#[derive(Debug)]
pub struct Socket {
    path: PathBuf,
    host: Mutex<Option<Host>>,
}

impl Socket {
    /// Nothing is served yet.
    pub fn new(path: &Path) -> Socket {
        Socket { path: path.into(), host: Mutex::default() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Serves these routes; `beside` runs on the same thread, as long as the server does.
    pub fn serve<F>(&self, name: &str, routes: Routes, beside: F) -> Result<(), ServeError>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut host = self.host();
        if host.is_some() {
            return Err(ServeError::Running);
        }
        *host = Some(Host::start(name, &self.path, routes, beside)?);
        Ok(())
    }

    /// Ends the server, if there is one: its thread has ended on return.
    pub fn stop(&self) -> Result<(), ServeError> {
        let host = self.host().take();
        host.map_or(Ok(()), Host::stop)
    }

    fn host(&self) -> MutexGuard<'_, Option<Host>> {
        self.host.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Binds, over a socket file that nobody listens on any more.
fn bind(path: &Path) -> Result<UnixListener, ServeError> {
    let failed = |why| ServeError::Bind { path: path.into(), why };
    let listener = match UnixListener::bind(path) {
        Err(why) if why.kind() == io::ErrorKind::AddrInUse => {
            if UnixStream::connect(path).is_ok() {
                return Err(ServeError::InUse(path.into()));
            }
            std::fs::remove_file(path).map_err(failed)?;
            UnixListener::bind(path)
        }
        bound => bound,
    }
    .map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(socket: &Path) -> Result<Host, ServeError> {
        Host::start("test", socket, Routes::default(), std::future::pending())
    }

    #[test]
    fn a_live_socket_is_left_alone_and_a_stale_one_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let first = host(&socket).unwrap();
        assert!(matches!(host(&socket), Err(ServeError::InUse(path)) if path == socket));
        first.stop().unwrap();
        assert!(!socket.exists());
        drop(UnixListener::bind(&socket).unwrap());
        assert!(socket.exists(), "a listener that was dropped leaves its file");
        host(&socket).unwrap().stop().unwrap();
    }

    #[test]
    fn stopping_drops_connections() {
        use std::io::Read as _;
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let host = host(&socket).unwrap();
        let mut client = UnixStream::connect(&socket).unwrap();
        host.stop().unwrap();
        assert!(matches!(client.read_to_end(&mut Vec::new()), Ok(_) | Err(_)), "the read must end");
        assert!(UnixStream::connect(&socket).is_err());
    }
}
