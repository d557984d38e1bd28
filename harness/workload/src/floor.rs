//! Capacity: how many tries are worked on at a time, and how many wait in line.

use squall_model::Capacity;
use std::{cell::RefCell, collections::VecDeque, rc::Rc};
use tokio::sync::oneshot;

/// The shop floor: workers, and a line before them, first come, first served.
///
/// The limits are the floor's own and may change at any time. Raised or lifted, they let the line in at once; lowered,
/// they take no worker from a try that has one, and turn nobody out of the line.
#[derive(Debug)]
pub(crate) struct Floor(RefCell<Crowd>);

#[derive(Debug)]
struct Crowd {
    limit: Option<Capacity>,
    working: u32,
    /// By ascending ticket.
    line: VecDeque<(u64, oneshot::Sender<()>)>,
    next_ticket: u64,
}

impl Crowd {
    fn has_room(&self) -> bool {
        self.limit.is_none_or(|limit| self.working < limit.workers)
    }

    fn admit(&mut self) {
        while self.has_room() {
            let Some((_, admission)) = self.line.pop_front() else { return };
            self.working += 1;
            // Who waits leaves the line before it drops its receiver, so this cannot miss.
            let _ = admission.send(());
        }
    }
}

/// What became of a try that wanted a worker.
#[derive(Debug)]
pub(crate) enum Entry {
    /// It has one.
    Work(Worker),
    /// It waits for one.
    Wait(Waiting),
    /// The line is full.
    Shed,
}

impl Floor {
    pub(crate) fn new(limit: Option<Capacity>) -> Rc<Floor> {
        Rc::new(Floor(RefCell::new(Crowd { limit, working: 0, line: VecDeque::new(), next_ticket: 0 })))
    }

    pub(crate) fn set_limit(&self, limit: Option<Capacity>) {
        let mut crowd = self.0.borrow_mut();
        crowd.limit = limit;
        crowd.admit();
    }

    /// Tries being worked on.
    pub(crate) fn working(&self) -> u32 {
        self.0.borrow().working
    }

