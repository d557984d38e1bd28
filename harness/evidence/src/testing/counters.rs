//! The counters that a mesh would have shown.

use crate::Observed;
use squall_model::{CounterRecord, InstanceId, ServiceName, Side};
use std::collections::BTreeMap;

/// The counters that a mesh would have shown for these records.
pub(super) fn counters(seen: &Observed) -> Vec<CounterRecord> {
    let mut all: BTreeMap<InstanceId, BTreeMap<String, u64>> = BTreeMap::new();
    let mut add = |proxy: &InstanceId, name: String| {
        *all.entry(proxy.clone()).or_default().entry(name).or_default() += 1;
    };
    let service =
        |upstream: &Option<InstanceId>| upstream.as_ref().map_or(ServiceName::from("reviews"), |id| id.service.clone());
    for sent in &seen.tries {
        let counter = match (sent.flags.as_str(), sent.status) {
            ("UF", _) => "upstream_cx_connect_fail",
            ("UO", _) => "upstream_rq_active_overflow",
            // Given up while it waited for a connection: it was never given one.
            ("-", 0) => "upstream_rq_cancelled",
            _ => "upstream_rq_total",
        };
        add(&sent.proxy, format!("cluster.out.{}.{counter}", service(&sent.upstream)));
    }
    for line in &seen.access {
        let listener = if line.side == Side::Outbound { "out" } else { "in" };
        add(&line.proxy, format!("http.{listener}.downstream_rq_total"));
        let by_itself =
            ["fault_filter_abort", "local_rate_limited", "rbac"].iter().any(|d| line.details.starts_with(d));
        let given_up = line.flags == "DI,DC";
        if line.side == Side::Inbound && !by_itself && !given_up {
            add(&line.proxy, "cluster.local.upstream_rq_total".to_owned());
        }
        for (flag, counter) in [("FI", "aborts_injected"), ("DI", "delays_injected")] {
            if line.flags.split(',').any(|f| f == flag) {
                add(&line.proxy, format!("http.{listener}.fault.{counter}"));
            }
        }
        if line.side == Side::Outbound && line.attempts > 1 {
            for _ in 1..line.attempts {
                add(&line.proxy, format!("cluster.out.{}.upstream_rq_retry", service(&line.upstream)));
            }
        }
    }
    let record = |(proxy, rises)| CounterRecord { proxy, rises };
    all.into_iter().map(record).collect()
}
