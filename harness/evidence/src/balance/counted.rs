//! The laws about counters: equations between totals, never a join.

use super::{Balance, LawId, Slack};
use crate::{CallStory, Evidence, Flags, Process, TryView};
use squall_model::{AccessRecord, InstanceId, ServiceName, Side};
use std::collections::BTreeMap;

/// What the counters of one proxy say, all its lives together.
pub(super) struct Counted<'a> {
    proxy: &'a InstanceId,
    rises: BTreeMap<&'a str, u64>,
}

/// What a proxy's records say of one of its clusters.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    /// Tries that surely were given a connection.
    surely: u64,
    /// Tries that may have been: they got no answer, and nobody saw them arrive.
    perhaps: u64,
    /// Tries that the breaker turned away.
    overflowed: u64,
}

impl<'a> Counted<'a> {
    pub(super) fn all(evidence: &'a Evidence) -> Vec<Counted<'a>> {
        let mut proxies: BTreeMap<&InstanceId, BTreeMap<&str, u64>> = BTreeMap::new();
        for record in &evidence.observed.counters {
            let rises = proxies.entry(&record.proxy).or_default();
            for (name, rise) in &record.rises {
                *rises.entry(name.as_str()).or_default() += rise;
            }
        }
        proxies.into_iter().map(|(proxy, rises)| Counted { proxy, rises }).collect()
    }

    pub(super) fn balances(&self, evidence: &Evidence) -> Vec<Balance> {
        let sent = self.sent(evidence);
        let mut all = Vec::new();
        for (service, sent) in &sent {
            let total = self.rise(service, &["upstream_rq_total"]);
            let slack = Slack { fewer: self.uncounted(evidence, sent.surely), more: sent.perhaps };
            all.push(self.balance(LawId::TriesCounted, sent.surely, total, slack));
            let overflows = self.rise(service, &["upstream_rq_pending_overflow", "upstream_rq_active_overflow"]);
            let fewer = self.uncounted(evidence, sent.overflowed);
            all.push(self.balance(LawId::OverflowsCounted, sent.overflowed, overflows, Slack { fewer, more: 0 }));
        }
        for (side, listener) in [(Side::Outbound, "out"), (Side::Inbound, "in")] {
            for (law, flag, counter) in
                [(LawId::AbortsCounted, "FI", "aborts_injected"), (LawId::DelaysCounted, "DI", "delays_injected")]
            {
                let own = |line: &&AccessRecord| line.side == side && line.proxy == *self.proxy;
                let flagged = |line: &&AccessRecord| Flags(&line.flags).has(flag);
                let lines = evidence.observed.access.iter().filter(own).filter(flagged).count() as u64;
                let counted = self.rises.get(format!("http.{listener}.fault.{counter}").as_str()).copied().unwrap_or(0);
                let slack = Slack { fewer: self.uncounted(evidence, lines), more: self.unlogged(evidence, side) };
                all.push(self.balance(law, lines, counted, slack));
            }
        }
        all
    }

    fn balance(&self, law: LawId, left: u64, right: u64, slack: Slack) -> Balance {
        Balance::new(law, Some(self.proxy.clone()), left, right, slack)
    }

    /// What the records of this proxy say, by the service called.
    fn sent(&self, evidence: &Evidence) -> BTreeMap<ServiceName, Sent> {
        let mut sent: BTreeMap<ServiceName, Sent> = BTreeMap::new();
        for story in evidence.stories.iter().filter(|s| s.caller == *self.proxy) {
            let place = sent.entry(story.edge.to.clone()).or_default();
            for t in evidence.tries(story).filter(|t| t.sent.is_some()) {
                let flags = Flags(t.sent.map_or("-", |sent| sent.flags.as_str()));
                match () {
                    () if t.has_arrived() => place.surely += 1,
                    () if flags.has("UO") => place.overflowed += 1,
                    // A connection that never came to be was given no try.
                    () if flags.has("UF") => {}
                    () => place.perhaps += 1,
                }
            }
        }
        sent
    }

    /// The rise of these counters of the clusters of a service: `cluster.out.reviews.…`, and of its versions' clusters.
    fn rise(&self, service: &ServiceName, names: &[&str]) -> u64 {
        let of_service = |counter: &str| {
            let rest = counter.strip_prefix("cluster.out.")?.strip_prefix(service.as_str())?.strip_prefix('.')?;
            Some(rest.rsplit_once('.').map_or(rest, |(_, last)| last).to_owned())
        };
        let chosen = |counter: &str| of_service(counter).is_some_and(|last| names.contains(&last.as_str()));
        self.rises.iter().filter(|(name, _)| chosen(name)).map(|(_, rise)| rise).sum()
    }

    /// A killed proxy takes its counters with it: whatever it had counted may be missing.
    fn uncounted(&self, evidence: &Evidence, counted: u64) -> u64 {
        if self.was_killed(evidence) { counted } else { 0 }
    }

    /// A killed proxy's requests in flight were counted when they began and never logged.
    fn unlogged(&self, evidence: &Evidence, side: Side) -> u64 {
        if !self.was_killed(evidence) {
            return 0;
        }
        let without_line = |story: &CallStory| match side {
            Side::Outbound => u64::from(story.caller == *self.proxy && story.access.is_none()),
            Side::Inbound => {
                let to_it = |t: &TryView<'_>| t.arrived.is_none() && t.instance() == Some(self.proxy);
                evidence.tries(story).filter(to_it).count() as u64
            }
        };
        evidence.stories.iter().map(without_line).sum()
    }

    fn was_killed(&self, evidence: &Evidence) -> bool {
        evidence.observed.lives.iter().any(|life| life.what == Process::Proxy && life.instance == *self.proxy)
    }
}
