//! Which hosts are taken for healthy: ejection, checks, and what is done when few are.

use super::super::table::{Check, ClusterConfig, Outlier};
use squall_model::{Fraction, PolicyKind, ServiceName};

/// What a policy says of the health of a service's instances, to every caller alike: the later line counts.
pub(super) fn shape(cluster: &mut ClusterConfig, policy: &PolicyKind, to: &ServiceName) {
    match policy {
        PolicyKind::Ejection { of, lasts, after, at_most } if of == to => {
            // Where Envoy's own defaults stay, "all at a time" is what nobody wrote, and its 10 % are in force.
            let unsaid = cluster.own_defaults && *at_most == Fraction::ALL;
            let at_most_percent = (!unsaid).then(|| at_most.ppm().div_ceil(10_000));
            cluster.outlier = Some(Outlier { after: *after, lasts: *lasts, at_most_percent });
        }
        PolicyKind::Check { of, every, by, out_after, back_after } if of == to => {
            cluster.check = Some(Check {
                host: to.to_string(),
                by: by.clone(),
                every: *every,
                out_after: *out_after,
                back_after: *back_after,
            });
        }
        PolicyKind::Panic { of, below } if of == to => cluster.panic_below = Some(*below),
        _ => {}
    }
}
