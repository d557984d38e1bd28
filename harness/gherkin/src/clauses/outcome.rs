//! `{outcome}`: what a unit of traffic does. Singular and plural read alike.

use super::answer::answer;
use super::reader::Reader;
use super::target::target;
use crate::nearest;
use crate::source::Mistake;
use squall_model::{Outcome, ServiceName, Shedder};

/// The response flags of Envoy (docs: config/observability/access_log/usage, `%RESPONSE_FLAGS%`).
const FLAGS: [&str; 30] = [
    "DC", "DF", "DI", "DO", "DPE", "DR", "DT", "FI", "IH", "LH", "LR", "NC", "NFCF", "NR", "OM", "RFCF", "RL", "RLSE",
    "SI", "UAEX", "UC", "UF", "UH", "UDO", "UMSDR", "UO", "UPE", "UR", "URX", "UT",
];

/// Reads an outcome; `None` where the model has none for it (noted as missing, or as a mistake).
pub(crate) fn outcome(r: &mut Reader<'_>, named: Option<&ServiceName>) -> Option<Outcome> {
    let (start, whole) = (r.at(), r.rest());
    if r.eat("succeed") {
        r.eat("s");
        let within = if r.eat(" within ") { r.some_time("is no time to answer in")?.0.into() } else { None };
        return Some(Outcome::Succeed(within));
    }
    if r.eat("fail") {
        r.eat("s");
        return Some(Outcome::Fail);
    }
    if r.eat("finishes within ") || r.eat("finish within ") {
        return r.some_time("is no time to finish in").map(|(time, _)| Outcome::FinishWithin(time));
    }
    if r.eat("takes at least ") || r.eat("take at least ") {
        return r.time().map(|(time, _)| Outcome::TakeAtLeast(time));
    }
    if r.eat("times out") || r.eat("time out") {
        return Some(Outcome::TimeOut);
    }
    if r.eat("reaches ") || r.eat("reach ") {
        return target(r, named).map(Outcome::Reach);
    }
    if (r.eat("is ") || r.eat("are "))
        && let Some(outcome) = passive(r)
    {
        return outcome;
    }
    let end = start + whole.len();
    r.turn_to(end..end);
    r.lacks(start..end, whole);
    None
}

/// What follows `is` or `are`; the inner `None` is noted.
fn passive(r: &mut Reader<'_>) -> Option<Option<Outcome>> {
    if r.eat("shed") {
        let by = [
            (" by the circuit breaker", Shedder::CircuitBreaker),
            (" by the rate limit", Shedder::RateLimit),
            (" by the admission control", Shedder::AdmissionControl),
            (" by the adaptive concurrency", Shedder::AdaptiveConcurrency),
        ];
        return Some(Some(Outcome::Shed(r.one_of(&by))));
    }
    let plain = [
        ("denied", Outcome::Denied),
        ("refused", Outcome::Refused),
        ("reset", Outcome::Reset),
        ("unroutable", Outcome::Unroutable),
        ("retried", Outcome::Retried),
        ("tried twice on one instance", Outcome::TriedTwiceOnOneInstance),
    ];
    if let Some((_, outcome)) = plain.into_iter().find(|(words, _)| r.eat(words)) {
        return Some(Some(outcome));
    }
    if r.eat("answered with ") {
        return Some(answer(r).map(Outcome::Answered));
    }
    if r.eat("tried more than ") {
        let tries = r.at_least_one("whatever is made is tried more than 0 times");
        let _ = r.eat(" times") || r.eat(" time");
        return Some(tries.map(|(tries, _)| Outcome::TriedMoreThan(tries)));
    }
    if r.eat("logged with flag ") {
        return Some(flag(r));
    }
    None
}

fn flag(r: &mut Reader<'_>) -> Option<Outcome> {
    let (flag, span) = r.quoted()?;
    if !FLAGS.contains(&flag) {
        let near = nearest::name(flag, FLAGS).map(|near| format!("did you mean \"{near}\"?"));
        let mistake = Mistake::error("flag", span, format!("\"{flag}\" is no response flag of Envoy"))
            .label("never logged")
            .hint(near.unwrap_or_else(|| "for instance \"UF\", \"UO\", \"UT\", \"URX\", \"FI\", \"RL\"".to_owned()));
        r.tell(mistake);
    }
    Some(Outcome::LoggedWithFlag(flag.to_owned()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::answer::tests::any_code;
    use super::super::target::tests_support::any_target;
    use super::*;
    use crate::words;
    use proptest::prelude::*;
    use std::time::Duration;

    fn time() -> impl Strategy<Value = Duration> {
        (1u64..100_000).prop_map(Duration::from_millis)
    }

    /// Any outcome that can be written, of whatever unit.
    pub(crate) fn any_outcome() -> BoxedStrategy<Outcome> {
        prop_oneof![
            proptest::option::of(time()).prop_map(Outcome::Succeed),
            Just(Outcome::Fail),
            time().prop_map(Outcome::FinishWithin),
            time().prop_map(Outcome::TakeAtLeast),
            Just(Outcome::TimeOut),
            Just(Outcome::Shed(None)),
            Just(Outcome::Shed(Some(Shedder::RateLimit))),
            Just(Outcome::Shed(Some(Shedder::AdaptiveConcurrency))),
            Just(Outcome::Reset),
            Just(Outcome::Unroutable),
            Just(Outcome::Refused),
            Just(Outcome::Denied),
            Just(Outcome::Retried),
            any_code().prop_map(Outcome::Answered),
            any_target().prop_map(Outcome::Reach),
            (1u32..9).prop_map(Outcome::TriedMoreThan),
            Just(Outcome::TriedTwiceOnOneInstance),
            Just(Outcome::LoggedWithFlag("UF".into())),
        ]
        .boxed()
    }

    proptest! {
        #[test]
        fn outcomes_round_trip(wanted in any_outcome(), one: bool) {
            let text = words::outcome(&wanted, one).unwrap();
            let mut r = Reader::whole(&text);
            prop_assert_eq!(outcome(&mut r, None), Some(wanted));
            prop_assert!(r.is_done() && r.mistakes.is_empty() && r.missing.is_empty());
        }
    }

    #[test]
    fn what_the_model_has_no_word_for_is_missing() {
        for text in [
            "uses mTLS",
            "are held",
            "is one trace, with a span for each try",
            "conform to \"c.json\"",
            "wait at least 1 s",
        ] {
            let mut r = Reader::whole(text);
            assert_eq!(outcome(&mut r, None), None);
            assert_eq!((r.missing.len(), r.missing[0].what.as_str(), r.is_done()), (1, text, true));
        }
    }

    #[test]
    fn flags_are_those_of_envoy() {
        let mut r = Reader::whole("are logged with flag \"UFO\"");
        outcome(&mut r, None);
        assert_eq!(r.mistakes[0].hint.as_deref(), Some("did you mean \"UF\"?"));
    }
}
