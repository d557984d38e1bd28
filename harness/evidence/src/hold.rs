//! Time that nobody but the machine can have taken: between a client and its own proxy.
//!
//! The two stand on one machine and speak over a local socket, and no fault, policy or wire lies between them. What a call loses
//! there, before its proxy has read it or after the proxy has answered, it loses because a process did not get the processor.

use crate::{CallOutcome, CallStory, Evidence, Flags, Origin, TryView, outcome::classify, window_of};
use squall_model::{AccessRecord, ClientEnd, Fault, FaultKind, InstanceId, Plan, Stamp};

/// What the machine did to a call, and what would have become of it otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// For so many nanoseconds it was held up.
    pub nanos: u64,
    /// How it would have ended; of one that its client gave up on before there was an answer: how it might have.
    pub outcome: CallOutcome,
    /// How long it would have taken, in nanoseconds.
    pub took: u64,
}

impl Evidence {
    /// By how much a client's call was held up outside of the mesh: from its intended start until its proxy began with it, and
    /// from the end of its proxy's work until the client had the answer. `None` where that cannot be told, is no more than what
    /// the clocks may be off at these two ends, or where the plan itself kept the caller's processes from working meanwhile.
    #[must_use]
    pub fn held_up(&self, plan: &Plan, story: &CallStory) -> Option<Hold> {
        let Origin::Client(_) = story.origin else { return None };
        let line = self.line(story)?;
        let before = line.began.0.saturating_sub(story.intended.0);
        let after = story.done.0.saturating_sub(line.began.0.saturating_add(line.took));
        let nanos = before.saturating_add(after);
        let told = nanos > 2 * self.observed().health.clock_error;
        (told && !self.is_down_meanwhile(plan, story)).then(|| Hold {
            nanos,
            outcome: self.outcome_unheld(story, line),
            took: story.took().saturating_sub(nanos),
        })
    }

    /// Only a client that gave up could have had another end: the answer that its proxy had for it, else perhaps a good one.
    fn outcome_unheld(&self, story: &CallStory, line: &AccessRecord) -> CallOutcome {
        if story.end != ClientEnd::Deadline {
            return story.outcome;
        }
        if line.status == 0 || Flags(&line.flags).has("DC") {
            return CallOutcome::Succeeded;
        }
        let tries: Vec<TryView<'_>> = self.tries(story).collect();
        let end = line.grpc.map_or(ClientEnd::Answered(line.status), ClientEnd::Grpc);
        classify(end, Some(line), &tries)
    }

    /// Did the plan stop, pause or end any process of the caller while the call lasted?
    fn is_down_meanwhile(&self, plan: &Plan, story: &CallStory) -> bool {
        plan.faults.iter().filter(|fault| takes_down(plan, fault, &story.caller)).any(|fault| {
            window_of(self, fault.id).is_some_and(|window| {
                let end = match fault.does {
                    // It has no end of its own: it is over when all is up again.
                    FaultKind::Restarted { .. } => window.start.settled,
                    _ => window.end.map_or(Stamp(u64::MAX), |end| end.settled),
                };
                window.start.asked <= story.done && story.intended <= end
            })
        })
    }
}

fn takes_down(plan: &Plan, fault: &Fault, who: &InstanceId) -> bool {
    match &fault.does {
        FaultKind::Down { of, .. } | FaultKind::Restarted { of, .. } => of.instances(&plan.topology).contains(who),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        CallOutcome, Hold,
        testing::{Hop, Scene, at, faulty, plan, span},
    };
    use squall_model::{
        AccessRecord, Act, ClientEnd, Down, FaultId, FaultKind, Members, Part, Side, Target, When, Which,
    };
    use std::time::Duration;

    const MS: u64 = 1_000_000;

    fn holds(scene: &Scene) -> Vec<Option<Hold>> {
        let evidence = scene.evidence();
        evidence.stories().iter().map(|story| evidence.held_up(&scene.plan, story)).collect()
    }

    fn lost(scene: &Scene) -> Vec<u64> {
        holds(scene).iter().map(|hold| hold.map_or(0, |hold| hold.nanos / MS)).collect()
    }

    fn own_line<'s>(scene: &'s mut Scene, id: &str) -> &'s mut AccessRecord {
        scene.seen.access.iter_mut().find(|line| line.id == id && line.side == Side::Outbound).unwrap()
    }

    #[test]
    fn what_a_call_loses_on_either_side_of_its_proxy_is_told() {
        let mut scene = Scene::new(plan());
        scene.calls(0, 10, 3, |_| [Hop::Ok(1)]);
        scene.seen.calls[1].done = scene.seen.calls[1].done + Duration::from_millis(40);
        assert_eq!(lost(&scene), [0, 40, 0]);
        let line = own_line(&mut scene, "t-2");
        line.began = line.began + Duration::from_millis(60);
        line.took = 0;
        assert_eq!(lost(&scene), [0, 40, 60]);
    }

    #[test]
    fn what_the_clocks_may_be_off_is_no_hold() {
        let mut scene = Scene::new(plan());
        scene.calls(0, 10, 2, |_| [Hop::Ok(1)]);
        scene.seen.calls[1].done = scene.seen.calls[1].done + Duration::from_millis(4);
        assert_eq!(lost(&scene), [0, 4]);
        scene.seen.health.clock_error = 3 * MS;
        assert_eq!(lost(&scene), [0, 0]);
    }

    #[test]
    fn a_client_that_gave_up_might_have_had_its_answer() {
        let mut scene = Scene::new(plan());
        scene.calls(0, 10, 3, |n| if n == 1 { [Hop::Status(1, 503)] } else { [Hop::Ok(1)] });
        for call in &mut scene.seen.calls {
            (call.done, call.end) = (call.done + Duration::from_millis(30), ClientEnd::Deadline);
        }
        // Nobody knows what would have come of the last one: its client was gone before anything had.
        let line = own_line(&mut scene, "t-2");
        (line.status, line.flags) = (0, "DC".into());
        let outcomes: Vec<_> = holds(&scene).iter().map(|hold| hold.unwrap().outcome).collect();
        assert_eq!(outcomes, [CallOutcome::Succeeded, CallOutcome::Answered, CallOutcome::Succeeded]);
    }

    #[test]
    fn what_the_plan_takes_down_is_not_held_up_by_the_machine_meanwhile() {
        let mut scene = Scene::new(plan());
        scene.calls(0, 100, 4, |_| [Hop::Ok(1)]);
        scene.seen.calls.iter_mut().for_each(|call| call.done = call.done + Duration::from_millis(40));
        assert_eq!(lost(&scene), [40; 4]);
        let web = || Members::Of(Target { service: "web".into(), which: Which::Service, place: None });
        let before = scene.clone();
        let paused = FaultKind::Down { how: Down::Paused, part: Part::Proxy, of: web() };
        scene.plan = faulty(scene.plan, paused, span(90, 150));
        scene.happened(Act::Arm(FaultId(0)), 90, 91);
        scene.happened(Act::End(FaultId(0)), 150, 151);
        assert_eq!(lost(&scene), [40, 0, 40, 40]);
        let mut scene = before;
        let restarted = FaultKind::Restarted { part: Part::Proxy, of: web() };
        scene.plan = faulty(scene.plan, restarted, When::At(at(190).since(at(0))));
        scene.happened(Act::Arm(FaultId(0)), 190, 220);
        assert_eq!(lost(&scene), [40, 40, 0, 40]);
    }
}
