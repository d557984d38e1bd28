//! `{claim}` and `{amount}`: how much of what.

use super::calls::selection;
use super::reader::Reader;
use crate::source::Mistake;
use squall_model::{Bound, Calls, Fraction, Only, ShareBound, Unit};
use std::ops::Range;

/// A claim's first half: how many of which units.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Claimed {
    pub(crate) how_many: HowMany,
    /// Bytes of the bound.
    pub(crate) bound_at: Range<usize>,
    /// `None` where the model has no such unit (noted as missing).
    pub(crate) unit: Option<Unit>,
    pub(crate) only: Option<Only>,
    pub(crate) calls: Calls,
}

/// How many of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HowMany {
    All,
    None,
    Share(ShareBound),
    Count(Bound),
}

/// Reads `at least 99% of the calls …`, `at most 10 calls …`, `every call …`.
pub(crate) fn claim(r: &mut Reader<'_>) -> Option<Claimed> {
    let start = r.at();
    let how_many = how_many(r)?;
    let bound_at = start..r.at();
    let _ = r.eat(" of the ") || r.eat(" ");
    let (only, unit) = units(r)?;
    let calls = selection(r);
    Some(Claimed { how_many, bound_at, unit, only, calls })
}

fn how_many(r: &mut Reader<'_>) -> Option<HowMany> {
    if r.eat("every") {
        return Some(HowMany::All);
    }
    if r.eat("no ") {
        // The blank stays for the noun.
        r.turn_to(r.at() - 1..r.at() + r.rest().len());
        return Some(HowMany::None);
    }
    let words =
        [("at least ", Side::Least), ("at most ", Side::Most), ("more than ", Side::More), ("exactly ", Side::Exactly)];
    let start = r.at();
    if let Some(side) = r.one_of(&words) {
        return if next_is_share(r) { share(r, side, start) } else { count(r, side) };
    }
    if !r.eat("between ") {
        return None;
    }
    let (low, _) = r.percent()?;
    r.eat(" and ");
    let (high, _) = r.percent()?;
    if high < low {
        backwards(r, start, low, high);
    }
    Some(HowMany::Share(ShareBound::Between(low, high)))
}

#[derive(Debug, Clone, Copy)]
enum Side {
    Least,
    Most,
    More,
    Exactly,
}

fn next_is_share(r: &Reader<'_>) -> bool {
    r.rest().split(' ').next().is_some_and(|word| word.ends_with('%'))
}

fn share(r: &mut Reader<'_>, side: Side, start: usize) -> Option<HowMany> {
    let (share, span) = r.percent()?;
    let always = |r: &mut Reader<'_>, says: &str| {
        let mistake = Mistake::error("no-claim", start..span.end, "this is true of any share")
            .label(says)
            .hint("claim a bound that can be broken");
        r.tell(mistake);
    };
    let bound = match side {
        Side::Least => {
            if share == Fraction::ZERO {
                always(r, "at least none of them");
            }
            exact_all(r, share == Fraction::ALL, "every", start..span.end);
            ShareBound::AtLeast(share)
        }
        Side::Most => {
            if share == Fraction::ALL {
                always(r, "at most all of them");
            }
            exact_all(r, share == Fraction::ZERO, "no", start..span.end);
            ShareBound::AtMost(share)
        }
        Side::More => {
            if share == Fraction::ALL {
                let mistake =
                    Mistake::error("no-claim", start..span.end, "no share is more than all of it").label("never true");
                r.tell(mistake);
            }
            ShareBound::MoreThan(share)
        }
        Side::Exactly => {
            let mistake =
                Mistake::error("exact-share", start..span.end, "no number of calls shows a share of exactly that much")
                    .label("a share is known between two bounds only")
                    .hint("write `between … and …`, or `exactly` with a count");
            r.tell(mistake);
            ShareBound::Between(share, share)
        }
    };
    Some(HowMany::Share(bound))
}

/// `at least 100%` is `every`, and `every` can be shown.
fn exact_all(r: &mut Reader<'_>, exact: bool, word: &str, span: Range<usize>) {
    if exact {
        let mistake = Mistake::error("exact-share", span, "no number of calls shows a share of exactly that much")
            .label("an unknown share is never shown to be all or nothing")
            .hint(format!("write `{word} call`: it speaks of the calls that were made"));
        r.tell(mistake);
    }
}

