//! Counting calls as they end, in memory that does not grow with the length of the run.

use crate::{
    counts::Counts,
    latencies::Latencies,
    outcome::Outcome,
    parts::Parts,
    told,
    windows::{Window, Windows},
};
use serde::{Deserialize, Serialize};
use squall_model::{CallRecord, Stamp};
use std::{collections::BTreeMap, time::Duration};

/// What is known of all calls with one outcome.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// From the intended start to the end.
    pub ended: Latencies,
}

/// What is known of the calls that were one of several requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OfRequest {
    /// By how they ended.
    pub counts: Counts,
    /// From the intended start to the end, of the answered.
    pub latency: Latencies,
}

impl OfRequest {
    fn add(&mut self, other: &OfRequest) {
        self.counts.add(other.counts);
        self.latency.add(&other.latency);
    }
}

/// Everything that is kept of the calls of a run. It travels whole: what is read back is what was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorder {
    t0: Stamp,
    windows: Windows,
    #[serde(with = "told::pairs")]
    tallies: BTreeMap<Outcome, Tally>,
    service: Latencies,
    parts: Parts,
    #[serde(with = "told::pairs")]
    requests: BTreeMap<u16, OfRequest>,
    counts: Counts,
}

impl Recorder {
    /// Nothing yet; time counts from the first intended send.
    #[must_use]
    pub fn new(t0: Stamp) -> Recorder {
        Recorder {
            t0,
            windows: Windows::default(),
            tallies: BTreeMap::new(),
            service: Latencies::default(),
            parts: Parts::default(),
            requests: BTreeMap::new(),
            counts: Counts::default(),
        }
    }

    /// Counts one call.
    pub fn record(&mut self, call: &CallRecord) {
        let outcome = Outcome::of(call);
        let (ended, served) = (call.done.since(call.intended), call.done.since(call.sent));
        self.counts.count(outcome, 1);
        self.tallies.entry(outcome).or_default().ended.record(ended);
        let request = self.requests.entry(call.course.request).or_default();
        request.counts.count(outcome, 1);
        if outcome.is_answer() {
            request.latency.record(ended);
        }
        let service = outcome.is_answer().then_some(served);
        self.windows.record(call.intended.since(self.t0), outcome, ended, service);
        if outcome.is_answer() {
            self.service.record(served);
            self.parts.record(call);
        }
    }

    /// Adds the calls of another run, or of another part of this one: both count from the same origin.
    pub fn merge(&mut self, other: &Recorder) {
        self.windows.merge(&other.windows);
        for (outcome, tally) in &other.tallies {
            self.tallies.entry(*outcome).or_default().ended.add(&tally.ended);
        }
        self.service.add(&other.service);
        self.parts.add(&other.parts);
        for (request, of) in &other.requests {
            self.requests.entry(*request).or_default().add(of);
        }
        for (outcome, tally) in &other.tallies {
            self.counts.count(*outcome, tally.ended.len());
        }
    }

    /// Adds the calls of another run as if they had been made in this one.
    pub fn join(&mut self, other: &Recorder) {
        self.merge(&Recorder { t0: self.t0, ..other.clone() });
    }

    /// All calls.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// By how they ended.
    pub fn tallies(&self) -> impl Iterator<Item = (Outcome, &Tally)> {
        self.tallies.iter().map(|(outcome, tally)| (*outcome, tally))
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
        self.tallies.iter().filter(|(o, _)| of(**o)).for_each(|(_, tally)| all.add(&tally.ended));
        all
    }

    /// From the actual send to the last byte, of the answered.
    #[must_use]
    pub fn service(&self) -> &Latencies {
        &self.service
    }

    /// Where the time of the answered went.
    #[must_use]
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The calls by which of several requests they were, from 0.
    pub fn requests(&self) -> impl Iterator<Item = (u16, &OfRequest)> {
        self.requests.iter().map(|(request, of)| (*request, of))
    }

    /// How long a window is: a second, of a long run more.
    #[must_use]
    pub fn width(&self) -> Duration {
        self.windows.width()
    }

    /// The windows that have calls, each with its begin.
    pub fn windows(&self) -> impl DoubleEndedIterator<Item = (Duration, &Window)> {
        self.windows.each()
    }

