//! How many of `n` picks a deterministic balancer can give to one instance. A share under round robin is not a coin
//! problem: the count lies in a range of a few, exactly, and one outside of it is a counter-example.
//!
//! What is counted are *picks*: each try of a call, retries and copies included. One scheduler is meant, of one worker
//! thread of one proxy, and a set of instances that stays as it is: Envoy keeps a scheduler for each worker, each
//! priority and each set (all, healthy, degraded, a locality), and every change of the set, of health or of a weight
//! starts a new one at a random place. Not meant are slow start, zones and panic, which choose among other sets, and
//! *weighted clusters*, which draw for each call and are a coin.

/// How many picks an instance can get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Picks {
    /// Never fewer.
    pub min: u64,
    /// Never more.
    pub max: u64,
}

impl Picks {
    /// Is this many possible?
    #[must_use]
    pub fn allows(&self, picks: u64) -> bool {
        (self.min..=self.max).contains(&picks)
    }
}

/// Of `n` successive picks over `instances` in turn (Envoy: `RoundRobinLoadBalancer::unweightedHostPick`, an index that
/// goes up by one, from wherever it stood): `n / instances`, rounded down or up. `None` without an instance.
#[must_use]
pub fn round_robin(n: u64, instances: u64) -> Option<Picks> {
    round_robin_across(n, instances, 1)
}

/// The same for the picks of several schedulers together, of which nobody knows how many each made: workers of a proxy,
/// instances of a caller. `None` without an instance or a scheduler.
#[must_use]
pub fn round_robin_across(n: u64, instances: u64, schedulers: u64) -> Option<Picks> {
    let others = schedulers.checked_sub(1)?;
    let one_short = others.saturating_mul(instances.checked_sub(1)?);
    // At worst all others stop one short of the instance, or have just picked it and nothing else.
    Some(Picks {
        min: n.saturating_sub(one_short) / instances,
        max: if n < schedulers { n } else { others + (n - others).div_ceil(instances) },
    })
}

/// Of `n` successive picks by earliest deadline first over `weights`, those of `instance` (an index into them); by
/// [`round_robin`] if all weights are the same, as Envoy does. `None` if there is no such instance or a weight is 0,
/// which Envoy does not take.
///
/// Envoy's `EdfScheduler` gives an instance of weight `w` a deadline every `1 / w`. Between any two moments `t` apart it
/// is then picked `t w ± 1` times at most, whatever the place of the start and the order of equal deadlines; so with `p`
/// its part of the weight and `k` instances its count is at most `1 + p (k - 2)` from `n p`: the others may each be one
/// pick behind or ahead, and it gets its part of that.
#[must_use]
pub fn weighted_round_robin(n: u64, weights: &[u32], instance: usize) -> Option<Picks> {
    weighted_round_robin_across(n, weights, instance, 1)
}

/// The same for the picks of several schedulers together, as in [`round_robin_across`].
#[must_use]
pub fn weighted_round_robin_across(n: u64, weights: &[u32], instance: usize, schedulers: u64) -> Option<Picks> {
    let weight = i128::from(*weights.get(instance)?);
    if weights.contains(&0) {
        return None;
    }
    if weights.iter().all(|other| i128::from(*other) == weight) {
        return round_robin_across(n, weights.len() as u64, schedulers);
    }
    let all: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
    let schedulers = i128::from(std::num::NonZeroU64::new(schedulers)?.get());
    // n p ± (1 + p (k - 2)), for each scheduler, times the sum of the weights: in whole numbers.
    let away = schedulers * (all + weight * (weights.len() as i128 - 2));
    let expected = i128::from(n) * weight;
    let within_n = |picks: i128| picks.clamp(0, i128::from(n)) as u64;
    Some(Picks {
        min: within_n((expected - away).div_euclid(all) + i128::from((expected - away).rem_euclid(all) > 0)),
        max: within_n((expected + away).div_euclid(all)),
    })
}

#[cfg(test)]
mod tests;
