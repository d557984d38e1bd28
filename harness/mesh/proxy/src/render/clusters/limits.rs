//! Circuit breakers and retry budgets.

use super::{super::table::Limits, said};
use squall_mesh::Desired;
use squall_model::{InFlight, PolicyKind, ServiceName};

/// The retry budget of a caller's calls to a service: its share in parts per million, and its floor.
pub(super) fn budget(want: &Desired<'_>, caller: &ServiceName, to: &ServiceName) -> Option<(u32, u32)> {
    said(want, caller, to, |policy| match policy {
        PolicyKind::RetryBudget { of, share, at_least } => Some((of, (share.ppm(), *at_least))),
        _ => None,
    })
}

/// What a policy says of a breaker, which is about all calls of a caller to a service: the later line counts.
pub(super) fn shape(limits: &mut Limits, policy: &PolicyKind, caller: &ServiceName, to: &ServiceName) {
    match policy {
        PolicyKind::InFlight { caller: c, at_most, unit, to: t } if c == caller && t == to => match unit {
            InFlight::Tries => limits.requests = Some(*at_most),
            InFlight::Retries => limits.retries = Some(*at_most),
        },
        PolicyKind::Connections { caller: c, at_most, waiting, to: t } if c == caller && t == to => {
            limits.connections = Some(*at_most);
            limits.pending = Some(*waiting);
        }
        _ => {}
    }
}
