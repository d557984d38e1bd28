//! What the damages of a wire come to, taken together: for its door, for each way over it, for what it carries.

use squall_model::{Damage, Fraction, Stamp};
use std::{mem::discriminant, net::SocketAddr, time::Duration};
use thiserror::Error;

use crate::draw::Draw;

/// Which way bytes go over a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Way {
    /// From the caller to the callee.
    ToCallee,
    /// From the callee to the caller.
    ToCaller,
}

impl Way {
    pub(crate) const BOTH: [Way; 2] = [Way::ToCallee, Way::ToCaller];
}

/// Why a wire cannot have these damages.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HarmError {
    /// Two of one kind.
    #[error("a wire that {0} cannot be one that {1} too")]
    Twice(Damage, Damage),
    /// Nothing would ever pass.
    #[error("a rate of nothing is no rate: cut the wire instead")]
    NoRate,
}

/// Everything that is done to one wire; nothing by default.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Harm(Vec<Damage>);

impl Harm {
    /// Several damages at once, each of another kind.
    pub(crate) fn new(damages: &[Damage]) -> Result<Harm, HarmError> {
        for (n, damage) in damages.iter().enumerate() {
            if let Some(other) = damages[..n].iter().find(|other| discriminant(*other) == discriminant(damage)) {
                return Err(HarmError::Twice(*other, *damage));
            }
            if matches!(damage, Damage::Rate { bytes_per_second: 0 }) {
                return Err(HarmError::NoRate);
            }
        }
        Ok(Harm(damages.to_vec()))
    }

    /// How the wire meets those who want a new connection to `to`; a cut is stronger than a refusal, for nobody could answer.
    pub(crate) fn reception(&self, to: Option<SocketAddr>) -> Reception {
        match to {
            _ if self.0.contains(&Damage::Cut) => Reception::Silence,
            Some(_) if !self.0.contains(&Damage::Refuse) => Reception::Accept,
            _ => Reception::Refuse,
        }
    }

    pub(crate) fn is_half_open(&self) -> bool {
        self.0.contains(&Damage::HalfOpen)
    }

    /// The share of connections that are reset when they next carry something.
    pub(crate) fn reset(&self) -> Option<Fraction> {
        self.0.iter().find_map(|damage| match damage {
            Damage::Reset(share) => Some(*share),
            _ => None,
        })
    }

    /// How much passes at most, in bytes a second.
    pub(crate) fn rate(&self) -> Option<u64> {
        self.0.iter().find_map(|damage| match damage {
            Damage::Rate { bytes_per_second } => Some(*bytes_per_second),
            _ => None,
        })
    }

    /// What it is to bytes that go this way.
    pub(crate) fn flow(&self, way: Way) -> Flow {
        let mut flow = Flow::default();
        for &damage in &self.0 {
            match (damage, way) {
                (Damage::Cut, _) => flow.cut = true,
                (Damage::SwallowRequests, Way::ToCallee) | (Damage::SwallowAnswers, Way::ToCaller) => {
                    flow.swallow = Some(damage);
                }
                (Damage::Slow { by, jitter }, Way::ToCaller) => flow.slow = Some(Slow { by, jitter }),
                (Damage::SlowClose(time), _) => flow.slow_close = Some(time),
                (Damage::Rate { bytes_per_second }, _) => flow.rate = Some(bytes_per_second),
                _ => {}
            }
        }
        flow
    }
}

/// How those are met who want a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reception {
    Accept,
    Silence,
    Refuse,
}

/// How much later bytes arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slow {
    by: Duration,
    jitter: Duration,
}

impl Slow {
    fn delay(self, draw: Draw) -> Duration {
        let nanos = self.by.as_nanos() as f64 + draw.signed_unit() * self.jitter.as_nanos() as f64;
        Duration::from_nanos(nanos.max(0.0) as u64)
    }

    pub(crate) fn damage(self) -> Damage {
        Damage::Slow { by: self.by, jitter: self.jitter }
    }
}

/// What is done to bytes that go one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Flow {
    cut: bool,
    swallow: Option<Damage>,
    pub(crate) slow: Option<Slow>,
    pub(crate) slow_close: Option<Duration>,
    /// Bytes a second over the whole wire: the wire's throttle sees to it.
    pub(crate) rate: Option<u64>,
}

