//! Sockets whose bytes come out elsewhere.

use super::{LEASE, LOOK, look_again, wire::read_line};
use std::{fs, io, path::Path};
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional_with_sizes},
    net::{TcpStream, UnixListener, UnixStream},
    time::timeout,
};

const ROOM: usize = 16 * 1024;

/// Carries bytes both ways until both sides have ended.
pub(super) async fn carry<A, B>(mut one: A, mut other: B)
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    // Whoever closed first is told by the other's end.
    let _ = copy_bidirectional_with_sizes(&mut one, &mut other, ROOM, ROOM).await;
}

/// Listens on a Unix socket; what was there before goes.
pub(super) fn listen(at: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(at) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
        _ => {}
    }
    UnixListener::bind(at)
}

/// Has each connection to a Unix socket come out of a stream that `reach` makes. One that comes to nothing is closed, as a refused
/// one is.
pub(super) async fn relay<F>(listener: UnixListener, reach: impl Fn() -> F)
where
    F: Future<Output = io::Result<TcpStream>> + Send + 'static,
{
    loop {
        let Ok((near, _)) = listener.accept().await else {
            look_again(LOOK).await;
            continue;
        };
        let reaching = reach();
        tokio::spawn(async move {
            if let Ok(far) = reaching.await {
                carry(near, far).await;
            }
        });
    }
}

/// The same the other way: each connection to a port comes out of a Unix socket, if it begins with the secret of the run.
pub(super) async fn relay_to_unix(listener: tokio::net::TcpListener, token: &str, socket: &Path) {
    loop {
        let Ok((mut near, _)) = listener.accept().await else {
            look_again(LOOK).await;
            continue;
        };
        let (socket, token) = (socket.to_owned(), token.to_owned());
        tokio::spawn(async move {
            let _ = near.set_nodelay(true);
            let said = timeout(LEASE, read_line::<String>(&mut near)).await;
            if !matches!(said, Ok(Ok(said)) if said == token) {
                return;
            }
            if let Ok(far) = UnixStream::connect(socket).await {
                carry(near, far).await;
            }
        });
    }
}
