//! Faults on the wire: what a link did to the connections that it carried, and what of it the tries must have felt.
//!
//! A try and its connection share no key, only wire and time: so a law speaks of all tries over a damaged wire, and holds
//! whichever connection each of them took.

mod leak;

pub(crate) use leak::unowned_damages;
pub(super) use leak::{WireLeak, wire_leaks, wire_leaks_of};

use super::{ERROR, draw::Armed, failed_checks, none_drawn};
use crate::{Evidence, Flags, TryView, select::known, targets};
use squall_model::{
    Damage, Dose, DoseCount, Fraction, Hurt, InstanceId, Meant, Place, Plan, Rated, Spared, Stamp, Topology, Unit,
    Wire, WireEnd, WireRecord, Wires, burst,
};
use squall_stats::{bounds, share::Look};
use std::{collections::BTreeMap, time::Duration};

/// What was counted of a damage.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    touched: u64,
    of: u64,
    /// Something passed that cannot have.
    spared: bool,
    /// Something was touched that should not have been.
    excess: bool,
    /// What each was drawn with, where they are draws.
    drawn: Option<Meant>,
}

/// Was the damage what it was meant to be?
///
/// *Absent* if no try was made over the damaged wires meanwhile, or the link did nothing to any connection; *weaker* or
/// *stronger* if something was seen that this damage rules out.
pub(super) fn damaged(plan: &Plan, evidence: &Evidence, own: &Armed<'_>, of: &Wires, damage: Damage) -> DoseCount {
    let seen = Wired::new(plan, evidence, own, of, damage);
    let count = match damage {
        _ if !seen.is_tried() => Count { touched: 0, of: 0, ..Count::default() },
        Damage::Cut | Damage::SwallowAnswers | Damage::SwallowRequests => seen.silent(),
        Damage::Slow { by, jitter } => seen.slow(by.saturating_sub(jitter)),
        Damage::Rate { bytes_per_second } => seen.limited(bytes_per_second),
        Damage::Refuse => seen.refusing(),
        Damage::Reset(share) => seen.resetting(share),
        Damage::HalfOpen => seen.half_open(),
        Damage::SlowClose(_) => seen.closing(),
    };
    let dose = match count {
        Count { touched: 0, .. } => Dose::Absent,
        Count { spared: true, .. } => Dose::Weaker,
        Count { excess: true, .. } => Dose::Stronger,
        Count { .. } => Dose::Confirmed,
    };
    let meant = count.drawn.or(match damage {
        Damage::Rate { .. } | Damage::SlowClose(_) | Damage::Reset(_) => Some(Meant::Some),
        _ => Some(Meant::Each),
    });
    let spared = seen.why_spared(count);
    DoseCount { meant, spared, ..DoseCount::new(own.fault.id, dose, count.touched, count.of) }
}

/// Is this wire one of those?
fn means(topology: &Topology, of: &Wires, wire: &Wire) -> bool {
    let here = |place: &Place, id: &InstanceId| known(topology, id).and_then(|i| i.place.as_ref()) == Some(place);
    match of {
        Wires::Between { from, to } => {
            from.as_ref().is_none_or(|from| *from == wire.from.service) && targets(topology, to, &wire.to)
        }
        Wires::Of(place) => here(place, &wire.from) != here(place, &wire.to),
    }
}

/// The damaged wires, with what went over them while the damage was in place.
struct Wired<'a> {
    damage: Damage,
    own: &'a Armed<'a>,
    /// How far proxies' clocks may be off. A link's stamps are ours.
    error: Duration,
    /// Connections over the damaged wires.
    connections: Vec<&'a WireRecord>,
    /// Tries over them that began while the damage was surely in place.
    tries: Vec<(Wire, TryView<'a>)>,
    /// A caller's proxy found a callee unhealthy meanwhile: its checks go over the same wire.
    noticed: bool,
}

