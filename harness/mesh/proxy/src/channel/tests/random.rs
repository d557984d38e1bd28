//! Whatever is delayed or lost: no fault without a live lease, and no arming but by an order.

use super::{TIMING, layer, proxy::Pair};
use crate::channel::Layer;
use proptest::prelude::*;
use std::time::Duration;

#[derive(Debug, Clone, Copy)]
enum Step {
    Arm(u32),
    Disarm,
    Pass(u64),
    Beat,
    Response,
    Request,
    Disconnect,
    Connect,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (1u32..=100).prop_map(Step::Arm),
        1 => Just(Step::Disarm),
        4 => (1u64..2_000).prop_map(Step::Pass),
        4 => Just(Step::Beat),
        8 => Just(Step::Response),
        8 => Just(Step::Request),
        1 => Just(Step::Disconnect),
        1 => Just(Step::Connect),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn a_lapse_is_told_once_an_order_and_what_lapsed_is_off(steps in prop::collection::vec(step(), 0..80)) {
        let (mut pair, mut orders, mut lapses_before) = (Pair::connected(), 0, 0);
        for step in steps {
            match step {
                Step::Arm(percent) => {
                    (orders, lapses_before) = (orders + 1, pair.lapses);
                    pair.set(layer(percent));
                }
                Step::Disarm => {
                    (orders, lapses_before) = (orders + 1, pair.lapses);
                    pair.set(Layer::new());
                }
                Step::Pass(ms) => pair.pass(Duration::from_millis(ms)),
                Step::Beat => drop(pair.beat()),
                Step::Response => drop(pair.deliver_response()),
                Step::Request => drop(pair.deliver_request()),
                Step::Disconnect => pair.disconnect(),
                Step::Connect => pair.connect(),
                Step::Restart => pair.restart(),
            }
            prop_assert!(pair.lapses <= lapses_before + 1);
        }
        pair.connect();
        pair.drain();
        if pair.lapses > lapses_before {
            prop_assert!(!pair.has_faults(), "it lapsed and is armed");
        }
        // Now all goes well, for long: what is armed stays so, what is not stays off, and both sides know which.
        let armed = pair.has_faults();
        for _ in 0..20 {
            pair.pass(TIMING.heartbeat);
            pair.beat();
            pair.drain();
            prop_assert_eq!(pair.has_faults(), armed);
        }
        prop_assert!(pair.lapses <= lapses_before + 1);
        prop_assert!(orders == 0 || pair.outcome(orders).is_some(), "everything ends");
    }

    /// When nobody is there to beat, no fault outlives its lease.
    #[test]
    fn silence_ends_every_fault(steps in prop::collection::vec(step(), 0..40)) {
        let mut pair = Pair::connected();
        for step in steps {
            match step {
                Step::Arm(percent) => _ = pair.set(layer(percent)),
                Step::Pass(ms) => pair.pass(Duration::from_millis(ms)),
                Step::Beat => drop(pair.beat()),
                Step::Response => drop(pair.deliver_response()),
                Step::Request => drop(pair.deliver_request()),
                _ => {}
            }
        }
        pair.disconnect();
        pair.pass(TIMING.ttl + Duration::from_millis(1));
        prop_assert!(!pair.has_faults());
    }
}
