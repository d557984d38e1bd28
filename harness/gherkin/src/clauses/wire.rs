//! `{wire}` and `{damage}`: which ways between proxies, and what is done to them.

use super::place::place;
use super::reader::{Name, Reader};
use super::target::target;
use crate::source::Mistake;
use squall_model::{Damage, Fraction, ServiceName, Wires};
use std::time::Duration;

/// Reads `the wire from "web" to {target}`, `the wire to {target}` or `the wires of zone "east"`.
pub(crate) fn wires(r: &mut Reader<'_>) -> Option<Wires> {
    if r.eat("the wires of ") || r.eat("the wire of ") {
        return place(r, None).map(Wires::Of);
    }
    let _ = r.eat("the wires") || r.eat("the wire");
    let from = if r.eat(" from ") { r.quoted() } else { None };
    if let Some((name, span)) = &from {
        r.name(span.clone(), Name::Service((*name).to_owned()));
    }
    r.eat(" to ");
    let to = target(r, None)?;
    if let Some((name, span)) = &from {
        r.name(span.clone(), Name::Edge { from: (*name).to_owned(), to: to.service.to_string() });
    }
    Some(Wires::Between { from: from.map(|(name, _)| ServiceName::from(name)), to })
}

/// Reads what is done to one wire, or to several: `is cut`, `are cut`.
pub(crate) fn damage(r: &mut Reader<'_>) -> Option<Damage> {
    let fixed = [
        ("swallows answers", Damage::SwallowAnswers),
        ("swallow answers", Damage::SwallowAnswers),
        ("swallows requests", Damage::SwallowRequests),
        ("swallow requests", Damage::SwallowRequests),
        ("refuses connections", Damage::Refuse),
        ("refuse connections", Damage::Refuse),
        ("leaves its connections half open", Damage::HalfOpen),
        ("leave their connections half open", Damage::HalfOpen),
    ];
    if let Some(damage) = r.one_of(&fixed) {
        return Some(damage);
    }
    if r.eat("is ") || r.eat("are ") {
        return if r.eat("cut") { Some(Damage::Cut) } else { slowed(r) };
    }
    if r.eat("resets ") || r.eat("reset ") {
        return reset(r);
    }
    if r.eat("carries at most ") || r.eat("carry at most ") {
        return rate(r);
    }
    if r.eat("closes its connections ") || r.eat("close their connections ") {
        let (time, _) = r.some_time("is no delay at all")?;
        r.eat(" late");
        return Some(Damage::SlowClose(time));
    }
    None
}

/// `resets 10% of its connections`.
fn reset(r: &mut Reader<'_>) -> Option<Damage> {
    let (share, span) = r.percent()?;
    if share == Fraction::ZERO {
        r.tell(Mistake::error("zero", span, "a fault on 0% touches nothing").label("more than 0%"));
    }
    let _ = r.eat(" of its connections") || r.eat(" of their connections");
    Some(Damage::Reset(share))
}

/// `slowed by 100 ms, give or take 20 ms`.
fn slowed(r: &mut Reader<'_>) -> Option<Damage> {
    r.eat("slowed by ");
    let (by, _) = r.some_time("slows nothing")?;
    if !r.eat(", give or take ") {
        return Some(Damage::Slow { by, jitter: Duration::ZERO });
    }
    let (jitter, span) = r.time()?;
    if jitter > by {
        let mistake = Mistake::error("give-or-take", span, "nothing arrives before it was sent")
            .label("more than it is slowed by")
            .hint("the second time is the most that is added or taken off: at most the first");
        r.tell(mistake);
    }
    Some(Damage::Slow { by, jitter })
}

/// `carries at most 100 KB/s`: powers of ten.
fn rate(r: &mut Reader<'_>) -> Option<Damage> {
    let (number, _) = r.at_least_one("a wire that carries nothing is cut: `is cut`")?;
    let units = [(" KB/s", 1_000), (" MB/s", 1_000_000), (" GB/s", 1_000_000_000)];
    let unit = r.one_of(&units)?;
    Some(Damage::Rate { bytes_per_second: u64::from(number) * unit })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::place::tests::any_place;
    use super::super::target::tests_support::any_target;
    use super::*;
    use proptest::prelude::*;

    fn time() -> impl Strategy<Value = Duration> {
        (1u64..100_000).prop_map(Duration::from_millis)
    }

    /// Any wires that can be written.
    pub(crate) fn any_wires() -> impl Strategy<Value = Wires> {
        let from = proptest::option::of("[a-z]{1,6}".prop_map(ServiceName::from));
        prop_oneof![
            (from, any_target()).prop_map(|(from, to)| Wires::Between { from, to }),
            any_place().prop_map(Wires::Of)
        ]
    }

    /// Any damage that can be written.
    pub(crate) fn any_damage() -> impl Strategy<Value = Damage> {
        prop_oneof![
            Just(Damage::Cut),
            Just(Damage::SwallowAnswers),
            Just(Damage::SwallowRequests),
            Just(Damage::Refuse),
            (1u32..=1_000_000).prop_map(|ppm| Damage::Reset(Fraction::from_ppm(ppm).unwrap())),
            (time(), time()).prop_map(|(a, b)| Damage::Slow { by: a.max(b), jitter: a.min(b) }),
            time().prop_map(|by| Damage::Slow { by, jitter: Duration::ZERO }),
            (1u64..5_000_000).prop_map(|kb| Damage::Rate { bytes_per_second: kb * 1000 }),
            Just(Damage::HalfOpen),
            time().prop_map(Damage::SlowClose),
        ]
    }

    proptest! {
        #[test]
        fn wires_round_trip(wanted in any_wires()) {
            let text = wanted.to_string();
            let mut r = Reader::whole(&text);
            prop_assert_eq!(wires(&mut r), Some(wanted));
            prop_assert!(r.is_done() && r.mistakes.is_empty());
        }

        #[test]
        fn damages_round_trip(wanted in any_damage()) {
            let text = wanted.to_string();
            let mut r = Reader::whole(&text);
            prop_assert_eq!(damage(&mut r), Some(wanted));
            prop_assert!(r.is_done() && r.mistakes.is_empty(), "{}", text);
        }
    }

    #[test]
    fn several_wires_are_damaged_in_the_plural() {
        for (several, one) in [
            ("are cut", "is cut"),
            ("are slowed by 20 ms", "is slowed by 20 ms"),
            ("reset 10% of their connections", "resets 10% of its connections"),
            ("carry at most 3 MB/s", "carries at most 3 MB/s"),
            ("close their connections 2 s late", "closes its connections 2 s late"),
            ("leave their connections half open", "leaves its connections half open"),
        ] {
            let read = |text: &str| damage(&mut Reader::new(text, 0..text.len()));
            assert!(read(several).is_some() && read(several) == read(one), "{several}");
        }
    }

    #[test]
    fn damages_that_do_nothing_or_cannot_be() {
        for (text, code) in [
            ("resets 0% of its connections", "zero"),
            ("is slowed by 0 ms", "zero"),
            ("is slowed by 10 ms, give or take 20 ms", "give-or-take"),
            ("carries at most 0 KB/s", "zero"),
            ("closes its connections 0 s late", "zero"),
        ] {
            let mut r = Reader::whole(text);
            damage(&mut r);
            assert_eq!(r.mistakes.first().map(|m| m.code), Some(code), "{text}");
        }
    }
}