impl<'a> Wired<'a> {
    fn new(plan: &Plan, evidence: &'a Evidence, own: &'a Armed<'a>, of: &Wires, damage: Damage) -> Wired<'a> {
        let error = Duration::from_nanos(evidence.observed.health.clock_error);
        let meant = |from: &InstanceId, to: &InstanceId| {
            let wire = Wire { from: from.clone(), to: to.clone() };
            means(&plan.topology, of, &wire).then_some(wire)
        };
        let mut tries = Vec::new();
        for story in evidence.stories() {
            let sent = evidence.tries(story).filter(TryView::was_sent);
            let meanwhile = sent.filter(|t| own.windows.surely_at(t.began(), error));
            tries.extend(meanwhile.filter_map(|t| Some((meant(&story.caller, t.instance()?)?, t))));
        }
        let noticed = failed_checks(evidence, own).any(|s| meant(&s.by, &s.of).is_some());
        let connections = evidence.observed.wires.iter().filter(|r| means(&plan.topology, of, &r.wire)).collect();
        Wired { damage, own, error, connections, tries, noticed }
    }

    fn is_tried(&self) -> bool {
        !self.tries.is_empty() || self.noticed
    }

    /// Why it touched nothing, of a damage that needs more than traffic to be felt.
    fn why_spared(&self, count: Count) -> Option<Spared> {
        let open = self.open().count() as u64;
        if self.tries.is_empty() || open == 0 {
            return None;
        }
        match self.damage {
            Damage::Refuse if count.of == 0 => Some(Spared::NoNewConnection { open }),
            Damage::HalfOpen if count.of == 0 => Some(Spared::NoneWasOpen),
            Damage::SlowClose(_) if count.of == 0 => Some(Spared::NoneClosed { open }),
            Damage::Reset(share) => {
                none_drawn(Unit::Connection, share.as_f64(), Look { n: count.of, hits: count.touched })
            }
            _ => None,
        }
    }

    /// Connections that the damage did something to while it was in place.
    fn hurt(&self) -> impl Iterator<Item = (&'a WireRecord, &'a Hurt)> {
        self.connections.iter().filter_map(move |r| Some((*r, self.harm(r)?)))
    }

    /// What the damage did to this connection. The same damage may be ordered twice, one after the other.
    fn harm(&self, r: &'a WireRecord) -> Option<&'a Hurt> {
        let meanwhile = |h: &Hurt| self.own.windows.meeting(h.first, h.last).is_some();
        r.hurt.iter().find(|h| h.by == self.damage && meanwhile(h))
    }

    /// Connections that were open at some time of the damage.
    fn open(&self) -> impl Iterator<Item = &'a WireRecord> + use<'_, 'a> {
        let end = |r: &WireRecord| r.ended.unwrap_or(Stamp(u64::MAX));
        let open = move |r: &&&WireRecord| self.own.windows.meeting(r.opened, end(r)).is_some();
        self.connections.iter().filter(open).copied()
    }

    /// Connections that came to be, or wanted to, while the damage was surely in place.
    fn new_ones(&self) -> impl Iterator<Item = &'a WireRecord> {
        self.connections.iter().filter(|r| self.own.windows.surely_at(r.opened, Duration::ZERO)).copied()
    }

    /// The damage was surely in place all the time since the try began.
    fn surely(&self, t: &TryView<'_>, until: Stamp) -> bool {
        self.own.windows.surely_throughout(t.began(), until, self.error)
    }

    /// It began and was answered while the damage was surely in place.
    fn is_answered(&self, t: &TryView<'_>) -> bool {
        t.status() != 0 && self.surely(t, t.ended())
    }

    /// It got no further than the caller's end of the wire: no connection came to be for it, or none was there during it.
    fn found_nobody(&self, wire: &Wire, t: &TryView<'_>) -> bool {
        let failed = t.sent.is_some_and(|sent| Flags(&sent.flags).has("UF"));
        let during = |r: &&WireRecord| {
            r.wire == *wire && r.opened <= t.ended() && r.ended.is_none_or(|ended| ended >= t.began())
        };
        t.arrived.is_none() && (failed || !self.connections.iter().copied().any(|r| during(&r)))
    }

    /// Nothing comes back; of a cut and of swallowed requests, nothing arrives either.
    fn silent(&self) -> Count {
        let arrived = |t: &TryView<'_>| t.arrived.is_some_and(|line| self.surely(t, line.began));
        let passed = |t: &TryView<'_>| self.is_answered(t) || (self.damage != Damage::SwallowAnswers && arrived(t));
        let held = || self.tries.iter().filter(|(_, t)| !passed(t));
        let hurt = self.hurt().count() as u64;
        let touched = match (hurt, self.damage) {
            // Its checks alone met the damage, and kept its tries away.
            (1.., _) if self.tries.is_empty() => hurt,
            (1.., _) => held().count() as u64,
            // A wire that is cut before any connection is open leaves no record, only callers who find nobody.
            (0, Damage::Cut) => held().filter(|(wire, t)| self.found_nobody(wire, t)).count() as u64,
            (0, _) => 0,
        };
        let all = self.tries.len() as u64;
        Count { touched, of: all.max(touched), spared: held().count() < self.tries.len(), ..Count::default() }
    }

    /// No answer is back sooner than so.
    fn slow(&self, least: Duration) -> Count {
        let fast = |t: &TryView<'_>| self.is_answered(t) && u128::from(t.took()) < least.as_nanos();
        let fast = self.tries.iter().filter(|(_, t)| fast(t)).count() as u64;
        let hurt = self.hurt().count() as u64;
        let all = (self.tries.len() as u64).max(u64::from(hurt > 0));
        Count { touched: if hurt > 0 { all - fast } else { 0 }, of: all, spared: fast > 0, ..Count::default() }
    }

