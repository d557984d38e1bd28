//! `{state}` and `{span}`: what a subject is, and for how long.

use super::reader::Reader;
use crate::source::Mistake;
use squall_model::Condition;
use std::time::Duration;

/// A state that a subject can be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// `is ejected`; or `is never ejected`, which is not `ever`.
    Is { condition: Condition, ever: bool },
    /// `gets traffic`.
    GetsTraffic,
    /// One that nobody observes yet.
    Other,
}

/// Reads a state.
pub(crate) fn state(r: &mut Reader<'_>) -> State {
    if r.eat("gets traffic") {
        r.eat(" again");
        return State::GetsTraffic;
    }
    r.eat("is ");
    let ever = !r.eat("never ");
    let conditions =
        [("ejected", Condition::Ejected), ("unhealthy", Condition::Unhealthy), ("healthy", Condition::Healthy)];
    if let Some(condition) = r.one_of(&conditions) {
        return State::Is { condition, ever };
    }
    let rest = r.rest();
    r.eat(rest);
    State::Other
}

/// Reads `between 2 s and 3 s`, `at least 2 s` or `at most 3 s`: the least and the most.
pub(crate) fn span(r: &mut Reader<'_>) -> Option<(Option<Duration>, Option<Duration>)> {
    if r.eat("at least ") {
        return r.some_time("is reached by everything").map(|(least, _)| (Some(least), None));
    }
    if r.eat("at most ") {
        return r.some_time("is nothing").map(|(most, _)| (None, Some(most)));
    }
    let start = r.at();
    r.eat("between ");
    let (least, _) = r.time()?;
    r.eat(" and ");
    let (most, _) = r.some_time("is nothing")?;
    if most < least {
        let mistake = Mistake::error("backwards", r.since(start), "nothing lies between these two")
            .label("the first is the shorter one");
        r.tell(mistake);
    }
    Some((Some(least), Some(most)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use squall_model::duration;

    #[test]
    fn states_are_read() {
        for condition in [Condition::Ejected, Condition::Unhealthy, Condition::Healthy] {
            let text = condition.to_string();
            let mut r = Reader::whole(&text);
            assert_eq!((state(&mut r), r.is_done()), (State::Is { condition, ever: true }, true), "{text}");
            let never = text.replace("is ", "is never ");
            let mut r = Reader::whole(&never);
            assert_eq!((state(&mut r), r.is_done()), (State::Is { condition, ever: false }, true), "{never}");
        }
        for (text, wanted) in [
            ("gets traffic", State::GetsTraffic),
            ("gets traffic again", State::GetsTraffic),
            ("is reported stale", State::Other),
            ("is never rejected", State::Other),
            ("is the slowest hop", State::Other),
        ] {
            let mut r = Reader::whole(text);
            assert_eq!((state(&mut r), r.is_done()), (wanted, true), "{text}");
        }
    }

    proptest! {
        #[test]
        fn spans_round_trip(least in 1u64..10_000, more in 0u64..10_000) {
            let (least, most) = (Duration::from_millis(least), Duration::from_millis(least + more));
            for (text, wanted) in [
                (format!("between {} and {}", duration(least), duration(most)), (Some(least), Some(most))),
                (format!("at least {}", duration(least)), (Some(least), None)),
                (format!("at most {}", duration(most)), (None, Some(most))),
            ] {
                let mut r = Reader::whole(&text);
                prop_assert_eq!(span(&mut r), Some(wanted));
                prop_assert!(r.is_done() && r.mistakes.is_empty());
            }
        }
    }

    #[test]
    fn a_span_must_not_run_backwards() {
        let mut r = Reader::whole("between 3 s and 2 s");
        span(&mut r);
        assert_eq!(r.mistakes[0].code, "backwards");
    }
}
