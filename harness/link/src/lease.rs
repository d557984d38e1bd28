//! The lease under which damage is done: it is renewed, or ends by itself.

use squall_model::Stamp;
use std::time::Duration;

/// A client of the control socket.
pub(crate) type ClientId = u64;

/// Who has damage done, and until when.
#[derive(Debug)]
pub(crate) struct Lease {
    ttl: Duration,
    held: Option<Held>,
    /// The client whose lease ran out and who was not told yet, and when it did.
    untold: Option<(ClientId, Stamp)>,
    last_lapse: Option<Stamp>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    by: ClientId,
    until: Stamp,
}

impl Lease {
    pub(crate) fn new(ttl: Duration) -> Lease {
        Lease { ttl, held: None, untold: None, last_lapse: None }
    }

    /// A client wants damage done, or none. If its lease has run out since it last asked, it is told so first, once, and is to
    /// ask again.
    pub(crate) fn ask(&mut self, client: ClientId) -> Result<(), Stamp> {
        match self.untold.take_if(|(told, _)| *told == client) {
            Some((_, at)) => Err(at),
            None => Ok(()),
        }
    }

    /// Damage is done for this client from now on, or none is.
    pub(crate) fn hold(&mut self, client: ClientId, is_any: bool, now: Stamp) {
        self.held = is_any.then_some(Held { by: client, until: now + self.ttl });
    }

    /// A heartbeat, from whoever speaks for the one who holds it. Returns when a lease last ran out.
    pub(crate) fn renew(&mut self, now: Stamp) -> Option<Stamp> {
        if let Some(held) = &mut self.held {
            held.until = now + self.ttl;
        }
        self.last_lapse
    }

    /// When it runs out.
    pub(crate) fn until(&self) -> Option<Stamp> {
        self.held.map(|held| held.until)
    }

    /// Has it run out? Then all damage is to end.
    pub(crate) fn lapses(&mut self, now: Stamp) -> bool {
        let lapsed = self.held.take_if(|held| held.until <= now);
        if let Some(held) = lapsed {
            self.untold = Some((held.by, now));
            self.last_lapse = Some(now);
        }
        lapsed.is_some()
    }

    /// A client went away. Did it hold the lease? Then all damage is to end.
    pub(crate) fn leaves(&mut self, client: ClientId) -> bool {
        self.untold.take_if(|(told, _)| *told == client);
        self.held.take_if(|held| held.by == client).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Stamp {
        Stamp(ms * 1_000_000)
    }

    fn lease() -> Lease {
        let mut lease = Lease::new(Duration::from_millis(100));
        lease.hold(1, true, at(0));
        lease
    }

    #[test]
    fn it_runs_out_unless_it_is_renewed() {
        let mut lease = lease();
        assert!(!lease.lapses(at(99)));
        assert_eq!(lease.renew(at(99)), None);
        assert_eq!(lease.until(), Some(at(199)));
        assert!(!lease.lapses(at(198)) && lease.lapses(at(199)));
        assert_eq!(lease.until(), None);
        assert!(!lease.lapses(at(500)), "once is enough");
    }

    #[test]
    fn who_held_it_is_told_once() {
        let mut lease = lease();
        assert!(lease.lapses(at(100)));
        assert_eq!(lease.renew(at(101)), Some(at(100)), "a heartbeat does not bring it back, and is told");
        assert_eq!(lease.until(), None);
        assert_eq!(lease.ask(2), Ok(()));
        assert_eq!(lease.ask(1), Err(at(100)));
        assert_eq!(lease.ask(1), Ok(()));
    }

    #[test]
    fn it_ends_with_who_holds_it() {
        let mut lease = lease();
        assert!(!lease.leaves(2) && lease.leaves(1) && !lease.leaves(1));
        assert_eq!(lease.until(), None);
    }

    #[test]
    fn no_damage_needs_no_lease() {
        let mut lease = lease();
        lease.hold(1, false, at(10));
        assert!(!lease.lapses(at(1_000)) && !lease.leaves(1));
    }

    #[test]
    fn who_has_damage_done_last_holds_it() {
        let mut lease = lease();
        lease.hold(2, true, at(10));
        assert!(!lease.leaves(1) && lease.leaves(2));
    }
}