    /// No wire carries more than so, over all its connections together.
    fn limited(&self, bytes_per_second: u64) -> Count {
        // By wire, and by the time of the damage where it has several.
        let mut loads: BTreeMap<(&Wire, Stamp), Load> = BTreeMap::new();
        for r in &self.connections {
            for rated in r.rated.iter().filter(|rated| rated.bytes_per_second == bytes_per_second) {
                if let Some(window) = self.own.windows.meeting(rated.from, rated.to) {
                    loads.entry((&r.wire, window.start.asked)).or_insert(Load::from(rated.from)).add(rated);
                }
            }
        }
        let spared = loads.values().any(|load| load.is_beyond(bytes_per_second));
        Count { touched: self.hurt().count() as u64, of: self.open().count() as u64, spared, ..Count::default() }
    }

    /// No new connection comes to be; open ones live on.
    fn refusing(&self) -> Count {
        let refused = self.hurt().count() as u64;
        let came_to_be = self.new_ones().filter(|r| self.harm(r).is_none()).count() as u64;
        // A link may refuse by not listening: then there is no record, only a caller who found nobody.
        let turned_away = || self.tries.iter().filter(|(wire, t)| t.status() == 0 && self.found_nobody(wire, t));
        let touched = if refused > 0 { refused } else { turned_away().count() as u64 };
        let start = |h: &Hurt| self.own.windows.meeting(h.first, h.last).map(|window| window.start);
        let excess = self.hurt().any(|(r, h)| start(h).is_some_and(|start| r.opened < start.asked));
        Count { touched, of: touched + came_to_be, spared: came_to_be > 0, excess, drawn: None }
    }

    /// Each connection is drawn once; whoever is drawn is reset when it next carries something, and nobody else is.
    fn resetting(&self, share: Fraction) -> Count {
        let (hit, open) = (self.hurt().count() as u64, self.open().count() as u64);
        // Whether an idle connection was drawn is never known. A new one that carries something is known at once.
        let new: Vec<_> = self.new_ones().filter(|r| r.sent > 0 || self.harm(r).is_some()).collect();
        let new_hit = new.iter().filter(|r| self.harm(r).is_some()).count() as u64;
        let bounds = |n, hits| bounds::clopper_pearson(Look { n, hits }, ERROR);
        let too_few = bounds(new.len() as u64, new_hit).is_some_and(|b| share.as_f64() > b.high);
        let too_many = bounds(open, hit).is_some_and(|b| share.as_f64() < b.low);
        let lived_on = self.hurt().any(|(r, _)| r.end != WireEnd::Damage);
        let passed = share == Fraction::ALL && self.tries.iter().any(|(_, t)| self.is_answered(t));
        let of = open.max(hit);
        let drawn = bounds(of, hit).filter(|_| of > 0).map(|b| super::drawn_at(share.as_f64(), b));
        Count { touched: hit, of, spared: too_few || lived_on || passed, excess: too_many, drawn }
    }

    /// Whatever goes over a connection that was open is lost; new ones are good.
    fn half_open(&self) -> Count {
        let start = self.own.windows.first().start;
        let was_open = |r: &&WireRecord| r.opened < start.asked;
        let old = self.open().filter(was_open).count() as u64;
        let hurt = self.hurt().count() as u64;
        // Answered although its wire had no new connection that could have carried it.
        let passed = |wire: &Wire, t: &TryView<'_>| {
            let new =
                |r: &&WireRecord| r.wire == *wire && r.opened >= start.asked && r.opened <= t.ended() + self.error;
            self.is_answered(t) && !self.connections.iter().copied().any(|r| new(&r))
        };
        let spared = self.tries.iter().any(|(wire, t)| passed(wire, t));
        let excess = self.hurt().any(|(r, _)| r.opened > start.settled);
        Count { touched: hurt, of: old.max(hurt), spared, excess, drawn: None }
    }

    /// Connections that ended meanwhile, and those whose end was told late.
    fn closing(&self) -> Count {
        let touched = self.hurt().count() as u64;
        let ended = self.open().filter(|r| r.ended.is_some_and(|at| self.own.windows.possibly_at(at, Duration::ZERO)));
        Count { touched, of: (ended.count() as u64).max(touched), ..Count::default() }
    }
}

/// What a wire carried while it was held to a rate, over all its connections.
#[derive(Debug, Clone, Copy)]
struct Load {
    from: Stamp,
    to: Stamp,
    sent: u64,
    answered: u64,
}

impl Load {
    fn from(from: Stamp) -> Load {
        Load { from, to: from, sent: 0, answered: 0 }
    }

    fn add(&mut self, rated: &Rated) {
        self.from = self.from.min(rated.from);
        self.to = self.to.max(rated.to);
        self.sent += rated.sent;
        self.answered += rated.answered;
    }

    /// More one way than this rate, and what it lets pass at once, allow for.
    fn is_beyond(&self, bytes_per_second: u64) -> bool {
        let worth = u128::from(bytes_per_second) * self.to.since(self.from).as_nanos() / 1_000_000_000;
        u128::from(self.sent.max(self.answered)) > worth + u128::from(burst(bytes_per_second))
    }
}

#[cfg(test)]
mod tests;
