//! What faults do to the tries that reach instances: whose fail, and whether all of them do.

use squall_model::{
    AnswerCode, Answers, Damage, Down, FaultKind, Fraction, InstanceId, Level, Part, Plan, ServiceName, Touch, Wires,
};

/// The instances of a service of whose tries some fail because of a fault.
pub(crate) fn struck(plan: &Plan, does: &FaultKind, service: &ServiceName) -> Vec<InstanceId> {
    let topology = &plan.topology;
    let mut all: Vec<InstanceId> = match does {
        FaultKind::Answers { of, how: Answers::With(code) } if code.is_5xx() => of.instances(topology),
        FaultKind::Answers { of, how: Answers::After { status, .. } } if AnswerCode::Grpc(*status).is_5xx() => {
            of.instances(topology)
        }
        FaultKind::Touch { on, touch: Touch::Abort(code) } if on.level == Level::Tries && code.is_5xx() => {
            on.of.to.iter().flat_map(|to| to.instances(topology)).collect()
        }
        FaultKind::Down { of, .. } | FaultKind::Restarted { of, .. } => of.instances(topology),
        FaultKind::Wire { of, damage } if !is_slowing(*damage) => at_the_end_of(plan, of),
        _ => Vec::new(),
    };
    all.retain(|id| id.service == *service);
    all
}

/// Every try that reaches one of those fails, and soon: nothing hangs.
pub(crate) fn fails_at_once(does: &FaultKind) -> bool {
    match does {
        FaultKind::Answers { .. } => true,
        FaultKind::Touch { on, .. } => on.share == Fraction::ALL && on.of.from.is_none() && on.of.filter.is_empty(),
        FaultKind::Down { how, part, .. } => matches!((how, part), (Down::Killed, _) | (Down::Stopped, Part::Workload)),
        _ => false,
    }
}

/// Damage that lets everything through, only later.
fn is_slowing(damage: Damage) -> bool {
    matches!(damage, Damage::Slow { .. } | Damage::Rate { .. } | Damage::SlowClose(_))
}

/// The callees of these wires.
fn at_the_end_of(plan: &Plan, wires: &Wires) -> Vec<InstanceId> {
    let mut ends: Vec<InstanceId> = wires.all(&plan.topology).into_iter().map(|wire| wire.to).collect();
    ends.sort();
    ends.dedup();
    ends
}
