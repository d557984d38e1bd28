//! The true share that a mechanism gives, where it is plain enough to be known beforehand.
//!
//! Thirty in a hundred tries aborted and two retries: 2.7% of the calls fail. Anything that depends on how things meet (limits,
//! ejection, timeouts, several faults at once) has no number here.

use super::envoy::callee;
use super::view::View;
use squall_model::{
    Answers, Calls, Fault, FaultKind, Level, Outcome, Phase, Plan, Policy, PolicyKind, Population, RetryOn,
    ServiceName, Target, Touch, Unit,
};

/// The share of the population that has the outcome in the main run.
pub(crate) fn truth(view: &View<'_, '_, '_>, of: &Population, outcome: &Outcome) -> Option<f64> {
    let plan = view.plan();
    let service = callee(&of.calls).or_else(|| only_callee(plan))?;
    if of.unit != Unit::Call || of.only.is_some() || !view.built.changes.is_empty() || onward(plan, service) {
        return None;
    }
    let faults = in_place(view, of.phase)?;
    let scene = Scene { plan, service, faults };
    match outcome {
        Outcome::Succeed(None) => scene.fails().map(|fails| 1.0 - fails),
        Outcome::Fail => scene.fails(),
        Outcome::Retried => scene.retried(),
        Outcome::Reach(target) if scene.faults.is_empty() => scene.reaches(&of.calls, target),
        _ => None,
    }
}

fn only_callee(plan: &Plan) -> Option<&ServiceName> {
    let mut callees = plan.lines().map(|line| &line.to.service);
    let first = callees.next()?;
    callees.all(|callee| callee == first).then_some(first)
}

/// What a service does depends on what it calls itself.
fn onward(plan: &Plan, service: &ServiceName) -> bool {
    plan.topology.service(service).is_none_or(|s| !s.calls.is_empty() || s.capacity.is_some())
}

/// The faults that are in place throughout the phase; `None` where some are so in a part of it.
fn in_place<'a>(view: &'a View<'_, '_, '_>, phase: Phase) -> Option<Vec<&'a Fault>> {
    let windows = view.windows();
    let always: Vec<_> =
        windows.iter().filter(|w| w.stage == 0 && w.from.is_none() && w.to.is_none()).map(|w| w.fault).collect();
    let timed = windows.len() - always.len();
    let pick = |all: bool| view.plan().faults.iter().filter(|f| all || always.contains(&f.id)).collect::<Vec<_>>();
    match phase {
        _ if timed == 0 => Some(pick(false)),
        Phase::Before(_) | Phase::After(_) => Some(pick(false)),
        Phase::During(_) if timed == 1 => Some(pick(true)),
        Phase::Whole | Phase::During(_) | Phase::Clock { .. } => None,
    }
}

/// The faults and policies that a call to the service meets.
struct Scene<'a> {
    plan: &'a Plan,
    service: &'a ServiceName,
    faults: Vec<&'a Fault>,
}

/// A chance to be answered with this status instead of being served.
struct Abort {
    level: Level,
    share: f64,
    status: u16,
    /// By one of the proxies for each try, and not by which instance it meets.
    drawn: bool,
}

