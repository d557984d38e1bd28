//! The link's end of the control socket. It never waits: a client that does not read is only kept waiting itself.

use super::{Ask, Ready, Say};
use crate::{lease::ClientId, token::Watched};
use mio::{
    Interest, Registry,
    net::{UnixListener, UnixStream},
};
use std::{
    collections::BTreeMap,
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream},
    path::Path,
};

/// The longest line that is heard out, in bytes: damage to tens of thousands of wires.
const LONGEST: usize = 16 << 20;

/// What came of listening to a client.
#[derive(Debug)]
pub(crate) enum Heard {
    /// This was asked; there may be more.
    Ask(Result<Ask, serde_json::Error>),
    /// Nothing more for now.
    Nothing,
    /// It has gone away.
    Gone,
}

/// The clients of the control socket.
#[derive(Debug)]
pub(crate) struct Desk {
    listener: UnixListener,
    clients: BTreeMap<ClientId, Client>,
    last: ClientId,
}

#[derive(Debug)]
struct Client {
    stream: UnixStream,
    heard: Vec<u8>,
    unsaid: Vec<u8>,
    is_gone: bool,
}

impl Desk {
    pub(crate) fn open(path: &Path, registry: &Registry) -> io::Result<Desk> {
        let mut listener = bind(path)?;
        registry.register(&mut listener, Watched::Control.into(), Interest::READABLE)?;
        Ok(Desk { listener, clients: BTreeMap::new(), last: 0 })
    }

    /// Greets those who came.
    pub(crate) fn greet(&mut self, ready: &Ready, registry: &Registry) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => {
                    tracing::warn!(%error, "a control client could not be accepted");
                    return Ok(());
                }
            };
            self.last += 1;
            // Woken for room too: a greeting may be longer than a send buffer, and a wake-up now and then costs nothing here.
            let interest = Interest::READABLE | Interest::WRITABLE;
            registry.register(&mut stream, Watched::Client(self.last).into(), interest)?;
            let client = Client { stream, heard: Vec::new(), unsaid: Vec::new(), is_gone: false };
            self.clients.insert(self.last, client);
            self.say(self.last, &Say::Ready(ready.clone()))?;
        }
    }

    /// The next thing that a client asks. Ask on until it is nothing: no event will come for what is there already.
    pub(crate) fn hear(&mut self, id: ClientId) -> Heard {
        let Some(client) = self.clients.get_mut(&id) else { return Heard::Nothing };
        client.flush();
        client.fill();
        if let Some(end) = client.heard.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = client.heard.drain(..=end).collect();
            return Heard::Ask(serde_json::from_slice(&line));
        }
        if !client.is_gone && client.heard.len() <= LONGEST {
            return Heard::Nothing;
        }
        self.clients.remove(&id);
        Heard::Gone
    }

    pub(crate) fn say(&mut self, id: ClientId, what: &Say) -> io::Result<()> {
        if let Some(client) = self.clients.get_mut(&id) {
            serde_json::to_writer(&mut client.unsaid, what)?;
            client.unsaid.push(b'\n');
            client.flush();
        }
        Ok(())
    }
}

impl Client {
    fn fill(&mut self) {
        let mut some = [0; 4_096];
        while !self.is_gone && self.heard.len() <= LONGEST {
            match self.stream.read(&mut some) {
                Ok(0) => self.is_gone = true,
                Ok(read) => self.heard.extend_from_slice(&some[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.is_gone = true,
            }
        }
    }

    fn flush(&mut self) {
        while !self.unsaid.is_empty() {
            match self.stream.write(&self.unsaid) {
                Ok(written) => drop(self.unsaid.drain(..written)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A client that is gone is found out by the next read.
                Err(_) => return,
            }
        }
    }
}

/// Listens in place of a dead process, never of a living one: the kernel would allow the path to be taken over, and leave its
/// owner running where nobody can reach it.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let is_dead = || StdUnixStream::connect(path).is_err_and(|e| e.kind() == ErrorKind::ConnectionRefused);
    let listener = match StdUnixListener::bind(path) {
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_dead() => {
            std::fs::remove_file(path)?;
            StdUnixListener::bind(path)?
        }
        other => other?,
    };
    listener.set_nonblocking(true)?;
    Ok(UnixListener::from_std(listener))
}
