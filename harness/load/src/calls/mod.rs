//! The call log: every call of a run on disk, in less than 30 bytes each. docs/load.md has the format.
//!
//! A line of JSON says what it is, and of which run; then come the calls, in the order in which they ended, as numbers of variable
//! length (LEB128), each moment as its distance from one before it. Nothing in it depends on what comes later, so a log that was cut off is
//! good up to its last whole call.

mod number;

use number::{Numbers, push, push_signed};
use serde_json::{Value, json};
use squall_model::{Astray, Break, CallRecord, ClientEnd, Course, GrpcStatus, Leg, Stamp, TlsFault};
use std::time::Duration;
use thiserror::Error;

/// Of the format.
const VERSION: u64 = 1;

/// Why bytes are no call log.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CallLogError {
    /// The first line is another.
    #[error("it does not begin as a call log does")]
    Head,
    /// Written by a later squall.
    #[error("it is of version {0}, and this squall reads version {VERSION}")]
    Version(u64),
    /// Bytes that no call has.
    #[error("call {0} of it cannot be read")]
    Call(u64),
}

/// The first line of a log: of this run, which began at this time since 1970.
#[must_use]
pub fn head(url: &str, schedule: &str, began: Duration) -> Vec<u8> {
    let nanos = u64::try_from(began.as_nanos()).unwrap_or(u64::MAX);
    let mut line =
        json!({ "squall_calls": VERSION, "url": url, "schedule": schedule, "began_unix_ns": nanos }).to_string();
    line.push('\n');
    line.into_bytes()
}

/// Writes calls, each after the one before.
#[derive(Debug)]
pub struct CallWriter {
    before: (u64, Stamp),
}

impl CallWriter {
    /// Moments count from `t0`.
    #[must_use]
    pub fn new(t0: Stamp) -> CallWriter {
        CallWriter { before: (0, t0) }
    }

    /// Appends a call.
    pub fn write(&mut self, call: &CallRecord, bytes: &mut Vec<u8>) {
        let (seq, intended) = self.before;
        let course = &call.course;
        push_signed(bytes, call.seq.wrapping_sub(seq).cast_signed());
        push_signed(bytes, call.intended.0.wrapping_sub(intended.0).cast_signed());
        let first = course.first_byte.map(|at| at.since(call.sent));
        for time in [Some(call.sent.since(call.intended)), first, course.connect, course.tls] {
            push(bytes, time.map_or(0, |time| nanos(time) + 1));
        }
        push(bytes, nanos(call.done.since(call.sent)));
        let (kind, value) = end(call.end, course.astray);
        push(bytes, kind);
        push(bytes, value);
        push(bytes, leg(course.leg));
        let (kind, value) = broken(course.broken);
        push(bytes, kind);
        push(bytes, value);
        for number in [course.received, course.request.into(), call.user.into(), call.line.into(), call.caller.into()] {
            push(bytes, number);
        }
        self.before = (call.seq, call.intended);
    }
}

/// Reads calls in pieces as they come from a file. Moments count from zero.
#[derive(Debug, Default)]
pub struct CallReader {
    head: Option<Value>,
    kept: Vec<u8>,
    before: (u64, Stamp),
    read: u64,
}

impl CallReader {
    /// Nothing read yet.
    #[must_use]
    pub fn new() -> CallReader {
        CallReader::default()
    }

    /// Takes more bytes, and gives `each` the calls that are whole.
    ///
    /// # Errors
    /// Where that is no call log.
    pub fn read(&mut self, bytes: &[u8], mut each: impl FnMut(CallRecord)) -> Result<(), CallLogError> {
        self.kept.extend_from_slice(bytes);
        let mut at = 0;
        if self.head.is_none() {
            let Some(end) = self.kept.iter().position(|b| *b == b'\n') else {
                // No head is so long.
                return if self.kept.len() > 1 << 16 { Err(CallLogError::Head) } else { Ok(()) };
            };
            self.head = Some(parse_head(&self.kept[..end])?);
            at = end + 1;
        }
        loop {
            let mut numbers = Numbers::of(&self.kept[at..]);
            let Some(call) = whole(&mut numbers, self.before) else { break };
            let call = call.ok_or(CallLogError::Call(self.read))?;
            at += numbers.taken();
            self.before = (call.seq, call.intended);
            self.read += 1;
            each(call);
        }
        self.kept.drain(..at);
        Ok(())
    }

    /// What the first line says, where it has been read.
    #[must_use]
    pub fn head(&self) -> Option<&Value> {
        self.head.as_ref()
    }

    /// True where the log ends in the middle of a call, or of its head.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.head.is_none() || !self.kept.is_empty()
    }
}

fn parse_head(line: &[u8]) -> Result<Value, CallLogError> {
    let head: Value = serde_json::from_slice(line).map_err(|_| CallLogError::Head)?;
    match head["squall_calls"].as_u64() {
        Some(VERSION) => Ok(head),
        Some(other) => Err(CallLogError::Version(other)),
        None => Err(CallLogError::Head),
    }
}

