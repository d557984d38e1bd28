//! `{check}` and `{key}`: what an active health check asks, what a hash is taken of.

use super::reader::Reader;
use crate::source::Mistake;
use squall_model::{HashKey, Probe};

/// Failures and passes in a row where the line does not say.
pub(crate) const OUT_AFTER: u32 = 3;
/// See [`OUT_AFTER`].
pub(crate) const BACK_AFTER: u32 = 2;

/// A check as written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Check {
    pub(crate) by: Probe,
    pub(crate) out_after: u32,
    pub(crate) back_after: u32,
}

/// Reads `http on path "/healthz", out after 2 failures, back after 1 pass`.
pub(crate) fn check(r: &mut Reader<'_>) -> Option<Check> {
    let by = match r.one_of(&[("http on path ", 0), ("grpc", 1), ("tcp", 2)])? {
        0 => Probe::Http(path(r)?),
        1 => Probe::Grpc,
        _ => Probe::Tcp,
    };
    let mut check = Check { by, out_after: OUT_AFTER, back_after: BACK_AFTER };
    if r.eat(", out after ") {
        check.out_after = r.at_least_one("nobody is out after no failure at all")?.0;
        let _ = r.eat(" failures") || r.eat(" failure");
        r.eat(", back after ");
        check.back_after = r.at_least_one("nobody is back after no pass at all")?.0;
        let _ = r.eat(" passes") || r.eat(" pass");
    }
    Some(check)
}

fn path(r: &mut Reader<'_>) -> Option<String> {
    let (path, span) = r.quoted()?;
    if !path.starts_with('/') {
        let mistake = Mistake::error("path", span, format!("no request has the path \"{path}\""))
            .label("a path begins with `/`")
            .hint(format!("write `on path \"/{path}\"`"));
        r.tell(mistake);
    }
    Some(path.to_owned())
}

/// Reads `user`, `header "x"`, `cookie "x"` or `source address`.
pub(crate) fn key(r: &mut Reader<'_>) -> Option<HashKey> {
    if r.eat("user") {
        return Some(HashKey::User);
    }
    if r.eat("source address") {
        return Some(HashKey::SourceAddress);
    }
    let is_header = r.one_of(&[("header ", true), ("cookie ", false)])?;
    let (name, span) = r.quoted()?;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(fits) {
        let noun = if is_header { "header" } else { "cookie" };
        let mistake = Mistake::error("key", span, format!("\"{name}\" is no name of a {noun}"))
            .label("letters, digits, `-` and `_`")
            .hint(format!("the name alone, without a value: `by {noun} \"x-session\"`"));
        r.tell(mistake);
    }
    Some(if is_header { HashKey::Header(name.to_lowercase()) } else { HashKey::Cookie(name.to_owned()) })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Any probe that can be written.
    pub(crate) fn any_probe() -> impl Strategy<Value = Probe> {
        prop_oneof!["/[a-z]{0,6}".prop_map(Probe::Http), Just(Probe::Grpc), Just(Probe::Tcp)]
    }

    /// Any key that can be written.
    pub(crate) fn any_key() -> impl Strategy<Value = HashKey> {
        prop_oneof![
            Just(HashKey::User),
            Just(HashKey::SourceAddress),
            "[a-z-]{1,8}".prop_map(HashKey::Header),
            "[a-zA-Z_]{1,8}".prop_map(HashKey::Cookie),
        ]
    }

    proptest! {
        #[test]
        fn checks_round_trip(by in any_probe(), out_after in 1u32..9, back_after in 1u32..9) {
            let text = format!("{by}, out after {out_after} failures, back after {back_after} passes");
            let mut r = Reader::whole(&text);
            prop_assert_eq!(check(&mut r), Some(Check { by, out_after, back_after }));
            prop_assert!(r.is_done() && r.mistakes.is_empty());
        }

        #[test]
        fn keys_round_trip(wanted in any_key()) {
            let text = wanted.to_string();
            let mut r = Reader::whole(&text);
            prop_assert_eq!(key(&mut r), Some(wanted));
            prop_assert!(r.is_done() && r.mistakes.is_empty());
        }
    }

    #[test]
    fn a_check_without_numbers_has_those_of_the_reference() {
        let mut r = Reader::whole("tcp");
        assert_eq!(check(&mut r), Some(Check { by: Probe::Tcp, out_after: 3, back_after: 2 }));
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        for (text, code) in [
            ("http on path \"healthz\"", "path"),
            ("tcp, out after 0 failures, back after 1 pass", "zero"),
            ("tcp, out after 1 failure, back after 0 passes", "zero"),
        ] {
            let mut r = Reader::whole(text);
            check(&mut r);
            assert_eq!(r.mistakes.first().map(|m| m.code), Some(code), "{text}");
        }
        let mut r = Reader::whole("header \"x-tier: gold\"");
        key(&mut r);
        assert_eq!(r.mistakes.first().map(|m| m.code), Some("key"));
    }
}
