//! Processes in a pod that stand still, as whoever has them do so knows them.

use super::{
    BEAT, Seat, look_again,
    wire::{ASK_TO_GO_ON, Ask, Freeze},
};
use std::io;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};

/// Processes that stand still, under a lease: dropped, they go on at once; three seconds later where we are gone without a word.
#[derive(Debug)]
pub struct Still {
    over: oneshot::Sender<()>,
    ended: JoinHandle<io::Result<()>>,
}

/// Has processes in this pod stand still. They do, every thread of theirs, when this returns.
///
/// # Errors
/// Where nothing of that runs, or the pod does not answer.
pub async fn freeze(seat: &Seat, what: Freeze) -> io::Result<Still> {
    let life = seat.found().ask(Ask::Freeze(what)).await?;
    let (over, asked) = oneshot::channel();
    Ok(Still { over, ended: tokio::spawn(keep(life, asked)) })
}

impl Still {
    /// Has them go on. They do when this returns.
    ///
    /// # Errors
    /// Where the pod has ended meanwhile: there is nobody any more.
    pub async fn go_on(self) -> io::Result<()> {
        drop(self.over);
        self.ended.await.map_err(io::Error::other)?
    }
}

/// Gives signs of life until it is over.
async fn keep(mut life: TcpStream, mut over: oneshot::Receiver<()>) -> io::Result<()> {
    loop {
        tokio::select! {
            _ = &mut over => break,
            () = look_again(BEAT) => life.write_all(b".").await?,
        }
    }
    life.write_all(&[ASK_TO_GO_ON]).await?;
    // The end of the connection says that they go on.
    match life.read_u8().await {
        Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
        Err(why) => Err(why),
        Ok(_) => Err(io::Error::other("the pod says what nobody asked")),
    }
}
