//! A realised number that a mechanism bounds: a count, tries for each call, tries per second.
//!
//! No statistics: the number is what it is, but for what nobody saw (records lost with a killed process) and for calls that
//! crossed the border of the phase. The verdict must come out alike at both ends of that.

use crate::{
    doubt::Doubt,
    every::unobserved,
    ruling::{Case, Ruling, Standing, at_both_ends},
    units::{Sample, Samples, samples},
};
use squall_evidence::{CallStory, Life, Membership, Process, TryView, targets};
use squall_model::{Bound, Measured, Per, Phase, Quantity, SeenBy, Target, Verdict, Why};
use squall_stats::share::Decision;

pub(crate) fn rule(case: Case<'_>, quantity: &Quantity, bound: Bound) -> Ruling {
    match quantity {
        Quantity::Count { of, outcome } => match samples(case, of, outcome) {
            Some(samples) => counted(case, &samples, bound),
            None => unobserved(),
        },
        Quantity::Tries { target, seen_by, per, phase } => {
            let counted = count(case, target, *seen_by, *phase);
            let Some(number) = counted.number(case, *per, *phase) else { return Ruling::empty() };
            let ruling = number.rule(case, bound, Why::Border).against(counted.calls);
            if *per == Per::Call && counted.inner.1 == 0 { ruling.resting_on_nothing(Why::Border) } else { ruling }
        }
    }
}

/// Units with an outcome: at the least those that have it for sure, at the most those that may have it.
fn counted(case: Case<'_>, samples: &Samples, bound: Bound) -> Ruling {
    if samples.unchosen == 0 {
        return Ruling::empty();
    }
    let count = |has: fn(&Sample, bool) -> bool| samples.all.iter().filter(|s| has(s, true)).count() as u64;
    let (low, high) = (count(Sample::surely), count(Sample::perhaps));
    let too_many = is_too_many(bound, high);
    let offenders = samples.all.iter().filter(|s| s.does == too_many).map(|s| s.story).collect();
    let doubt = Doubt::of_all(samples.all.iter().map(|s| s.doubt));
    let number = Number { low: Ratio::whole(low), high: Ratio::whole(high), units: samples.unchosen, grows: true };
    let ruling = number.rule(case, bound, doubt.why()).against(offenders).open_while(samples.can_still_change());
    if samples.sure == 0 { ruling.resting_on_nothing(Why::Border) } else { ruling }
}

/// Is a count above what is allowed? Then those that count offend, else those that do not.
pub(crate) fn is_too_many(bound: Bound, count: u64) -> bool {
    bound.high.is_some_and(|most| count * 1000 > most)
}

/// A number in thousandths, as a fraction, so that no rounding decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ratio {
    thousandths: u128,
    of: u128,
}

impl Ratio {
    fn whole(count: u64) -> Ratio {
        Ratio::new(count, 1, 1)
    }

    /// `count × unit / of`.
    fn new(count: u64, unit: u64, of: u128) -> Ratio {
        Ratio { thousandths: u128::from(count) * u128::from(unit) * 1000, of: of.max(1) }
    }

    fn is_within(self, bound: Bound) -> bool {
        let enough = bound.low.is_none_or(|low| self.thousandths >= u128::from(low) * self.of);
        enough && !self.is_above(bound)
    }

    fn is_above(self, bound: Bound) -> bool {
        bound.high.is_some_and(|high| self.thousandths > u128::from(high) * self.of)
    }

    fn rounded(self) -> u64 {
        u64::try_from((self.thousandths + self.of / 2) / self.of).unwrap_or(u64::MAX)
    }
}

/// The least and the most that a number can have been.
#[derive(Debug, Clone, Copy)]
struct Number {
    low: Ratio,
    high: Ratio,
    /// Units of traffic that it rests on.
    units: u64,
    /// More traffic can only make it larger.
    grows: bool,
}

impl Number {
    /// `why`: where it comes out one way at one end and another way at the other.
    fn rule(self, case: Case<'_>, bound: Bound, why: Why) -> Ruling {
        let at = |end: Ratio| if end.is_within(bound) { Decision::Holds } else { Decision::Violated };
        let too_low = !self.low.is_within(bound) && !self.low.is_above(bound);
        let too_high = self.high.is_above(bound);
        // On either side of the bound at its two ends, it breaks the claim at both, and nobody knows how.
        let verdict = match too_low && too_high {
            true => Verdict::Inconclusive(why),
            false => at_both_ends(at(self.low), at(self.high), || why),
        };
        let enough = self.units >= case.settings.minimum;
        let standing = match verdict {
            Verdict::Violated if self.low.is_above(bound) && self.grows => Standing::Final,
            Verdict::Holds if self.grows && bound.high.is_none() => Standing::Final,
            // A mean may come back: who ends a control run by it makes a red that the whole of it would not have been.
            Verdict::Holds if enough => Standing::Enough,
            _ => Standing::Open,
        };
        let measured = Measured::Number { low: self.low.rounded(), high: self.high.rounded() };
        Ruling { verdict, measured, standing, offenders: Vec::new() }
    }
}

