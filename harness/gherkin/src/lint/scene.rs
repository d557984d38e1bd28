//! What a call to a service meets in a scenario whose faults stand still: aborts, killed instances, retries, routes.

use super::envoy::callee;
use squall_model::{
    AnswerCode, Answers, Calls, Damage, Down, Fault, FaultKind, GrpcStatus, Level, Plan, Policy, PolicyKind, RetryOn,
    ServiceName, Stick, Target, Touch,
};

/// The faults and policies that a call to the service meets.
pub(super) struct Scene<'a> {
    pub(super) plan: &'a Plan,
    pub(super) service: &'a ServiceName,
    pub(super) faults: Vec<&'a Fault>,
}

/// A chance to be answered with this code instead of being served.
struct Abort {
    level: Level,
    share: f64,
    code: AnswerCode,
    /// Before anything of an answer has come.
    retriable: bool,
    /// By one of the proxies for each try, and not by which instance it meets.
    drawn: bool,
}

impl Scene<'_> {
    fn policies(&self) -> impl Iterator<Item = &PolicyKind> {
        let about = |policy: &&Policy| match &policy.says {
            PolicyKind::Retries { of, .. }
            | PolicyKind::RetryBudget { of, .. }
            | PolicyKind::Route { of, .. }
            | PolicyKind::Balance { of, .. }
            | PolicyKind::Prefer { of, .. }
            | PolicyKind::Sticky { of, .. }
            | PolicyKind::KeepDeadline { of } => self.is_callee(of),
            PolicyKind::Timeout { of, .. } | PolicyKind::IdleTimeout { of, .. } => self.is_callee(&of.of),
            PolicyKind::InFlight { to: of, .. }
            | PolicyKind::Connections { to: of, .. }
            | PolicyKind::Ejection { of, .. }
            | PolicyKind::Check { of, .. }
            | PolicyKind::Panic { of, .. }
            | PolicyKind::WarmUp { of, .. } => of == self.service,
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
                FaultKind::Touch { on, touch: Touch::Abort(code) } => {
                    if on.of.from.is_some() || !on.of.filter.is_empty() {
                        return None;
                    }
                    let part = match &on.of.to {
                        Some(to) if to.service != *self.service => continue,
                        Some(to) if on.level == Level::Tries => self.part(to)?,
                        _ => 1.0,
                    };
                    let share = on.share.as_f64() * part;
                    Abort { level: on.level, share, code: *code, retriable: true, drawn: part >= 1.0 }
                }
                FaultKind::Answers { of, how: Answers::With(code) } => self.answered(of, *code, true)?,
                FaultKind::Answers { of, how: Answers::After { status, .. } } => {
                    self.answered(of, AnswerCode::Grpc(*status), false)?
                }
                does if is_slow(does) => continue,
                FaultKind::Answers { .. } => continue,
                _ => return None,
            };
            if found.replace(abort).is_some() {
                return None;
            }
        }
        Some(found.filter(|abort| !abort.code.is_success()))
    }

    fn answered(&self, of: &Target, code: AnswerCode, retriable: bool) -> Option<Abort> {
        let part = self.part(of)?;
        Some(Abort { level: Level::Tries, share: part, code, retriable, drawn: part >= 1.0 })
    }

    /// The share of the instances that are killed, where that is all that is broken.
    fn killed(&self) -> Option<f64> {
        let mut gone = Vec::new();
        for fault in &self.faults {
            let FaultKind::Down { how: Down::Killed, of, .. } = &fault.does else { return None };
            gone.extend(of.instances(&self.plan.topology).into_iter().filter(|id| id.service == *self.service));
        }
        gone.sort();
        gone.dedup();
        let all = self.plan.topology.service(self.service)?.instances.len();
        (!gone.is_empty() && all > 0).then(|| gone.len() as f64 / all as f64)
    }

    /// With some killed before the traffic: all are called where nobody finds out, or too few are left.
    fn fails_of_killed(&self, killed: f64) -> Option<f64> {
        let known = |says: &PolicyKind| {
            matches!(says, PolicyKind::Check { .. } | PolicyKind::Panic { .. } | PolicyKind::Balance { .. })
        };
        if !self.policies().all(known) {
            return None;
        }
        let checked = self.policies().any(|says| matches!(says, PolicyKind::Check { .. }));
        let panics = self
            .policies()
            .any(|says| matches!(says, PolicyKind::Panic { below, .. } if 1.0 - killed < below.as_f64()));
        (!checked || panics).then_some(killed)
    }

    /// The share of the calls that fail.
    pub(super) fn fails(&self) -> Option<f64> {
        if let Some(killed) = self.killed() {
            return self.fails_of_killed(killed);
        }
        let slowed = self.faults.iter().any(|f| is_slow(&f.does));
        let Some(abort) = self.abort()? else {
            return (self.policies().all(is_harmless) || !slowed && self.policies().all(|p| !is_limit(p)))
                .then_some(0.0);
        };
        let plain = |says: &PolicyKind| is_plain(says) || abort.drawn && is_choice(says);
        if !self.policies().all(plain) || self.plan.lines().any(|line| line.to.service != *self.service) {
            return None;
        }
        let Some((up_to, on)) = self.retries()? else { return Some(abort.share) };
        match (abort.level, abort.retriable && covers(on, abort.code)) {
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
    pub(super) fn retried(&self) -> Option<f64> {
        let abort = self.abort()?;
        match (self.retries()?, abort) {
            _ if !self.policies().all(is_plain) => None,
            (None, _) | (_, None) => Some(0.0),
            (Some((_, on)), Some(abort))
                if abort.level == Level::Tries && abort.retriable && covers(on, abort.code) =>
            {
                Some(abort.share)
            }
            (Some(_), Some(_)) => Some(0.0),
        }
    }

    /// To what the calls stick.
    pub(super) fn sticks(&self) -> Option<Stick> {
        self.policies().find_map(|says| match says {
            PolicyKind::Sticky { to, .. } => Some(*to),
            _ => None,
        })
    }

    /// The share of the calls that a target's instances answer.
    pub(super) fn reaches(&self, calls: &Calls, target: &Target) -> Option<f64> {
        let preferred = self.policies().find_map(|says| match says {
            PolicyKind::Prefer { places, .. } => places.first(),
            _ => None,
        });
        match (self.sticks(), preferred) {
            // How many calls each user makes is not the draw.
            (Some(_), _) => None,
            (None, Some(place)) => self.part_of(target, &Target { place: Some(place.clone()), ..self.whole() }),
            (None, None) => self.routed(calls, target).unwrap_or_else(|| self.part(target)),
        }
    }

    /// The share by the one route; the outer `None`: there is none.
    pub(super) fn routed(&self, calls: &Calls, target: &Target) -> Option<Option<f64>> {
        let routes: Vec<_> = self
            .policies()
            .filter_map(|says| match says {
                PolicyKind::Route { of, to } => Some((of, to)),
                _ => None,
            })
            .collect();
        match routes.as_slice() {
            [] => None,
            [(of, to)] if of.filter.is_empty() && of.from.is_none() && calls.filter.is_empty() => {
                let legs = to.iter().map(|leg| Some(leg.share.as_f64() * self.part_of(target, &leg.target)?));
                Some(legs.sum())
            }
            _ => Some(None),
        }
    }

    fn whole(&self) -> Target {
        Target::service(self.service.clone())
    }

    /// Of the instances that `among` means, the share that a target means.
    fn part_of(&self, target: &Target, among: &Target) -> Option<f64> {
        let wanted = target.instances(&self.plan.topology);
        let here = among.instances(&self.plan.topology);
        let both = here.iter().filter(|id| wanted.contains(id)).count();
        (!here.is_empty()).then(|| both as f64 / here.len() as f64)
    }
}

/// It makes calls slow, and none fail by itself.
fn is_slow(does: &FaultKind) -> bool {
    matches!(
        does,
        FaultKind::Touch { touch: Touch::Delay(_), .. }
            | FaultKind::Answers { how: Answers::In(_), .. }
            | FaultKind::Wire { damage: Damage::Slow { .. }, .. }
    )
}

/// Policies whose effect on failures is known.
fn is_plain(says: &PolicyKind) -> bool {
    matches!(says, PolicyKind::Retries { .. } | PolicyKind::Balance { .. })
}

/// Policies that choose an instance, and do nothing else.
fn is_choice(says: &PolicyKind) -> bool {
    matches!(says, PolicyKind::Prefer { .. } | PolicyKind::Sticky { .. } | PolicyKind::WarmUp { .. })
}

/// Policies that make no call fail where nothing else does.
fn is_harmless(says: &PolicyKind) -> bool {
    is_plain(says)
        || is_choice(says)
        || matches!(
            says,
            PolicyKind::Route { .. }
                | PolicyKind::Ejection { .. }
                | PolicyKind::Check { .. }
                | PolicyKind::Panic { .. }
        )
}

fn is_limit(says: &PolicyKind) -> bool {
    matches!(says, PolicyKind::InFlight { .. } | PolicyKind::Connections { .. })
}

/// Is a status of the callee's a reason to retry?
pub(super) fn covers(on: &[RetryOn], code: AnswerCode) -> bool {
    let http = |status: u16| {
        on.iter().any(|condition| match condition {
            RetryOn::FiveHundreds => status >= 500,
            RetryOn::GatewayError => matches!(status, 502..=504),
            RetryOn::Retriable4xx => status == 409,
            RetryOn::Status(wanted) => *wanted == status,
            _ => false,
        })
    };
    match code {
        AnswerCode::Status(status) => http(status),
        AnswerCode::Grpc(status) => on.iter().any(|condition| match condition {
            RetryOn::Cancelled => status == GrpcStatus::Cancelled,
            RetryOn::DeadlineExceeded => status == GrpcStatus::DeadlineExceeded,
            RetryOn::Internal => status == GrpcStatus::Internal,
            RetryOn::ResourceExhausted => status == GrpcStatus::ResourceExhausted,
            RetryOn::Unavailable => status == GrpcStatus::Unavailable,
            _ => false,
        }),
    }
}
