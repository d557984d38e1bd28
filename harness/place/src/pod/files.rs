//! Files that are mirrored as they grow.

use super::{
    LOOK, look_again,
    wire::{Agent, Ask},
};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::Path,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const ROOM: usize = 64 * 1024;

/// Writes what a file says into a stream, from its begin on and as it grows, until the other side has enough, or nobody writes it any more.
pub(super) async fn follow(path: &Path, to: &mut TcpStream, is_last: impl Fn() -> bool) -> io::Result<()> {
    let mut room = vec![0; ROOM];
    let mut file = loop {
        match File::open(path) {
            Ok(file) => break file,
            Err(why) if why.kind() == io::ErrorKind::NotFound && is_last() => return Ok(()),
            Err(why) if why.kind() == io::ErrorKind::NotFound => still_wanted(to)?,
            Err(why) => return Err(why),
        }
        look_again(LOOK).await;
    };
    loop {
        // What is written before this moment is read after it.
        let last = is_last();
        match file.read(&mut room)? {
            0 if last => return Ok(()),
            0 => {
                still_wanted(to)?;
                look_again(LOOK).await;
            }
            read => to.write_all(&room[..read]).await?,
        }
    }
}

/// Whoever follows says nothing: what there is to read is the end.
pub(super) fn still_wanted(to: &TcpStream) -> io::Result<()> {
    match to.try_read(&mut [0]) {
        Err(why) if why.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(why) => Err(why),
        Ok(_) => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

/// Mirrors a file of the pod into one of ours, until the pod ends.
pub(super) async fn mirror(agent: &Agent, theirs: &Path, ours: &Path) -> io::Result<()> {
    let mut from = agent.ask(Ask::Follow(theirs.to_owned())).await?;
    // Files of this size are in memory: a thread for each look would cost more than the look.
    let mut to = OpenOptions::new().append(true).create(true).open(ours)?;
    let mut room = vec![0; ROOM];
    loop {
        match from.read(&mut room).await? {
            0 => return Err(io::Error::other(format!("the pod has ended while {} was followed", theirs.display()))),
            read => to.write_all(&room[..read])?,
        }
    }
}
