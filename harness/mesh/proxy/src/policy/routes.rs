//! A route in words: which calls, how long, how often, where.

use super::{
    LeadsTo,
    forms::{Forward, Header, Leg, Match, Retries, Route},
    shown,
};
use serde_json::Value;

/// Of a route to a cluster (config.route.v3.RouteAction), clause by clause. `otherwise`: the retries of its virtual host.
pub(super) fn says(route: &Route, forward: &Forward, otherwise: Option<&Retries>, leads_to: LeadsTo) -> Vec<String> {
    let mut all = Vec::new();
    all.extend(which(&route.when));
    all.push(timeout(forward));
    all.extend(
        forward.idle_timeout.as_deref().filter(|text| *text != "0s").map(|t| format!("idle timeout {}", shown(t))),
    );
    all.push(forward.retry_policy.as_ref().or(otherwise).map_or_else(|| "no retries".into(), retries));
    all.extend(legs(forward, leads_to));
    all.extend(forward.hash_policy.iter().map(sticks));
    all
}

/// `None`: all of them.
fn which(when: &Match) -> Option<String> {
    let Match { path, prefix, path_separated_prefix, safe_regex, headers } = when;
    let prefix = prefix.as_ref().filter(|prefix| *prefix != "/").or(path_separated_prefix.as_ref());
    let path =
        path.clone().or(prefix.map(|p| format!("{p}…"))).or(safe_regex.as_ref().map(|r| format!("~{}", r.regex)));
    let headers: Vec<String> = headers.iter().map(header).collect();
    let path = path.map(|path| format!("path {path}"));
    let all: Vec<String> = path.into_iter().chain(headers).collect();
    (!all.is_empty()).then(|| format!("for {}", all.join(", ")))
}

/// `x-canary: yes`; what is no exact value is quoted as it stands.
fn header(header: &Header) -> String {
    let exact = header.asks.get("string_match").and_then(|m| m.get("exact")).or(header.asks.get("exact_match"));
    match exact.and_then(Value::as_str) {
        Some(value) => format!("{}: {value}", header.name),
        None if header.asks.contains_key("present_match") => header.name.clone(),
        None => format!("{} {}", header.name, Value::from_iter(header.asks.clone())),
    }
}

/// 15 s where nothing is said; zero is none.
fn timeout(forward: &Forward) -> String {
    let own = match forward.timeout.as_deref() {
        Some("0s") => "no timeout".to_owned(),
        Some(text) => format!("timeout {}", shown(text)),
        None => "timeout 15 s (Envoy's default)".to_owned(),
    };
    match &forward.max_stream_duration {
        Some(bound) if bound.get("grpc_timeout_header_max").is_some() => format!("{own}, and the call's own deadline"),
        _ => own,
    }
}

/// One retry where no number is said (config.route.v3.RetryPolicy.num_retries).
fn retries(policy: &Retries) -> String {
    let times = policy.num_retries.unwrap_or(1);
    if times == 0 || policy.retry_on.is_empty() {
        return "no retries".into();
    }
    let mut text = format!("{times} {} on {}", if times == 1 { "retry" } else { "retries" }, policy.retry_on);
    if !policy.retriable_status_codes.is_empty() {
        let codes: Vec<String> = policy.retriable_status_codes.iter().map(ToString::to_string).collect();
        text.push_str(&format!(" ({})", codes.join(", ")));
    }
    if let Some(per_try) = policy.per_try_timeout.as_deref().filter(|text| *text != "0s") {
        text.push_str(&format!(", each try {}", shown(per_try)));
    }
    if policy.retry_host_predicate.iter().any(|one| one.name.ends_with("previous_hosts")) {
        text.push_str(", on another host");
    }
    text
}

/// `90% v1, 10% v2`; `None`: all go to the same.
fn legs(forward: &Forward, leads_to: LeadsTo) -> Option<String> {
    let legs: Vec<Leg> = forward.legs().collect();
    let sum: u64 = legs.iter().map(|leg| leg.weight).sum();
    let several = legs.len() > 1 || legs.iter().any(|leg| leg.metadata_match.is_some());
    let share =
        |leg: &Leg| format!("{} {}", percent(leg.weight as f64 * 100.0 / sum.max(1) as f64), place(leg, leads_to));
    several.then(|| legs.iter().map(share).collect::<Vec<_>>().join(", "))
}

/// The subset of hosts, or the cluster.
fn place(leg: &Leg, leads_to: LeadsTo) -> String {
    let labels = leg.metadata_match.iter().flat_map(|m| m.filter_metadata.get("envoy.lb")).flatten();
    let labels: Vec<String> = labels.map(|(key, value)| format!("{key} {}", value.as_str().unwrap_or("?"))).collect();
    match labels.is_empty() {
        true => leads_to(&leg.name).unwrap_or(&leg.name).to_owned(),
        false => labels.join(" "),
    }
}

fn sticks(policy: &std::collections::BTreeMap<String, Value>) -> String {
    let name = |field: &str, of: &str| Some(format!("{field} {}", policy.get(field)?.get(of)?.as_str()?));
    let by = name("header", "header_name").or_else(|| name("cookie", "name"));
    format!("sticks by {}", by.unwrap_or_else(|| policy.keys().cloned().collect::<Vec<_>>().join(" ")))
}

/// `90%`, `0.1%`.
pub(super) fn percent(value: f64) -> String {
    let text = format!("{value:.3}");
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}
