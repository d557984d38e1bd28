//! One way over one connection: what is read, what waits, what is passed on, and when. No clock, no socket: both come in.
//!
//! On a clean wire bytes are read and written on within one call, and nothing is kept. What is held by a cut, swallowed or
//! throttled is left with the kernel, unread: whoever sends too much of it feels it as he would on a real wire, by a window
//! that closes. Only what is under way on a slow wire, or does not fit into the other side's send buffer, is kept here.

mod queue;
mod road;
#[cfg(test)]
mod tests;

use crate::{connection::ConnectionId, draw::Draw, harm::Flow, hurts::Hurts};
use queue::Queue;
pub(crate) use road::{Close, Road, Sink, Source, Step};
use squall_model::{Damage, Stamp};
use std::io::{self, ErrorKind};

/// Reads in a row before others have their turn.
const TURNS: usize = 4;

/// What has become of the sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Far {
    There,
    /// It takes nothing any more: what comes is thrown away, and by this damage where there is one.
    Gone(Option<Damage>),
}

#[derive(Debug)]
pub(crate) struct Pipe {
    id: ConnectionId,
    queue: Queue,
    end: End,
    far: Far,
    /// Something waits for a hold to end.
    is_stuck: bool,
    passed: u64,
    taken: u64,
}

/// The end of what the source sends.
#[derive(Debug, Clone, Copy)]
enum End {
    /// It may send more.
    None,
    /// Read, and to be passed on after all that came before.
    Read { close: Close, arrived: Stamp, draw: Draw },
    /// Passed on. After an ordinary end there may still come a reset: whoever has closed answers so to what reaches him.
    Passed(Close),
    /// Nobody cares.
    Lost,
}

/// What became of an attempt to read.
enum Attempt {
    Something,
    Nothing,
    Mined,
}

impl Pipe {
    /// `draw`: what its draws begin with.
    pub(crate) fn new(id: ConnectionId, draw: Draw) -> Pipe {
        let queue = Queue::new(draw);
        Pipe { id, queue, end: End::None, far: Far::There, is_stuck: false, passed: 0, taken: 0 }
    }

    /// Bytes passed on so far.
    pub(crate) fn passed(&self) -> u64 {
        self.passed
    }

    /// Bytes taken from the source so far: what a rate is about, whatever becomes of them.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// How the source ended, once that was read; it may have to be passed on still.
    pub(crate) fn ending(&self) -> Option<Close> {
        match self.end {
            End::None | End::Lost => None,
            End::Read { close, .. } | End::Passed(close) => Some(close),
        }
    }

