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

/// For 30 s, 10 % of the hosts at most, where nothing is said.
fn ejection(outlier: &Outlier) -> String {
    let local = local_ways(outlier);
    // Told apart from answers, they count for nothing else.
    let spared = outlier.split_external_local_origin_errors && local.is_empty();
    let ways = [ways(outlier), local].concat();
    if ways.is_empty() {
        return "no ejection".into();
    }
    let ways = ways.join(" or ") + if spared { ", never for local-origin failures" } else { "" };
    let lasts = outlier.base_ejection_time.as_deref().map_or_else(|| "30 s".into(), shown);
    let every = outlier.interval.as_deref().map_or_else(|| "10 s".into(), shown);
    let most = outlier.max_ejection_percent.unwrap_or(10);
    let but = if outlier.always_eject_one_host == Some(true) { " but always one" } else { "" };
    format!("ejected for {lasts} {ways}, {most}% at most{but}, sweep every {every}")
}

/// What leads to an ejection: after 5 × 5xx, and by success rate, where nothing is said.
fn ways(outlier: &Outlier) -> Vec<String> {
    let gateway = outlier.consecutive_gateway_failure;
    let failures = format!("at {}% failures", outlier.failure_percentage_threshold.unwrap_or(85));
    let all = [
        in_a_row(outlier.consecutive_5xx, "5xx", outlier.enforcing_consecutive_5xx.unwrap_or(100)),
        in_a_row(gateway, "502, 503, 504", outlier.enforcing_consecutive_gateway_failure.unwrap_or(0)),
        way("by success rate".into(), Some(for_rates(outlier)), outlier.enforcing_success_rate.unwrap_or(100)),
        way(failures, Some(for_failures(outlier)), outlier.enforcing_failure_percentage.unwrap_or(0)),
    ];
    all.into_iter().flatten().collect()
}

/// The same of failures that no answer is: connections, timeouts. They are 5xx like others unless they are told apart.
fn local_ways(outlier: &Outlier) -> Vec<String> {
    if !outlier.split_external_local_origin_errors {
        return Vec::new();
    }
    let (count, row) =
        (outlier.consecutive_local_origin_failure, outlier.enforcing_consecutive_local_origin_failure.unwrap_or(100));
    let rate = outlier.enforcing_local_origin_success_rate.unwrap_or(100);
    let share = outlier.enforcing_failure_percentage_local_origin.unwrap_or(0);
    let failures = format!("at {}% local-origin failures", outlier.failure_percentage_threshold.unwrap_or(85));
    let all = [
        in_a_row(count, "local-origin failure", row),
        way("by local-origin success rate".into(), Some(for_rates(outlier)), rate),
        way(failures, Some(for_failures(outlier)), share),
    ];
    all.into_iter().flatten().collect()
}

/// 5 where nothing is said, and none at all at zero.
fn in_a_row(count: Option<u32>, of: &str, enforced: u32) -> Option<String> {
    let count = count.unwrap_or(5);
    way(format!("after {count} × {of}"), None, enforced).filter(|_| count > 0)
}

/// `None`: it ejects nobody. `enforced`: the chance, in per cent, that it does.
fn way(how: String, needs: Option<String>, enforced: u32) -> Option<String> {
    let chance = (enforced < 100).then(|| format!("enforced at {enforced}%"));
    let but: Vec<String> = needs.into_iter().chain(chance).collect();
    let but = if but.is_empty() { String::new() } else { format!(" ({})", but.join(", ")) };
    (enforced > 0).then(|| how + &but)
}

/// What a statistic needs, without which it ejects nobody.
fn for_rates(outlier: &Outlier) -> String {
    needs(outlier.success_rate_minimum_hosts, outlier.success_rate_request_volume.unwrap_or(100))
}

fn for_failures(outlier: &Outlier) -> String {
    needs(outlier.failure_percentage_minimum_hosts, outlier.failure_percentage_request_volume.unwrap_or(50))
}

fn needs(hosts: Option<u32>, tries: u32) -> String {
    format!("needs {} hosts with {tries} tries a sweep", hosts.unwrap_or(5))
}
