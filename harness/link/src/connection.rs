//! One connection over a wire: an end to the caller, an end to the callee, a pipe each way between them.

use crate::{
    draw::Draw,
    harm::Way,
    hurts::Hurts,
    pipe::{Close, Pipe, Sink, Step},
    rates::{Rates, Taken},
    socket::Socket,
    token::Watched,
    wire::Carried,
};
use mio::{Registry, event::Event, net::TcpStream};
use squall_model::{Damage, Stamp, Wire, WireEnd, WireRecord};
use std::io::{self, ErrorKind};

/// Its number among all connections of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConnectionId(pub(crate) u64);

#[derive(Debug)]
pub(crate) struct Connection {
    id: ConnectionId,
    /// The number of its wire.
    pub(crate) wire: usize,
    opened: Stamp,
    draw: Draw,
    caller: Socket,
    callee: Callee,
    to_callee: Pipe,
    to_caller: Pipe,
    hurts: Hurts,
    rates: Rates,
    /// What first began to end it.
    cause: Option<WireEnd>,
}

/// The callee's end.
#[derive(Debug)]
enum Callee {
    /// There is no socket to be had, or no port: that is this machine's fault and not the callee's.
    Wanting,
    Connecting(Socket),
    Open(Socket),
    /// It did not accept.
    Refused,
    /// Dropped by damage.
    Severed,
}

/// What has become of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// It goes on by itself, at this moment at the latest where there is one.
    Waits(Option<Stamp>),
    /// It could go on at once.
    Again,
    /// It is over.
    Over(WireEnd),
}

impl Connection {
    pub(crate) fn accept(
        id: ConnectionId,
        (wire, carried): (usize, &mut Carried),
        stream: TcpStream,
        opened: Stamp,
        registry: &Registry,
    ) -> io::Result<Connection> {
        let draw = carried.draw();
        let mut rates = Rates::default();
        rates.change(carried.harm().rate(), Taken::default(), opened);
        Ok(Connection {
            id,
            wire,
            opened,
            draw,
            caller: Socket::accepted(stream, Watched::Caller(id), registry)?,
            callee: Callee::Wanting,
            to_callee: Pipe::new(id, draw.nth(0)),
            to_caller: Pipe::new(id, draw.nth(1)),
            hurts: Hurts::default(),
            rates,
            cause: None,
        })
    }

