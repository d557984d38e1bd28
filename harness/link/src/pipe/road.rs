//! What a pipe lies between and goes through, and what comes of it.

use crate::{connection::ConnectionId, harm::Flow, hurts::Hurts, throttle::Throttle};
use squall_model::Stamp;
use std::io;

/// Where bytes come from.
pub(crate) trait Source {
    /// Might it have anything to read, bytes or the end? Once a read has said no, somebody else must say yes.
    fn is_ready(&self) -> bool;
    /// Takes bytes, without waiting: 0 is the end, an error the end by reset.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize>;
    /// The same, but leaves them where they are.
    fn peek(&mut self, into: &mut [u8]) -> io::Result<usize>;
}

/// Where bytes go.
pub(crate) trait Sink {
    /// Takes some of them, without waiting.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
}

/// How one side ended what it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Close {
    Fin,
    Rst,
}

/// What a pipe goes through at this moment.
#[derive(Debug)]
pub(crate) struct Road<'a> {
    pub(crate) now: Stamp,
    pub(crate) flow: &'a Flow,
    /// Of the whole wire; in place where the flow has a rate.
    pub(crate) throttle: Option<&'a mut Throttle<ConnectionId>>,
    /// Bytes are met with a reset.
    pub(crate) is_mined: bool,
    pub(crate) hurts: &'a mut Hurts,
    /// Room for one read.
    pub(crate) scratch: &'a mut [u8],
}

/// What a pipe has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It waits: for the source; for the sink too where it is full; until a moment where there is one.
    Wait { is_full: bool, until: Option<Stamp> },
    /// It could go on at once, but others have their turn first.
    Again,
    /// All is passed on, and this is to be passed on now. The pipe is over.
    Ended(Close),
    /// Bytes met with a reset.
    Mined,
}