/// The next call: the outer `None` where it is not all there, the inner one where it says what no call says.
fn whole(numbers: &mut Numbers<'_>, (seq, intended): (u64, Stamp)) -> Option<Option<CallRecord>> {
    let seq = seq.wrapping_add(numbers.signed()?.cast_unsigned());
    let intended = Stamp(intended.0.wrapping_add(numbers.signed()?.cast_unsigned()));
    let mut time = || numbers.unsigned().map(|n| n.checked_sub(1).map(Duration::from_nanos));
    let (late, first, connect, tls) = (time()?, time()?, time()?, time()?);
    let took = Duration::from_nanos(numbers.unsigned()?);
    let (end, leg, broken) = (numbers.pair()?, numbers.unsigned()?, numbers.pair()?);
    let received = numbers.unsigned()?;
    let [request, user, line, caller] =
        [numbers.unsigned()?, numbers.unsigned()?, numbers.unsigned()?, numbers.unsigned()?];
    let sent = intended + late.unwrap_or_default();
    let of_parts = || {
        let (ended, astray) = end_of(end)?;
        Some(CallRecord {
            seq,
            line: line.try_into().ok()?,
            caller: caller.try_into().ok()?,
            user: user.try_into().ok()?,
            intended,
            sent,
            done: sent + took,
            end: ended,
            course: Course {
                request: request.try_into().ok()?,
                leg: *LEGS.get(usize::try_from(leg).ok()?)?,
                connect,
                tls,
                first_byte: first.map(|after| sent + after),
                received,
                broken: broken_of(broken)?,
                astray,
            },
        })
    };
    Some(of_parts())
}

const LEGS: [Leg; 6] = [Leg::Held, Leg::Connecting, Leg::Handshaking, Leg::Waiting, Leg::Answering, Leg::Trailing];
const FAULTS: [TlsFault; 8] = [
    TlsFault::Untrusted,
    TlsFault::Expired,
    TlsFault::WrongIdentity,
    TlsFault::TurnedAway,
    TlsFault::NoProtocol,
    TlsFault::NotTls,
    TlsFault::BrokenOff,
    TlsFault::Other,
];

const ASTRAY: [Astray; 3] = [Astray::Elsewhere, Astray::TooOften, Astray::Nowhere];
/// The first of them among the ends.
const REDIRECTED: u64 = 9;

fn leg(leg: Leg) -> u64 {
    LEGS.iter().position(|s| *s == leg).unwrap_or_default() as u64
}

fn end(end: ClientEnd, astray: Option<Astray>) -> (u64, u64) {
    match end {
        ClientEnd::Answered(status) if astray.is_some() => {
            let why = ASTRAY.iter().position(|why| Some(*why) == astray).unwrap_or_default() as u64;
            (REDIRECTED + why, status.into())
        }
        ClientEnd::Answered(status) => (0, status.into()),
        ClientEnd::Grpc(status) => (1, status.number().into()),
        ClientEnd::Cut(status) => (2, status.into()),
        ClientEnd::Refused => (3, 0),
        ClientEnd::Reset => (4, 0),
        ClientEnd::Garbled => (5, 0),
        ClientEnd::Deadline => (6, 0),
        ClientEnd::Unfinished => (7, 0),
        ClientEnd::Insecure(fault) => (8, FAULTS.iter().position(|f| *f == fault).unwrap_or_default() as u64),
    }
}

fn end_of((kind, value): (u64, u64)) -> Option<(ClientEnd, Option<Astray>)> {
    let status = u16::try_from(value).ok()?;
    let astray = kind.checked_sub(REDIRECTED).and_then(|why| ASTRAY.get(usize::try_from(why).ok()?));
    let end = match kind {
        _ if astray.is_some() => ClientEnd::Answered(status),
        0 => ClientEnd::Answered(status),
        1 => ClientEnd::Grpc(GrpcStatus::from_number(status.into())?),
        2 => ClientEnd::Cut(status),
        3 => ClientEnd::Refused,
        4 => ClientEnd::Reset,
        5 => ClientEnd::Garbled,
        6 => ClientEnd::Deadline,
        7 => ClientEnd::Unfinished,
        8 => ClientEnd::Insecure(*FAULTS.get(usize::from(status))?),
        _ => return None,
    };
    Some((end, astray.copied()))
}

fn broken(broken: Option<Break>) -> (u64, u64) {
    match broken {
        None => (0, 0),
        Some(Break::Closed) => (1, 0),
        Some(Break::Reset) => (2, 0),
        Some(Break::Stream(code)) => (3, code.into()),
        Some(Break::Goaway(code)) => (4, code.into()),
        Some(Break::Fewer) => (5, 0),
        Some(Break::More) => (6, 0),
        Some(Break::WebSocket(code)) => (7, code.into()),
    }
}

fn broken_of((kind, value): (u64, u64)) -> Option<Option<Break>> {
    let code = u32::try_from(value).ok()?;
    Some(match kind {
        0 => None,
        1 => Some(Break::Closed),
        2 => Some(Break::Reset),
        3 => Some(Break::Stream(code)),
        4 => Some(Break::Goaway(code)),
        5 => Some(Break::Fewer),
        6 => Some(Break::More),
        7 => Some(Break::WebSocket(u16::try_from(code).ok()?)),
        _ => return None,
    })
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX - 1)
}

#[cfg(test)]
mod tests;
