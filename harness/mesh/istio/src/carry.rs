//! Bytes between a proxy and istiod, as they are, until either ends.

use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::{TcpStream, ToSocketAddrs},
};

/// One that istiod does not answer is closed, as a refused one is.
pub(crate) async fn carry(mut proxy: impl AsyncRead + AsyncWrite + Unpin, istiod: impl ToSocketAddrs) {
    let Ok(mut server) = TcpStream::connect(istiod).await else { return };
    drop(server.set_nodelay(true));
    drop(copy_bidirectional(&mut proxy, &mut server).await);
}

/// Somebody who says what he hears.
#[cfg(test)]
pub(crate) async fn echo() -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                drop(tokio::io::copy(&mut read, &mut write).await);
            });
        }
    });
    at
}