    /// Was its end passed on, or lost?
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.end, End::Passed(_) | End::Lost)
    }

    /// Carries what there is to carry.
    pub(crate) fn pump(&mut self, source: &mut impl Source, sink: &mut impl Sink, road: &mut Road<'_>) -> Step {
        if matches!(self.end, End::Passed(Close::Rst) | End::Lost) {
            return Step::Wait { is_full: false, until: None };
        }
        if road.flow.is_held() {
            return self.hold(source, road);
        }
        self.is_stuck = false;
        for _ in 0..TURNS {
            let wait = self.pass_queue(sink, road);
            if let Some(step) = self.pass_end(road) {
                return step;
            }
            match self.read(source, sink, road) {
                Attempt::Something => {}
                Attempt::Nothing => return wait,
                Attempt::Mined => return Step::Mined,
            }
        }
        Step::Again
    }

    /// The sink is gone, by this damage: what is under way is lost, and so is all that comes.
    pub(crate) fn sever(&mut self, by: Damage) {
        self.lose(Some(by));
    }

    /// Nothing will come of the source any more.
    pub(crate) fn give_up(&mut self) {
        self.queue.clear();
        self.end = End::Lost;
    }

    /// Takes down what is being done to it at this moment: when that changes, and when the record is written.
    pub(crate) fn account(&self, flow: &Flow, is_throttled: bool, now: Stamp, hurts: &mut Hurts) {
        if flow.is_held() {
            flow.holds().filter(|_| self.is_stuck).for_each(|by| hurts.note(by, now));
            return;
        }
        let is_ending = matches!(self.end, End::Read { .. });
        let slow = flow.slow.filter(|_| is_ending || !self.queue.is_empty()).map(|slow| slow.damage());
        let slow_close = flow.slow_close.filter(|_| is_ending).map(Damage::SlowClose);
        let rate = flow.rate.filter(|_| is_throttled).map(|bytes_per_second| Damage::Rate { bytes_per_second });
        slow.into_iter().chain(slow_close).chain(rate).for_each(|by| hurts.note(by, now));
    }

    /// Leaves everything where it is.
    fn hold(&mut self, source: &mut impl Source, road: &mut Road<'_>) -> Step {
        let is_under_way = !self.queue.is_empty() || matches!(self.end, End::Read { .. });
        self.is_stuck = is_under_way || (source.is_ready() && self.is_news(&source.peek(&mut [0])));
        self.account(road.flow, false, road.now, road.hurts);
        Step::Wait { is_full: false, until: None }
    }

    /// Was there anything to read, a new end included?
    fn is_news(&self, read: &io::Result<usize>) -> bool {
        match read {
            Ok(0) => matches!(self.end, End::None),
            Ok(_) => true,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }

    /// Passes on what is due of what was kept.
    fn pass_queue(&mut self, sink: &mut impl Sink, road: &mut Road<'_>) -> Step {
        let mut is_full = false;
        while let Some((bytes, arrived, draw)) = self.queue.front() {
            let due = road.flow.due(arrived, draw);
            if due > road.now {
                return Step::Wait { is_full, until: Some(due) };
            }
            match sink.write(bytes) {
                Ok(written) => {
                    self.queue.pop(written);
                    self.passed += written as u64;
                    let slow = road.flow.slow.filter(|_| due > arrived);
                    slow.into_iter().for_each(|slow| road.hurts.note(slow.damage(), road.now));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    is_full = true;
                    break;
                }
                Err(_) => self.lose(None),
            }
        }
        Step::Wait { is_full, until: None }
    }

    /// Passes on the end once all before it was.
    fn pass_end(&mut self, road: &mut Road<'_>) -> Option<Step> {
        let End::Read { close, arrived, draw } = self.end else { return None };
        if !self.queue.is_empty() {
            return None;
        }
        let due = road.flow.close_due(arrived, draw);
        if due > road.now && self.far == Far::There {
            return Some(Step::Wait { is_full: false, until: Some(due) });
        }
        self.account(road.flow, false, road.now, road.hurts);
        self.end = End::Passed(close);
        Some(Step::Ended(close))
    }

    fn read(&mut self, source: &mut impl Source, sink: &mut impl Sink, road: &mut Road<'_>) -> Attempt {
        if matches!(self.end, End::Read { .. }) || !source.is_ready() {
            return Attempt::Nothing;
        }
        let room = self.room(road).min(road.scratch.len());
        let limit = match self.may_read(source, road, room) {
            0 => return Attempt::Nothing,
            limit => limit,
        };
        let read = source.read(&mut road.scratch[..limit]);
        match read {
            _ if !self.is_news(&read) => return Attempt::Nothing,
            Ok(0) => self.end(Close::Fin, road),
            Ok(_) if road.is_mined => return Attempt::Mined,
            Ok(read) => self.take(read, sink, road),
            Err(_) => self.end(Close::Rst, road),
        }
        Attempt::Something
    }

    /// How much may be read without keeping too much. What the sink could not take is passed on before more is read.
    fn room(&self, road: &Road<'_>) -> usize {
        match (self.far, road.flow.slow) {
            (Far::Gone(_), _) => usize::MAX,
            (Far::There, Some(_)) => self.queue.room(),
            (Far::There, None) if self.queue.is_empty() => usize::MAX,
            (Far::There, None) => 0,
        }
    }

    /// How much of that the wire's rate lets pass now. The end of a stream weighs nothing.
    fn may_read(&mut self, source: &mut impl Source, road: &mut Road<'_>, room: usize) -> usize {
        let Some(throttle) = road.throttle.as_deref_mut().filter(|_| room > 0) else { return room };
        let bytes = match source.peek(&mut road.scratch[..room.min(throttle.turn())]) {
            // What comes between this look and the reading has not been weighed.
            Err(error) if error.kind() == ErrorKind::WouldBlock => return 0,
            Ok(0) | Err(_) => return room,
            Ok(bytes) => bytes,
        };
        let has_waited = throttle.is_waiting(self.id);
        let may_pass = throttle.ask(self.id, bytes as u64, road.now);
        if let Some(bytes_per_second) = road.flow.rate.filter(|_| has_waited || !may_pass) {
            road.hurts.note(Damage::Rate { bytes_per_second }, road.now);
        }
        if may_pass { bytes } else { 0 }
    }

    /// Passes on what was read, and keeps what cannot be passed on yet.
    fn take(&mut self, read: usize, sink: &mut impl Sink, road: &mut Road<'_>) {
        self.taken += read as u64;
        let bytes = &road.scratch[..read];
        if let Far::Gone(by) = self.far {
            by.into_iter().for_each(|by| road.hurts.note(by, road.now));
            return;
        }
        if road.flow.slow.is_some() || !self.queue.is_empty() {
            self.queue.push(bytes, road.now);
            road.flow.slow.into_iter().for_each(|slow| road.hurts.note(slow.damage(), road.now));
            return;
        }
        match sink.write(bytes) {
            Ok(written) => {
                self.passed += written as u64;
                self.queue.push(&bytes[written..], road.now);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.queue.push(bytes, road.now),
            Err(_) => self.lose(None),
        }
    }

    fn end(&mut self, close: Close, road: &mut Road<'_>) {
        self.end = End::Read { close, arrived: road.now, draw: self.queue.draw() };
        self.account(road.flow, false, road.now, road.hurts);
    }

    fn lose(&mut self, by: Option<Damage>) {
        self.queue.clear();
        self.far = Far::Gone(by);
    }
}
