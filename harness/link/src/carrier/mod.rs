//! All wires and all connections over them.

mod change;

pub(crate) use change::Refusal;

use crate::{
    LinkConfig, LinkError,
    alarms::Alarms,
    clock,
    connection::{Connection, ConnectionId, Life},
    harm::{Reception, Way},
    records::Records,
    wire::Carried,
};
use mio::{Registry, event::Event};
use squall_model::{Stamp, Wire, WireEnd};
use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    net::SocketAddr,
    time::Duration,
};

/// What is read at once.
const SCRATCH: usize = 64 * 1024;
/// Connections accepted in a row before others have their turn.
const ACCEPTS: usize = 32;
/// Until what failed for want of means (files, ports) is tried again: there is no event for "one was freed".
const RETRY: Duration = Duration::from_millis(10);

/// What is to be done at a moment; at once, but after others, is one, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Job {
    Pump(ConnectionId, Way),
    Connect(ConnectionId),
    Serve(usize, Way),
    Accept(usize),
}

#[derive(Debug)]
pub(crate) struct Carrier {
    registry: Registry,
    wires: Vec<Carried>,
    numbers: BTreeMap<Wire, usize>,
    connections: BTreeMap<ConnectionId, Connection>,
    alarms: Alarms<Job>,
    records: Records,
    last_id: u64,
    last_opened: Stamp,
    scratch: Box<[u8]>,
}

impl Carrier {
    /// With every door as its wire wants it.
    pub(crate) fn new(config: &LinkConfig, registry: Registry, records: Records) -> io::Result<Carrier> {
        let wires = config.wires.iter().enumerate().map(|(n, wire)| Carried::new(n, config.host, wire, config.seed));
        let mut carrier = Carrier {
            registry,
            wires: wires.collect::<io::Result<_>>()?,
            numbers: config.wires.iter().enumerate().map(|(n, config)| (config.wire.clone(), n)).collect(),
            connections: BTreeMap::new(),
            alarms: Alarms::new(),
            records,
            last_id: 0,
            last_opened: Stamp::default(),
            scratch: vec![0; SCRATCH].into(),
        };
        carrier.wires.iter_mut().try_for_each(|wire| wire.open_door(&carrier.registry))?;
        Ok(carrier)
    }

    /// Where each wire accepts connections.
    pub(crate) fn listens(&self) -> Vec<(Wire, SocketAddr)> {
        self.wires.iter().map(|carried| (carried.wire.clone(), carried.door.address())).collect()
    }

    /// Accepts those who are at the door.
    pub(crate) fn accept(&mut self, number: usize) -> Result<(), LinkError> {
        if self.wires[number].door.reception() == Reception::Silence {
            return Ok(());
        }
        for _ in 0..ACCEPTS {
            if !self.accept_one(number)? {
                return Ok(());
            }
        }
        self.alarms.set(Job::Accept(number), Some(clock::now()));
        Ok(())
    }

    /// Accepts one, if there is one.
    fn accept_one(&mut self, number: usize) -> Result<bool, LinkError> {
        let stream = match self.wires[number].door.accept() {
            Ok(stream) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            // It went away before it was accepted.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {
                return Ok(true);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection has to wait for means to accept it");
                self.alarms.set(Job::Accept(number), Some(clock::now() + RETRY));
                return Ok(false);
            }
        };
        self.last_id += 1;
        // No two connections have the same moment, so that it can stand for a connection in its records.
        self.last_opened = clock::now().max(Stamp(self.last_opened.0 + 1));
        let (id, wire) = (ConnectionId(self.last_id), &mut self.wires[number]);
        let connection = Connection::accept(id, (number, wire), stream, self.last_opened, &self.registry)?;
        self.connections.insert(id, connection);
        self.connect(id)?;
        Ok(true)
    }

    fn connect(&mut self, id: ConnectionId) -> Result<(), LinkError> {
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        connection.connect(&self.wires[connection.wire], &self.registry)?;
        let retry = connection.is_wanting().then(|| clock::now() + RETRY);
        self.alarms.set(Job::Connect(id), retry);
        self.pump(id, Way::ToCallee)
    }

    /// Something happened at the caller's end of a connection.
    pub(crate) fn caller_event(&mut self, id: ConnectionId, event: &Event) -> Result<(), LinkError> {
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        connection.hear_caller(event);
        if event.is_writable() {
            self.pump(id, Way::ToCaller)?;
        }
        self.pump(id, Way::ToCallee)
    }

    /// Something happened at the callee's end.
    pub(crate) fn callee_event(&mut self, id: ConnectionId, event: &Event) -> Result<(), LinkError> {
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        connection.hear_callee(event, &self.registry)?;
        if event.is_writable() {
            self.pump(id, Way::ToCallee)?;
        }
        self.pump(id, Way::ToCaller)
    }

    /// When there will be something to do that no event tells of.
    pub(crate) fn next(&self) -> Option<Stamp> {
        self.alarms.next()
    }

    /// Does what is due. What is left over for others to have their turn is due at once, but the next time.
    pub(crate) fn work(&mut self) -> Result<(), LinkError> {
        let now = clock::now();
        while let Some(job) = self.alarms.ring(now) {
            match job {
                Job::Pump(id, way) => self.pump(id, way)?,
                Job::Connect(id) => self.connect(id)?,
                Job::Serve(wire, way) => self.serve(wire, way)?,
                Job::Accept(wire) => self.accept(wire)?,
            }
        }
        Ok(())
    }

    /// Carries what there is to carry one way over a connection.
    fn pump(&mut self, id: ConnectionId, way: Way) -> Result<(), LinkError> {
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        let (number, now) = (connection.wire, clock::now());
        match connection.pump(way, &mut self.wires[number], now, &mut self.scratch, &self.registry)? {
            Life::Waits(until) => self.alarms.set(Job::Pump(id, way), until),
            Life::Again => self.alarms.set(Job::Pump(id, way), Some(clock::now())),
            Life::Over(end) => self.finish(id, end)?,
        }
        self.set_service(number, way);
        Ok(())
    }

    /// Lets those pass who wait for a wire's rate and whose turn it is.
    fn serve(&mut self, number: usize, way: Way) -> Result<(), LinkError> {
        let now = clock::now();
        while let Some(id) = self.wires[number].throttle(way).and_then(|throttle| throttle.due(now)) {
            self.pump(id, way)?;
            if let Some(throttle) = self.wires[number].throttle_mut(way).filter(|t| t.due(now) == Some(id)) {
                // It does not want to pass any more, or may not.
                throttle.leave_front(id);
            }
        }
        self.set_service(number, way);
        Ok(())
    }

    /// Has those served in time who wait for a wire's rate.
    fn set_service(&mut self, number: usize, way: Way) {
        let next = self.wires[number].throttle(way).and_then(|throttle| throttle.next());
        self.alarms.set(Job::Serve(number, way), next);
    }

    /// A connection is over.
    fn finish(&mut self, id: ConnectionId, end: WireEnd) -> Result<(), LinkError> {
        let Some(mut connection) = self.connections.remove(&id) else { return Ok(()) };
        let (carried, now) = (&self.wires[connection.wire], clock::now());
        connection.account(carried, now);
        // Before anybody is told: who has seen the end finds its line.
        self.records.write(&connection.record(&carried.wire, end, now))?;
        connection.end(end);
        for job in [Job::Connect(id), Job::Pump(id, Way::ToCallee), Job::Pump(id, Way::ToCaller)] {
            self.alarms.set(job, None);
        }
        Ok(())
    }
}
