//! The identity of a plan: from what it says, never from where it stands.

use crate::document::Case;
use squall_model::{Claim, PlanKey};

/// FNV-1a, 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv): stable over releases of Rust and of ours.
struct Fnv(u64);

impl Fnv {
    fn new() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }

    /// Each text with an end of its own: `ab`, `c` is not `a`, `bc`.
    fn text(&mut self, text: &str) {
        for byte in text.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

/// The key of a scenario: feature, name, row of the outline, claims.
pub(crate) fn key(feature: &str, case: &Case, claims: &[Claim]) -> PlanKey {
    let mut hash = Fnv::new();
    hash.text(feature);
    hash.text(&case.template);
    for (column, value) in &case.row {
        hash.text(column);
        hash.text(value);
    }
    for claim in claims {
        hash.text(&claim.text);
    }
    PlanKey(format!("{:016x}", hash.0))
}

/// The key of the n-th plan, from 1, of those that say the very same.
pub(crate) fn again(key: &PlanKey, ordinal: usize) -> PlanKey {
    let mut hash = Fnv::new();
    hash.text(&key.0);
    hash.text(&ordinal.to_string());
    PlanKey(format!("{:016x}", hash.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a() {
        let mut hash = Fnv::new();
        for byte in b"foobar" {
            hash.0 = (hash.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
        assert_eq!(hash.0, 0x85944171f73967e8, "test vector of the draft");
        let (mut a, mut b) = (Fnv::new(), Fnv::new());
        ["ab", "c"].iter().for_each(|t| a.text(t));
        ["a", "bc"].iter().for_each(|t| b.text(t));
        assert_ne!(a.0, b.0);
    }
}
