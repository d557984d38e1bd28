//! The process: from its configuration to its end.

use crate::{
    ConfigError, LinkConfig, Ready,
    carrier::{Carrier, Refusal},
    clock,
    control::{Ask, Desk, Heard, Say},
    lease::{ClientId, Lease},
    records::Records,
    terminate::terminated,
    timer::Timer,
    token::Watched,
};
use mio::{Events, Interest, Poll, event::Event};
use squall_child::raise_file_limit;
use squall_model::{Damage, Wire};
use std::{
    io::{self, ErrorKind},
    path::PathBuf,
};
use thiserror::Error;

/// Events taken from the kernel at once.
const EVENTS: usize = 1_024;

/// What `squall link` is told.
#[derive(Debug, Clone)]
pub struct LinkArgs {
    /// File of a [`LinkConfig`] in JSON.
    pub config: PathBuf,
}

/// Why a link did not start, or had to stop.
#[derive(Debug, Error)]
pub enum LinkError {
    /// Its configuration is none.
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    /// It cannot listen for its control clients.
    #[error("listen on {at}: {source}")]
    Control {
        /// Where.
        at: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its records cannot be written.
    #[error("write {path}: {source}")]
    Records {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A poll, a signal, a timer or a port cannot be had.
    #[error("run: {0}")]
    Run(#[from] io::Error),
}

/// Carries wires until SIGTERM, or until it is asked to quit: it then writes down which connections are open, and returns. They
/// end with it.
///
/// It is ready when its control socket accepts; see [`Control::connect`](crate::Control::connect).
///
/// # Errors
/// See [`LinkError`].
pub fn link_main(args: &LinkArgs) -> Result<(), LinkError> {
    let config = LinkConfig::read(&args.config)?;
    raise_file_limit();
    Link::new(&config)?.run()
}

struct Link {
    poll: Poll,
    timer: Timer,
    carrier: Carrier,
    desk: Desk,
    lease: Lease,
    ready: Ready,
    is_over: bool,
    _terminated: mio::net::UnixStream,
}

impl Link {
    fn new(config: &LinkConfig) -> Result<Link, LinkError> {
        let poll = Poll::new()?;
        let mut terminated = terminated()?;
        poll.registry().register(&mut terminated, Watched::Terminate.into(), Interest::READABLE)?;
        let carrier = Carrier::new(config, poll.registry().try_clone()?, Records::open(&config.records)?)?;
        let ready = Ready { pid: std::process::id(), listens: carrier.listens() };
        let timer = Timer::new(poll.registry())?;
        // Last of all: whoever can connect to it may rely on everything else.
        let refused = |source| LinkError::Control { at: config.control.clone(), source };
        let desk = Desk::open(&config.control, poll.registry()).map_err(refused)?;
        let lease = Lease::new(config.ttl);
        Ok(Link { poll, timer, carrier, desk, lease, ready, is_over: false, _terminated: terminated })
    }

    fn run(&mut self) -> Result<(), LinkError> {
        let mut events = Events::with_capacity(EVENTS);
        while !self.is_over {
            let next = self.carrier.next().into_iter().chain(self.lease.until()).min();
            let timeout = self.timer.timeout(next, clock::now())?;
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                self.react(event)?;
            }
            self.carrier.work()?;
            // After the events: if it was this process that stalled, the heartbeats are among them.
            if self.lease.lapses(clock::now()) {
                tracing::warn!("no heartbeat in time: all damage ends");
                self.carrier.clean()?;
            }
        }
        self.carrier.mark(None)
    }

    fn react(&mut self, event: &Event) -> Result<(), LinkError> {
        match event.token().into() {
            Watched::Caller(id) => self.carrier.caller_event(id, event),
            Watched::Callee(id) => self.carrier.callee_event(id, event),
            Watched::Door(number) => self.carrier.accept(number),
            Watched::Timer => Ok(()),
            Watched::Control => Ok(self.desk.greet(&self.ready, self.poll.registry())?),
            Watched::Client(client) => self.attend(client),
            Watched::Terminate => {
                self.is_over = true;
                Ok(())
            }
        }
    }

    /// Answers all that a client asks.
    fn attend(&mut self, client: ClientId) -> Result<(), LinkError> {
        loop {
            let said = match self.desk.hear(client) {
                Heard::Ask(Ok(ask)) => self.obey(client, ask)?,
                Heard::Ask(Err(error)) => Say::Refused(error.to_string()),
                Heard::Nothing => return Ok(()),
                Heard::Gone if self.lease.leaves(client) => return self.carrier.clean(),
                Heard::Gone => return Ok(()),
            };
            self.desk.say(client, &said)?;
        }
    }

    fn obey(&mut self, client: ClientId, ask: Ask) -> Result<Say, LinkError> {
        let done = match ask {
            Ask::Damage(wires) => return self.damage(client, &wires),
            Ask::Lead { wire, to } => self.carrier.lead(&wire, to)?,
            Ask::Mark(text) => Ok(self.carrier.mark(Some(&text))?),
            Ask::Renew {} => return Ok(Say::Renewed { lapsed: self.lease.renew(clock::now()) }),
            Ask::Quit {} => {
                self.is_over = true;
                return Ok(Say::Bye {});
            }
        };
        Ok(done.map_or_else(|refusal| Say::Refused(refusal.to_string()), |()| Say::Done(clock::now())))
    }

    fn damage(&mut self, client: ClientId, wires: &[(Wire, Vec<Damage>)]) -> Result<Say, LinkError> {
        if let Err(at) = self.lease.ask(client) {
            return Ok(Say::Lapsed(at));
        }
        let done = self.carrier.damage(wires)?;
        let (is_any, now) = (wires.iter().any(|(_, damages)| !damages.is_empty()), clock::now());
        match &done {
            Ok(()) => self.lease.hold(client, is_any, now),
            Err(Refusal::Door(..)) => self.lease.hold(client, false, now),
            Err(_) => {}
        }
        Ok(done.map_or_else(|refusal| Say::Refused(refusal.to_string()), |()| Say::Done(now)))
    }
}
