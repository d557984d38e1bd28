//! Processes in a pod that stand still, as whoever has them do so knows them.

use super::{
    BEAT, LEASE, Seat, look_again,
    wire::{ASK_TO_GO_ON, Ask, Freeze, Said, read_line},
};
use crate::clock;
use squall_model::Stamp;
use std::{
    convert::Infallible,
    io,
    sync::{Arc, OnceLock},
};
use tokio::{
    io::AsyncWriteExt,
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::oneshot,
    task::JoinHandle,
};

/// Processes that stand still, under a lease: dropped, they go on at once; three seconds later where we are gone without a word.
#[derive(Debug)]
pub struct Still {
    over: oneshot::Sender<()>,
    heard: JoinHandle<()>,
    lapse: Arc<OnceLock<Lapse>>,
}

/// Not all of them stood still until they were told to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lapse {
    /// From when on, by the pod's own word, or when it was noticed.
    pub at: Stamp,
    /// Why.
    pub why: String,
}

/// Has processes in this pod stand still. They do, every thread of theirs, when this returns.
///
/// # Errors
/// Where nothing of that runs, or the pod does not answer.
pub async fn freeze(seat: &Seat, what: Freeze) -> io::Result<Still> {
    let life = seat.found().ask(Ask::Freeze(what)).await?;
    let (over, asked) = oneshot::channel();
    let lapse = Arc::new(OnceLock::new());
    Ok(Still { over, heard: tokio::spawn(keep(life, asked, Arc::clone(&lapse))), lapse })
}

impl Still {
    /// Why not all of them stand still any more, though nobody told them to go on; `None`: they do, as far as was heard.
    #[must_use]
    pub fn lapse(&self) -> Option<Lapse> {
        self.lapse.get().cloned()
    }

    /// Has them go on. They do when this returns.
    ///
    /// # Errors
    /// Where not all of them stood still until then.
    pub async fn go_on(self) -> Result<(), Lapse> {
        drop(self.over);
        if let Err(why) = self.heard.await {
            note(&self.lapse, clock::now(), format!("what kept it ended: {why}"));
        }
        self.lapse.get().cloned().map_or(Ok(()), Err)
    }
}

/// Gives signs of life, and hears what becomes of the pause, to its end.
async fn keep(life: TcpStream, over: oneshot::Receiver<()>, lapse: Arc<OnceLock<Lapse>>) {
    let (from, to) = life.into_split();
    tokio::select! {
        () = hear(from, &lapse) => {}
        never = give_signs(to, over) => match never {},
    }
}

/// What became of it is heard: a sign that cannot be given says nothing of when they went on.
async fn give_signs(mut to: OwnedWriteHalf, mut over: oneshot::Receiver<()>) -> Infallible {
    loop {
        tokio::select! {
            _ = &mut over => break,
            () = look_again(BEAT) => drop(to.write_all(b".").await),
        }
    }
    drop(to.write_all(&[ASK_TO_GO_ON]).await);
    std::future::pending().await
}

async fn hear(mut from: OwnedReadHalf, lapse: &OnceLock<Lapse>) {
    loop {
        match read_line(&mut from).await {
            Ok(Said::GoOn) => return,
            Ok(Said::Ended { what, at }) => note(lapse, at, format!("the {what} ended meanwhile")),
            Ok(Said::Lapsed { at }) => {
                return note(lapse, at, format!("no sign of the runner's life for {} s", LEASE.as_secs()));
            }
            Err(why) => return note(lapse, clock::now(), format!("the connection to the pod ended: {why}")),
        }
    }
}

/// The first that happened counts.
fn note(lapse: &OnceLock<Lapse>, at: Stamp, why: String) {
    let _ = lapse.set(Lapse { at, why });
}
