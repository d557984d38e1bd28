//! Hosts that are checked: a new one is out until it has passed.

use super::before;
use crate::{
    encode,
    xds::{Kind, Resources},
};
use squall_mesh::MeshError;
use squall_mesh_proxy::{
    admin::{Admin, Checked},
    now,
};
use squall_model::{InstanceId, Stamp};
use std::{collections::BTreeMap, time::Duration};

/// The interval of looking at checks, which come by themselves.
const LOOK: Duration = Duration::from_millis(5);

/// Waits until the hosts of clusters that are checked, and that changed, have passed; `held` is what was confirmed before.
///
/// One that is down stays out, and is not waited for for ever: once every host was checked so often again as would have brought
/// it back, what they are now is what they are. At the deadline it is enough that each was checked at all.
pub(crate) async fn checks(
    instance: &InstanceId,
    admin: &Admin,
    resources: &Resources,
    held: &Resources,
    by: Stamp,
) -> Result<(), MeshError> {
    let changed = |name: &str| {
        [Kind::Cluster, Kind::Endpoint].iter().any(|kind| held.get(kind, name) != resources.get(kind, name))
    };
    let checked = encode::checks(resources).into_iter().filter(|(name, _)| changed(name));
    let mut open: Vec<Open> = checked.map(|(name, back_after)| Open { name, back_after, first: None }).collect();
    while !open.is_empty() {
        let looking = async { Ok((admin.checked().await?, admin.stats().await?)) };
        let (hosts, stats) = before(by, instance, looking).await?;
        let late = now() >= by;
        open.retain_mut(|cluster| cluster.is_open(&hosts, &stats, late));
        if late && !open.is_empty() {
            let unchecked = |cluster: &Open| format!("{instance}: hosts of {} were never checked", cluster.name);
            return Err(MeshError::Lagging(open.iter().map(unchecked).collect()));
        }
        if !open.is_empty() {
            tokio::time::sleep_until(tokio::time::Instant::now() + LOOK).await;
        }
    }
    Ok(())
}

/// A cluster some of whose hosts are out.
struct Open {
    name: String,
    /// So many passes bring a host back that had failed.
    back_after: u32,
    /// How many checks there were of all its hosts when it was first looked at.
    first: Option<u64>,
}

impl Open {
    /// A cluster that the proxy does not show has no host that was checked.
    fn is_open(&mut self, hosts: &BTreeMap<String, Checked>, stats: &BTreeMap<String, u64>, late: bool) -> bool {
        hosts.get(&self.name).is_none_or(|of| !self.is_settled(*of, stats, late))
    }

    fn is_settled(&mut self, of: Checked, stats: &BTreeMap<String, u64>, late: bool) -> bool {
        let counter = format!("cluster.{}.health_check.attempt", self.name);
        let attempts = stats.get(&counter).copied().unwrap_or(0);
        let first = *self.first.get_or_insert(attempts);
        let again = attempts.saturating_sub(first) >= of.hosts * (u64::from(self.back_after) + 1);
        of.failed == 0 || (of.pending == 0 && (again || late))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_down_is_waited_for_as_long_as_it_could_come_back() {
        let stats = |attempts| BTreeMap::from([("cluster.c.health_check.attempt".to_owned(), attempts)]);
        let hosts = |failed, pending| Checked { hosts: 2, failed, pending };
        let mut open = Open { name: "c".into(), back_after: 2, first: None };
        assert!(!open.is_settled(hosts(2, 2), &stats(2), false), "nobody was checked");
        assert!(!open.is_settled(hosts(1, 0), &stats(4), false));
        assert!(!open.is_settled(hosts(1, 0), &stats(7), false), "twice for one of them");
        assert!(open.is_settled(hosts(1, 0), &stats(8), false), "two passes and one more for each");
        assert!(!open.is_settled(hosts(2, 1), &stats(99), true), "never checked is no state");
        assert!(open.is_settled(hosts(1, 0), &stats(4), true));
        assert!(open.is_settled(hosts(0, 0), &stats(2), false), "all have passed");
    }

    #[test]
    fn a_cluster_that_the_proxy_does_not_show_is_waited_for() {
        let mut open = Open { name: "c".into(), back_after: 1, first: None };
        let shown = |name: &str| BTreeMap::from([(name.to_owned(), Checked { hosts: 1, failed: 0, pending: 0 })]);
        assert!([false, true].iter().all(|late| open.is_open(&shown("another"), &BTreeMap::new(), *late)));
        assert!(!open.is_open(&shown("c"), &BTreeMap::new(), false));
    }
}
