//! The contract's cases: facts that hold on every mesh, whatever it is made of.
//!
//! What is drawn by chance has no case, unless it is all or nothing: shares are judged by the evidence of each run.

mod control;

use super::{
    Case,
    case::{Expectation, call},
};
use control::{changes, control_plane};
use squall_model::{
    Act, AnswerCode, Calls, Destination, FaultId, FaultKind, Filter, Fraction, InFlight, Instance, Level, PolicyKind,
    RetryOn, Service, Target, Topology, Touch, Traffic, Which,
};
use std::time::Duration;

/// A delay, and what is left of it where a proxy's timer is coarse.
const DELAY: Duration = Duration::from_millis(100);
const MOST_OF_IT: Duration = Duration::from_millis(90);

/// A time limit, and a time beyond it.
const LIMIT: Duration = Duration::from_millis(100);
const BEYOND: Duration = Duration::from_secs(2);

/// So many calls reach every one of two instances, by whatever algorithm: otherwise once in 2^39 times.
const MANY: u32 = 40;

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case> {
    let of_calls = [calls(), retries(), limits(), routes(), faults_on_calls(), faults_on_tries()];
    let of_control = [changes(), control_plane(), refusals()];
    of_calls.into_iter().chain(of_control).flatten().collect()
}

/// `web` and `mobile` call `reviews`, of which there are two, and `ratings`.
fn shop() -> Topology {
    let mut services = ["web", "mobile", "reviews", "ratings"].map(|name| Service::new(name.into()));
    for caller in &mut services[..2] {
        caller.calls = vec!["reviews".into(), "ratings".into()];
    }
    let version = |name: &str| Instance { version: Some(name.into()), place: None, at: None };
    services[2].instances = vec![version("v1"), version("v2")];
    Topology { services: services.into(), ..Topology::default() }
}

fn reviews(which: Which) -> Target {
    Target { service: "reviews".into(), which, place: None }
}

fn to_reviews() -> Calls {
    Calls { to: Some(reviews(Which::Service)), ..Calls::default() }
}

fn with(filter: Filter) -> Calls {
    Calls { filter, ..to_reviews() }
}

fn posts() -> Filter {
    Filter { method: Some("POST".into()), ..Filter::default() }
}

fn testers() -> Filter {
    Filter { header: Some(("x-tester".into(), "yes".into())), ..Filter::default() }
}

fn checkout() -> Filter {
    Filter { path: Some("/checkout".into()), ..Filter::default() }
}

fn alice() -> Filter {
    Filter { user: Some("alice".into()), ..Filter::default() }
}

fn web() -> Expectation {
    call("web", "reviews")
}

fn mobile() -> Expectation {
    call("mobile", "reviews")
}

fn retried(of: Calls, up_to: u32, on: RetryOn) -> PolicyKind {
    PolicyKind::Retries { of, up_to, on: vec![on], elsewhere: false }
}

fn on_calls(of: Calls, touch: Touch) -> FaultKind {
    FaultKind::Touch { on: Traffic { share: Fraction::ALL, level: Level::Calls, of }, touch }
}

fn on_tries(of: Calls, touch: Touch) -> FaultKind {
    FaultKind::Touch { on: Traffic { share: Fraction::ALL, level: Level::Tries, of }, touch }
}

fn arm(id: u32) -> Act {
    Act::Arm(FaultId(id))
}

fn end(id: u32) -> Act {
    Act::End(FaultId(id))
}

fn calls() -> Vec<Case> {
    let every = || web().times(MANY).status(200).tries(1).reaching(reviews(Which::Every));
    vec![
        Case::new("a call arrives once, at any instance", shop())
            .calls([every(), call("web", "ratings").status(200).tries(1)]),
        Case::new("a mesh that is told nothing retries nothing", shop())
            .answer(reviews(Which::Every), 503, Duration::ZERO)
            .calls([web().times(4).status(503).tries(1)]),
        Case::new("a mesh that is told nothing waits", shop())
            .answer(reviews(Which::Every), 200, DELAY)
            .calls([web().status(200).tries(1).at_least(MOST_OF_IT)]),
    ]
}