fn count(r: &mut Reader<'_>, side: Side) -> Option<HowMany> {
    let (number, _) = r.number()?;
    let exact = u64::from(number) * 1000;
    let (low, high) = match side {
        Side::Least => (Some(exact), None),
        Side::Most => (None, Some(exact)),
        Side::More => (Some(exact + 1000), None),
        Side::Exactly => (Some(exact), Some(exact)),
    };
    Some(HowMany::Count(Bound { low, high }))
}

fn backwards(r: &mut Reader<'_>, start: usize, low: impl std::fmt::Display, high: impl std::fmt::Display) {
    let mistake = Mistake::error("backwards", r.since(start), format!("nothing lies between {low} and {high}"))
        .label(format!("write `between {high} and {low}`"));
    r.tell(mistake);
}

fn units(r: &mut Reader<'_>) -> Option<(Option<Only>, Option<Unit>)> {
    let start = r.at();
    let only = r.one_of(&[("shed ", Some(Only::Shed)), ("failed ", Some(Only::Failed))]).flatten();
    let is_new = r.eat("new ");
    let nouns = [
        ("calls", Some(Unit::Call)),
        ("call", Some(Unit::Call)),
        ("tries", Some(Unit::Try)),
        ("try", Some(Unit::Try)),
        ("retries", Some(Unit::Retry)),
        ("retry", Some(Unit::Retry)),
        ("users", Some(Unit::User)),
        ("user", Some(Unit::User)),
        ("connections", None),
        ("connection", None),
        ("sessions", None),
        ("session", None),
        ("messages", None),
        ("message", None),
        ("copies", None),
        ("copy", None),
    ];
    // Nobody observes connections, sessions and messages one by one yet.
    let unit = r.one_of(&nouns)?;
    if unit.is_none() || is_new {
        let what = r.slice(r.since(start)).to_owned();
        r.lacks(r.since(start), format!("claims about each {}", what.trim_end_matches('s')));
    }
    Some((only, unit.filter(|_| !is_new)))
}

/// What a target receives or serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Amount {
    /// So many tries in all.
    Total(Bound),
    /// So many for each call.
    PerCall(Bound),
    /// So many per second.
    PerSecond(Bound),
    /// Such a share of the tries.
    Share(ShareBound),
    /// Copies: noted as missing.
    Copies,
}

/// Reads an amount.
pub(crate) fn amount(r: &mut Reader<'_>) -> Option<Amount> {
    let (start, whole) = (r.at(), r.rest());
    if whole.ends_with("copies") || whole == "a copy of every call" {
        r.turn_to(start + whole.len()..start + whole.len());
        r.lacks(start..start + whole.len(), format!("counting copies: {whole}"));
        return Some(Amount::Copies);
    }
    if r.eat("no tries") {
        return Some(Amount::Total(Bound { low: None, high: Some(0) }));
    }
    if whole.ends_with("of the tries") {
        let how_many = how_many(r)?;
        r.eat(" of the tries");
        return match how_many {
            HowMany::Share(bound) => Some(Amount::Share(bound)),
            _ => None,
        };
    }
    let bound = bound(r)?;
    r.eat(" tries");
    Some(match r.one_of(&[(" for each call", true), (" per second", false)]) {
        Some(true) => Amount::PerCall(bound),
        Some(false) => Amount::PerSecond(bound),
        None => Amount::Total(bound),
    })
}

fn bound(r: &mut Reader<'_>) -> Option<Bound> {
    let start = r.at();
    if let Some(side) = r.one_of(&[("at least ", Side::Least), ("at most ", Side::Most), ("exactly ", Side::Exactly)]) {
        let (number, _) = r.thousandths()?;
        return Some(match side {
            Side::Least => Bound { low: Some(number), high: None },
            Side::Most => Bound { low: None, high: Some(number) },
            Side::More | Side::Exactly => Bound { low: Some(number), high: Some(number) },
        });
    }
    r.eat("between ");
    let (low, low_at) = r.thousandths()?;
    r.eat(" and ");
    let (high, high_at) = r.thousandths()?;
    if high < low {
        let (low, high) = (r.slice(low_at).to_owned(), r.slice(high_at).to_owned());
        backwards(r, start, low, high);
    }
    Some(Bound { low: Some(low), high: Some(high) })
}

