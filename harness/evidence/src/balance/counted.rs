//! The laws about counters: equations between totals, never a join.

use super::{Balance, LawId, Slack};
use crate::{CallStory, Evidence, Flags, Process, TryView};
use squall_model::{AccessRecord, ClientEnd, CounterRecord, InstanceId, LedgerRecord, ServiceName, Side};
use std::collections::{BTreeMap, BTreeSet};

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

/// Health checks that reached an instance.
#[derive(Debug, Clone, Copy, Default)]
struct Checks {
    all: u64,
    /// So many may have been counted and not read, or read and not counted.
    at_the_ends: u64,
    /// So many may have been counted although nobody read a line of any.
    unread: u64,
}

/// Whether every proxy that wrote a line told its counters: without them it has no law. One that ended may have taken them with
/// it. `None` where none were read at all, as while a run is under way.
pub(super) fn read(evidence: &Evidence) -> Option<Balance> {
    let observed = &evidence.observed;
    let told: BTreeSet<&InstanceId> = observed.counters.iter().map(|record| &record.proxy).collect();
    let ended = |id: &InstanceId| observed.lives.iter().any(|l| l.what == Process::Proxy && l.instance == *id);
    let wrote: BTreeSet<&InstanceId> = observed.access.iter().map(|line| &line.proxy).collect();
    let untold: Vec<&InstanceId> = wrote.iter().copied().filter(|id| !told.contains(id)).collect();
    let silent: Vec<&InstanceId> = untold.iter().copied().filter(|id| !ended(id)).collect();
    let (all, without) = (wrote.len() as u64, untold.len() as u64);
    let slack = Slack { fewer: without - silent.len() as u64, more: 0 };
    let at = silent.first().map(|id| (*id).clone());
    (!told.is_empty()).then(|| Balance::new(LawId::CountersRead, at, all, all - without, slack))
}

