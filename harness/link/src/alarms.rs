//! Who is to be woken when. Pure: the one timer is somebody else's.

use squall_model::Stamp;
use std::collections::{BTreeMap, BTreeSet};

/// Alarms, at most one a key.
#[derive(Debug)]
pub(crate) struct Alarms<K> {
    by_time: BTreeSet<(Stamp, K)>,
    by_key: BTreeMap<K, Stamp>,
}

impl<K: Ord + Copy> Alarms<K> {
    pub(crate) fn new() -> Alarms<K> {
        Alarms { by_time: BTreeSet::new(), by_key: BTreeMap::new() }
    }

    /// Has this alarm ring at `at`, or not at all.
    pub(crate) fn set(&mut self, key: K, at: Option<Stamp>) {
        let before = match at {
            Some(at) => self.by_key.insert(key, at),
            // The common case on a clean wire: nothing is set and nothing was.
            None => self.by_key.remove(&key),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.by_time.remove(&(before, key));
        }
        if let Some(at) = at {
            self.by_time.insert((at, key));
        }
    }

    /// When the next one rings.
    pub(crate) fn next(&self) -> Option<Stamp> {
        self.by_time.first().map(|&(at, _)| at)
    }

    /// Takes one that is due.
    pub(crate) fn ring(&mut self, now: Stamp) -> Option<K> {
        let (_, key) = self.by_time.first().copied().filter(|&(at, _)| at <= now)?;
        self.set(key, None);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_ring_in_order_once_and_not_before_their_time() {
        let mut alarms = Alarms::new();
        alarms.set('a', Some(Stamp(30)));
        alarms.set('b', Some(Stamp(20)));
        alarms.set('c', Some(Stamp(10)));
        alarms.set('a', Some(Stamp(15)));
        alarms.set('c', None);
        assert_eq!(alarms.next(), Some(Stamp(15)));
        assert_eq!(alarms.ring(Stamp(14)), None);
        assert_eq!(alarms.ring(Stamp(25)), Some('a'));
        assert_eq!(alarms.ring(Stamp(25)), Some('b'));
        assert_eq!((alarms.ring(Stamp(25)), alarms.next()), (None, None));
    }
}
