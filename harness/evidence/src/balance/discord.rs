//! From the laws that are broken, all together, to causes: what is missing, who has it, what is too much, what went back.
//!
//! A cause is told only where the evidence shows it. A missing line is *lost* if others have its counterpart and the counters
//! of the process that should have written it do not deny it; a rise of a counter beyond the lines, and beyond those that are
//! lost, is traffic of *somebody else*; a proxy has *restarted* if all of its counters are short at once, or if it ended and
//! nothing was written from the first missing line on. What is left over stays *unexplained*, with the numbers of its law.

use super::{
    Balance, Books, LawId, balances,
    gaps::{Gap, Gaps, Place, times},
    strays::Strays,
};
use crate::{Evidence, Process, dose};
use squall_model::{Discord, Foreign, InstanceId, Lost, Plan, Restart, Side, Source, Stamp, Witness};
use std::collections::BTreeSet;

/// Why the observers disagree; empty if and only if every law holds. The causes that explain most come first.
#[must_use]
pub fn discords(plan: &Plan, evidence: &Evidence) -> Vec<Discord> {
    let all = balances(plan, evidence);
    let is_broken = |law: LawId| all.iter().any(|b| b.law == law && b.finding == Books::Broken);
    if !all.iter().any(|b| b.finding == Books::Broken) {
        return Vec::new();
    }
    if is_broken(LawId::RecordComplete) {
        // What else is broken may be balanced by what is still on its way.
        return vec![Discord::Unfinished];
    }
    let inquiry = Inquiry { evidence, all: &all, gaps: Gaps::of(evidence), strays: Strays::of(evidence) };
    let mut causes = inquiry.restarts();
    causes.extend(inquiry.gaps.missing.iter().map(|(place, gap)| inquiry.missing(*place, gap)));
    causes.extend(inquiry.gaps.foreign(evidence));
    if is_broken(LawId::RecordCalled) {
        causes.extend(inquiry.strays.discords(evidence, |at| inquiry.counted_beyond(Source::CallersLog, at)));
    }
    causes.extend(inquiry.foreign_requests());
    if is_broken(LawId::FaultOwned) {
        causes.push(Discord::FaultLeaked(dose::unowned_leaks(evidence)));
    }
    causes.extend(inquiry.application_changed());
    causes.extend(inquiry.unexplained());
    causes.sort_by_key(rank);
    causes
}

/// What explains more comes first: a restart takes records and counts with it, lost records make others look like strays.
fn rank(cause: &Discord) -> (u8, std::cmp::Reverse<u64>) {
    let (rank, count) = match cause {
        Discord::Unfinished => (0, 0),
        Discord::ApplicationChanged { tries, .. } => (1, *tries),
        Discord::ProxyRestarted { short, .. } => (1, *short),
        Discord::LostTelemetry(lost) => (2, lost.missing),
        Discord::FaultLeaked(_) | Discord::FaultPartial(_) => (3, 0),
        Discord::ForeignTraffic { extra, .. } => (4, *extra),
        Discord::Unexplained(_) => (5, 0),
    };
    (rank, std::cmp::Reverse(count))
}

/// Counters of a proxy that say how many requests it had: of its own listeners.
fn source_of_requests(law: LawId) -> Option<(Source, Side)> {
    match law {
        LawId::CallsCounted => Some((Source::CallersLog, Side::Outbound)),
        LawId::ArrivalsCounted => Some((Source::CalleesLog, Side::Inbound)),
        _ => None,
    }
}

/// The records that a law about counters compares them with; empty for a law that is not about counters.
fn sources(law: LawId) -> &'static [Source] {
    match law {
        LawId::CallsCounted => &[Source::CallersLog],
        LawId::ArrivalsCounted => &[Source::CalleesLog],
        LawId::ServedCounted => &[Source::Ledger],
        LawId::TriesCounted | LawId::OverflowsCounted => &[Source::UpstreamLog],
        LawId::AbortsCounted | LawId::DelaysCounted => &[Source::CallersLog, Source::CalleesLog],
        _ => &[],
    }
}

/// The law that compares records of this source with a counter of their own.
fn counted_by(source: Source) -> Option<LawId> {
    match source {
        Source::Client => None,
        Source::CallersLog => Some(LawId::CallsCounted),
        Source::CalleesLog => Some(LawId::ArrivalsCounted),
        Source::Ledger => Some(LawId::ServedCounted),
        Source::UpstreamLog => Some(LawId::TriesCounted),
    }
}

/// All laws of a run together.
struct Inquiry<'a> {
    evidence: &'a Evidence,
    all: &'a [Balance],
    gaps: Gaps<'a>,
    /// Records that belong to no call.
    strays: Strays<'a>,
}

