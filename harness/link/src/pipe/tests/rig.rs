//! A pipe between a source and a sink that are no sockets, on a clock that is a number.

use crate::{
    connection::ConnectionId,
    draw::Draw,
    harm::{Harm, Way},
    hurts::Hurts,
    pipe::{Close, Pipe, Road, Sink, Source, Step},
    throttle::Throttle,
};
use squall_model::{Damage, Hurt, InstanceId, Stamp, Wire};
use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    time::Duration,
};

pub(super) const SCRATCH: usize = 4_096;

/// Something to read, watched like a socket: whoever reads is told of changes alone.
#[derive(Debug, Default)]
pub(super) struct From {
    bytes: VecDeque<u8>,
    close: Option<Close>,
    is_ready: bool,
}

impl From {
    pub(super) fn come(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        self.is_ready = true;
    }

    pub(super) fn close(&mut self, close: Close) {
        self.close = Some(close);
        self.is_ready = true;
    }
}

impl Source for From {
    fn is_ready(&self) -> bool {
        self.is_ready
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.peek(into);
        match read {
            Ok(read) => drop(self.bytes.drain(..read)),
            Err(ref error) if error.kind() == ErrorKind::WouldBlock => self.is_ready = false,
            Err(_) => {}
        }
        // A short read was all there is; of an end nobody tells twice.
        self.is_ready &= self.close.is_some() || !self.bytes.is_empty();
        read
    }

    fn peek(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.len().min(into.len());
        match (count, self.close) {
            (0, None) => Err(ErrorKind::WouldBlock.into()),
            (0, Some(Close::Rst)) => Err(ErrorKind::ConnectionReset.into()),
            _ => {
                into.iter_mut().zip(&self.bytes).for_each(|(to, &from)| *to = from);
                Ok(count)
            }
        }
    }
}

/// What was written, and how much more may be.
#[derive(Debug)]
pub(super) struct To {
    pub(super) bytes: Vec<u8>,
    pub(super) room: usize,
    pub(super) is_dead: bool,
}

impl Sink for To {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match (self.is_dead, bytes.len().min(self.room)) {
            (true, _) => Err(ErrorKind::BrokenPipe.into()),
            (false, 0) => Err(ErrorKind::WouldBlock.into()),
            (false, count) => {
                self.bytes.extend(&bytes[..count]);
                self.room -= count;
                Ok(count)
            }
        }
    }
}

/// All of it, one way over a wire.
pub(super) struct Rig {
    pub(super) now: Stamp,
    pub(super) from: From,
    pub(super) to: To,
    pub(super) pipe: Pipe,
    pub(super) is_mined: bool,
    pub(super) throttle: Option<Throttle<ConnectionId>>,
    way: Way,
    harm: Harm,
    hurts: Hurts,
}

pub(super) const ID: ConnectionId = ConnectionId(1);

impl Rig {
    pub(super) fn new(way: Way) -> Rig {
        let id = |service: &str| InstanceId { service: service.into(), number: 1 };
        let draw = Draw::of_wire(1, &Wire { from: id("web"), to: id("reviews") });
        Rig {
            now: Stamp(1_000_000_000),
            from: From::default(),
            to: To { bytes: Vec::new(), room: usize::MAX, is_dead: false },
            pipe: Pipe::new(ID, draw),
            is_mined: false,
            throttle: None,
            way,
            harm: Harm::default(),
            hurts: Hurts::default(),
        }
    }

    pub(super) fn pump(&mut self) -> Step {
        let mut road = Road {
            now: self.now,
            flow: &self.harm.flow(self.way),
            throttle: self.throttle.as_mut(),
            is_mined: self.is_mined,
            hurts: &mut self.hurts,
            scratch: &mut [0; SCRATCH],
        };
        self.pipe.pump(&mut self.from, &mut self.to, &mut road)
    }

    /// Has exactly this done from now on.
    pub(super) fn set(&mut self, damages: &[Damage]) {
        let is_throttled = self.throttle.as_ref().is_some_and(|throttle| throttle.is_waiting(ID));
        self.pipe.account(&self.harm.flow(self.way), is_throttled, self.now, &mut self.hurts);
        self.harm = Harm::new(damages).unwrap();
        self.throttle = self.harm.flow(self.way).rate.map(Throttle::new);
    }

    pub(super) fn suffer(&mut self, damages: &[Damage]) -> Step {
        self.set(damages);
        self.pump()
    }

    pub(super) fn is_held(&self) -> bool {
        self.harm.flow(self.way).is_held()
    }

    pub(super) fn come(&mut self, bytes: &[u8]) -> Step {
        self.from.come(bytes);
        self.pump()
    }

    pub(super) fn close(&mut self, close: Close) -> Step {
        self.from.close(close);
        self.pump()
    }

    pub(super) fn after(&mut self, time: Duration) -> Step {
        self.now = self.now + time;
        self.pump()
    }

    pub(super) fn hurts(&self) -> Vec<Hurt> {
        self.hurts.all()
    }

    /// What has arrived since the last look.
    pub(super) fn arrived(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.to.bytes)).unwrap()
    }
}