/// What Envoy's counters call the listener of this side.
fn listener(side: Side) -> &'static str {
    match side {
        Side::Outbound => "out",
        Side::Inbound => "in",
    }
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
        let mut all: Vec<Balance> = [Side::Outbound, Side::Inbound].map(|side| self.requests(evidence, side)).into();
        all.push(self.served(evidence));
        for (service, sent) in &sent {
            let total = self.rise(service, &["upstream_rq_total"]);
            let slack = Slack { fewer: self.uncounted(evidence, sent.surely), more: sent.perhaps };
            all.push(self.balance(LawId::TriesCounted, sent.surely, total, slack));
            let overflows = self.rise(service, &["upstream_rq_pending_overflow", "upstream_rq_active_overflow"]);
            let fewer = self.uncounted(evidence, sent.overflowed);
            all.push(self.balance(LawId::OverflowsCounted, sent.overflowed, overflows, Slack { fewer, more: 0 }));
        }
        for side in [Side::Outbound, Side::Inbound] {
            let listener = listener(side);
            for (law, flag, counter) in
                [(LawId::AbortsCounted, "FI", "aborts_injected"), (LawId::DelaysCounted, "DI", "delays_injected")]
            {
                let own = |line: &&AccessRecord| line.side == side && line.proxy == *self.proxy;
                let flagged = |line: &&AccessRecord| Flags(&line.flags).has(flag);
                let lines = evidence.observed.access.iter().filter(own).filter(flagged).count() as u64;
                let counted = self.counter(&format!("http.{listener}.fault.{counter}"));
                let slack = Slack { fewer: self.uncounted(evidence, lines), more: self.unlogged(evidence, side) };
                all.push(self.balance(law, lines, counted, slack));
            }
        }
        all
    }

    fn counter(&self, name: &str) -> u64 {
        self.rises.get(name).copied().unwrap_or(0)
    }

    /// The requests that a listener counted, but for those that it answers by itself: probes and markers reach no upstream.
    fn requests(&self, evidence: &Evidence, side: Side) -> Balance {
        let own = |line: &&AccessRecord| line.side == side && line.proxy == *self.proxy;
        let lines = evidence.observed.access.iter().filter(own).count() as u64;
        let listener = listener(side);
        let total = self.counter(&format!("http.{listener}.downstream_rq_total"));
        let counted = total.saturating_sub(self.counter(&format!("http.{listener}.rq_direct_response")));
        let (law, checks) = match side {
            Side::Outbound => (LawId::CallsCounted, Checks::default()),
            Side::Inbound => (LawId::ArrivalsCounted, self.checks(evidence)),
        };
        let unlogged =
            if self.was_killed(evidence) { self.unlogged(evidence, side) } else { self.broken_off(evidence, side) };
        let slack = Slack {
            fewer: self.uncounted(evidence, lines + checks.all).max(checks.at_the_ends),
            more: unlogged + checks.at_the_ends + checks.unread,
        };
        self.balance(law, lines + checks.all, counted, slack)
    }

    /// What the proxy passed on to its workload.
    fn served(&self, evidence: &Evidence) -> Balance {
        let own = |(instance, line): &&(InstanceId, LedgerRecord)| *instance == *self.proxy && !line.copy;
        let lines = evidence.observed.ledger.iter().filter(own).count() as u64;
        let checks = self.checks(evidence);
        // Passed on, and perhaps not read, or given up before an answer: the ledger need not have it.
        let passed_on = |line: &AccessRecord| {
            line.status == 0 || Flags(&line.flags).has_any(&["DC", "UC", "UT", "UF", "UPE", "UR"])
        };
        let unserved = |t: &TryView<'_>| {
            let lost = || evidence.may_be_lost(t, Process::Workload);
            let here = t.served.is_none() && t.instance() == Some(self.proxy);
            self.may_have_had(t) || (here && t.arrived.is_some_and(|line| passed_on(line) || lost()))
        };
        let unserved: usize = evidence.stories.iter().map(|story| evidence.tries(story).filter(unserved).count()).sum();
        // A check comes to the workload, too, unless that is dead.
        let slack = Slack {
            fewer: self.uncounted(evidence, lines),
            more: unserved as u64 + checks.all + checks.at_the_ends + checks.unread,
        };
        self.balance(LawId::ServedCounted, lines, self.counter("cluster.local.upstream_rq_total"), slack)
    }

    /// Health checks of this instance: by the lines of those that reached it, and the counters of those who check its service.
    fn checks(&self, evidence: &Evidence) -> Checks {
        let observed = &evidence.observed;
        let read = observed.checks.iter().filter(|(of, _)| of == self.proxy).map(|(_, checks)| checks).sum();
        let prefix = format!("cluster.out.{}.", self.proxy.service);
        let of_check = |name: &str| name.starts_with(&prefix) && name.ends_with(".health_check.attempt");
        let made = |record: &CounterRecord| -> u64 {
            record.rises.iter().filter(|(name, _)| of_check(name)).map(|(_, rise)| rise).sum()
        };
        let by_proxy: Vec<u64> = observed.counters.iter().map(made).filter(|made| *made > 0).collect();
        // Of one that ended nobody knows whether it checked.
        let ended = observed.lives.iter().filter(|life| life.what == Process::Proxy).count();
        match read {
            // Nothing was read of those that are no requests, or never arrived; nor in a recording that is older.
            0 => Checks { unread: by_proxy.iter().sum(), ..Checks::default() },
            // Each proxy may have one on its way when the counters are first and when they are last read.
            all => Checks { all, at_the_ends: 2 * (by_proxy.len() + ended) as u64, unread: 0 },
        }
    }

    /// Requests that may have been counted and never logged under their id, as their head was not whole when they broke off.
    fn broken_off(&self, evidence: &Evidence, side: Side) -> u64 {
        let gave_up = |s: &CallStory| matches!(s.end, ClientEnd::Reset | ClientEnd::Deadline | ClientEnd::Unfinished);
        let without_line = |story: &CallStory| match side {
            Side::Outbound => u64::from(
                story.caller == *self.proxy && story.access.is_none() && gave_up(story) && story.tries.is_empty(),
            ),
            Side::Inbound => evidence.tries(story).filter(|t| self.may_have_had(t)).count() as u64,
        };
        evidence.stories.iter().map(without_line).sum()
    }

    /// A try to this instance that nobody saw arrive, and that may have: it was given a connection, and no answer.
    fn may_have_had(&self, t: &TryView<'_>) -> bool {
        let connected = t.was_sent() && !t.sent.is_some_and(|sent| Flags(&sent.flags).has("UF"));
        connected && !t.has_arrived() && t.instance() == Some(self.proxy)
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
