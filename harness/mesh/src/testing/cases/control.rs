//! Changes, and proxies that cannot be told of them.

use super::{super::Case, MANY, arm, end, mobile, on_calls, on_tries, retried, reviews, shop, to_reviews, web};
use squall_model::{
    Act, AnswerCode, Damage, FaultKind, Place, PlaceKind, PolicyId, RetryOn, Topology, Touch, Which, Wires,
};
use std::time::Duration;

/// The shop, with `mobile` at a site of its own.
fn shop_with_a_site() -> Topology {
    let mut shop = shop();
    shop.services[1].instances[0].place = Some(site());
    shop
}

fn site() -> Place {
    Place { kind: PlaceKind::Site, name: "edge".into() }
}

/// The site's proxies lose their control plane.
fn cut_off() -> FaultKind {
    FaultKind::Wire { of: Wires::Of(site()), damage: Damage::Cut }
}

pub(super) fn changes() -> Vec<Case> {
    let three = || retried(to_reviews(), 2, RetryOn::FiveHundreds);
    let (change, revert) = (Act::Change(PolicyId(0)), Act::Revert(PolicyId(0)));
    let failing = |name| Case::new(name, shop()).answer(reviews(Which::Every), 503, Duration::ZERO);
    vec![
        failing("a change is in force once it is confirmed, and so is its revert")
            .policies([three()])
            .step([], [web().tries(1)])
            .step([change], [web().tries(3), mobile().tries(3)])
            .step([revert], [web().tries(1), mobile().tries(1)]),
        Case::new("a service grows", shop())
            .faults([FaultKind::Resized { service: "reviews".into(), to: 3 }])
            .step([arm(0)], [web().times(MANY).status(200).reaching(reviews(Which::Every))]),
    ]
}

/// Proxies that cannot be told anything: all of them, or those of one site.
pub(super) fn control_plane() -> Vec<Case> {
    let three = || [retried(to_reviews(), 2, RetryOn::FiveHundreds)];
    let (change, revert) = (Act::Change(PolicyId(0)), Act::Revert(PolicyId(0)));
    let killed = || FaultKind::ControlPlaneKilled;
    let abort = || on_tries(to_reviews(), Touch::Abort(AnswerCode::Status(451)));
    let failing = |name| {
        let case = Case::new(name, shop_with_a_site()).policies(three());
        case.answer(reviews(Which::Every), 503, Duration::ZERO)
    };
    let both = |of_web: usize, of_mobile: usize| [web().tries(of_web), mobile().tries(of_mobile)];
    vec![
        failing("without its control plane a mesh stays as it is, and learns the rest when it is back")
            .faults([killed()])
            .step([arm(0)], both(1, 1))
            .step([change], both(1, 1))
            .step([end(0)], both(3, 3)),
        failing("what is taken back while the control plane is dead is never in force")
            .faults([killed()])
            .step([arm(0), change, revert], both(1, 1))
            .step([end(0)], both(1, 1)),
        failing("who is severed stays as it is, and learns the rest when it rejoins")
            .faults([cut_off()])
            .step([arm(0)], both(1, 1))
            .step([change], both(3, 1))
            .step([end(0)], both(3, 3)),
        failing("who is severed is not told by a control plane that comes back")
            .faults([cut_off(), killed()])
            .step([arm(0), arm(1), change], both(1, 1))
            .step([end(1)], both(3, 1))
            .step([end(0)], both(3, 3)),
        failing("who rejoins a dead control plane learns the rest when that is back")
            .faults([cut_off(), killed()])
            .step([arm(0), arm(1), change], both(1, 1))
            .step([end(0)], both(1, 1))
            .step([end(1)], both(3, 3)),
        Case::new("who is severed does not see a service grow until it rejoins", shop_with_a_site())
            .faults([cut_off(), FaultKind::Resized { service: "reviews".into(), to: 3 }])
            .step(
                [arm(0), arm(1)],
                [
                    web().times(MANY).status(200).reaching(reviews(Which::Every)),
                    mobile().times(MANY).status(200).reaching(reviews(Which::First(2))),
                ],
            )
            .step([end(0)], [mobile().times(MANY).status(200).reaching(reviews(Which::Every))]),
        Case::new("faults need no control plane", shop_with_a_site())
            .faults([killed(), abort()])
            .step([arm(0), arm(1)], [web().status(451)])
            .step([end(1)], [web().status(200)])
            .step([end(0)], [web().status(200)]),
        Case::new("faults come to those that are severed, and go", shop_with_a_site())
            .faults([cut_off(), on_calls(to_reviews(), Touch::Abort(AnswerCode::Status(451)))])
            .step([arm(0), arm(1)], [mobile().status(451), web().status(451)])
            .step([end(1)], [mobile().status(200), web().status(200)])
            .step([end(0)], [mobile().status(200)]),
    ]
}
