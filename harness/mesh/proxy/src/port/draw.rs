//! The lot of one try under one fault.

use sha2::{Digest, Sha256};
use squall_model::{FaultId, Fraction, InstanceId};

/// What a lot is drawn from: the same for ever for the same things, and independent as soon as one of them differs.
///
/// SHA-256, because it is the same everywhere, in every release of ours, and of no pattern that a try could fall into; it costs
/// less than a thousandth of the question.
#[derive(Debug, Clone, Copy)]
pub struct Draw<'t> {
    /// The seed of the run.
    pub seed: u64,
    /// The fault.
    pub fault: FaultId,
    /// `x-request-id` of the try.
    pub id: &'t str,
    /// `x-envoy-attempt-count` of the try. Where nobody counts them, the tries of a call at one instance share one lot.
    pub attempt: u32,
    /// The instance that it reaches.
    pub at: &'t InstanceId,
    /// How often the same was asked before: an application that calls several times for one call of ours passes one id on, and each of its
    /// tries is drawn for by itself.
    pub nth: u32,
}

impl Draw<'_> {
    /// Whether a fault strikes that is meant for this share of the tries.
    #[must_use]
    pub fn strikes(&self, share: Fraction) -> bool {
        self.lot() < share.ppm()
    }

    /// A number below a million, each of them as likely as any other (to one in 2⁴⁴).
    fn lot(&self) -> u32 {
        let Draw { seed, fault, id, attempt, at, nth } = self;
        let service = at.service.as_str().as_bytes();
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update([fault.0, *attempt, at.number].map(u32::to_le_bytes).as_flattened());
        // Its length first: no name and id may run together to those of another try.
        hash.update((service.len() as u64).to_le_bytes());
        hash.update(service);
        hash.update(id.as_bytes());
        if *nth > 0 {
            // No id has a zero in it.
            hash.update([0]);
            hash.update(nth.to_le_bytes());
        }
        let first = hash.finalize().iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        ((u128::from(first) * 1_000_000) >> 64) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{prelude::*, test_runner::RngSeed};

    const N: u32 = 2_000;

    fn draw<'t>(seed: u64, fault: u32, id: &'t str, attempt: u32, at: &'t InstanceId) -> Draw<'t> {
        Draw { seed, fault: FaultId(fault), id, attempt, at, nth: 0 }
    }

    fn shop(number: u32) -> InstanceId {
        InstanceId { service: "shop".into(), number }
    }

    /// How often one hits, the other does, and both do, of the calls `r1.0`, `r1.1`, …
    fn counted(one: impl Fn(&str) -> bool, other: impl Fn(&str) -> bool) -> [f64; 3] {
        let hits: Vec<(bool, bool)> = (0..N).map(|n| format!("r1.{n}")).map(|id| (one(&id), other(&id))).collect();
        let count = |of: fn(&(bool, bool)) -> bool| hits.iter().filter(|hit| of(hit)).count() as f64;
        [count(|hit| hit.0), count(|hit| hit.1), count(|hit| hit.0 && hit.1)]
    }

    /// The number is within six standard deviations of what the share promises: less than one in 10⁸ draws is not.
    fn is_likely(found: f64, share: f64) -> bool {
        let n = f64::from(N);
        (found - n * share).abs() <= 6.0 * (n * share * (1.0 - share)).sqrt() + 1.0
    }

    proptest! {
        // A share is a matter of chance: with seeds that are always the same it holds always or never.
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), ..ProptestConfig::with_cases(32) })]

        #[test]
        fn the_share_is_struck(seed: u64, fault in 0..9_u32, attempt in 0..4_u32, ppm in 0..=1_000_000_u32) {
            let (at, share) = (shop(1), Fraction::from_ppm(ppm).unwrap());
            let hits = |id: &str| draw(seed, fault, id, attempt, &at).strikes(share);
            let [found, ..] = counted(hits, |_| false);
            prop_assert!(is_likely(found, share.as_f64()), "{} of {} at {}", found, N, share);
        }

        /// As independent as two coins: both hit as often as the product of their shares says.
        #[test]
        fn what_differs_in_anything_is_drawn_anew(seed: u64, a in 100_000..900_000_u32, b in 100_000..900_000_u32) {
            let (here, there) = (shop(1), shop(2));
            let (a, b) = (Fraction::from_ppm(a).unwrap(), Fraction::from_ppm(b).unwrap());
            let one = |id: &str| draw(seed, 0, id, 1, &here).strikes(a);
            let others = [
                ("seed", seed.wrapping_add(1), 0, "", 1, &here),
                ("fault", seed, 1, "", 1, &here),
                ("id", seed, 0, ".1", 1, &here),
                ("attempt", seed, 0, "", 2, &here),
                ("instance", seed, 0, "", 1, &there),
            ];
            for (what, seed, fault, onward, attempt, at) in others {
                let other = |id: &str| draw(seed, fault, &format!("{id}{onward}"), attempt, at).strikes(b);
                let [_, _, both] = counted(one, other);
                prop_assert!(is_likely(both, a.as_f64() * b.as_f64()), "{}: {} of {} at {} and {}", what, both, N, a, b);
            }
            let again = |id: &str| Draw { nth: 1, ..draw(seed, 0, id, 1, &here) }.strikes(b);
            let [_, _, both] = counted(one, again);
            prop_assert!(is_likely(both, a.as_f64() * b.as_f64()), "again: {} of {} at {} and {}", both, N, a, b);
        }

        #[test]
        fn nothing_is_never_struck_and_all_always(seed: u64, id in "r[0-9]{1,3}\\.[0-9]{1,6}", attempt: u32) {
            let at = shop(1);
            prop_assert!(!draw(seed, 0, &id, attempt, &at).strikes(Fraction::ZERO));
            prop_assert!(draw(seed, 0, &id, attempt, &at).strikes(Fraction::ALL));
        }
    }

    /// A run is repeated, and its recording judged, by releases that come later: should this ever fail, the code is wrong. The numbers
    /// are of another implementation.
    #[test]
    fn a_lot_is_the_same_for_ever() {
        let at = shop(3);
        let lots = [draw(7, 0, "r1.0", 1, &at), draw(7, 0, "r1.1", 1, &at), draw(u64::MAX, 4, "r12.345.1.2", 0, &at)];
        assert_eq!(lots.map(|draw| draw.lot()), [580_712, 744_694, 136_726]);
    }

    #[test]
    fn neither_runs_over_into_the_other() {
        let (long, short) =
            (InstanceId { service: "ab".into(), number: 1 }, InstanceId { service: "a".into(), number: 1 });
        assert_ne!(draw(1, 0, "c", 1, &long).lot(), draw(1, 0, "bc", 1, &short).lot());
    }
}
