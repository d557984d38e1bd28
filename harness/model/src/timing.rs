//! What time decides: whether a slow machine could be taken for a slow mesh.

use crate::{ClaimKind, Outcome, Plan, PolicyKind, Quantity, Variation};

impl Plan {
    /// Could a slow machine make a red of it that is not the mesh's? Of a control run a red is asked for, and any will do.
    #[must_use]
    pub fn is_hurt_by_slowness(&self) -> bool {
        self.variation == Variation::Main && self.is_about_time()
    }

    /// Does a time limit, a check or a promise about time take part in what is judged? A split, a count of tries or who is reached comes out
    /// alike on a slow machine.
    fn is_about_time(&self) -> bool {
        let limits = |says: &PolicyKind| {
            matches!(says, PolicyKind::Timeout { .. } | PolicyKind::IdleTimeout { .. } | PolicyKind::Check { .. })
        };
        self.policies.iter().any(|policy| limits(&policy.says)) || self.claims.iter().any(|c| c.kind.is_about_time())
    }
}

impl ClaimKind {
    fn is_about_time(&self) -> bool {
        match self {
            ClaimKind::Every { outcome, .. }
            | ClaimKind::Share { outcome, .. }
            | ClaimKind::Total { quantity: Quantity::Count { outcome, .. }, .. } => outcome.is_about_time(),
            ClaimKind::Total { quantity: Quantity::Tries { .. }, .. } => false,
            ClaimKind::Moment { .. } | ClaimKind::State { .. } | ClaimKind::Lasts { .. } | ClaimKind::Paired { .. } => {
                true
            }
        }
    }
}

impl Outcome {
    /// Does a time decide whether a unit does it?
    fn is_about_time(&self) -> bool {
        matches!(
            self,
            Outcome::Succeed(Some(_)) | Outcome::FinishWithin(_) | Outcome::TakeAtLeast(_) | Outcome::TimeOut
        )
    }
}
