//! The control socket, and the marks that are set by it.

use crate::rig::{DEADLINE, Rig, now, wire};
use squall_child::ControlError::NotReady;
use squall_link::{Control, ControlError, LinkLine};
use squall_model::{Damage, WireEnd};
use std::{os::unix::net::UnixListener, path::Path, time::Duration};

#[tokio::test]
async fn a_marker_stands_behind_all_that_was_open() {
    let mut rig = Rig::start().await;
    let ((mut caller, mut callee), other) = (rig.connect(), rig.connect());
    drop(other);
    rig.ended(1);
    caller.says("one");
    callee.hears("one");
    rig.damage(&[Damage::SwallowAnswers]).await;
    callee.says("two");
    caller.hears_nothing();
    let before = now();
    let marked = rig.control.mark("here").await.unwrap();
    let [LinkLine::Record(gone), LinkLine::Record(open), LinkLine::Marker(text)] = &rig.lines()[..] else {
        panic!("{:?}", rig.lines())
    };
    assert_eq!((gone.sent, text.as_str()), (0, "here"));
    assert_eq!((open.end, open.ended, open.sent, open.answered), (WireEnd::Open, None, 3, 0));
    assert_eq!(open.hurt[0].by, Damage::SwallowAnswers);
    let last = open.hurt[0].last;
    assert!(before <= last && last <= marked, "it is being hurt at this moment");
    // It has another line when it ends, and can be known by its moment of opening.
    rig.clean().await;
    drop((caller, callee));
    let ended = rig.ended(2).remove(1);
    assert_eq!((ended.opened, ended.answered), (open.opened, 3));
    assert_ne!(gone.opened, open.opened);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let mut rig = Rig::start().await;
    rig.damage(&[Damage::Refuse]).await;
    let cut = || vec![Damage::Cut];
    let rate = |bytes_per_second| Damage::Rate { bytes_per_second };
    let refused = [
        (vec![(wire(9), cut())], "web-1 → reviews-9 is no wire of this link"),
        (vec![(wire(1), cut()), (wire(1), vec![])], "web-1 → reviews-1 is named twice"),
        (
            vec![(wire(1), vec![rate(1_000), rate(2_000)])],
            "web-1 → reviews-1: a wire that carries at most 1 KB/s cannot be one that carries at most 2 KB/s too",
        ),
        (vec![(wire(1), vec![rate(0)])], "web-1 → reviews-1: a rate of nothing is no rate: cut the wire instead"),
    ];
    for (damages, why) in refused {
        let error = rig.control.damage(&damages).await.unwrap_err();
        assert_eq!(error.to_string(), format!("refused by the link: {why}"));
        rig.is_refusing();
    }
    let error = rig.control.lead(&wire(9), None).await.unwrap_err();
    assert_eq!(error.to_string(), "refused by the link: web-1 → reviews-9 is no wire of this link");
}

#[tokio::test]
async fn asked_to_quit_it_ends() {
    let mut rig = Rig::start().await;
    Control::connect(&rig.config.control, DEADLINE).await.unwrap().quit().await.unwrap();
    assert!(rig.child.wait().unwrap().success());
    assert!(rig.control.mark("too late").await.is_err());
}

#[tokio::test]
async fn nobody_waits_for_ever_for_a_link_that_is_not_there() {
    let error = Control::connect(Path::new("/nowhere/control"), Duration::from_millis(20)).await.unwrap_err();
    assert!(matches!(error, ControlError::Child(NotReady { .. })), "{error}");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control");
    let _mute = UnixListener::bind(&path).unwrap();
    let error = Control::connect(&path, Duration::from_millis(20)).await.unwrap_err();
    assert!(matches!(error, ControlError::Child(NotReady { .. })), "{error}");
}