impl Scene<'_> {
    fn policies(&self) -> impl Iterator<Item = &PolicyKind> {
        let about = |policy: &&Policy| match &policy.says {
            PolicyKind::Retries { of, .. } | PolicyKind::RetryBudget { of, .. } | PolicyKind::Route { of, .. } => {
                self.is_callee(of)
            }
            PolicyKind::Balance { of, .. } => self.is_callee(of),
            PolicyKind::Timeout { of, .. } | PolicyKind::IdleTimeout { of, .. } => self.is_callee(&of.of),
            PolicyKind::InFlight { to, .. } | PolicyKind::Connections { to, .. } => to == self.service,
            PolicyKind::Ejection { of, .. } => of == self.service,
        };
        self.plan.policies.iter().filter(about).map(|policy| &policy.says)
    }

    fn is_callee(&self, of: &Calls) -> bool {
        callee(of).is_none_or(|to| to == self.service)
    }

    /// Of all instances, the share that a target means.
    fn part(&self, target: &Target) -> Option<f64> {
        let all = self.plan.topology.service(self.service)?.instances.len();
        let meant = target.instances(&self.plan.topology).len();
        (target.service == *self.service && all > 0).then(|| meant as f64 / all as f64)
    }

    /// The one abort, if there is no more than one, and nothing else that turns a call into a failure.
    fn abort(&self) -> Option<Option<Abort>> {
        let mut found = None;
        for fault in &self.faults {
            let abort = match &fault.does {
                FaultKind::Touch { on, touch: Touch::Abort(status) } => {
                    if on.of.from.is_some() || !on.of.filter.is_empty() {
                        return None;
                    }
                    let part = match &on.of.to {
                        Some(to) if to.service != *self.service => continue,
                        Some(to) if on.level == Level::Tries => self.part(to)?,
                        _ => 1.0,
                    };
                    Abort { level: on.level, share: on.share.as_f64() * part, status: *status, drawn: part >= 1.0 }
                }
                FaultKind::Answers { of, how: Answers::Status(status) } => {
                    let part = self.part(of)?;
                    Abort { level: Level::Tries, share: part, status: *status, drawn: part >= 1.0 }
                }
                FaultKind::Touch { touch: Touch::Delay(_), .. } | FaultKind::Answers { .. } => continue,
                _ => return None,
            };
            if found.replace(abort).is_some() {
                return None;
            }
        }
        Some(found.filter(|abort| abort.status >= 400))
    }

    /// The share of the calls that fail.
    fn fails(&self) -> Option<f64> {
        let plain = |says: &PolicyKind| matches!(says, PolicyKind::Retries { .. } | PolicyKind::Balance { .. });
        let slowed = self.faults.iter().any(|f| {
            matches!(
                f.does,
                FaultKind::Touch { touch: Touch::Delay(_), .. } | FaultKind::Answers { how: Answers::In(_), .. }
            )
        });
        let route = |says: &PolicyKind| matches!(says, PolicyKind::Route { .. });
        let Some(abort) = self.abort()? else {
            let harmless =
                |says: &PolicyKind| plain(says) || route(says) || matches!(says, PolicyKind::Ejection { .. });
            return (self.policies().all(harmless) || !slowed && self.policies().all(|p| !is_limit(p))).then_some(0.0);
        };
        if !self.policies().all(plain) || self.plan.lines().any(|line| line.to.service != *self.service) {
            return None;
        }
        let Some((up_to, on)) = self.retries()? else { return Some(abort.share) };
        match (abort.level, covers(on, abort.status)) {
            (Level::Calls, _) | (Level::Tries, false) => Some(abort.share),
            // Which instance a retry meets is the balancer's doing, not a draw.
            (Level::Tries, true) if !abort.drawn => None,
            (Level::Tries, true) => Some(abort.share.powi(i32::try_from(up_to).ok()? + 1)),
        }
    }

    /// The one retry policy, for all calls to the service.
    fn retries(&self) -> Option<Option<(u32, &[RetryOn])>> {
        let mut found = None;
        for says in self.policies() {
            if let PolicyKind::Retries { of, up_to, on, .. } = says
                && (!of.filter.is_empty() || found.replace((*up_to, on.as_slice())).is_some())
            {
                return None;
            }
        }
        Some(found)
    }

    /// The share of the calls that are tried more than once.
    fn retried(&self) -> Option<f64> {
        let abort = self.abort()?;
        let plain = |says: &PolicyKind| matches!(says, PolicyKind::Retries { .. } | PolicyKind::Balance { .. });
        match (self.retries()?, abort) {
            _ if !self.policies().all(plain) => None,
            (None, _) | (_, None) => Some(0.0),
            (Some((_, on)), Some(abort)) if abort.level == Level::Tries && covers(on, abort.status) => {
                Some(abort.share)
            }
            (Some(_), Some(_)) => Some(0.0),
        }
    }

    /// The share of the calls that a target's instances answer.
    fn reaches(&self, calls: &Calls, target: &Target) -> Option<f64> {
        let routes: Vec<_> = self
            .policies()
            .filter_map(|says| match says {
                PolicyKind::Route { of, to } => Some((of, to)),
                _ => None,
            })
            .collect();
        match routes.as_slice() {
            [] => self.part(target),
            [(of, to)] if of.filter.is_empty() && of.from.is_none() && calls.filter.is_empty() => {
                let legs = to.iter().map(|leg| {
                    let wanted = target.instances(&self.plan.topology);
                    let here = leg.target.instances(&self.plan.topology);
                    let both = here.iter().filter(|id| wanted.contains(id)).count();
                    (!here.is_empty()).then(|| leg.share.as_f64() * both as f64 / here.len() as f64)
                });
                legs.sum()
            }
            _ => None,
        }
    }
}

fn is_limit(says: &PolicyKind) -> bool {
    matches!(says, PolicyKind::InFlight { .. } | PolicyKind::Connections { .. })
}

/// Is a status of the callee's a reason to retry?
fn covers(on: &[RetryOn], status: u16) -> bool {
    on.iter().any(|condition| match condition {
        RetryOn::FiveHundreds => status >= 500,
        RetryOn::GatewayError => matches!(status, 502..=504),
        RetryOn::Retriable4xx => status == 409,
        RetryOn::Status(wanted) => *wanted == status,
        _ => false,
    })
}
