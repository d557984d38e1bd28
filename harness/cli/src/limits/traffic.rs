//! How many calls are sent, by how many callers and for how long, at the most.
//!
//! Where the answers decide that, how soon a callee answers is no bound: it is what is tried out.

use super::{ELSEWHERE, Limit, Limits, diagnostic};
use squall_model::{Diagnostic, Origin, Plan, Shape, Stage, TrafficLine, duration};
use std::{fmt::Display, time::Duration};

impl Limits {
    /// What of a plan's traffic goes beyond them.
    pub(super) fn beyond_traffic(&self, plan: &Plan) -> Vec<Diagnostic> {
        let mut all: Vec<_> = plan.timeline.stages.iter().flat_map(|stage| self.beyond_stage(plan, stage)).collect();
        if let Some(limit) = &self.duration {
            let all_of_it: Duration = plan.timeline.stages.iter().map(length).sum();
            if all_of_it > limit.value {
                let what = format!("its traffic takes {}", duration(all_of_it));
                all.push(diagnostic(&what, limit, &plan.origins.scenario, "this scenario"));
            }
        }
        all
    }

    /// Lines of one stage send at the same time, and add up.
    fn beyond_stage(&self, plan: &Plan, stage: &Stage) -> Vec<Diagnostic> {
        let (mut all, mut calls, mut users) = (Vec::new(), 0.0, 0.0);
        for line in &stage.lines {
            let about = About::of(plan, line);
            if let Some(limit) = &self.rate {
                all.extend(about.rate(&mut calls, limit));
            }
            if let Some(limit) = &self.users {
                all.extend(about.users(&mut users, limit));
            }
            if let (Some(limit), None) = (&self.duration, line.shape.length()) {
                all.push(about.answers_decide("how long this traffic takes is up to the answers", limit));
            }
        }
        all
    }
}

/// A traffic line, and where it is written.
struct About<'p> {
    line: &'p TrafficLine,
    origin: &'p Origin,
}

impl<'p> About<'p> {
    fn of(plan: &'p Plan, line: &'p TrafficLine) -> About<'p> {
        About { line, origin: plan.origins.lines.get(&line.number).unwrap_or(&plan.origins.scenario) }
    }

    /// Its rate, where it is too much, by itself or with what was sent beside it.
    fn rate(&self, beside: &mut f64, limit: &Limit<u32>) -> Option<Diagnostic> {
        let Some(own) = self.line.shape.peak() else {
            return Some(self.answers_decide("how many calls are sent per second is up to the answers", limit));
        };
        let (together, all) = too_much(beside, own, limit)?;
        Some(match self.line.shape {
            Shape::Serial { .. } | Shape::Closed { .. } => {
                self.answers_decide(&format!("{together}up to {all} calls may be sent within a second"), limit)
            }
            _ => self.tell(&format!("{together}{all} calls are sent per second"), limit),
        })
    }

    /// Its users, where they are too many, by themselves or with those beside them.
    fn users(&self, beside: &mut f64, limit: &Limit<u32>) -> Option<Diagnostic> {
        let own = match self.line.shape {
            Shape::Closed { users, .. } => f64::from(users),
            Shape::Serial { .. } => 1.0,
            _ => return None,
        };
        let (together, all) = too_much(beside, own, limit)?;
        Some(self.tell(&format!("{together}{all} users call"), limit))
    }

    fn tell(&self, what: &str, limit: &dyn Display) -> Diagnostic {
        diagnostic(what, limit, self.origin, "this traffic")
    }

    fn answers_decide(&self, what: &str, limit: &dyn Display) -> Diagnostic {
        let hint = format!("say a rate and a time: `makes 100 calls per second to … for 5 s`; or {ELSEWHERE}");
        Diagnostic { hint: Some(hint), ..self.tell(what, limit) }
    }
}

/// Adds a line to those beside it, and says how much all of them are where this is the one that makes them too much: it is told once.
fn too_much(beside: &mut f64, own: f64, limit: &Limit<u32>) -> Option<(&'static str, f64)> {
    let (before, most) = (*beside, f64::from(limit.value));
    *beside += own;
    let together = if before > 0.0 { "with the traffic beside it " } else { "" };
    (before <= most && *beside > most).then_some((together, *beside))
}

/// How long a stage lasts, as far as it says: until its last call is due, and what happens meanwhile has happened.
fn length(stage: &Stage) -> Duration {
    let lines = stage.lines.iter().filter_map(|line| line.shape.length());
    lines.chain(stage.cues.iter().map(|cue| cue.at)).max().unwrap_or_default()
}
