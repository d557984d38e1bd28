//! Whatever is done to a wire, once it is clean all has arrived as it was sent.

use super::{
    super::{Close, Step},
    rig::{ID, Rig},
};
use crate::harm::Way;
use proptest::{collection::vec, option, prelude::*, sample::subsequence};
use squall_model::{Damage, Stamp};
use std::time::Duration;

/// What happens from outside.
#[derive(Debug, Clone)]
enum Happening {
    Come(Vec<u8>),
    Suffer(Vec<Damage>),
    /// The sink takes so much more.
    Room(usize),
}

fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let times = (0u64..50, 0u64..50, 0u64..50);
    (times, 1_000u64..2_000_000).prop_flat_map(|((by, jitter, close), bytes_per_second)| {
        let ms = Duration::from_millis;
        let all = vec![
            Damage::Cut,
            Damage::SwallowAnswers,
            Damage::SwallowRequests,
            Damage::Slow { by: ms(by), jitter: ms(jitter) },
            Damage::Rate { bytes_per_second },
            Damage::SlowClose(ms(close)),
        ];
        subsequence(all, 0..=3)
    })
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        vec(any::<u8>(), 1..6_000).prop_map(Happening::Come),
        damages().prop_map(Happening::Suffer),
        (0usize..20_000).prop_map(Happening::Room),
    ]
}

/// A clock that goes on to whatever comes next.
struct Play {
    rig: Rig,
    /// When the pipe wants to be pumped.
    until: Option<Stamp>,
    ended: Option<Close>,
}

impl Play {
    /// Pumps until the pipe waits.
    fn pump(&mut self) {
        loop {
            let before = self.rig.to.bytes.len();
            let step = self.rig.pump();
            assert!(!self.rig.is_held() || self.rig.to.bytes.len() == before, "something passed in a cut");
            match step {
                Step::Again => {}
                Step::Wait { until, .. } => {
                    self.until = until.into_iter().chain(self.throttled()).min();
                    return;
                }
                Step::Ended(close) => {
                    assert_eq!(self.ended, None);
                    (self.ended, self.until) = (Some(close), None);
                    return;
                }
                Step::Mined => panic!("there are no mines"),
            }
        }
    }

    fn throttled(&self) -> Option<Stamp> {
        self.rig.throttle.as_ref().and_then(|throttle| throttle.next())
    }

    /// Lets time pass, and the pipe do what is due in it.
    fn advance(&mut self, to: Stamp) {
        while let Some(at) = self.until.filter(|&at| at <= to) {
            self.rig.now = self.rig.now.max(at);
            self.pump();
            if let Some(throttle) = self.rig.throttle.as_mut().filter(|t| t.due(self.rig.now).is_some()) {
                throttle.leave_front(ID);
            }
        }
        self.rig.now = to;
    }
}

proptest! {
    #[test]
    fn all_arrives_in_order_once_the_wire_is_clean(
        way in prop_oneof![Just(Way::ToCallee), Just(Way::ToCaller)],
        happenings in vec((0u64..40, happening()), 0..60),
        close in option::of(prop_oneof![Just(Close::Fin), Just(Close::Rst)]),
    ) {
        let mut play = Play { rig: Rig::new(way), until: None, ended: None };
        play.rig.to.room = 10_000;
        let mut sent = Vec::new();
        for (pause, happening) in happenings {
            play.advance(play.rig.now + Duration::from_millis(pause));
            match happening {
                Happening::Come(bytes) => {
                    sent.extend(&bytes);
                    play.rig.from.come(&bytes);
                }
                Happening::Suffer(damages) => play.rig.set(&damages),
                Happening::Room(more) => play.rig.to.room += more,
            }
            play.pump();
            prop_assert!(sent.starts_with(&play.rig.to.bytes));
        }
        if let Some(close) = close {
            play.rig.from.close(close);
            play.pump();
        }
        play.rig.to.room = usize::MAX;
        play.rig.set(&[]);
        play.pump();
        prop_assert!(play.rig.to.bytes == sent, "{} of {} bytes arrived", play.rig.to.bytes.len(), sent.len());
        prop_assert_eq!(play.rig.pipe.passed(), sent.len() as u64);
        prop_assert_eq!(play.ended, close);
    }

    #[test]
    fn no_answer_is_faster_than_the_wire_lets_it_be(
        by in 0u64..60, jitter in 0u64..60, pieces in vec((0u64..30, 1usize..2_000), 1..40)
    ) {
        let ms = Duration::from_millis;
        let mut play = Play { rig: Rig::new(Way::ToCaller), until: None, ended: None };
        play.rig.suffer(&[Damage::Slow { by: ms(by), jitter: ms(jitter) }]);
        let begin = play.rig.now;
        // How much had come by when.
        let mut come: Vec<(Stamp, usize)> = vec![(begin, 0)];
        for (pause, size) in pieces {
            play.advance(play.rig.now + ms(pause));
            play.rig.from.come(&vec![0; size]);
            play.pump();
            let sum = come.last().map_or(0, |&(_, sum)| sum);
            come.push((play.rig.now, sum + size));
            let soonest = ms(by.saturating_sub(jitter));
            let may = come.iter().filter(|(at, _)| *at + soonest <= play.rig.now).map(|&(_, sum)| sum).max();
            let must = come.iter().filter(|(at, _)| *at + ms(by + jitter) <= play.rig.now).map(|&(_, sum)| sum).max();
            let arrived = play.rig.to.bytes.len();
            prop_assert!(arrived <= may.unwrap_or(0), "{arrived} bytes arrived, and {may:?} may have");
            prop_assert!(arrived >= must.unwrap_or(0), "{arrived} bytes arrived, and {must:?} must have");
        }
    }
}
