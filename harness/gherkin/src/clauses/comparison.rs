//! `{reference}` and `{margin}`: as good as what, and by how much worse at most.

use super::reader::Reader;
use crate::source::Mistake;
use squall_model::{Fraction, Margin, Reference};

/// Reads `without the fault` and its like; `None` for what nobody can compare with yet (noted as missing).
pub(crate) fn reference(r: &mut Reader<'_>) -> Option<Reference> {
    let known = [
        ("without the fault", Reference::WithoutFault),
        ("before the fault", Reference::BeforeFault),
        ("before the change", Reference::BeforeChange),
    ];
    if let Some(reference) = r.one_of(&known) {
        return Some(reference);
    }
    let start = r.at();
    if r.eat("without the proxy") {
        r.lacks(r.since(start), "calls without the proxy, to compare with");
    }
    None
}

/// Reads nothing, `, within 1%`, `, within 5 ms` or `, within 1% and 5 ms`.
pub(crate) fn margin(r: &mut Reader<'_>) -> Margin {
    let mut margin = Margin::default();
    if !r.eat(", within ") {
        return margin;
    }
    if let Some((points, span)) = r.percent() {
        let never = match points {
            Fraction::ZERO => Some("without a margin no number of calls shows that they are as good"),
            Fraction::ALL => Some("this allows that every call fails"),
            _ => None,
        };
        if let Some(never) = never {
            let mistake = Mistake::error("no-claim", span, never)
                .label("more than 0%, and less than 100%")
                .hint("write by how much they may be worse: `, within 1%`, `, within 5% and 20 ms`");
            r.tell(mistake);
        }
        margin.points = Some(points);
        r.eat(" and ");
    }
    margin.later = r.time().map(|(later, _)| later);
    margin
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::words;
    use proptest::prelude::*;
    use squall_model::{Calls, ClaimKind};
    use std::time::Duration;

    pub(crate) fn any_margin() -> impl Strategy<Value = Margin> {
        let points = proptest::option::of((1u32..1_000_000).prop_map(|ppm| Fraction::from_ppm(ppm).unwrap()));
        let later = proptest::option::of((0u64..100_000).prop_map(Duration::from_millis));
        (points, later).prop_map(|(points, later)| Margin { points, later })
    }

    pub(crate) fn any_reference() -> impl Strategy<Value = Reference> {
        prop_oneof![Just(Reference::WithoutFault), Just(Reference::BeforeFault), Just(Reference::BeforeChange)]
    }

    proptest! {
        #[test]
        fn comparisons_round_trip(wanted in any_reference(), within in any_margin()) {
            let claim = ClaimKind::Paired { calls: Calls::default(), reference: wanted, margin: within };
            let text = words::claim(&claim).unwrap();
            let mut r = Reader::whole(text.strip_prefix("calls are as good as ").unwrap());
            prop_assert_eq!((reference(&mut r), margin(&mut r)), (Some(wanted), within));
            prop_assert!(r.is_done() && r.mistakes.is_empty());
        }
    }

    #[test]
    fn a_margin_can_be_kept_and_broken() {
        for (text, wrong) in [(", within 0%", true), (", within 100% and 5 ms", true), (", within 0.1%", false)] {
            let mut r = Reader::whole(text);
            margin(&mut r);
            assert_eq!(r.is_wrong(), wrong, "{text}");
        }
    }

    #[test]
    fn there_is_no_way_around_the_proxy_yet() {
        let mut r = Reader::whole("without the proxy");
        assert_eq!((reference(&mut r), r.missing.len(), r.is_done()), (None, 1, true));
    }
}