impl Inquiry<'_> {
    fn counters(&self) -> impl Iterator<Item = (&Balance, &InstanceId)> {
        self.all.iter().filter(|b| !sources(b.law).is_empty()).filter_map(|b| Some((b, b.at.as_ref()?)))
    }

    /// All counters of a proxy that have anything to count are short: by so many requests.
    fn went_back(&self, at: &InstanceId) -> Option<u64> {
        let own = || self.counters().filter(|(b, whose)| *whose == at && b.left > 0).map(|(b, _)| b);
        let short = |b: &Balance| b.under().saturating_sub(self.superfluous(b.law, at));
        let requests: u64 = own().filter(|b| source_of_requests(b.law).is_some()).map(short).sum();
        (requests > 0 && own().all(|b| short(b) > 0)).then_some(requests)
    }

    fn restarts(&self) -> Vec<Discord> {
        let proxies: BTreeSet<&InstanceId> = self.counters().map(|(_, at)| at).collect();
        let restart = |at: &InstanceId| {
            let short = self.went_back(at)?;
            Some(Discord::ProxyRestarted { at: at.clone(), by: Restart::CountersWentBack, short })
        };
        proxies.into_iter().filter_map(restart).collect()
    }

    /// Why records of one process are missing.
    fn missing(&self, (source, at): Place<'_>, gap: &Gap) -> Discord {
        let found = times(self.evidence, source, at);
        let ended = at.filter(|_| source != Source::Ledger).and_then(|at| gap.end(self.evidence, at, &found));
        if let Some(life) = ended {
            let by = if life.asked.is_some() { Restart::Asked } else { Restart::Unasked };
            let (at, by) = (life.instance.clone(), by(life.how.clone()));
            return Discord::ProxyRestarted { at, by, short: gap.len() };
        }
        let mut known_to = gap.known_to();
        let beyond = at.and_then(|at| self.counted_beyond(source, at));
        if beyond.is_some_and(|beyond| beyond >= gap.len()) {
            known_to.insert(Witness::Counters);
        }
        let (since, until) = gap.bunched(&found);
        let lost = Lost {
            source,
            at: at.cloned(),
            missing: gap.len(),
            of: found.len() as u64 + gap.len(),
            since: since.map(|at| self.clock(at)),
            until: until.map(|at| self.clock(at)),
            known_to: known_to.into_iter().collect(),
        };
        match beyond {
            Some(beyond) if beyond < gap.len() => {
                Discord::Unexplained(format!("{lost}, but the counters of its proxy lack {}, too", gap.len() - beyond))
            }
            _ => Discord::LostTelemetry(lost),
        }
    }

    /// What the counters of a proxy have beyond its records of this source; `None` where they were not read, or the proxy took
    /// some of them with it.
    fn counted_beyond(&self, source: Source, at: &InstanceId) -> Option<u64> {
        let lives = &self.evidence.observed.lives;
        if lives.iter().any(|life| life.what == Process::Proxy && life.instance == *at) {
            return None;
        }
        let law = counted_by(source)?;
        let own = || self.counters().filter(|(b, whose)| b.law == law && *whose == at).map(|(b, _)| b);
        own().next()?;
        let (left, right) = own().fold((0, 0), |(left, right), b| (left + b.left, right + b.right));
        Some(right.saturating_sub(left))
    }

    /// What a law's counter has too much of, when those records are taken off that are lost.
    fn unlogged(&self, b: &Balance, at: &InstanceId) -> u64 {
        let onward = |source: Source| if source == Source::CallersLog { self.strays.lines(at) } else { 0 };
        let lost = |source: &Source| self.gaps.missing(*source, at) + onward(*source);
        // Tries of a call that is none of ours have lines, and no call that they were compared with.
        let strays = match b.law {
            LawId::TriesCounted | LawId::OverflowsCounted => self.superfluous(b.law, at),
            _ => 0,
        };
        b.over().saturating_sub(sources(b.law).iter().map(lost).sum::<u64>() + strays)
    }

    /// Records of a process that are too many, or belong to no call.
    fn superfluous(&self, law: LawId, at: &InstanceId) -> u64 {
        let of = |source: &Source| {
            let place = (*source, Some(at));
            let extra = self.gaps.extra.get(&place).copied().unwrap_or(0);
            extra + self.strays.counts.get(&place).copied().unwrap_or(0)
        };
        sources(law).iter().map(of).sum()
    }

    /// Requests that a listener counted, that it has no line of ours of, and that are not lost.
    fn foreign_requests(&self) -> Vec<Discord> {
        let foreign = |(b, at): (&Balance, &InstanceId)| {
            let (_, side) = source_of_requests(b.law)?;
            let extra = Some(self.unlogged(b, at)).filter(|extra| *extra > 0)?;
            Some(Discord::ForeignTraffic { what: Foreign::Requests(side), at: Some(at.clone()), extra, of: b.right })
        };
        self.counters().filter_map(foreign).collect()
    }

    /// Tries that somebody else's service answered by an instance that nobody knows.
    fn application_changed(&self) -> Option<Discord> {
        let broken = self.all.iter().find(|b| b.law == LawId::HostKnown && b.finding == Books::Broken)?;
        Some(Discord::ApplicationChanged { tries: broken.under(), of: broken.left })
    }

    /// Laws about counters, about their being there, and about damages, that no other cause explains.
    fn unexplained(&self) -> Vec<Discord> {
        let broken = self.all.iter().filter(|b| b.finding == Books::Broken);
        let own = |law: LawId| matches!(law, LawId::DamageOwned | LawId::CountersRead);
        let without_cause = broken.filter(|b| own(b.law) || !self.is_explained(b));
        without_cause.map(|b| Discord::Unexplained(b.to_string())).collect()
    }

    fn is_explained(&self, b: &Balance) -> bool {
        // What is not about counters comes to its causes record by record.
        let Some(at) = b.at.as_ref().filter(|_| !sources(b.law).is_empty()) else { return true };
        if b.under() > 0 {
            return b.under() <= self.superfluous(b.law, at) || self.went_back(at).is_some();
        }
        let foreign = || {
            let requests = self.counters().filter(|(b, whose)| *whose == at && source_of_requests(b.law).is_some());
            requests.map(|(b, at)| self.unlogged(b, at)).sum::<u64>()
        };
        self.unlogged(b, at) <= foreign()
    }

    /// Nanoseconds after the time origin of the stage that this moment lies in.
    fn clock(&self, at: Stamp) -> u64 {
        at.0.saturating_sub(self.evidence.origin_of(at).unwrap_or(at).0)
    }
}

#[cfg(test)]
mod tests;
