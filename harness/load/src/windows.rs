//! A run by the seconds for which its calls were meant, in memory that does not grow with its length.
//!
//! A window is written to while calls for it end, and sealed once they no longer do: then it is a few bits for each of its buckets that are not
//! empty ([`Sparse`]). When there are too many windows, or too many buckets in them, two windows become one. How wide they are follows
//! from the calls alone and not from the order or the parts in which they came: what a number of calls is too much for, more are too.

use crate::{
    counts::Counts,
    latencies::Latencies,
    outcome::{Class, Outcome},
    sparse::Sparse,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// When there are too many windows.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// At more windows than this, two become one.
    windows: usize,
    /// So they do at more buckets than this in all of them, which is about as many bytes…
    buckets: usize,
    /// …unless the windows are no more than these: a minute is seen by the second at any rate.
    fewest: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { windows: 1_024, buckets: 1 << 18, fewest: 64 }
    }
}

/// The calls that were meant for one stretch of time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// From the intended start to the end, by outcome, ascending.
    ends: Vec<(Outcome, Sparse)>,
    /// From the actual send to the last byte, of the answered.
    service: Sparse,
}

impl Window {
    /// Counts a call that ended so long after its intended start, and was served in this time, if it was answered.
    fn record(&mut self, outcome: Outcome, ended: Duration, service: Option<Duration>) {
        self.times(outcome).record(ended);
        service.into_iter().for_each(|time| self.service.record(time));
    }

    fn times(&mut self, outcome: Outcome) -> &mut Sparse {
        let at = self.ends.binary_search_by_key(&outcome, |(outcome, _)| *outcome).unwrap_or_else(|at| {
            self.ends.insert(at, (outcome, Sparse::default()));
            at
        });
        &mut self.ends[at].1
    }

    fn add(&mut self, other: &Window) {
        other.ends.iter().for_each(|(outcome, times)| self.times(*outcome).add(times));
        self.service.add(&other.service);
    }

    fn seal(&mut self) {
        self.ends.iter_mut().for_each(|(_, times)| times.seal());
        self.ends.shrink_to_fit();
        self.service.seal();
    }

    fn buckets(&self) -> usize {
        self.ends.iter().map(|(_, times)| times.width()).sum::<usize>() + self.service.width()
    }

    /// By how they ended.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.ends.iter().for_each(|(outcome, times)| counts.count(*outcome, times.len()));
        counts
    }

    /// Calls of one class.
    #[must_use]
    pub fn of_class(&self, class: Class) -> u64 {
        self.ends.iter().filter(|(outcome, _)| outcome.class() == class).map(|(_, times)| times.len()).sum()
    }

    /// From the intended start to the end, of the answered.
    #[must_use]
    pub fn latency(&self) -> Latencies {
        self.ended(Outcome::is_answer)
    }

    /// From the intended start to the end, of the calls with such an outcome.
    #[must_use]
    pub fn ended(&self, of: impl Fn(Outcome) -> bool) -> Latencies {
        let mut all = Latencies::default();
        self.ends.iter().filter(|(outcome, _)| of(*outcome)).for_each(|(_, times)| all.add_sparse(times));
        all
    }

    /// From the actual send to the last byte, of the answered.
    #[must_use]
    pub fn service(&self) -> Latencies {
        let mut all = Latencies::default();
        all.add_sparse(&self.service);
        all
    }
}

/// All windows of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Told", into = "Told")]
pub(crate) struct Windows {
    /// Seconds of each.
    width: u64,
    /// By number; one without calls is not there.
    windows: BTreeMap<u64, Window>,
    /// Those that are written to, and whether they were since a later one was begun.
    open: BTreeMap<u64, bool>,
    /// Buckets of all of them.
    buckets: usize,
    limits: Limits,
}

impl Default for Windows {
    fn default() -> Self {
        Windows::of(1, BTreeMap::new(), Limits::default())
    }
}

impl Windows {
    fn of(width: u64, windows: BTreeMap<u64, Window>, limits: Limits) -> Windows {
        let buckets = windows.values().map(Window::buckets).sum();
        Windows { width, windows, open: BTreeMap::new(), buckets, limits }
    }

    /// Counts a call that was meant for so long after the begin, and ended so long after that.
    pub(crate) fn record(&mut self, at: Duration, outcome: Outcome, ended: Duration, service: Option<Duration>) {
        let number = at.as_secs() / self.width;
        if self.open.insert(number, true).is_none() {
            self.seal_before(number);
        }
        let window = self.windows.entry(number).or_default();
        let before = window.buckets();
        window.record(outcome, ended, service);
        self.buckets += window.buckets() - before;
        self.narrow();
    }

    /// Where one that is later than all others is begun, those for which no call has ended since the last time are sealed. So one for which
    /// calls still end stays open, however late they do.
    fn seal_before(&mut self, begun: u64) {
        if self.open.keys().next_back() != Some(&begun) {
            return;
        }
        let windows = &mut self.windows;
        self.open.retain(|number, written| {
            let stays = std::mem::replace(written, *number == begun);
            if !stays {
                windows.entry(*number).and_modify(Window::seal);
            }
            stays
        });
    }

    /// Adds what another part of the run has counted from the same begin.
    pub(crate) fn merge(&mut self, other: &Windows) {
        let mut other = other.clone();
        while self.width < other.width {
            self.widen();
        }
        while other.width < self.width {
            other.widen();
        }
        for (number, window) in &other.windows {
            let own = self.windows.entry(*number).or_default();
            own.add(window);
            if !self.open.contains_key(number) {
                own.seal();
            }
        }
        self.buckets = self.windows.values().map(Window::buckets).sum();
        self.narrow();
    }