impl Flow {
    /// Does nothing pass at all?
    pub(crate) fn is_held(&self) -> bool {
        self.cut || self.swallow.is_some()
    }

    /// By what, if by anything.
    pub(crate) fn holds(&self) -> impl Iterator<Item = Damage> + use<> {
        self.cut.then_some(Damage::Cut).into_iter().chain(self.swallow)
    }

    /// When bytes that were read at `arrived` may be passed on.
    pub(crate) fn due(&self, arrived: Stamp, draw: Draw) -> Stamp {
        self.slow.map_or(arrived, |slow| arrived + slow.delay(draw))
    }

    /// When an end that was read at `arrived` may be passed on.
    pub(crate) fn close_due(&self, arrived: Stamp, draw: Draw) -> Stamp {
        self.due(arrived, draw) + self.slow_close.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::{InstanceId, Wire};

    fn harm(damages: &[Damage]) -> Harm {
        Harm::new(damages).unwrap()
    }

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_cut_is_stronger_than_a_refusal() {
        let to = Some(SocketAddr::from(([127, 0, 0, 1], 1)));
        assert_eq!(harm(&[]).reception(to), Reception::Accept);
        assert_eq!(harm(&[]).reception(None), Reception::Refuse);
        assert_eq!(harm(&[Damage::Refuse]).reception(to), Reception::Refuse);
        assert_eq!(harm(&[Damage::Refuse, Damage::Cut]).reception(to), Reception::Silence);
        assert_eq!(harm(&[Damage::Cut]).reception(None), Reception::Silence);
        assert_eq!(harm(&[Damage::SwallowAnswers]).reception(to), Reception::Accept);
    }

    #[test]
    fn each_way_has_what_is_its_own() {
        let slow = Damage::Slow { by: ms(20), jitter: ms(0) };
        let all =
            harm(&[slow, Damage::SwallowRequests, Damage::SlowClose(ms(5)), Damage::Rate { bytes_per_second: 9 }]);
        let (to_callee, to_caller) = (all.flow(Way::ToCallee), all.flow(Way::ToCaller));
        assert!(to_callee.is_held() && !to_caller.is_held());
        assert_eq!(to_callee.holds().collect::<Vec<_>>(), [Damage::SwallowRequests]);
        let draw = Draw::of_wire(1, &Wire { from: id("web"), to: id("reviews") });
        assert_eq!(to_callee.due(Stamp(0), draw), Stamp(0));
        assert_eq!(to_callee.close_due(Stamp(0), draw), Stamp(5_000_000));
        assert_eq!(to_caller.due(Stamp(0), draw), Stamp(20_000_000));
        assert_eq!(to_caller.close_due(Stamp(0), draw), Stamp(25_000_000));
        assert_eq!((to_callee.rate, to_caller.rate), (Some(9), Some(9)));
        assert_eq!(harm(&[]).flow(Way::ToCaller), Flow::default());
    }

    fn id(service: &str) -> InstanceId {
        InstanceId { service: service.into(), number: 1 }
    }

    #[test]
    fn jitter_goes_both_ways_and_never_back_in_time() {
        let base = Draw::of_wire(1, &Wire { from: id("web"), to: id("reviews") });
        let delays = |by, jitter| (0..1_000).map(move |n| Slow { by: ms(by), jitter: ms(jitter) }.delay(base.nth(n)));
        assert!(delays(100, 50).all(|d| (ms(50)..=ms(150)).contains(&d)));
        assert!(delays(100, 50).any(|d| d < ms(55)) && delays(100, 50).any(|d| d > ms(145)));
        assert!(delays(10, 50).all(|d| d <= ms(60)) && delays(10, 50).any(|d| d.is_zero()));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let reset = |percent| Damage::Reset(Fraction::percent(percent));
        let twice = Harm::new(&[reset(10), Damage::Cut, reset(20)]).unwrap_err();
        assert_eq!(
            twice.to_string(),
            "a wire that resets 10% of its connections cannot be one that resets 20% of its connections too"
        );
        assert_eq!(Harm::new(&[Damage::Rate { bytes_per_second: 0 }]), Err(HarmError::NoRate));
    }
}