fn retries() -> Vec<Case> {
    let failing = |name| Case::new(name, shop()).answer(reviews(Which::Every), 503, Duration::ZERO);
    let elsewhere =
        PolicyKind::Retries { of: to_reviews(), up_to: 1, on: vec![RetryOn::FiveHundreds], elsewhere: true };
    let of_web = Calls { from: Some("web".into()), ..to_reviews() };
    vec![
        failing("so many retries are one try more")
            .policies([retried(to_reviews(), 2, RetryOn::FiveHundreds)])
            .calls([web().status(503).tries(3), mobile().status(503).tries(3)]),
        failing("an answer that is not named is not retried")
            .policies([retried(to_reviews(), 2, RetryOn::ConnectFailure)])
            .calls([web().status(503).tries(1)]),
        failing("one status is retried and another is not")
            .policies([retried(to_reviews(), 2, RetryOn::Status(503)), retried(with(posts()), 2, RetryOn::Status(502))])
            .calls([web().status(503).tries(3), web().with(posts()).status(503).tries(1)]),
        failing("retries are the named caller's")
            .policies([retried(of_web, 2, RetryOn::FiveHundreds)])
            .calls([web().status(503).tries(3), mobile().status(503).tries(1)]),
        failing("the more special policy counts, whatever the order")
            .policies([
                retried(with(testers()), 1, RetryOn::FiveHundreds),
                retried(to_reviews(), 2, RetryOn::FiveHundreds),
            ])
            .calls([web().with(testers()).status(503).tries(2), web().status(503).tries(3)]),
        Case::new("a retry elsewhere finds the healthy instance", shop())
            .answer(reviews(Which::Instance(1)), 503, Duration::ZERO)
            .policies([elsewhere])
            .calls([web().times(MANY).status(200)]),
        Case::new("a callee that succeeds is not asked again", shop())
            .policies([retried(to_reviews(), 2, RetryOn::FiveHundreds)])
            .calls([web().status(200).tries(1)]),
    ]
}

fn limits() -> Vec<Case> {
    let whole = |level| Traffic { share: Fraction::ALL, level, of: to_reviews() };
    let late = |name| Case::new(name, shop()).answer(reviews(Which::Every), 200, BEYOND);
    let nothing =
        PolicyKind::InFlight { caller: "web".into(), at_most: 0, unit: InFlight::Tries, to: "reviews".into() };
    let ejection =
        PolicyKind::Ejection { of: "reviews".into(), lasts: Duration::from_secs(60), after: 2, at_most: Fraction::ALL };
    vec![
        late("a call gives up").policies([PolicyKind::Timeout { of: whole(Level::Calls), after: LIMIT }]).calls([web(
        )
        .status(504)
        .tries(1)
        .at_least(MOST_OF_IT)]),
        late("a try gives up, and the next one has its own time")
            .policies([
                PolicyKind::Timeout { of: whole(Level::Tries), after: LIMIT },
                retried(to_reviews(), 1, RetryOn::FiveHundreds),
            ])
            .calls([web().status(504).tries(2).at_least(MOST_OF_IT * 2)]),
        late("a try gives up although nothing is retried")
            .policies([PolicyKind::Timeout { of: whole(Level::Tries), after: LIMIT }])
            .calls([web().status(504).tries(1).at_least(MOST_OF_IT)]),
        Case::new("a breaker is its caller's", shop()).policies([nothing]).calls([
            web().status(503).tries(0),
            mobile().status(200),
            call("web", "ratings").status(200),
        ]),
        Case::new("an instance that fails is ejected, by each caller for itself", shop())
            .answer(reviews(Which::Instance(1)), 503, Duration::ZERO)
            .policies([ejection])
            .step([], [web().times(MANY)])
            .step([], [web().times(MANY).status(200).reaching(reviews(Which::Instance(2)))])
            .step([], [mobile().times(MANY).reaching(reviews(Which::Every))]),
    ]
}

fn routes() -> Vec<Case> {
    let version = |name: &str| reviews(Which::Version(name.into()));
    let to = |share, target| Destination { share: Fraction::percent(share), target };
    let route = |of, to| PolicyKind::Route { of, to };
    let ratings = || Target::service("ratings".into());
    vec![
        Case::new("a route leads to a version", shop())
            .policies([route(to_reviews(), vec![to(100, version("v2"))])])
            .calls([web().times(MANY).status(200).reaching(version("v2"))]),
        Case::new("some calls have a way of their own", shop())
            .policies([
                route(to_reviews(), vec![to(100, version("v1"))]),
                route(with(testers()), vec![to(100, version("v2"))]),
            ])
            .calls([
                web().with(testers()).times(MANY).status(200).reaching(version("v2")),
                web().times(MANY).status(200).reaching(version("v1")),
            ]),
        Case::new("a split reaches both sides", shop())
            .policies([route(to_reviews(), vec![to(50, version("v1")), to(50, version("v2"))])])
            .calls([web().times(MANY).status(200).tries(1).reaching(reviews(Which::Every))]),
        Case::new("a route leads to another service", shop())
            .policies([route(to_reviews(), vec![to(100, ratings())])])
            .calls([web().times(4).status(200).tries(1).reaching(ratings())]),
        Case::new("a way and a number of retries are two things", shop())
            .answer(version("v2"), 503, Duration::ZERO)
            .policies([
                route(with(testers()), vec![to(100, version("v2"))]),
                retried(to_reviews(), 2, RetryOn::FiveHundreds),
            ])
            .calls([web().with(testers()).status(503).tries(3).reaching(version("v2"))]),
    ]
}