#[cfg(test)]
mod tests {
    use super::super::calls::tests::any_calls;
    use super::*;
    use proptest::prelude::*;

    fn any_share() -> impl Strategy<Value = Fraction> {
        (1u32..1_000_000).prop_map(|ppm| Fraction::from_ppm(ppm).unwrap())
    }

    fn any_how_many() -> impl Strategy<Value = (String, HowMany)> {
        prop_oneof![
            any_share().prop_map(|s| (format!("at least {s} of the "), HowMany::Share(ShareBound::AtLeast(s)))),
            any_share().prop_map(|s| (format!("at most {s} of the "), HowMany::Share(ShareBound::AtMost(s)))),
            any_share().prop_map(|s| (format!("more than {s} of the "), HowMany::Share(ShareBound::MoreThan(s)))),
            (any_share(), any_share()).prop_map(|(a, b)| {
                let (low, high) = (a.min(b), a.max(b));
                (format!("between {low} and {high} of the "), HowMany::Share(ShareBound::Between(low, high)))
            }),
            (0u32..1000).prop_map(|n| {
                let bound = Bound { low: None, high: Some(u64::from(n) * 1000) };
                (format!("at most {n} "), HowMany::Count(bound))
            }),
            Just(("every ".to_owned(), HowMany::All)),
            Just(("no ".to_owned(), HowMany::None)),
        ]
    }

    proptest! {
        #[test]
        fn claims_round_trip((words, how_many) in any_how_many(), calls in any_calls(), shed: bool) {
            let noun = if shed { "shed calls" } else { "calls" };
            let text = format!("{words}{noun}{calls}");
            let mut r = Reader::whole(&text);
            let only = shed.then_some(Only::Shed);
            let read = claim(&mut r).unwrap();
            prop_assert_eq!((read.how_many, read.unit, read.only, read.calls), (how_many, Some(Unit::Call), only, calls));
            prop_assert!(r.is_done() && r.mistakes.is_empty() && r.missing.is_empty());
        }

        #[test]
        fn amounts_round_trip(thousandths in 0u64..100_000) {
            let text = format!("at most {}.{:03} tries for each call", thousandths / 1000, thousandths % 1000);
            let mut r = Reader::whole(&text);
            prop_assert_eq!(amount(&mut r), Some(Amount::PerCall(Bound { low: None, high: Some(thousandths) })));
            prop_assert!(r.is_done() && r.mistakes.is_empty());
        }
    }

    #[test]
    fn amounts_are_read() {
        let bound = |low, high| Bound { low, high };
        for (text, wanted) in [
            ("no tries", Amount::Total(bound(None, Some(0)))),
            ("at least 250 tries", Amount::Total(bound(Some(250_000), None))),
            ("exactly 3", Amount::Total(bound(Some(3_000), Some(3_000)))),
            ("at most 1.35 tries for each call", Amount::PerCall(bound(None, Some(1_350)))),
            ("between 10 and 20 tries per second", Amount::PerSecond(bound(Some(10_000), Some(20_000)))),
            ("at most 10% of the tries", Amount::Share(ShareBound::AtMost(Fraction::percent(10)))),
        ] {
            let mut r = Reader::whole(text);
            assert_eq!((amount(&mut r), r.is_done()), (Some(wanted), true), "{text}");
        }
    }

    #[test]
    fn claims_that_say_nothing_are_refused() {
        for (text, code) in [
            ("at least 0% of the calls", "no-claim"),
            ("at least 100% of the calls", "exact-share"),
            ("at most 0% of the calls", "exact-share"),
            ("exactly 30% of the calls", "exact-share"),
            ("more than 100% of the calls", "no-claim"),
            ("between 12% and 8% of the calls", "backwards"),
            ("at least 101% of the calls", "percent"),
        ] {
            let mut r = Reader::whole(text);
            claim(&mut r);
            assert_eq!(r.mistakes[0].code, code, "{text}");
        }
    }
}
