//! A cluster in words: what is shed, who is ejected, who is checked.

use super::{
    forms::{Budget, Cluster, Outlier, Thresholds},
    routes::percent,
    shown,
};

/// One sentence of clauses.
pub(super) fn says(cluster: &Cluster) -> String {
    let mut all = vec![breakers(cluster)];
    all.push(cluster.outlier_detection.as_ref().map_or_else(|| "no ejection".into(), ejection));
    all.extend(cluster.health_checks.iter().map(|check| {
        let every = check.interval.as_deref().map_or_else(|| "60 s".into(), shown);
        format!("checked every {every}")
    }));
    if cluster.outlier_detection.is_some() || !cluster.health_checks.is_empty() {
        // Half of them where nothing is said (config.cluster.v3.Cluster.CommonLbConfig.healthy_panic_threshold).
        let below = cluster.common_lb_config.healthy_panic_threshold.as_ref().map_or(50.0, |p| p.value);
        all.extend((below > 0.0).then(|| format!("panic below {}", percent(below))));
    }
    all.extend(cluster.lb_policy.as_ref().map(|policy| policy.to_lowercase().replace('_', " ")));
    all.join("; ")
}

/// The limits of ordinary calls. 1024 each, and 3 retries, where nothing is said; the largest number is none.
fn breakers(cluster: &Cluster) -> String {
    let silent = Thresholds::default();
    let ordinary = |one: &&Thresholds| one.priority.as_deref().is_none_or(|priority| priority == "DEFAULT");
    let said = cluster.circuit_breakers.thresholds.iter().find(ordinary).unwrap_or(&silent);
    let limits = [
        (said.max_connections.unwrap_or(1024), "connections"),
        (said.max_pending_requests.unwrap_or(1024), "waiting for one"),
        (said.max_requests.unwrap_or(1024), "tries"),
    ];
    let mut limits: Vec<String> =
        limits.iter().filter(|(limit, _)| *limit != u32::MAX).map(|(limit, of)| format!("{limit} {of}")).collect();
    // A budget takes the place of the number.
    match (&said.retry_budget, said.max_retries.unwrap_or(3)) {
        (Some(budget), _) => limits.push(self::budget(budget)),
        (None, u32::MAX) => {}
        (None, retries) => limits.push(format!("{retries} retries")),
    }
    match limits.is_empty() {
        true => "no breaker".into(),
        false => format!("at most {} at once", limits.join(", ")),
    }
}

/// 20 % and 3 where nothing is said.
fn budget(budget: &Budget) -> String {
    let share = budget.budget_percent.as_ref().map_or(20.0, |p| p.value);
    format!("{} of them retries (or {})", percent(share), budget.min_retry_concurrency.unwrap_or(3))
}

/// After 5 × 5xx for 30 s, 10 % of the hosts at most, where nothing is said; also by success rate, unless that is off.
fn ejection(outlier: &Outlier) -> String {
    let enforced = |share: Option<u32>, default: u32| share.unwrap_or(default) > 0;
    let mut after = Vec::new();
    if enforced(outlier.enforcing_consecutive_5xx, 100) && outlier.consecutive_5xx != Some(0) {
        after.push(format!("{} × 5xx", outlier.consecutive_5xx.unwrap_or(5)));
    }
    if enforced(outlier.enforcing_consecutive_gateway_failure, 0) {
        after.push(format!("{} × 502, 503, 504", outlier.consecutive_gateway_failure.unwrap_or(5)));
    }
    if enforced(outlier.enforcing_success_rate, 100) {
        after.push("by success rate".into());
    }
    if after.is_empty() {
        return "no ejection".into();
    }
    let lasts = outlier.base_ejection_time.as_deref().map_or_else(|| "30 s".into(), shown);
    let every = outlier.interval.as_deref().map_or_else(|| "10 s".into(), shown);
    let most = outlier.max_ejection_percent.unwrap_or(10);
    format!("ejected for {lasts} after {}, {most}% at most, sweep every {every}", after.join(" or "))
}
