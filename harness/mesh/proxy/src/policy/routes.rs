//! A route in words: which calls, how long, how often, where.

use super::{
    LeadsTo,
    forms::{Asked, Forward, Leg, Match, Retries, Route, RuntimeFraction},
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
    let Match { path, prefix, path_separated_prefix, safe_regex, headers, query_parameters, runtime_fraction, others } =
        when;
    let prefix = prefix.as_ref().filter(|prefix| *prefix != "/").or(path_separated_prefix.as_ref());
    let path =
        path.clone().or(prefix.map(|p| format!("{p}…"))).or(safe_regex.as_ref().map(|r| format!("~{}", r.regex)));
    let mut all: Vec<String> = path.map(|path| format!("path {path}")).into_iter().collect();
    all.extend(headers.iter().map(|header| asked(&header.name, header)));
    all.extend(query_parameters.iter().map(|one| asked(&format!("query {}", one.name), one)));
    // That a path has its case is so wherever nothing is said.
    let others = others.iter().filter(|(name, ask)| *name != "case_sensitive" || **ask != Value::Bool(true));
    all.extend(others.map(|(name, ask)| format!("{name} {ask}")));
    match (runtime_fraction.as_ref().and_then(share), all.is_empty()) {
        (None, true) => None,
        (None, false) => Some(format!("for {}", all.join(", "))),
        (Some(share), true) => Some(format!("for {share} of the calls")),
        (Some(share), false) => Some(format!("for {share} of the calls with {}", all.join(", "))),
    }
}

/// `x-canary: yes`, `no x-canary`; what asks for no exact value is quoted as it stands.
fn asked(name: &str, of: &Asked) -> String {
    let text = |pattern: &Value| pattern.as_str().map(str::to_owned);
    let flag = |field: &str| of.asks.get(field).and_then(Value::as_bool);
    let inverted = flag("invert_match").unwrap_or(false);
    let string = of.asks.get("string_match").filter(|pattern| pattern.get("ignore_case").is_none());
    let exact = string.and_then(|pattern| pattern.get("exact")).or(of.asks.get("exact_match")).and_then(text);
    match (exact, flag("present_match")) {
        (Some(value), _) if !inverted => format!("{name}: {value}"),
        // What is missing is another value only where it is taken for an empty one (config.route.v3.HeaderMatcher).
        (Some(value), _) if flag("treat_missing_header_as_empty") == Some(true) => format!("not {name}: {value}"),
        (Some(value), _) => format!("{name} other than {value}"),
        (None, Some(present)) if present != inverted => name.to_owned(),
        (None, Some(_)) => format!("no {name}"),
        (None, None) => format!("{name} {}", Value::from_iter(of.asks.clone())),
    }
}

/// `30%`; `None`: all, whatever the runtime says.
fn share(of: &RuntimeFraction) -> Option<String> {
    let whole = match of.default_value.denominator.as_deref() {
        Some("TEN_THOUSAND") => 10_000.0,
        Some("MILLION") => 1_000_000.0,
        _ => 100.0,
    };
    let share = (f64::from(of.default_value.numerator) * 100.0 / whole).min(100.0);
    match of.runtime_key.as_str() {
        "" => (share < 100.0).then(|| percent(share)),
        key => Some(format!("{} (unless the runtime key {key} says otherwise)", percent(share))),
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
        // Once where no number is said (config.route.v3.RetryPolicy.host_selection_retry_max_attempts): with few hosts that is
        // often the same again.
        let picks = policy.host_selection_retry_max_attempts.as_deref().unwrap_or("1");
        let times = if picks == "1" { "time" } else { "times" };
        text.push_str(&format!(", on another host (picked again up to {picks} {times})"));
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
