//! Reading what is written gives the noun back, for every noun that has words.

use crate::clauses::answer::tests::any_code;
use crate::clauses::calls::tests::any_calls;
use crate::clauses::check::tests::{any_key, any_probe};
use crate::clauses::comparison::tests::{any_margin, any_reference};
use crate::clauses::outcome::tests::any_outcome;
use crate::clauses::place::tests::any_place;
use crate::clauses::subject::tests::any_members;
use crate::clauses::target::tests_support::any_target;
use crate::clauses::wire::tests::{any_damage, any_wires};
use crate::compile::{Line, Says, Sink, read};
use crate::document::{Step, Text};
use crate::matcher::language;
use crate::source::{Defaults, Index};
use gherkin::StepType;
use proptest::prelude::*;
use squall_model::{
    Anchor, Answers, Arrivals, Balancer, Bound, ClaimKind, Condition, Destination, Down, FaultKind, Filter, Fraction,
    Happening, InFlight, Level, MomentRef, Only, Outcome, Part, Per, Phase, PolicyKind, Population, Quantity, Rate,
    RetryOn, SeenBy, ServiceName, Shape, ShareBound, State, Stick, Target, Touch, Traffic, TrafficLine, Unit,
};
use std::time::Duration;

/// What a line says, which must be a sentence without mistakes.
fn said(ty: StepType, text: &str) -> Says {
    let index = Index::new("t".into(), text);
    let keyword = "Given".to_owned();
    let step = Step { ty, keyword, own: true, text: Text::verbatim(text, 0), keyword_at: 0..0, hangs: None };
    let is = language().find(ty, text).unwrap_or_else(|| panic!("no sentence: {text}"));
    let mut sink = Sink { index: &index, out: Vec::new() };
    let statement = read(0, &Line { step: &step, is }, &Defaults::default(), &mut sink);
    assert!(sink.out.is_empty() && statement.missing.is_empty(), "{text}: {:?}", sink.out);
    statement.says
}

fn time() -> impl Strategy<Value = Duration> {
    (1u64..100_000).prop_map(Duration::from_millis)
}

fn share() -> impl Strategy<Value = Fraction> {
    (1u32..1_000_000).prop_map(|ppm| Fraction::from_ppm(ppm).unwrap())
}

fn service() -> impl Strategy<Value = ServiceName> {
    "[a-z]{1,6}".prop_map(ServiceName::from)
}

fn any_traffic(share: impl Strategy<Value = Fraction>) -> impl Strategy<Value = Traffic> {
    let level = prop_oneof![Just(Level::Calls), Just(Level::Tries)];
    (share, level, any_calls()).prop_map(|(share, level, of)| Traffic { share, level, of })
}

/// Calls to somebody.
fn calls_to() -> impl Strategy<Value = squall_model::Calls> {
    (any_calls(), any_target()).prop_map(|(of, to)| squall_model::Calls { to: Some(to), ..of })
}

