//! Numbers that are drawn by seed, call and place: a hash, so that no call has to wait for the one before.

/// Steps of the Weyl sequence of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// 64 bits for one place of one call.
pub(crate) fn draw(seed: u64, seq: u64, place: u64) -> u64 {
    mixed(mixed(seed.wrapping_add(STEP)) ^ mixed(seq.wrapping_mul(STEP).wrapping_add(place)))
}

/// The finalizer of SplitMix64.
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Evenly from one number to the other, both possible: unevenly by no more than one part in 2⁶⁴ of the range.
pub(super) fn within(drawn: u64, from: u64, to: u64) -> u64 {
    let range = u128::from(to - from) + 1;
    from + ((u128::from(drawn) * range) >> 64) as u64
}

/// RFC 9562, version 4.
pub(super) fn uuid(seed: u64, seq: u64, place: u64) -> [u8; 36] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    // Places are few: none is numbered from the middle of the numbers.
    let halves = [draw(seed, seq, place), draw(seed, seq, place ^ 1 << 63)];
    let mut bits = (u128::from(halves[0]) << 64) | u128::from(halves[1]);
    bits = bits & !(0xf << 76) | 4 << 76;
    bits = bits & !(0b11 << 62) | 0b10 << 62;
    let mut text = [b'-'; 36];
    let places = (0..36).filter(|at| ![8, 13, 18, 23].contains(at));
    for (digit, at) in (0..32).zip(places) {
        text[at] = DIGITS[(bits >> (124 - 4 * digit)) as usize & 0xf];
    }
    text
}
