//! `{when}`, `{phase}`, `{moment}`: times of a stage.

use super::reader::Reader;
use crate::source::Mistake;
use squall_model::{Anchor, MomentRef, Phase, When, duration};
use std::time::Duration;

/// Reads nothing, ` at 2 s`, ` from 2 s` or ` from 2 s to 6 s`.
pub(crate) fn when(r: &mut Reader<'_>) -> When {
    if r.eat(" at ") {
        return r.time().map_or(When::Standing, |(at, _)| When::At(at));
    }
    match interval(r) {
        Some((from, to)) => When::Span { from, to },
        None => When::Standing,
    }
}

/// Reads nothing, ` before the fault` and its like, or ` from 3 s to 5 s`.
pub(crate) fn phase(r: &mut Reader<'_>) -> Phase {
    type Side = fn(Anchor) -> Phase;
    let sides: [(&str, Side); 3] =
        [(" before the ", Phase::Before), (" during the ", Phase::During), (" after the ", Phase::After)];
    if let Some(side) = r.one_of(&sides) {
        return match r.one_of(&[("fault", Anchor::Fault), ("change", Anchor::Change)]) {
            Some(anchor) => side(anchor),
            None => Phase::Whole,
        };
    }
    interval(r).map_or(Phase::Whole, |(from, to)| Phase::Clock { from, to })
}

fn interval(r: &mut Reader<'_>) -> Option<(Duration, Option<Duration>)> {
    let start = r.at();
    if !r.eat(" from ") {
        return None;
    }
    let (from, _) = r.time()?;
    let to = if r.eat(" to ") { r.time().map(|(to, _)| to) } else { None };
    if let Some(to) = to.filter(|to| *to <= from) {
        let message = format!("{} is not after {}", duration(to), duration(from));
        r.tell(Mistake::error("backwards", r.since(start + 1), message).label("this ends before it begins"));
    }
    Some((from, to))
}

/// A moment as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// One that the model knows.
    Of(MomentRef),
    /// `its return`: when the subject is back.
    Return,
    /// `its start`, `its end`.
    Unknown,
}

/// Reads a moment.
pub(crate) fn moment(r: &mut Reader<'_>) -> Option<Moment> {
    let fixed = [
        ("the fault", Moment::Of(MomentRef::FaultStart)),
        ("the end of the fault", Moment::Of(MomentRef::FaultEnd)),
        ("the change", Moment::Of(MomentRef::Change)),
        ("its return", Moment::Return),
        ("its start", Moment::Unknown),
        ("its end", Moment::Unknown),
    ];
    if let Some(moment) = r.one_of(&fixed) {
        return Some(moment);
    }
    if !r.eat("its ") {
        return None;
    }
    let (number, span) = r.at_least_one("failures are counted from 1")?;
    let suffix = r.one_of(&[("st", "st"), ("nd", "nd"), ("rd", "rd"), ("th", "th")])?;
    if suffix != ordinal(number) {
        let right = ordinal(number);
        let mistake = Mistake::warning("ordinal", span.start..r.at(), format!("`{number}{suffix}` reads oddly"))
            .label(format!("`{number}{right}`"));
        r.tell(mistake);
    }
    r.eat(" failure");
    Some(Moment::Of(MomentRef::Failure(number)))
}

/// The letters behind a number.
pub(crate) fn ordinal(number: u32) -> &'static str {
    match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn time() -> impl Strategy<Value = Duration> {
        (1u64..100_000).prop_map(Duration::from_millis)
    }

    fn any_when() -> impl Strategy<Value = When> {
        prop_oneof![
            Just(When::Standing),
            time().prop_map(When::At),
            (time(), proptest::option::of(time()))
                .prop_map(|(from, more)| When::Span { from, to: more.map(|more| from + more) }),
        ]
    }

    fn written(when: When) -> String {
        match when {
            When::Standing => String::new(),
            When::At(at) => format!(" at {}", duration(at)),
            When::Span { from, to: None } => format!(" from {}", duration(from)),
            When::Span { from, to: Some(to) } => format!(" from {} to {}", duration(from), duration(to)),
        }
    }

    proptest! {
        #[test]
        fn times_round_trip(wanted in any_when()) {
            let text = written(wanted);
            let mut r = Reader::whole(&text);
            prop_assert_eq!(when(&mut r), wanted);
            prop_assert!(r.is_done() && r.mistakes.is_empty());
        }

        #[test]
        fn moments_round_trip(number in 1u32..500) {
            let text = format!("its {number}{} failure", ordinal(number));
            let mut r = Reader::whole(&text);
            prop_assert_eq!(moment(&mut r), Some(Moment::Of(MomentRef::Failure(number))));
            prop_assert!(r.is_done() && r.mistakes.is_empty());
        }
    }

    #[test]
    fn phases_are_read() {
        for (text, wanted) in [
            ("", Phase::Whole),
            (" before the fault", Phase::Before(Anchor::Fault)),
            (" during the change", Phase::During(Anchor::Change)),
            (" after the fault", Phase::After(Anchor::Fault)),
            (" from 3 s", Phase::Clock { from: Duration::from_secs(3), to: None }),
        ] {
            let mut r = Reader::whole(text);
            assert_eq!((phase(&mut r), r.is_done()), (wanted, true), "{text}");
        }
    }

    #[test]
    fn an_interval_must_not_run_backwards() {
        let mut r = Reader::whole(" from 3 s to 3 s");
        when(&mut r);
        assert_eq!(r.mistakes[0].code, "backwards");
    }
}