fn any_policy() -> BoxedStrategy<PolicyKind> {
    let on = prop::sample::subsequence(&RetryOn::WORDS[..13], 1..4)
        .prop_map(|words| words.into_iter().map(|w| w.parse::<RetryOn>().unwrap()).collect::<Vec<_>>());
    let balancer = prop::sample::select(Balancer::WORDS).prop_map(|w| w.parse::<Balancer>().unwrap());
    let all = || any_traffic(Just(Fraction::ALL));
    let unit = prop_oneof![Just(InFlight::Tries), Just(InFlight::Retries)];
    let stick = prop_oneof![Just(Stick::Version), Just(Stick::Instance)];
    prop_oneof![
        (any_calls(), 1u32..9, on, any::<bool>()).prop_map(|(of, up_to, on, elsewhere)| PolicyKind::Retries {
            of,
            up_to,
            on,
            elsewhere
        }),
        (all(), time()).prop_map(|(of, after)| PolicyKind::Timeout { of, after }),
        (all(), time()).prop_map(|(of, after)| PolicyKind::IdleTimeout { of, after }),
        (any_calls(), share(), 0u32..9).prop_map(|(of, share, at_least)| PolicyKind::RetryBudget {
            of,
            share,
            at_least
        }),
        (service(), 0u32..99, unit, service()).prop_map(|(caller, at_most, unit, to)| PolicyKind::InFlight {
            caller,
            at_most,
            unit,
            to
        }),
        (service(), 1u32..99, 0u32..99, service()).prop_map(|(caller, at_most, waiting, to)| PolicyKind::Connections {
            caller,
            at_most,
            waiting,
            to
        }),
        (service(), time(), 1u32..9, prop_oneof![Just(Fraction::ALL), share()])
            .prop_map(|(of, lasts, after, at_most)| PolicyKind::Ejection { of, lasts, after, at_most }),
        any_route(),
        (service(), time(), any_probe(), 1u32..9, 1u32..9).prop_map(|(of, every, by, out_after, back_after)| {
            PolicyKind::Check { of, every, by, out_after, back_after }
        }),
        (service(), share()).prop_map(|(of, below)| PolicyKind::Panic { of, below }),
        (calls_to(), prop::collection::hash_set(any_place(), 2..4))
            .prop_map(|(of, places)| PolicyKind::Prefer { of, places: places.into_iter().collect() }),
        (calls_to(), stick, any_key()).prop_map(|(of, to, by)| PolicyKind::Sticky { of, to, by }),
        (service(), time()).prop_map(|(of, over)| PolicyKind::WarmUp { of, over }),
        any_calls().prop_map(|of| PolicyKind::KeepDeadline { of }),
        (any_calls(), balancer).prop_map(|(of, by)| PolicyKind::Balance { of, by }),
    ]
    .boxed()
}

fn any_route() -> BoxedStrategy<PolicyKind> {
    (calls_to(), any_target(), proptest::option::of((share(), any_target())))
        .prop_map(|(of, first, rest)| {
            let share = rest.as_ref().map_or(Fraction::ALL, |(share, _)| share.rest());
            let mut to = vec![Destination { share, target: first }];
            to.extend(rest.map(|(share, target)| Destination { share, target }));
            PolicyKind::Route { of, to }
        })
        .boxed()
}

fn any_fault() -> BoxedStrategy<FaultKind> {
    let touch = prop_oneof![
        any_code().prop_filter("an abort fails", |c| !c.is_success()).prop_map(Touch::Abort),
        time().prop_map(Touch::Delay)
    ];
    let how = prop_oneof![any_code().prop_map(Answers::With), time().prop_map(Answers::In), Just(Answers::AtOnce),];
    let down = prop_oneof![Just(Down::Killed), Just(Down::Stopped), Just(Down::Paused)];
    let part = || prop_oneof![Just(Part::Instance), Just(Part::Workload), Just(Part::Proxy)];
    prop_oneof![
        (any_traffic(share()), touch).prop_map(|(on, touch)| FaultKind::Touch { on, touch }),
        (any_target(), how).prop_map(|(of, how)| FaultKind::Answers { of, how }),
        (down, part(), any_members()).prop_map(|(how, part, of)| FaultKind::Down { how, part, of }),
        (part(), any_members()).prop_map(|(part, of)| FaultKind::Restarted { part, of }),
        (any_wires(), any_damage()).prop_map(|(of, damage)| FaultKind::Wire { of, damage }),
        Just(FaultKind::ControlPlaneKilled),
        (service(), 1u32..99).prop_map(|(service, to)| FaultKind::Resized { service, to }),
    ]
    .boxed()
}