    /// Begins to connect to the callee, if it has not yet; see [`is_wanting`](Self::is_wanting).
    pub(crate) fn connect(&mut self, carried: &Carried, registry: &Registry) -> io::Result<()> {
        if !self.is_wanting() {
            return Ok(());
        }
        self.callee = match carried.to().map(|to| Socket::connect(to, Watched::Callee(self.id), registry)) {
            Some(Ok(socket)) => Callee::Connecting(socket),
            // Nobody is there any more.
            None => Callee::Refused,
            Some(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => Callee::Refused,
            Some(Err(error)) => {
                tracing::warn!(%error, wire = %carried.wire, "a connection has to wait for means to connect");
                Callee::Wanting
            }
        };
        self.settle(registry)
    }

    /// Had this machine no means to connect to the callee?
    pub(crate) fn is_wanting(&self) -> bool {
        matches!(self.callee, Callee::Wanting)
    }

    /// Takes in what the poll says of the caller's end.
    pub(crate) fn hear_caller(&mut self, event: &Event) {
        self.caller.hear(event);
    }

    /// Takes in what the poll says of the callee's end.
    pub(crate) fn hear_callee(&mut self, event: &Event, registry: &Registry) -> io::Result<()> {
        if let Callee::Connecting(socket) | Callee::Open(socket) = &mut self.callee {
            socket.hear(event);
        }
        self.settle(registry)
    }

    /// Sees whether the callee has accepted by now.
    fn settle(&mut self, registry: &Registry) -> io::Result<()> {
        self.callee = match std::mem::replace(&mut self.callee, Callee::Wanting) {
            Callee::Connecting(mut socket) => match socket.is_connected() {
                Some(true) => {
                    socket.watch_for_room(false, registry)?;
                    Callee::Open(socket)
                }
                Some(false) => Callee::Refused,
                None => Callee::Connecting(socket),
            },
            other => other,
        };
        Ok(())
    }

    /// Carries what there is to carry this way.
    pub(crate) fn pump(
        &mut self,
        way: Way,
        carried: &mut Carried,
        now: Stamp,
        scratch: &mut [u8],
        registry: &Registry,
    ) -> io::Result<Life> {
        let callee = match &mut self.callee {
            Callee::Open(socket) => Some(socket),
            Callee::Severed => None,
            // A reset comes back, too.
            Callee::Refused if !carried.flow(Way::ToCaller).is_held() => return Ok(Life::Over(WireEnd::Refused)),
            Callee::Wanting | Callee::Connecting(_) | Callee::Refused => return Ok(Life::Waits(None)),
        };
        let mut road = carried.road(way, self.draw, now, &mut self.hurts, scratch);
        let (step, sink) = match (way, callee) {
            (Way::ToCallee, Some(callee)) => (self.to_callee.pump(&mut self.caller, callee, &mut road), Some(callee)),
            (Way::ToCaller, Some(callee)) => {
                (self.to_caller.pump(callee, &mut self.caller, &mut road), Some(&mut self.caller))
            }
            (Way::ToCallee, None) => (self.to_callee.pump(&mut self.caller, &mut Nobody, &mut road), None),
            (Way::ToCaller, None) => return Ok(Life::Waits(None)),
        };
        let is_full = matches!(step, Step::Wait { is_full: true, .. });
        if let Some(sink) = sink {
            if step == Step::Ended(Close::Fin) {
                sink.finish();
            }
            sink.watch_for_room(is_full, registry)?;
        }
        Ok(self.judge(way, step, carried, now))
    }

    /// What a step of one way means for the connection.
    fn judge(&mut self, way: Way, step: Step, carried: &Carried, now: Stamp) -> Life {
        let pipe = if way == Way::ToCallee { &self.to_callee } else { &self.to_caller };
        let ended = pipe.ending().map(|close| match (close, way) {
            (Close::Rst, _) => WireEnd::Reset,
            (Close::Fin, Way::ToCallee) => WireEnd::Caller,
            (Close::Fin, Way::ToCaller) => WireEnd::Callee,
        });
        self.cause = self.cause.or(ended);
        match step {
            Step::Wait { until, .. } => Life::Waits(until),
            Step::Again => Life::Again,
            Step::Mined => {
                carried.harm().reset().into_iter().for_each(|share| self.hurts.note(Damage::Reset(share), now));
                Life::Over(WireEnd::Damage)
            }
            Step::Ended(close) => match self.cause {
                Some(cause) if close == Close::Rst || (self.to_callee.is_over() && self.to_caller.is_over()) => {
                    Life::Over(cause)
                }
                _ => Life::Waits(None),
            },
        }
    }

    /// Was it left half open? The end of that is then the end of it.
    pub(crate) fn disclose(&mut self, now: Stamp) -> bool {
        let is_severed = matches!(self.callee, Callee::Severed);
        if is_severed {
            self.hurts.note(Damage::HalfOpen, now);
        }
        is_severed
    }

    /// The callee's end is dropped with a reset, and the caller is not told.
    pub(crate) fn sever(&mut self, now: Stamp) {
        if let Callee::Connecting(socket) | Callee::Open(socket) = std::mem::replace(&mut self.callee, Callee::Severed)
        {
            socket.reset();
        }
        self.to_callee.sever(Damage::HalfOpen);
        self.to_caller.give_up();
        self.hurts.note(Damage::HalfOpen, now);
    }

    /// Takes down what the wire's damage is doing to it at this moment.
    pub(crate) fn account(&mut self, carried: &Carried, now: Stamp) {
        for (way, pipe) in [(Way::ToCallee, &self.to_callee), (Way::ToCaller, &self.to_caller)] {
            let is_throttled = carried.throttle(way).is_some_and(|throttle| throttle.is_waiting(self.id));
            pipe.account(carried.flow(way), is_throttled, now, &mut self.hurts);
        }
    }

    /// The wire's damage is another from now on.
    pub(crate) fn suffer(&mut self, carried: &Carried, now: Stamp) {
        let taken = self.taken();
        self.rates.change(carried.harm().rate(), taken, now);
    }

    fn taken(&self) -> Taken {
        Taken { sent: self.to_callee.taken(), answered: self.to_caller.taken() }
    }

    /// Its record, were it to end like this at this moment.
    pub(crate) fn record(&self, wire: &Wire, end: WireEnd, now: Stamp) -> WireRecord {
        WireRecord {
            wire: wire.clone(),
            opened: self.opened,
            ended: (end != WireEnd::Open).then_some(now),
            end,
            sent: self.to_callee.passed(),
            answered: self.to_caller.passed(),
            hurt: self.hurts.all(),
            rated: self.rates.all(self.taken(), now),
        }
    }

    /// Ends it at both sides, as what ended it demands.
    pub(crate) fn end(self, how: WireEnd) {
        let was_reset = [&self.to_callee, &self.to_caller].iter().any(|pipe| pipe.ending() == Some(Close::Rst));
        if matches!(how, WireEnd::Caller | WireEnd::Callee) && !was_reset {
            return;
        }
        self.caller.reset();
        if let Callee::Connecting(socket) | Callee::Open(socket) = self.callee {
            socket.reset();
        }
    }
}

/// The sink of a connection whose callee is gone.
struct Nobody;

impl Sink for Nobody {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }
}
