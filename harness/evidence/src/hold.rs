//! Time that nobody but the machine can have taken: between a client and its own proxy.
//!
//! The two stand on one machine and speak over a local socket, and no fault, policy or wire lies between them. What a call loses
//! there, before its proxy has read it or after the proxy has answered, it loses because a process did not get the processor.

use crate::{CallStory, Evidence, Origin};
use squall_model::{FaultKind, InstanceId, Plan};

impl Evidence {
    /// For how long a client's call was held up outside of the mesh, in nanoseconds: from its intended start until its proxy
    /// began with it, and from the end of its proxy's work until the client had the answer. 0 where that cannot be told, or where
    /// the plan itself keeps the caller's processes from working.
    #[must_use]
    pub fn held_up(&self, plan: &Plan, story: &CallStory) -> u64 {
        let Origin::Client(call) = story.origin else { return 0 };
        let (Some(call), Some(line)) = (self.observed().calls.get(call as usize), self.line(story)) else { return 0 };
        if is_taken_down(plan, &story.caller) {
            return 0;
        }
        let before = line.began.0.saturating_sub(call.intended.0);
        let after = story.done.0.saturating_sub(line.began.0.saturating_add(line.took));
        before.saturating_add(after)
    }
}

/// Does the plan stop, pause or end any process of this instance at any time?
fn is_taken_down(plan: &Plan, who: &InstanceId) -> bool {
    plan.faults.iter().any(|fault| match &fault.does {
        FaultKind::Down { of, .. } | FaultKind::Restarted { of, .. } => of.instances(&plan.topology).contains(who),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::{Hop, Scene, plan};
    use squall_model::{AccessRecord, Side};
    use std::time::Duration;

    const MS: u64 = 1_000_000;

    #[test]
    fn what_a_call_loses_on_either_side_of_its_proxy_is_told() {
        let mut scene = Scene::new(plan());
        scene.calls(0, 10, 3, |_| [Hop::Ok(1)]);
        scene.seen.calls[1].done = scene.seen.calls[1].done + Duration::from_millis(40);
        let lost = |scene: &Scene| {
            let evidence = scene.evidence();
            evidence.stories().iter().map(|story| evidence.held_up(&scene.plan, story) / MS).collect::<Vec<_>>()
        };
        assert_eq!(lost(&scene), [0, 40, 0]);
        let own = |line: &&mut AccessRecord| line.id == "t-2" && line.side == Side::Outbound;
        let line = scene.seen.access.iter_mut().find(own).unwrap();
        line.began = line.began + Duration::from_millis(60);
        line.took = 0;
        assert_eq!(lost(&scene)[2], 60);
    }
}