    /// Tries waiting in line.
    pub(crate) fn waiting(&self) -> u32 {
        u32::try_from(self.0.borrow().line.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn enter(self: &Rc<Floor>) -> Entry {
        let mut crowd = self.0.borrow_mut();
        // Whoever waits goes first; with room and a line there is none left in the line, as every change admits.
        if crowd.has_room() {
            crowd.working += 1;
            return Entry::Work(Worker(Rc::clone(self)));
        }
        let places = crowd.limit.and_then(|limit| limit.queue);
        if places.is_some_and(|places| crowd.line.len() >= places as usize) {
            return Entry::Shed;
        }
        let (admission, admitted) = oneshot::channel();
        let ticket = crowd.next_ticket;
        crowd.next_ticket += 1;
        crowd.line.push_back((ticket, admission));
        Entry::Wait(Waiting { floor: Rc::clone(self), ticket, admitted: Some(admitted) })
    }

    fn leave(&self) {
        let mut crowd = self.0.borrow_mut();
        crowd.working -= 1;
        crowd.admit();
    }
}

/// A worker at work; dropped, it takes the next try from the line.
#[derive(Debug)]
pub(crate) struct Worker(Rc<Floor>);

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// A place in the line; dropped, it is given up.
#[derive(Debug)]
pub(crate) struct Waiting {
    floor: Rc<Floor>,
    ticket: u64,
    /// `None` once the worker was handed on.
    admitted: Option<oneshot::Receiver<()>>,
}

impl Waiting {
    /// Waits for its turn.
    pub(crate) async fn admitted(mut self) -> Worker {
        if let Some(admitted) = &mut self.admitted {
            // The sender lives in the line until it sends.
            let _ = admitted.await;
        }
        self.admitted = None;
        Worker(Rc::clone(&self.floor))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.admitted.is_none() {
            return;
        }
        let place = {
            let mut crowd = self.floor.0.borrow_mut();
            let found = crowd.line.binary_search_by_key(&self.ticket, |(ticket, _)| *ticket);
            found.ok().and_then(|at| crowd.line.remove(at))
        };
        // No longer in line and never handed on: its turn came, and nobody was there to take it.
        if place.is_none() {
            self.floor.leave();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn floor(workers: u32, queue: Option<u32>) -> Rc<Floor> {
        Floor::new(Some(Capacity { workers, queue }))
    }

    fn work(floor: &Rc<Floor>) -> Worker {
        match floor.enter() {
            Entry::Work(worker) => worker,
            other => panic!("{other:?}"),
        }
    }

    fn wait(floor: &Rc<Floor>) -> Waiting {
        match floor.enter() {
            Entry::Wait(waiting) => waiting,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_line_is_first_come_first_served_and_has_an_end() {
        let floor = floor(1, Some(2));
        let worker = work(&floor);
        let mut first = pin!(wait(&floor).admitted());
        let mut second = pin!(wait(&floor).admitted());
        assert!(matches!(floor.enter(), Entry::Shed));
        assert!(poll(second.as_mut()).is_pending());
        drop(worker);
        assert!(poll(second.as_mut()).is_pending());
        let Poll::Ready(worker) = poll(first.as_mut()) else { panic!("the first in line was passed over") };
        assert_eq!((floor.working(), floor.waiting()), (1, 1));
        drop(worker);
        assert!(poll(second.as_mut()).is_ready());
    }

    #[test]
    fn who_leaves_the_line_frees_a_place() {
        let floor = floor(1, Some(1));
        let _worker = work(&floor);
        drop(wait(&floor));
        assert_eq!(floor.waiting(), 0);
        let _waiting = wait(&floor);
    }

    #[test]
    fn a_turn_that_nobody_took_goes_to_the_next() {
        let floor = floor(1, None);
        let worker = work(&floor);
        let gone = wait(&floor);
        let mut next = pin!(wait(&floor).admitted());
        drop(worker);
        drop(gone);
        assert!(poll(next.as_mut()).is_ready());
    }

    #[test]
    fn limits_may_change_under_a_line() {
        let floor = floor(1, None);
        let worker = work(&floor);
        let mut first = pin!(wait(&floor).admitted());
        let mut second = pin!(wait(&floor).admitted());
        floor.set_limit(Some(Capacity { workers: 2, queue: None }));
        let Poll::Ready(_first) = poll(first.as_mut()) else { panic!("a new worker stands idle") };
        floor.set_limit(Some(Capacity { workers: 1, queue: Some(0) }));
        drop(worker);
        assert!(poll(second.as_mut()).is_pending());
        assert!(matches!(floor.enter(), Entry::Shed));
        floor.set_limit(None);
        assert!(poll(second.as_mut()).is_ready());
        let _worker = work(&floor);
    }

    proptest! {
        /// Whatever comes and goes: never more at work than workers, nobody waits while a worker is idle.
        #[test]
        fn books_balance(workers in 1u32..4, queue in proptest::option::of(0u32..4), acts in proptest::collection::vec(0u8..4, 0..200)) {
            let floor = floor(workers, queue);
            let (mut at_work, mut in_line) = (Vec::new(), VecDeque::new());
            for act in acts {
                match act {
                    0 | 1 => match floor.enter() {
                        Entry::Work(worker) => at_work.push(worker),
                        Entry::Wait(waiting) => in_line.push_back(Box::pin(waiting.admitted())),
                        Entry::Shed => prop_assert_eq!(Some(floor.waiting()), queue),
                    },
                    2 => drop(at_work.pop()),
                    _ => drop(in_line.pop_back()),
                }
                in_line.retain_mut(|waiting| match poll(waiting.as_mut()) {
                    Poll::Ready(worker) => { at_work.push(worker); false }
                    Poll::Pending => true,
                });
                prop_assert_eq!(floor.working() as usize, at_work.len());
                prop_assert_eq!(floor.waiting() as usize, in_line.len());
                prop_assert!(floor.working() <= workers);
                prop_assert!(floor.waiting() == 0 || floor.working() == workers);
            }
        }
    }
}
