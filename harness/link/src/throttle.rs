//! At most so many bytes a second one way over a wire, and every connection in its turn.

use squall_model::{PACKET, Stamp, burst};
use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

/// So many turns a second, each of a packet at least.
const TURNS: u64 = 1_000;
/// The largest turn: what is read at once.
const LARGEST: u64 = 64 * 1024;

/// A token bucket, full to begin with. Kept as the moment at which it will be full again, so that nothing need be done while it
/// fills: the generic cell rate algorithm (ITU-T I.371).
#[derive(Debug)]
struct TokenBucket {
    bytes_per_second: u64,
    /// Its depth, as the time that filling takes.
    depth: Duration,
    full_at: Stamp,
}

impl TokenBucket {
    fn new(bytes_per_second: u64, depth: u64) -> TokenBucket {
        let mut bucket = TokenBucket { bytes_per_second, depth: Duration::ZERO, full_at: Stamp::default() };
        bucket.depth = bucket.time_for(depth);
        bucket
    }

    /// How long so many bytes take, rounded up: the rate is a ceiling.
    fn time_for(&self, bytes: u64) -> Duration {
        let nanos = (u128::from(bytes) * 1_000_000_000).div_ceil(u128::from(self.bytes_per_second));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// When so many bytes may pass, at most as many as it holds.
    fn when(&self, bytes: u64) -> Stamp {
        self.full_at + self.time_for(bytes) - self.depth
    }

    fn take(&mut self, bytes: u64, now: Stamp) {
        self.full_at = self.full_at.max(now) + self.time_for(bytes);
    }
}

/// A bucket, and those who wait for it. Each passes one turn's worth, then waits behind the others.
#[derive(Debug)]
pub(crate) struct Throttle<Id> {
    bucket: TokenBucket,
    turn: u64,
    waiting: VecDeque<(Id, u64)>,
    present: HashSet<Id>,
}

impl<Id: Copy + Eq + std::hash::Hash> Throttle<Id> {
    /// At least 1 byte per second.
    pub(crate) fn new(bytes_per_second: u64) -> Throttle<Id> {
        Throttle {
            bucket: TokenBucket::new(bytes_per_second.max(1), burst(bytes_per_second)),
            turn: (bytes_per_second / TURNS).clamp(PACKET, LARGEST),
            waiting: VecDeque::new(),
            present: HashSet::new(),
        }
    }

    /// The most that one turn passes, in bytes.
    pub(crate) fn turn(&self) -> usize {
        self.turn as usize
    }

    /// May so many bytes, at most one turn's worth, of this one pass now? If not, it waits in line.
    pub(crate) fn ask(&mut self, id: Id, bytes: u64, now: Stamp) -> bool {
        let is_first = self.front().is_none_or(|front| front == id);
        if is_first && self.bucket.when(bytes) <= now {
            self.bucket.take(bytes, now);
            self.leave_front(id);
            return true;
        }
        if self.present.insert(id) {
            self.waiting.push_back((id, bytes));
        }
        false
    }

    /// Does it wait in line?
    pub(crate) fn is_waiting(&self, id: Id) -> bool {
        self.present.contains(&id)
    }

    /// When the first in line may pass.
    pub(crate) fn next(&self) -> Option<Stamp> {
        self.waiting.front().map(|&(_, bytes)| self.bucket.when(bytes))
    }

    /// The first in line, if it may pass. It must [`ask`](Self::ask) or [give up its place](Self::leave_front), or nobody passes.
    pub(crate) fn due(&self, now: Stamp) -> Option<Id> {
        self.front().filter(|_| self.next().is_some_and(|at| at <= now))
    }

    /// This one, if it is the first, gives up its place.
    pub(crate) fn leave_front(&mut self, id: Id) {
        if self.front() == Some(id) {
            self.waiting.pop_front();
            self.present.remove(&id);
        }
    }