fn faults_on_calls() -> Vec<Case> {
    let abort = |of| on_calls(of, Touch::Abort(AnswerCode::Status(451)));
    let aborted = || web().status(451).tries(0);
    vec![
        Case::new("a fault is in place once it is armed, and gone once it is ended", shop())
            .faults([abort(to_reviews())])
            .step([], [web().status(200)])
            .step([arm(0)], [aborted(), mobile().status(451).tries(0), call("web", "ratings").status(200)])
            .step([end(0)], [web().status(200).tries(1), mobile().status(200)])
            .step([arm(0)], [aborted()]),
        Case::new("an aborted call is not retried", shop())
            .policies([retried(to_reviews(), 2, RetryOn::FiveHundreds)])
            .faults([on_calls(
                Calls { from: Some("web".into()), ..to_reviews() },
                Touch::Abort(AnswerCode::Status(503)),
            )])
            .step([arm(0)], [web().status(503).tries(0), mobile().status(200).tries(1)]),
        Case::new("a call is delayed", shop())
            .faults([on_calls(to_reviews(), Touch::Delay(DELAY))])
            .step([arm(0)], [web().status(200).tries(1).at_least(MOST_OF_IT)]),
        Case::new("a fault is for the calls that it names", shop())
            .faults([abort(with(checkout())), abort(with(alice()))])
            .step([arm(0)], [web().with(checkout()).status(451), web().status(200), web().with(alice()).status(200)])
            .step([arm(1), end(0)], [web().with(checkout()).status(200), web().with(alice()).status(451)]),
    ]
}

fn faults_on_tries() -> Vec<Case> {
    let abort = |of| on_tries(of, Touch::Abort(AnswerCode::Status(503)));
    let first = || Calls { to: Some(reviews(Which::Instance(1))), ..Calls::default() };
    let elsewhere =
        PolicyKind::Retries { of: to_reviews(), up_to: 1, on: vec![RetryOn::FiveHundreds], elsewhere: true };
    vec![
        Case::new("a fault stays with its instance", shop())
            .faults([abort(first())])
            .step([arm(0)], [web().times(MANY).reaching(reviews(Which::Instance(2)))])
            .step([end(0)], [web().times(MANY).status(200).reaching(reviews(Which::Every))]),
        Case::new("an aborted try is retried", shop())
            .policies([elsewhere])
            .faults([abort(first())])
            .step([arm(0)], [web().times(MANY).status(200).reaching(reviews(Which::Instance(2)))]),
        Case::new("a fault knows its caller", shop())
            .faults([abort(Calls { from: Some("mobile".into()), ..to_reviews() })])
            .step([arm(0)], [mobile().status(503).tries(0), web().times(4).status(200).tries(1)]),
        Case::new("a fault on tries is for those that it names", shop())
            .faults([abort(with(testers()))])
            .step([arm(0)], [web().with(testers()).status(503).tries(0), web().status(200)]),
        Case::new("two faults are two, and one may end", shop())
            .faults([on_tries(to_reviews(), Touch::Delay(DELAY)), abort(to_reviews())])
            .step([arm(0), arm(1)], [web().status(503).tries(0).at_least(MOST_OF_IT)])
            .step([end(1)], [web().status(200).at_least(MOST_OF_IT)]),
        Case::new("a fault comes to instances that come later", shop())
            .faults([abort(to_reviews()), FaultKind::Resized { service: "reviews".into(), to: 3 }])
            .step([arm(0), arm(1)], [web().times(MANY).status(503).tries(0)])
            .step([end(0)], [web().times(MANY).status(200).reaching(reviews(Which::Every))]),
    ]
}

fn refusals() -> Vec<Case> {
    let route = |legs: Vec<(u32, Target)>| {
        let leg = |(share, target)| Destination { share: Fraction::percent(share), target };
        PolicyKind::Route { of: to_reviews(), to: legs.into_iter().map(leg).collect() }
    };
    let third = || Calls { to: Some(reviews(Which::Instance(1))), ..Calls::default() };
    vec![
        Case::new("a split of less than the whole is refused", shop())
            .policies([route(vec![(90, reviews(Which::Version("v1".into())))])])
            .refused(),
        Case::new("a route to nowhere is refused", shop())
            .policies([route(vec![(100, Target::service("nowhere".into()))])])
            .refused(),
        Case::new("a fault on calls to one instance is refused: it is not chosen yet", shop())
            .faults([on_calls(third(), Touch::Abort(AnswerCode::Status(503)))])
            .refused(),
    ]
}
