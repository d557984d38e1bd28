//! Calls that hang together: what becomes of one is decided with what becomes of others.

use crate::{
    Balancer, Calls, FaultKind, HashKey, Members, Outcome, Plan, PolicyKind, ServiceName, Target, Which, Wires,
};

impl Plan {
    /// What the way of these calls is drawn by, where that decides whether they do this: all calls with the same key are one
    /// draw, however many there are. `None`: each call is a draw of its own.
    ///
    /// Whom a call reaches is always decided by its way. What else becomes of it is where a fault or an event is about a part
    /// of the service.
    #[must_use]
    pub fn drawn_by(&self, of: &Calls, what: &Outcome) -> Option<HashKey> {
        let callee = what.target().or(of.to.as_ref()).map(|target| &target.service)?;
        let by_way = matches!(what, Outcome::Reach(_)) || self.faults.iter().any(|f| parts(&f.does, callee));
        if !by_way {
            return None;
        }
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
