//! How the ids of calls begin.

/// The letters of a run's word: no digits, which count its scenarios, and none that a UUID has.
const LETTERS: &[u8; 16] = b"ghjkmnpqstuvwxyz";

/// By what the ids of all calls of a run begin that shares proxies with others: seven letters of a hash of its name (FNV-1a, 64 bits), and a dash.
#[must_use]
pub fn word_of(run: &str) -> String {
    let hash = run
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    // The upper bits depend on all of the name.
    let letter = |n: u32| char::from(LETTERS[(hash >> (60 - 4 * n) & 15) as usize]);
    (0..7).map(letter).chain(['-']).collect()
}

/// By what the ids of calls begin that settle a mesh for a scenario of this tag: nothing of them is counted.
#[must_use]
pub fn settling(tag: &str) -> String {
    let word = tag.rfind('-').and_then(|dash| tag.get(..=dash)).unwrap_or_default();
    format!("{word}settle.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_have_words_of_their_own() {
        let (one, other) = (word_of("20261127-211348-260b"), word_of("20261127-211348-260c"));
        assert_ne!(one, other);
        for word in [one, other] {
            assert!(word.len() == 8 && word.ends_with('-'), "{word}");
            assert!(!word.chars().any(|c| c.is_ascii_hexdigit()), "{word}");
        }
    }

    #[test]
    fn a_mesh_is_settled_under_the_word_of_its_run() {
        assert_eq!([settling("r12"), settling("kqwzmnp-r0")], ["settle.", "kqwzmnp-settle."]);
    }
}