fn any_line() -> BoxedStrategy<TrafficLine> {
    let arrivals = prop_oneof![Just(Arrivals::Even), Just(Arrivals::Random)];
    let defaults = Defaults::default();
    let (rate, cap) = (defaults.decide_rate, defaults.decide_cap);
    let shape = prop_oneof![
        (1u32..999, time(), arrivals).prop_map(|(rate, length, arrivals)| Shape::Open {
            rate: Rate::per_second(rate),
            length,
            arrivals
        }),
        Just(Shape::Decide { rate, cap }),
        (1u32..999).prop_map(|calls| Shape::Serial { calls }),
        (1u32..99, time(), time()).prop_map(|(users, length, thinking)| Shape::Closed { users, length, thinking }),
        (0u32..99, 100u32..999, time()).prop_map(|(from, to, length)| Shape::Ramp { from, to, length }),
    ];
    (service(), any_target(), any_calls(), proptest::option::of(1u32..99), shape)
        .prop_map(|(caller, to, calls, users, shape)| {
            let users = users.filter(|_| !matches!(shape, Shape::Closed { .. }));
            TrafficLine { number: 0, caller, to, with: calls.filter, users, shape }
        })
        .boxed()
}

fn any_phase() -> BoxedStrategy<Phase> {
    let anchor = || prop_oneof![Just(Anchor::Fault), Just(Anchor::Change)];
    prop_oneof![
        Just(Phase::Whole),
        anchor().prop_map(Phase::Before),
        anchor().prop_map(Phase::During),
        anchor().prop_map(Phase::After),
        (time(), proptest::option::of(time()))
            .prop_map(|(from, more)| Phase::Clock { from, to: more.map(|more| from + more) }),
    ]
    .boxed()
}

fn any_population() -> BoxedStrategy<Population> {
    let unit = prop_oneof![Just(Unit::Call), Just(Unit::Try), Just(Unit::Retry), Just(Unit::User)];
    let only = prop_oneof![Just(None), Just(Some(Only::Shed)), Just(Some(Only::Failed))];
    (unit, only, any_calls(), any_phase())
        .prop_map(|(unit, only, calls, phase)| Population { unit, only, calls, phase })
        .boxed()
}

fn any_claim() -> BoxedStrategy<ClaimKind> {
    let bound = prop_oneof![
        share().prop_map(ShareBound::AtLeast),
        share().prop_map(ShareBound::AtMost),
        share().prop_map(ShareBound::MoreThan),
        (share(), share()).prop_map(|(a, b)| ShareBound::Between(a.min(b), a.max(b))),
    ];
    let state = || {
        let is = prop_oneof![Just(Condition::Ejected), Just(Condition::Healthy), Just(Condition::Unhealthy)];
        (is, any_target()).prop_map(|(is, of)| State { is, of })
    };
    let moment = prop_oneof![
        Just(MomentRef::FaultStart),
        Just(MomentRef::FaultEnd),
        Just(MomentRef::Change),
        (1u32..99).prop_map(MomentRef::Failure)
    ];
    let happening = prop_oneof![any_target().prop_map(Happening::GetsTraffic), state().prop_map(Happening::Becomes)];
    let fixed = prop_oneof![Just(MomentRef::FaultStart), Just(MomentRef::FaultEnd), Just(MomentRef::Change)];
    let span = (proptest::option::of(time()), proptest::option::of(time()))
        .prop_filter("some bound", |(a, b)| a.is_some() || b.is_some())
        .prop_map(|(least, more)| (least, more.map(|more| least.unwrap_or_default() + more)));
    prop_oneof![
        (any_population(), any::<bool>(), any_outcome()).prop_map(|(of, all, outcome)| ClaimKind::Every {
            of,
            all,
            outcome
        }),
        (any_population(), any_outcome(), bound).prop_map(|(of, outcome, bound)| ClaimKind::Share {
            of,
            outcome,
            bound
        }),
        (any_population(), any_outcome(), any_count())
            .prop_map(|(of, outcome, bound)| ClaimKind::Total { quantity: Quantity::Count { of, outcome }, bound }),
        any_tries(),
        (happening, time(), moment).prop_map(|(what, within, of)| ClaimKind::Moment { what, within, of }),
        (any_calls(), time(), fixed).prop_map(|(calls, within, of)| ClaimKind::Moment {
            what: Happening::Recover(calls),
            within,
            of
        }),
        (state(), any::<bool>(), any_phase()).prop_map(|(what, ever, phase)| ClaimKind::State { what, ever, phase }),
        (any_calls(), any_reference(), any_margin()).prop_map(|(calls, reference, margin)| ClaimKind::Paired {
            calls,
            reference,
            margin
        }),
        (state(), span).prop_map(|(what, (least, most))| ClaimKind::Lasts { what, least, most }),
        (service(), any::<bool>(), any_phase()).prop_map(|(service, version, phase)| {
            let calls = squall_model::Calls { to: Some(Target::service(service)), ..squall_model::Calls::default() };
            let of = Population { unit: Unit::User, only: None, calls, phase };
            let to = if version { Stick::Version } else { Stick::Instance };
            ClaimKind::Every { of, all: true, outcome: Outcome::ReachOnlyOne(to) }
        }),
    ]
    .boxed()
}