    fn front(&self) -> Option<Id> {
        self.waiting.front().map(|&(id, _)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Serves whoever is first in line, each of whom always has more, until `end`; what each has passed, and when.
    fn serve(throttle: &mut Throttle<u8>, everybody: &[u8], size: u64, end: Stamp) -> Vec<(Stamp, u8, u64)> {
        let (mut passed, mut now) = (Vec::new(), Stamp(1_000_000_000));
        for &id in everybody {
            while throttle.ask(id, size, now) {
                passed.push((now, id, size));
            }
        }
        while let Some(at) = throttle.next().filter(|&at| at <= end) {
            now = now.max(at);
            let id = throttle.due(now).unwrap();
            assert!(throttle.ask(id, size, now));
            passed.push((now, id, size));
            assert!(!throttle.ask(id, size, now) || everybody.len() == 1);
        }
        passed
    }

    proptest! {
        #[test]
        fn no_stretch_of_time_sees_more_than_the_rate_and_one_burst(
            rate in 1u64..2_000_000_000, size in 1u64..1_500, skip in 0usize..50
        ) {
            let mut throttle = Throttle::new(rate);
            let end = Stamp(1_000_000_000) + throttle.bucket.time_for(100_000);
            let passed = serve(&mut throttle, &[1, 2], size, end);
            let stretch = &passed[skip.min(passed.len() - 1)..];
            let burst = u128::from(burst(rate));
            let mut sum = 0;
            for &(at, _, bytes) in stretch {
                sum += u128::from(bytes);
                let worth = at.since(stretch[0].0).as_nanos() * u128::from(rate) / 1_000_000_000;
                prop_assert!(sum <= burst + worth + u128::from(size), "{sum} bytes of {burst} + {worth}");
            }
        }

        #[test]
        fn who_always_has_more_uses_all_of_the_rate(rate in 1_000u64..1_000_000, size in 1u64..1_500) {
            let mut throttle = Throttle::new(rate);
            let passed = serve(&mut throttle, &[1, 2, 3], size, Stamp(3_000_000_000));
            let sum: u64 = passed.iter().map(|&(_, _, bytes)| bytes).sum();
            // Two seconds' worth, less the last piece, and what rounding up to a nanosecond costs.
            prop_assert!((sum + size) * 1_001 / 1_000 >= 2 * rate, "{sum} bytes");
        }
    }

    #[test]
    fn all_have_an_equal_share() {
        let mut throttle = Throttle::new(1_000_000);
        let mut shares = BTreeMap::<u8, u64>::new();
        for (_, id, bytes) in serve(&mut throttle, &[1, 2, 3], 1_500, Stamp(2_000_000_000)) {
            *shares.entry(id).or_default() += bytes;
        }
        // The burst went to the first; after it all take turns.
        let (least, most) = (shares.values().min().unwrap(), shares.values().max().unwrap());
        assert!(most - least <= 10_000 + 1_500 && *least > 300_000, "{shares:?}");
    }

    #[test]
    fn a_burst_is_short_and_never_less_than_a_packet() {
        let at_once = |rate| {
            let mut throttle = Throttle::new(rate);
            let now = Stamp(1_000_000_000_000);
            (1..).take_while(|_| throttle.ask(0, 100, now)).count() * 100
        };
        assert_eq!(at_once(1_000_000), 10_000);
        assert_eq!(at_once(1_000), 1_500);
        assert_eq!((Throttle::<u8>::new(1_000_000_000).turn(), Throttle::<u8>::new(1_000).turn()), (65_536, 1_500));
    }

    #[test]
    fn who_is_first_and_does_not_pass_lets_the_next_one_by() {
        let mut throttle = Throttle::new(1_000);
        let now = Stamp(1_000_000_000_000);
        assert!(throttle.ask(1, 1_500, now));
        assert!(!throttle.ask(2, 100, now) && !throttle.ask(3, 100, now) && throttle.is_waiting(3));
        let later = now + Duration::from_millis(100);
        assert_eq!((throttle.next(), throttle.due(now), throttle.due(later)), (Some(later), None, Some(2)));
        assert!(!throttle.ask(3, 100, later), "it is not its turn");
        throttle.leave_front(2);
        assert!(throttle.ask(3, 100, later));
        assert_eq!((throttle.next(), throttle.is_waiting(3)), (None, false));
    }
}
