//! Files that are mirrored as they grow.

use super::{
    LOOK, look_again,
    wire::{Agent, Ask},
};
use std::{io, path::Path};
use tokio::{
    fs::{File, OpenOptions},
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const ROOM: usize = 64 * 1024;

/// Writes what a file says into a stream, from its begin on and as it grows, until the other side has enough.
pub(super) async fn follow(path: &Path, mut to: TcpStream) -> io::Result<()> {
    let mut room = vec![0; ROOM];
    let mut file = loop {
        match File::open(path).await {
            Ok(file) => break file,
            Err(why) if why.kind() == io::ErrorKind::NotFound => still_wanted(&to)?,
            Err(why) => return Err(why),
        }
        look_again(LOOK).await;
    };
    loop {
        match file.read(&mut room).await? {
            0 => {
                still_wanted(&to)?;
                look_again(LOOK).await;
            }
            read => to.write_all(&room[..read]).await?,
        }
    }
}

/// Whoever follows says nothing: what there is to read is the end.
fn still_wanted(to: &TcpStream) -> io::Result<()> {
    match to.try_read(&mut [0]) {
        Err(why) if why.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(why) => Err(why),
        Ok(_) => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

/// Mirrors a file of the pod into one of ours, until the pod ends.
pub(super) async fn mirror(agent: &Agent, theirs: &Path, ours: &Path) -> io::Result<()> {
    let mut from = agent.ask(Ask::Follow(theirs.to_owned())).await?;
    let mut to = OpenOptions::new().append(true).create(true).open(ours).await?;
    let mut room = vec![0; ROOM];
    loop {
        match from.read(&mut room).await? {
            0 => return Ok(()),
            read => {
                to.write_all(&room[..read]).await?;
                to.flush().await?;
            }
        }
    }
}