fn any_count() -> impl Strategy<Value = Bound> {
    (0u64..99, 0usize..3).prop_map(|(n, side)| {
        let n = n * 1000;
        [Bound { low: Some(n), high: None }, Bound { low: None, high: Some(n) }, Bound { low: Some(n), high: Some(n) }]
            [side]
    })
}

fn any_tries() -> BoxedStrategy<ClaimKind> {
    let seen_by = prop_oneof![Just(SeenBy::Proxy), Just(SeenBy::Workload)];
    let rated = (prop_oneof![Just(Per::Call), Just(Per::Second)], 0u64..9_999, 0u64..9_999, 0usize..3).prop_map(
        |(per, low, more, side)| {
            let bound = [
                Bound { low: Some(low), high: None },
                Bound { low: None, high: Some(low) },
                Bound { low: Some(low), high: Some(low + more) },
            ][side];
            (per, bound)
        },
    );
    let total = any_count().prop_map(|bound| (Per::Total, bound));
    (any_target(), seen_by, prop_oneof![rated, total], any_phase())
        .prop_map(|(target, seen_by, (per, bound), phase)| ClaimKind::Total {
            quantity: Quantity::Tries { target, seen_by, per, phase },
            bound,
        })
        .boxed()
}

proptest! {
    #[test]
    fn policies_round_trip(wanted in any_policy()) {
        let text = super::policy(&wanted);
        match said(StepType::Given, &text) {
            Says::Policy(read) => prop_assert_eq!(read, wanted, "{}", text),
            other => prop_assert!(false, "{}: {:?}", text, other),
        }
    }

    #[test]
    fn faults_round_trip(wanted in any_fault()) {
        let text = super::fault(&wanted).unwrap();
        match said(StepType::When, &text) {
            Says::Fault(read) => prop_assert_eq!(read, wanted, "{}", text),
            other => prop_assert!(false, "{}: {:?}", text, other),
        }
    }

    #[test]
    fn traffic_round_trips(wanted in any_line()) {
        let text = super::traffic(&wanted);
        match said(StepType::When, &text) {
            Says::Traffic(read) => prop_assert_eq!(read, wanted, "{}", text),
            other => prop_assert!(false, "{}: {:?}", text, other),
        }
    }

    #[test]
    fn claims_round_trip(wanted in any_claim()) {
        let text = super::claim(&wanted).unwrap();
        match said(StepType::Then, &text) {
            Says::Claim(read) => prop_assert_eq!(read, wanted, "{}", text),
            other => prop_assert!(false, "{}: {:?}", text, other),
        }
    }
}

#[test]
fn what_has_no_words_has_none() {
    assert_eq!(super::fault(&FaultKind::Outage { of: squall_model::Calls::default() }), None);
    let between = Bound { low: Some(1000), high: Some(2000) };
    let of = Population {
        unit: Unit::Call,
        only: None,
        calls: squall_model::Calls { filter: Filter::default(), ..squall_model::Calls::default() },
        phase: Phase::Whole,
    };
    let quantity = Quantity::Count { of, outcome: Outcome::Fail };
    assert_eq!(super::claim(&ClaimKind::Total { quantity, bound: between }), None);
}
