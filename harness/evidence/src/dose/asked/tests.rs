use super::super::tests::{dose, spared};
use crate::testing::{Hop, Scene, at, faulty, plan, reviews, touch, web};
use squall_model::{AnswerCode, AskedRecord, Deployed, Dose, FaultId, Level, Side, Spared, Touch, When, Which};
use std::time::Duration;

/// `calls` calls to a service of others under a fault, whose proxies ask about each try; the first `struck` are struck.
fn asked(percent: u32, fault: Touch, calls: u64, struck: u64, hop: impl Fn(bool) -> Hop) -> Scene {
    let mut theirs = faulty(plan(), touch(Level::Tries, percent, Which::Service, fault), When::Standing);
    theirs.topology.service_mut(&"reviews".into()).unwrap().deployed = Some(Deployed::default());
    let mut scene = Scene::new(theirs);
    scene.stood(0);
    scene.calls(0, 1, calls, |n| [hop(n < struck)]);
    scene.seen.access.retain(|line| line.side == Side::Outbound);
    scene.seen.ledger.clear();
    scene.seen.counters.retain(|record| record.proxy == web());
    let record = |n: usize, t: &squall_model::TryRecord| AskedRecord {
        at: t.upstream.clone().unwrap(),
        id: t.id.clone(),
        attempt: t.attempt,
        caller: Some("web".into()),
        meant: vec![FaultId(0)],
        struck: if (n as u64) < struck { vec![FaultId(0)] } else { Vec::new() },
        asked: t.began,
        late: false,
    };
    scene.seen.asked = scene.seen.tries.iter().enumerate().map(|(n, t)| record(n, t)).collect();
    scene
}

const ABORT: Touch = Touch::Abort(AnswerCode::Status(503));

fn aborted(percent: u32, calls: u64, struck: u64) -> Scene {
    asked(percent, ABORT, calls, struck, |struck| if struck { Hop::Status(1, 503) } else { Hop::Ok(1) })
}

#[test]
fn what_was_answered_is_the_dose() {
    for (struck, expected) in [(180, Dose::Confirmed), (240, Dose::Stronger), (125, Dose::Weaker), (0, Dose::Absent)] {
        assert_eq!(dose(&aborted(30, 600, struck)), (expected, struck, 600), "{struck}");
    }
    assert_eq!(dose(&aborted(100, 600, 600)), (Dose::Confirmed, 600, 600));
}

#[test]
fn a_try_that_nobody_asked_about_was_spared() {
    let mut scene = aborted(100, 600, 600);
    let lost = scene.seen.asked.pop().unwrap();
    assert_eq!(dose(&scene), (Dose::Weaker, 599, 600));
    assert_eq!(spared(&scene), Some(Spared::PortMissed { unasked: 1, unheeded: 0 }));
    // Of a share that is as meant nobody asks why.
    let mut confirmed = aborted(30, 600, 180);
    confirmed.seen.asked.pop().unwrap();
    assert_eq!((dose(&confirmed), spared(&confirmed)), ((Dose::Confirmed, 180, 600), None));
    // Nobody answered it either: nothing shows that it ever reached a proxy that could have asked.
    let t = scene.seen.tries.iter_mut().find(|t| t.id == lost.id).unwrap();
    (t.status, t.flags) = (0, "UF".into());
    assert_eq!(dose(&scene), (Dose::Confirmed, 599, 599));
}

#[test]
fn what_struck_and_was_not_obeyed_did_not_happen() {
    // The port says that it struck, and the answer is another.
    let mut scene = aborted(100, 600, 600);
    scene.seen.tries[7].status = 200;
    assert_eq!(dose(&scene), (Dose::Weaker, 599, 600));
    assert_eq!(spared(&scene), Some(Spared::PortMissed { unasked: 0, unheeded: 1 }));
    let delay = Touch::Delay(Duration::from_millis(50));
    let slow = |_| Hop::Delayed(1, 50);
    assert_eq!(dose(&asked(100, delay, 600, 600, slow)), (Dose::Confirmed, 600, 600));
    assert_eq!(dose(&asked(100, delay, 600, 600, |_| Hop::Ok(1))), (Dose::Absent, 0, 600));
}

#[test]
fn what_they_send_each_other_counts_by_what_was_asked() {
    let mut scene = aborted(30, 600, 180);
    for n in 0..100 {
        let struck = if n < 30 { vec![FaultId(0)] } else { Vec::new() };
        let inner =
            AskedRecord { id: format!("t-{n}.reviews.1"), at: reviews(2), struck, ..scene.seen.asked[0].clone() };
        scene.seen.asked.push(AskedRecord { asked: at(n), ..inner });
    }
    assert_eq!((dose(&scene), spared(&scene)), ((Dose::Confirmed, 210, 700), None));
    // Of answers that came late nobody shows that they were waited for; of calls of ours their sender does.
    scene.seen.asked.iter_mut().for_each(|one| one.late = true);
    assert_eq!(dose(&scene), (Dose::Weaker, 180, 700));
    assert_eq!(spared(&scene), Some(Spared::PortMissed { unasked: 0, unheeded: 30 }));
}