/// Tries of a target, and the calls that there were in the phase.
#[derive(Debug, Clone, Default)]
struct Counted {
    /// Tries that were seen, and those that may have been besides.
    seen: u64,
    unseen: u64,
    /// Of the calls that lie within the phase with all their life: tries and calls.
    inner: (u64, u64),
    /// Of all calls of the phase.
    outer: (u64, u64),
    /// Calls to the service in the phase, of any caller.
    any: u64,
    /// The calls with most tries first.
    calls: Vec<usize>,
}

fn count(case: Case<'_>, target: &Target, seen_by: SeenBy, phase: Phase) -> Counted {
    let Case { plan, evidence, .. } = case;
    let direct = plan.lines().any(|line| line.to.service == target.service);
    let mut counted = Counted::default();
    let mut tried: Vec<(u64, usize)> = Vec::new();
    for (index, story) in evidence.settled().iter().enumerate() {
        let to_service = story.edge.to == target.service;
        let membership = evidence.membership(phase, Life::from(story));
        let member = membership != Membership::Outside;
        // Where no line calls the service itself, its tries are set against the calls that they were made for.
        let counts_as_call = member && story.is_clients() && (to_service || !direct);
        counted.any += u64::from(member && (to_service || story.is_clients() && !direct));
        let (mut seen, mut unseen) = (0, 0);
        if to_service {
            for t in evidence.tries(story).filter(|t| t.instance().is_some_and(|i| targets(&plan.topology, target, i)))
            {
                let sight = sight(case, &t, seen_by);
                let inside = evidence.membership(phase, Life::from(&t)) != Membership::Outside;
                counted.seen += u64::from(inside && sight == Some(true));
                counted.unseen += u64::from(inside && sight == Some(false));
                seen += u64::from(sight == Some(true));
                unseen += u64::from(sight == Some(false));
            }
        }
        if member {
            counted.add_call(story, counts_as_call, seen, unseen, membership == Membership::Crossing);
            tried.push((seen + unseen, index));
        }
    }
    tried.sort_by_key(|(tries, index)| (std::cmp::Reverse(*tries), *index));
    counted.calls = tried.into_iter().filter(|(tries, _)| *tries > 0).map(|(_, index)| index).take(50).collect();
    counted
}

/// `Some(true)`: it was seen. `Some(false)`: whoever should have seen it was killed, and perhaps had.
fn sight(case: Case<'_>, t: &TryView<'_>, seen_by: SeenBy) -> Option<bool> {
    let (seen, witness) = match seen_by {
        SeenBy::Proxy => (t.has_arrived(), Process::Proxy),
        SeenBy::Workload => (t.served.is_some(), Process::Workload),
    };
    match seen {
        true => Some(true),
        false => (t.was_sent() && case.evidence.may_be_lost(t, witness)).then_some(false),
    }
}

impl Counted {
    fn add_call(&mut self, story: &CallStory, counts: bool, seen: u64, unseen: u64, crossing: bool) {
        let counts = u64::from(counts && story.is_clients());
        self.outer.0 += seen + unseen;
        self.outer.1 += counts;
        if !crossing {
            self.inner.0 += seen;
            self.inner.1 += counts;
        }
    }

    /// `None` if there was no traffic that could have brought any try.
    fn number(&self, case: Case<'_>, per: Per, phase: Phase) -> Option<Number> {
        let number = |low, high, grows| Number { low, high, units: self.any, grows };
        let (least, most) = (self.seen, self.seen + self.unseen);
        match per {
            _ if self.any == 0 => None,
            Per::Total => Some(number(Ratio::whole(least), Ratio::whole(most), true)),
            Per::Second => {
                let length = case.evidence.length(phase).as_nanos();
                let rate = |count| Ratio::new(count, 1_000_000_000, length);
                (length > 0).then(|| number(rate(least), rate(most), false))
            }
            Per::Call => {
                let ratio = |(tries, calls): (u64, u64)| (calls > 0).then(|| Ratio::new(tries, 1, u128::from(calls)));
                let all = ratio(self.outer)?;
                let inner = ratio(self.inner).unwrap_or(all);
                let inner_is_less = inner.thousandths * all.of <= all.thousandths * inner.of;
                let (low, high) = if inner_is_less { (inner, all) } else { (all, inner) };
                Some(number(low, high, false))
            }
        }
    }
}

#[cfg(test)]
mod tests;
