//! How a capital is spread over constant bets, and what becomes of it.

use std::f64::consts::FRAC_PI_2;

/// A part of the capital, and the fraction of itself that it bets each time.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stake {
    fraction: f64,
    part: f64,
}

/// A capital of 1, spread over fractions in `[0, 1]`. The spread decides how soon a test ends, never how it may err.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stakes(Vec<Stake>);

/// Cells that shrink by this factor towards the boundary. Where a truth at some distance from it is decided, the
/// likelihood is about a fifth of that distance wide, at any distance: cells of a seventh lose nothing.
const SHRINK: f64 = 0.87;
/// The cell next to the boundary begins at `SHRINK^CELLS`, a thousandth of the range.
const CELLS: i32 = 50;

impl Stakes {
    /// Against "the mean is `at` or more": half on `good`, half on Jeffreys' prior on `[0, at]`, a share `p` being the
    /// fraction `1 - p / at`, which for values of 0 and 1 makes each stake the likelihood ratio of `p` to `at`. With
    /// `at` at 0, the limit of this with `good` at a quarter of `at`.
    pub(crate) fn against_more(at: f64, good: f64) -> Self {
        let point = if at > 0.0 { 1.0 - good / at } else { 0.75 };
        let range = at.sqrt().asin();
        Self::half_on(point, |distance| match at > 0.0 {
            true => 1.0 - (range * (1.0 - distance)).sin().powi(2) / at,
            false => 1.0 - (1.0 - distance).powi(2),
        })
    }

    /// Against "the mean is `at` or less": half on `bad`, half on Jeffreys' prior on `[at, 1]`, a share `p` being the
    /// fraction `(p - at) / (1 - at)`.
    pub(crate) fn against_less(at: f64, bad: f64) -> Self {
        let fraction = |p: f64| (p - at) / (1.0 - at);
        let from = at.sqrt().asin();
        Self::half_on(fraction(bad), |distance| fraction((from + (FRAC_PI_2 - from) * distance).sin().powi(2)))
    }

    /// For differences of pairs, either way: the fraction that does best depends on how often pairs differ, which no
    /// promise states. An eighth of the stake lies evenly on fractions below 0.3, a ninth on those above 0.95, the rest
    /// evenly between: where little or nothing differs, as in a mesh that works, the test ends 2 to 5 % sooner than with
    /// an even spread; where a tenth or a third of the calls fail anyway, 4 to 8 % later.
    pub(crate) fn on_differences() -> Self {
        const LOW: f64 = 0.3;
        const TOP: f64 = 0.95;
        let even = |from: f64, to: f64, cells: u32| {
            let edge = move |i: u32| from + (to - from) * f64::from(i) / f64::from(cells);
            (0..cells).map(move |i| (edge(i), edge(i + 1)))
        };
        // Of each range its cells, and the part of the stake that it holds for each of its width.
        let below = cells().map(|(near, far)| (LOW * near, LOW * far, 0.125 / LOW));
        let between = even(LOW, TOP, 45).map(|(from, to)| (from, to, 0.765 / (TOP - LOW)));
        let above = even(TOP, 1.0, 5).map(|(from, to)| (from, to, 0.11 / (1.0 - TOP)));
        let all = below.chain(between).chain(above);
        Self(
            all.map(|(from, to, density)| Stake { fraction: f64::midpoint(from, to), part: density * (to - from) })
                .collect(),
        )
    }

    /// Half on a fraction, half spread evenly over distances from the boundary in `[0, 1]`.
    fn half_on(point: f64, fraction: impl Fn(f64) -> f64) -> Self {
        let spread =
            cells().map(|(near, far)| Stake { fraction: fraction(f64::midpoint(near, far)), part: (far - near) / 2.0 });
        let all = std::iter::once(Stake { fraction: point, part: 0.5 }).chain(spread);
        Self(all.map(|stake| Stake { fraction: stake.fraction.clamp(0.0, 1.0), ..stake }).collect())
    }

    /// The capital before the first bet.
    pub(crate) fn capital(&self) -> Capital {
        Capital { parts: self.0.clone(), all: self.0.iter().map(|stake| stake.part).sum(), ln_scale: 0.0 }
    }

    /// Logarithms of the parts, for sums of [`Self::ln_gains`].
    pub(crate) fn ln_parts(&self) -> Vec<f64> {
        self.0.iter().map(|stake| stake.part.ln()).collect()
    }

    /// What a ticket that pays `payoff` adds to the logarithm of each part.
    pub(crate) fn ln_gains(&self, payoff: f64) -> Vec<f64> {
        self.0.iter().map(|stake| stake.gain(payoff).ln()).collect()
    }
}

