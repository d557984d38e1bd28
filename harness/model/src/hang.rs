//! Calls that hang together: what becomes of one is decided with what becomes of others.

use crate::{
    Balancer, Calls, FaultKind, HashKey, Members, Outcome, Plan, PolicyKind, ServiceName, Target, TrafficLine, Which,
    Wires,
};
use std::collections::BTreeMap;

/// What the way of calls is drawn by, for each callee where something is.
pub type DrawnBy = BTreeMap<ServiceName, HashKey>;

impl Plan {
    /// What the way of these calls is drawn by, where that decides whether they do this: all calls with the same key are one
    /// draw, however many there are. Callees that are not in it draw for each call by itself.
    ///
    /// `lines` are those that make such calls: where the clause names no callee, theirs are meant. Whom a call reaches is always
    /// decided by its way. What else becomes of it is where a fault or an event is about a part of the service.
    pub fn drawn_by<'a>(
        &self,
        of: &Calls,
        what: &Outcome,
        lines: impl IntoIterator<Item = &'a TrafficLine>,
    ) -> DrawnBy {
        let callees: Vec<&ServiceName> = match what.target().or(of.to.as_ref()) {
            Some(target) => vec![&target.service],
            None => {
                let called = lines.into_iter().map(|line| &line.to.service);
                let onward = of.from.iter().filter_map(|from| self.topology.service(from)).flat_map(|from| &from.calls);
                called.chain(onward).collect()
            }
        };
        let by_way =
            |callee| matches!(what, Outcome::Reach(_)) || self.faults.iter().any(|fault| parts(&fault.does, callee));
        let drawn = callees.into_iter().filter(|callee| by_way(callee));
        drawn.filter_map(|callee| Some((callee.clone(), self.key_of(callee)?))).collect()
    }

    /// The key by which calls to this service stick.
    fn key_of(&self, callee: &ServiceName) -> Option<HashKey> {
        let means = |calls: &Calls| calls.to.as_ref().is_none_or(|to| to.service == *callee);
        let sticky = self.policies.iter().find_map(|policy| match &policy.says {
            PolicyKind::Sticky { of, by, .. } if means(of) => Some(by.clone()),
            _ => None,
        });
        let hashed = || {
            let hashes = |says: &PolicyKind| match says {
                PolicyKind::Balance { of, by: Balancer::RingHash | Balancer::Maglev } => means(of),
                _ => false,
            };
            // Without a key of its own, the hash is taken of the user.
            self.policies.iter().any(|policy| hashes(&policy.says)).then_some(HashKey::User)
        };
        sticky.or_else(hashed)
    }
}

/// Is this about some instances of the service, and not about others?
fn parts(fault: &FaultKind, service: &ServiceName) -> bool {
    let part = |target: &Target| {
        let whole = matches!(target.which, Which::Service | Which::Every) && target.place.is_none();
        target.service == *service && !whole
    };
    match fault {
        FaultKind::Touch { on, .. } => on.of.to.as_ref().is_some_and(part),
        FaultKind::Answers { of, .. } => part(of),
        FaultKind::Down { of, .. } | FaultKind::Restarted { of, .. } => match of {
            Members::Of(target) => part(target),
            Members::In(_) => true,
        },
        FaultKind::Wire { of: Wires::Between { to, .. }, .. } => part(to),
        FaultKind::Wire { of: Wires::Of(_), .. } => true,
        FaultKind::Resized { service: of, .. } => of == service,
        FaultKind::ControlPlaneKilled | FaultKind::Outage { .. } => false,
    }
}
