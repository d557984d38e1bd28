//! Counters of Istio's clusters by the names that evidence knows: `cluster.outbound|80|version-v2|reviews.squall.svc.cluster.local;.…`
//! is one of the calls to `reviews`, as `cluster.out.reviews.…` is elsewhere. The clusters of its subsets are added up.

use crate::render::{Cluster, cluster_of};
use squall_mesh_proxy::render as table;
use std::collections::BTreeMap;

/// All counters and gauges of one proxy.
pub(crate) fn renamed(counters: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for (name, value) in counters {
        let name = rename(&name).unwrap_or(name);
        let sum: &mut u64 = all.entry(name).or_default();
        // Some gauges are hashes, and nobody's business.
        *sum = sum.saturating_add(value);
    }
    all
}

/// `None` for what is called as everywhere.
fn rename(name: &str) -> Option<String> {
    let rest = name.strip_prefix("cluster.")?;
    if let Some(local) = rest.strip_prefix("inbound|") {
        // `inbound|8080||;.upstream_rq_total`: nothing in the name of the cluster has a dot.
        let (_, counter) = local.split_once('.')?;
        return Some(format!("cluster.local.{counter}"));
    }
    let Cluster { service, rest, .. } = cluster_of(rest)?;
    let counter = rest.trim_start_matches(';').strip_prefix('.')?;
    Some(format!("cluster.{}.{counter}", table::cluster_of(service)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_have_the_names_of_their_services_and_subsets_add_up() {
        let said = [
            ("cluster.outbound|80||reviews.squall.svc.cluster.local;.upstream_rq_total", 3),
            ("cluster.outbound|80|version-v2|reviews.squall.svc.cluster.local.upstream_rq_total", 4),
            ("cluster.inbound|8080||;.upstream_rq_200", 5),
            ("http.out.downstream_rq_total", 6),
            ("cluster.xds-grpc.upstream_rq_total", 7),
        ];
        let all = renamed(said.map(|(name, value)| (name.to_owned(), value)).into());
        let expected = [
            ("cluster.local.upstream_rq_200", 5),
            ("cluster.out.reviews.upstream_rq_total", 7),
            ("cluster.xds-grpc.upstream_rq_total", 7),
            ("http.out.downstream_rq_total", 6),
        ];
        assert_eq!(all, expected.map(|(name, value)| (name.to_owned(), value)).into());
    }

    #[test]
    fn a_cluster_leads_to_a_service_or_to_a_subset_of_it() {
        let leads_to = crate::render::leads_to;
        assert_eq!(leads_to("outbound|80||reviews.squall.svc.cluster.local"), Some("reviews"));
        assert_eq!(leads_to("outbound|80|version-v2|reviews.squall.svc.cluster.local"), Some("version-v2"));
        assert_eq!(leads_to("inbound|8080||"), None);
    }
}
