//! How many calls are sent, by how many callers and for how long, at the most.
//!
//! Where the answers decide that, how soon a callee answers is no bound: it is what is tried out.

use super::{ELSEWHERE, Limits, diagnostic};
use squall_model::{Diagnostic, Plan, Shape, Stage, TrafficLine, duration};
use std::{fmt::Display, time::Duration};

impl Limits {
    /// What of a plan's traffic goes beyond them.
    pub(super) fn beyond_traffic(&self, plan: &Plan) -> Vec<Diagnostic> {
        let mut all: Vec<_> = plan.lines().flat_map(|line| self.beyond_line(plan, line)).collect();
        if let Some(limit) = &self.duration {
            let all_of_it: Duration = plan.timeline.stages.iter().map(length).sum();
            if all_of_it > limit.value {
                let what = format!("its traffic takes {}", duration(all_of_it));
                all.push(diagnostic(&what, limit, &plan.origins.scenario, "this scenario"));
            }
        }
        all
    }

    fn beyond_line(&self, plan: &Plan, line: &TrafficLine) -> Vec<Diagnostic> {
        let origin = plan.origins.lines.get(&line.number).unwrap_or(&plan.origins.scenario);
        let tell = |what: &str, limit: &dyn Display| diagnostic(what, limit, origin, "this traffic");
        let answers_decide = |what: &str, limit: &dyn Display| {
            let hint = format!("say a rate and a time: `makes 100 calls per second to … for 5 s`; or {ELSEWHERE}");
            Diagnostic { hint: Some(hint), ..tell(what, limit) }
        };
        let mut all = Vec::new();
        if let Some(limit) = &self.rate {
            match Pace::of(&line.shape) {
                Pace::Scheduled(rate) if rate > f64::from(limit.value) => {
                    all.push(tell(&format!("{rate} calls are sent per second"), limit));
                }
                Pace::Answered(calls) if calls > u64::from(limit.value) => {
                    all.push(answers_decide(&format!("up to {calls} calls may be sent within a second"), limit));
                }
                Pace::Unbounded => {
                    all.push(answers_decide("how many calls are sent per second is up to the answers", limit));
                }
                Pace::Scheduled(_) | Pace::Answered(_) => {}
            }
        }
        if let Some(limit) = &self.users {
            let users = match line.shape {
                Shape::Closed { users, .. } => users,
                Shape::Serial { .. } => 1,
                _ => 0,
            };
            if users > limit.value {
                all.push(tell(&format!("{users} users call"), limit));
            }
        }
        if let (Some(limit), None) = (&self.duration, line.shape.length()) {
            all.push(answers_decide("how long this traffic takes is up to the answers", limit));
        }
        all
    }
}

/// How long a stage lasts, as far as it says: until its last call is due, and what happens meanwhile has happened.
fn length(stage: &Stage) -> Duration {
    let lines = stage.lines.iter().filter_map(|line| line.shape.length());
    lines.chain(stage.cues.iter().map(|cue| cue.at)).max().unwrap_or_default()
}

/// How fast calls come.
enum Pace {
    /// By schedule, so many per second at the most.
    Scheduled(f64),
    /// As the answers come, but not more than so many within a second.
    Answered(u64),
    /// As the answers come.
    Unbounded,
}

impl Pace {
    fn of(shape: &Shape) -> Pace {
        match *shape {
            Shape::Open { rate, .. } | Shape::Decide { rate, .. } => Pace::Scheduled(rate.hertz()),
            Shape::Ramp { from, to, .. } => Pace::Scheduled(f64::from(from.max(to))),
            // They are no more than these, be they answered at once.
            Shape::Serial { calls } => Pace::Answered(calls.into()),
            Shape::Closed { thinking: Duration::ZERO, .. } => Pace::Unbounded,
            // Nobody calls again before he has thought.
            Shape::Closed { users, thinking, .. } => {
                let of_each = Duration::from_secs(1).as_nanos().div_ceil(thinking.as_nanos());
                Pace::Answered(u64::from(users).saturating_mul(u64::try_from(of_each).unwrap_or(u64::MAX)))
            }
        }
    }
}