    /// Until they are no more than they may be.
    fn narrow(&mut self) {
        let Limits { windows, buckets, fewest } = self.limits;
        while self.windows.len() > windows || self.buckets > buckets && self.windows.len() > fewest {
            self.widen();
        }
    }

    /// Two windows become one.
    fn widen(&mut self) {
        let mut joined = BTreeMap::<u64, Window>::new();
        // One after the other: all of them unpacked at once would be memory that is kept for good.
        while let Some((number, mut window)) = self.windows.pop_first() {
            window.seal();
            match joined.last_entry().filter(|last| *last.key() == number / 2) {
                Some(mut last) => {
                    last.get_mut().add(&window);
                    last.get_mut().seal();
                }
                None => drop(joined.insert(number / 2, window)),
            }
        }
        *self = Windows::of(self.width * 2, joined, self.limits);
    }

    pub(crate) fn width(&self) -> Duration {
        Duration::from_secs(self.width)
    }

    pub(crate) fn each(&self) -> impl DoubleEndedIterator<Item = (Duration, &Window)> {
        self.windows.iter().map(|(number, window)| (Duration::from_secs(number * self.width), window))
    }

    pub(crate) fn stretches(&self, most: u64) -> Vec<Window> {
        let Some(last) = self.windows.keys().next_back() else { return Vec::new() };
        let each = (last + 1).div_ceil(most.max(1));
        let mut joined = vec![Window::default(); (last / each + 1) as usize];
        for (number, window) in &self.windows {
            joined[(number / each) as usize].add(window);
        }
        joined
    }
}

impl PartialEq for Windows {
    fn eq(&self, other: &Self) -> bool {
        (self.width, &self.windows) == (other.width, &other.windows)
    }
}

/// How they travel.
#[derive(Serialize, Deserialize)]
struct Told {
    width: u64,
    windows: Vec<(u64, Window)>,
}

impl From<Windows> for Told {
    fn from(windows: Windows) -> Told {
        Told { width: windows.width, windows: windows.windows.into_iter().collect() }
    }
}

impl From<Told> for Windows {
    fn from(told: Told) -> Windows {
        Windows::of(told.width, told.windows.into_iter().collect(), Limits::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// When, how, and after how many microseconds.
    type Call = (u64, u16, u64);

    fn record(windows: &mut Windows, (at_ms, status, us): Call) {
        let ended = Duration::from_micros(us);
        windows.record(Duration::from_millis(at_ms), Outcome::Status(status), ended, (status < 400).then_some(ended));
    }

    fn of(calls: &[Call], limits: Limits) -> Windows {
        let mut windows = Windows { limits, ..Windows::default() };
        calls.iter().for_each(|call| record(&mut windows, *call));
        windows
    }

    proptest! {
        /// How wide windows are, and what is in them, follows from the calls: not from the order in which they came, nor from the parts.
        #[test]
        fn windows_follow_from_the_calls_alone(
            calls in proptest::collection::vec((0u64..100_000, prop_oneof![Just(200), Just(503)], 1u64..2_000), 1..300),
            cut in 0usize..300,
            windows in 2usize..50,
            buckets in 1usize..300,
        ) {
            let limits = Limits { windows, buckets, fewest: windows / 2 };
            let whole = of(&calls, limits);
            let mut other_way = calls.clone();
            other_way.sort_unstable();
            prop_assert_eq!(&of(&other_way, limits), &whole);
            let (first, second) = calls.split_at(cut.min(calls.len()));
            let (mut one, mut two) = (of(first, limits), of(second, limits));
            let first = one.clone();
            one.merge(&two);
            two.merge(&first);
            prop_assert_eq!(&one, &whole);
            prop_assert_eq!(&two, &whole);
            prop_assert_eq!(one.buckets, whole.windows.values().map(Window::buckets).sum::<usize>());
            prop_assert_eq!(whole.buckets, one.buckets);
            prop_assert!(whole.windows.len() <= windows && (whole.buckets <= buckets || whole.windows.len() <= windows / 2));
        }
    }

    #[test]
    fn what_is_written_to_is_open_and_all_else_is_sealed() {
        let mut windows = Windows::default();
        let open = |windows: &Windows| windows.open.keys().copied().collect::<Vec<_>>();
        (0..9).for_each(|s| record(&mut windows, (s * 1_000, 200, 5)));
        assert_eq!(open(&windows), [7, 8], "7 was written to before 8 was begun");
        // One that is late, and then each second one.
        record(&mut windows, (2_000, 200, 5));
        assert_eq!(open(&windows), [2, 7, 8]);
        for s in 9..20 {
            record(&mut windows, (s * 1_000, 200, 5));
            record(&mut windows, (2_000, 503, 5));
        }
        assert_eq!(open(&windows), [2, 18, 19]);
        assert_eq!(windows.windows[&2].counts().calls, 13);
    }

    #[test]
    fn an_hour_takes_no_more_than_a_minute_may() {
        let mut windows = Windows::default();
        for second in 0..3_600 {
            (0..500).for_each(|k| record(&mut windows, (second * 1_000, 200, 100 + (second * 77 + k * k) % 5_000)));
            let (buckets, number, open) = (windows.buckets, windows.windows.len(), windows.open.len());
            assert!(buckets <= 1 << 18 || number <= 64, "{buckets} buckets in {number} windows");
            assert!(open <= 2, "{open} open");
        }
        assert!(windows.width > 32);
    }
}