    /// All windows from the first to the last, those without calls too, joined so that there are at most so many.
    #[must_use]
    pub fn stretches(&self, most: u64) -> Vec<Window> {
        self.windows.stretches(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{outcome::Class, testing::call};
    use proptest::prelude::*;
    use squall_model::{ClientEnd, Leg};

    fn of(calls: &[CallRecord]) -> Recorder {
        let mut recorder = Recorder::new(Stamp(0));
        calls.iter().for_each(|call| recorder.record(call));
        recorder
    }

    fn calls(until_ms: u64) -> impl Strategy<Value = Vec<CallRecord>> {
        let end = prop_oneof![
            4 => Just(ClientEnd::Answered(200)),
            1 => (400u16..600).prop_map(ClientEnd::Answered),
            1 => Just(ClientEnd::Refused),
            1 => Just(ClientEnd::Deadline),
            1 => Just(ClientEnd::Unfinished),
        ];
        proptest::collection::vec(
            (0..until_ms, 1u64..10_000_000, end).prop_map(|(at, us, end)| call(at, us, end)),
            1..200,
        )
    }

    proptest! {
        /// Parts of a run, merged in either order, are the whole run: to the last bucket of each second and outcome.
        #[test]
        fn merged_parts_are_the_whole(calls in prop_oneof![calls(20_000), calls(20_000_000)], cut in 0usize..200) {
            let (first, second) = calls.split_at(cut.min(calls.len()));
            let (mut one, mut two) = (of(first), of(second));
            let whole = of(&calls);
            let first = one.clone();
            one.merge(&two);
            two.merge(&first);
            prop_assert_eq!(&one, &two);
            prop_assert_eq!(&one, &whole);
        }

        /// What travels arrives as it was, and can be added to.
        #[test]
        fn a_recorder_survives_a_journey(calls in calls(20_000), cut in 0usize..200) {
            let (first, second) = calls.split_at(cut.min(calls.len()));
            let text = serde_json::to_string(&of(first)).unwrap();
            let mut arrived: Recorder = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&arrived, &of(first));
            arrived.merge(&of(second));
            prop_assert_eq!(arrived, of(&calls));
        }

        /// The seconds together are the whole.
        #[test]
        fn windows_add_up(calls in calls(30_000)) {
            let whole = of(&calls);
            let (mut latency, mut service, mut count) = (Latencies::default(), Latencies::default(), 0);
            for (_, window) in whole.windows() {
                latency.add(&window.latency());
                service.add(&window.service());
                count += window.counts().calls;
                prop_assert_eq!(Class::ALL.iter().map(|c| window.of_class(*c)).sum::<u64>(), window.counts().calls);
            }
            prop_assert_eq!(&latency, &whole.latency());
            prop_assert_eq!(&service, whole.service());
            prop_assert_eq!(count, whole.counts().calls);
        }
    }

    #[test]
    fn a_long_run_is_cut_into_wider_windows() {
        let calls: Vec<_> = (0..3_000).map(|s| call(s * 1_000, 100, ClientEnd::Answered(200))).collect();
        let whole = of(&calls);
        assert_eq!(whole.width(), Duration::from_secs(4));
        assert!(whole.windows().all(|(_, w)| w.counts().calls == 4));
        assert_eq!(whole.windows().count(), 750);
        assert_eq!(whole.stretches(10).iter().map(|w| w.counts().calls).sum::<u64>(), 3_000);
    }

    #[test]
    fn a_call_that_was_never_set_about_was_held_back() {
        let mut held = call(0, 1_000, ClientEnd::Deadline);
        held.course.leg = Leg::Held;
        let recorder = of(&[held, call(0, 1_000, ClientEnd::Deadline), call(0, 10, ClientEnd::Answered(503))]);
        let outcomes: Vec<_> = recorder.tallies().map(|(o, t)| (o, t.ended.len())).collect();
        assert_eq!(outcomes, [(Outcome::Status(503), 1), (Outcome::TimedOut(Leg::Waiting), 1), (Outcome::HeldBack, 1)]);
        assert_eq!(recorder.counts(), Counts { calls: 3, answered: 1, succeeded: 0 });
    }
}
