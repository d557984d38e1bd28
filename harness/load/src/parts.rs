//! Where the time of a call went, from its intended start to its last byte.

use crate::latencies::Latencies;
use serde::{Deserialize, Serialize};
use squall_model::CallRecord;

/// The parts that a latency has, each over the calls that were answered. Of one call they add up to its latency.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Parts {
    /// Until it was sent, but for the two that follow: the generator's lateness, what the cap held back, and the wait for a
    /// connection that was being opened for another call.
    pub unsent: Latencies,
    /// Until its connection was taken, of calls that opened one.
    pub connect: Latencies,
    /// The handshake of TLS on that connection.
    pub tls: Latencies,
    /// From the send to the first bytes of the answer.
    pub first_byte: Latencies,
    /// From the first bytes of the answer to its last.
    pub last_byte: Latencies,
}

impl Parts {
    /// Counts an answered call.
    pub(crate) fn record(&mut self, call: &CallRecord) {
        let course = &call.course;
        let opening = course.connect.unwrap_or_default() + course.tls.unwrap_or_default();
        self.unsent.record(call.sent.since(call.intended).saturating_sub(opening));
        course.connect.into_iter().for_each(|time| self.connect.record(time));
        course.tls.into_iter().for_each(|time| self.tls.record(time));
        let began = course.first_byte.unwrap_or(call.done);
        self.first_byte.record(began.since(call.sent));
        self.last_byte.record(call.done.since(began));
    }

    /// Adds the calls of another part of the run.
    pub(crate) fn add(&mut self, other: &Parts) {
        for (ours, theirs) in [
            (&mut self.unsent, &other.unsent),
            (&mut self.connect, &other.connect),
            (&mut self.tls, &other.tls),
            (&mut self.first_byte, &other.first_byte),
            (&mut self.last_byte, &other.last_byte),
        ] {
            ours.add(theirs);
        }
    }

    /// Each with its name, in the order in which they pass; those that no call had are left out.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &Latencies)> {
        [
            ("until sent", &self.unsent),
            ("connect", &self.connect),
            ("TLS", &self.tls),
            ("first byte", &self.first_byte),
            ("last byte", &self.last_byte),
        ]
        .into_iter()
        .filter(|(_, times)| !times.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::call;
    use squall_model::{ClientEnd, Stamp};
    use std::time::Duration;

    #[test]
    fn the_parts_of_a_call_add_up_to_its_latency() {
        let mut one = call(5, 900, ClientEnd::Answered(200));
        one.sent = one.intended + Duration::from_micros(300);
        one.course.connect = Some(Duration::from_micros(80));
        one.course.tls = Some(Duration::from_micros(120));
        one.course.first_byte = Some(Stamp(one.sent.0 + 550_000));
        let mut parts = Parts::default();
        parts.record(&one);
        let micros: Vec<_> = parts.named().map(|(name, times)| (name, times.max().as_micros())).collect();
        let expected = [("until sent", 100), ("connect", 80), ("TLS", 120), ("first byte", 550), ("last byte", 50)];
        assert_eq!(micros, expected);
        assert_eq!(micros.iter().map(|(_, us)| us).sum::<u128>(), 900);
    }

    /// One on a connection that stood has neither of the parts of one that was opened.
    #[test]
    fn what_no_call_had_is_no_part() {
        let mut parts = Parts::default();
        parts.record(&call(5, 900, ClientEnd::Answered(200)));
        assert_eq!(parts.named().map(|(name, _)| name).collect::<Vec<_>>(), ["until sent", "first byte", "last byte"]);
    }
}