impl Stake {
    fn gain(&self, payoff: f64) -> f64 {
        1.0 - self.fraction + self.fraction * payoff
    }
}

/// Cells of `[0, 1]`, as distances from the boundary: `(near, far)`.
fn cells() -> impl Iterator<Item = (f64, f64)> {
    let edge = |i: i32| if i > CELLS { 0.0 } else { SHRINK.powi(i) };
    (0..=CELLS).map(move |i| (edge(i + 1), edge(i)))
}

/// What a capital has become.
#[derive(Debug, Clone)]
pub(crate) struct Capital {
    /// Scaled by a common factor, as is their sum.
    parts: Vec<Stake>,
    all: f64,
    ln_scale: f64,
}

impl Capital {
    /// Every part bets its fraction on a ticket that pays `payoff`; infinite, it wins everything for good.
    pub(crate) fn bet(&mut self, payoff: f64) {
        if payoff == f64::INFINITY {
            self.ln_scale = f64::INFINITY;
            return;
        }
        self.all = 0.0;
        for stake in &mut self.parts {
            let part = stake.part * stake.gain(payoff);
            // Below this a double has few digits, and rounding could give.
            stake.part = if part < f64::MIN_POSITIVE { 0.0 } else { part };
            self.all += stake.part;
        }
        if !(1e-100..1e100).contains(&self.all) {
            self.rescale();
        }
    }

    /// Logarithm of all parts together.
    pub(crate) fn ln(&self) -> f64 {
        self.all.ln() + self.ln_scale
    }

    /// Keeps the parts in the range of a double. One that falls some 1e-300 behind the others is lost, which only makes the
    /// test more cautious.
    fn rescale(&mut self) {
        if self.all > 0.0 {
            self.parts.iter_mut().for_each(|stake| stake.part /= self.all);
            self.ln_scale += self.all.ln();
            self.all = 1.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all_stakes(at: f64) -> [Stakes; 3] {
        [
            Stakes::against_more(at, at / 4.0),
            Stakes::against_less(at, (3.0 * at).min(f64::midpoint(1.0, at))),
            Stakes::on_differences(),
        ]
    }

    proptest! {
        #[test]
        fn a_capital_starts_at_one_and_no_stake_can_go_into_debt(at in 0.0f64..0.99) {
            for stakes in all_stakes(at) {
                prop_assert!(stakes.capital().ln().abs() < 1e-12);
                prop_assert!(stakes.0.iter().all(|s| (0.0..=1.0).contains(&s.fraction) && s.part > 0.0));
            }
        }

        /// All that Ville's inequality needs: no expected gain from tickets that pay 1 on average.
        #[test]
        fn a_fair_ticket_is_worth_its_price(at in 0.0f64..0.99, before in 0.0f64..3.0, pays in 1.0f64..50.0) {
            for stakes in all_stakes(at) {
                let mut capital = stakes.capital();
                (0..20).for_each(|_| capital.bet(before));
                let after = |payoff: f64| {
                    let mut capital = capital.clone();
                    capital.bet(payoff);
                    capital.ln().exp()
                };
                let chance = 1.0 / pays;
                let expected = chance * after(pays) + (1.0 - chance) * after(0.0);
                prop_assert!((expected / capital.ln().exp() - 1.0).abs() < 1e-9);
            }
        }

        /// The order does not matter, short of losses that no double can hold: those cost a little and give nothing.
        #[test]
        fn bet_by_bet_and_all_at_once_come_to_the_same(at in 0.001f64..0.99, a in 0u32..3_000, b in 0u32..3_000) {
            for stakes in all_stakes(at) {
                let mut capital = stakes.capital();
                (0..a).for_each(|_| capital.bet(0.5));
                (0..b).for_each(|_| capital.bet(3.0));
                let sums = stakes.ln_parts().into_iter().zip(stakes.ln_gains(0.5)).zip(stakes.ln_gains(3.0));
                let ln = sums
                    .map(|((part, half), three)| part + f64::from(a) * half + f64::from(b) * three)
                    .fold(f64::NEG_INFINITY, crate::special::ln_sum);
                let tolerance = 1e-9 * ln.abs().max(1.0);
                prop_assert!(capital.ln() <= ln + tolerance, "{} {ln}", capital.ln());
                prop_assert!(a > 500 || capital.ln() >= ln - tolerance, "{} {ln}", capital.ln());
            }
        }
    }

    #[test]
    fn what_is_won_for_good_is_not_lost_again() {
        let mut capital = Stakes::on_differences().capital();
        capital.bet(f64::INFINITY);
        (0..10_000).for_each(|_| capital.bet(0.0));
        assert_eq!(capital.ln(), f64::INFINITY);
    }
}
