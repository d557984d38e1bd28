//! Blocks: which of the short parts of a stage, with the faults that stand and without them, a call belongs to.

use super::{Life, Window};
use crate::Evidence;
use squall_model::{Anchor, Blocks};

impl Evidence {
    /// The block, from 0, that a call of this stage belongs to; `None` where it was sent while a fault came or went, or when
    /// the blocks were over.
    ///
    /// Blocks are cut by the plan, and what lies between a switch and its effect belongs to none of them, however long it
    /// took: so whoever belongs to a block was sent with the faults in place, or without.
    #[must_use]
    pub fn block_of(&self, stage: usize, blocks: Blocks, life: Life) -> Option<u32> {
        let origin = self.observed.stages.get(stage)?.origin;
        if life.intended < origin {
            return None;
        }
        let since = life.intended.since(origin).as_nanos();
        let block = u32::try_from(since / blocks.length.as_nanos().max(1)).ok().filter(|n| *n < blocks.count)?;
        let mut borders = self.windows(Anchor::Fault).iter().flat_map(Window::borders);
        let switched = borders.any(|border| border.touches(life.intended, life.met));
        (!switched).then_some(block)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Hop, Scene, at, blocked, plan, touch};
    use proptest::prelude::*;
    use squall_model::{Anchor, AnswerCode, Blocks, FaultId, Level, Phase, Touch, Which};
    use squall_stats::paired::Arm;
    use std::time::Duration;

    /// 2 s in blocks of 250 ms, a call every 5 ms; each switch takes 20 ms.
    fn scene() -> Scene {
        let abort = touch(Level::Tries, 100, Which::Service, Touch::Abort(AnswerCode::Status(503)));
        let mut scene = Scene::new(blocked(plan(), abort));
        scene.switched(20);
        scene.calls(0, 5, 400, |_| [Hop::Ok(1)]);
        scene
    }

    #[test]
    fn calls_belong_to_blocks_but_for_those_of_a_switch() {
        let scene = scene();
        let (evidence, blocks) = (scene.evidence(), scene.plan.timeline.stages[0].blocks.unwrap());
        let block = |ms: u64| {
            let story = evidence.stories().iter().find(|s| s.intended == at(ms)).unwrap();
            evidence.block_of(0, blocks, story.into())
        };
        let seen = [0, 245, 250, 270, 275, 500, 745, 750, 775, 1995].map(block);
        assert_eq!(seen, [0, 0, 9, 9, 1, 2, 2, 9, 3, 7].map(|n| (n < 9).then_some(n)));
    }

    #[test]
    fn a_fault_in_blocks_has_a_window_for_each_time() {
        let evidence = scene().evidence();
        let windows = evidence.windows(Anchor::Fault);
        let spans: Vec<_> = windows.iter().map(|w| (w.start.settled, w.end.unwrap().asked)).collect();
        assert_eq!(spans, [(at(270), at(750)), (at(1270), at(1750))]);
        assert_eq!(evidence.times(Phase::During(Anchor::Fault)), spans);
        let during = evidence.length(Phase::During(Anchor::Fault));
        assert_eq!(during, Duration::from_millis(960));
        let is = |phase, ms: u64| {
            let story = evidence.stories().iter().find(|s| s.intended == at(ms)).unwrap();
            evidence.membership(phase, story.into()) != crate::Membership::Outside
        };
        assert!(is(Phase::During(Anchor::Fault), 300) && is(Phase::During(Anchor::Fault), 1300));
        assert!(!is(Phase::During(Anchor::Fault), 800) && !is(Phase::During(Anchor::Fault), 1760));
        assert!(is(Phase::Before(Anchor::Fault), 100) && !is(Phase::Before(Anchor::Fault), 800));
        assert!(is(Phase::After(Anchor::Fault), 1800) && !is(Phase::After(Anchor::Fault), 800));
    }

    #[test]
    fn a_run_under_way_is_judged_up_to_the_next_switch() {
        let mut scene = scene();
        scene.seen.effects.truncate(2);
        scene.seen.quiet = false;
        let evidence = scene.evidence();
        assert_eq!(evidence.settled_until(), Some(at(1250)), "the second time has not come yet");
        // It is where the plan says until then: the first window is no longer for it.
        let starts: Vec<_> = evidence.windows(Anchor::Fault).iter().map(|w| w.start.settled).collect();
        assert_eq!(starts, [at(270), at(1250)]);
    }

    #[test]
    fn a_control_run_without_the_fault_keeps_its_blocks() {
        let mut scene = scene();
        scene.seen.planned = crate::planned(&scene.plan);
        scene.plan = squall_model::vary(&scene.plan, squall_model::Variation::WithoutFaults);
        scene.seen.effects.clear();
        let (evidence, blocks) = (scene.evidence(), scene.plan.timeline.stages[0].blocks.unwrap());
        let of = |story: &crate::CallStory| evidence.block_of(0, blocks, story.into());
        assert_eq!(
            evidence.stories().iter().filter(|s| of(s).is_none()).count(),
            4,
            "the very moments of the switches"
        );
    }

    proptest! {
        /// The order of the blocks is that of the test.
        #[test]
        fn arms_come_in_turn(block in 0u32..1000) {
            prop_assert_eq!(Blocks::has_faults(block), Arm::in_turn(block as usize) == Arm::Treated);
        }

        /// Whoever belongs to a block with faults was sent with the fault in place, and the other way round.
        #[test]
        fn arms_are_as_observed(length in 2000u64..4000, takes in 0u64..400, ms in 0u64..4000) {
            let blocks = Blocks::within(Duration::from_millis(length)).unwrap();
            let abort = touch(Level::Tries, 100, Which::Service, Touch::Abort(AnswerCode::Status(503)));
            let mut plan = blocked(plan(), abort);
            plan.timeline.stages[0].cues = blocks.cues(FaultId(0)).collect();
            plan.timeline.stages[0].blocks = Some(blocks);
            let mut scene = Scene::new(plan);
            scene.switched(takes);
            scene.call(ms, &[Hop::Ok(1)]);
            let evidence = scene.evidence();
            let story = &evidence.stories()[0];
            let block = evidence.block_of(0, blocks, story.into());
            let during = evidence.windows(Anchor::Fault).iter().any(|w| w.surely_at(story.intended, Duration::ZERO));
            if let Some(block) = block {
                prop_assert_eq!(Blocks::has_faults(block), during);
            }
        }
    }
}
