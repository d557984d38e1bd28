//! What people look for, and the words under which the language has it.

/// The words of the language for what was asked, none where it has no other.
pub(super) fn ours(word: &str) -> &'static [&'static str] {
    let plain = word.trim_end_matches('s');
    let is = |theirs: &&str| *theirs == word || *theirs == plain;
    TOPICS.iter().find(|(theirs, _)| theirs.iter().any(is)).map_or(&[], |(_, ours)| ours)
}

const TOPICS: &[(&[&str], &[&str])] = &[
    (&["timeout", "time-out", "time out", "timed out", "times out", "pertrytimeout", "per try timeout"], &["time out"]),
    (&["p50", "p90", "p95", "p99", "percentile", "slo"], &["finish within", "succeed within", "as good as"]),
    (
        &["latency", "latencie", "response time", "slow", "duration"],
        &[
            "finish within",
            "succeed within",
            "take at least",
            "answers in",
            "answer in",
            "delayed by",
            "slowed by",
            "as good as",
        ],
    ),
    (
        &["kill", "pod kill", "podkill", "kill pod", "pod failure", "crash", "crashe", "die", "dead", "sigkill"],
        &["is killed"],
    ),
    (&["down", "outage", "failure"], &["is killed", "is stopped", "is paused", "is cut off", "is cut"]),
    (&["stop", "sigterm", "drain"], &["is stopped"]),
    (&["pause", "freeze", "hang", "sigstop"], &["is paused"]),
    (&["restart", "reboot", "rolling restart"], &["is restarted"]),
    (&["retry", "retrie"], &["retried", "retries"]),
    (
        &["circuit breaker", "circuit-breaker", "breaker", "bulkhead", "max connections"],
        &["has at most", "circuit breaker", "calls at a time"],
    ),
    (&["outlier", "outlier detection", "outlierdetection", "consecutive5xxerror", "ejection", "eject"], &["ejected"]),
    (&["health check", "healthcheck", "health", "liveness", "readiness"], &["is checked every", "healthy"]),
    (&["canary", "split", "weight", "routing", "route", "traffic split", "traffic shifting"], &["go to"]),
    (&["sticky", "affinity", "session affinity", "stickiness"], &["stay on", "only one version"]),
    (&["load balancing", "load balancer", "balancer", "lb", "round robin"], &["balanced by"]),
    (&["failover", "locality", "region"], &["prefer"]),
    (&["mirror", "shadow"], &["mirrored"]),
    (&["scale", "scaling", "autoscaling", "autoscale", "replica"], &["grows"]),
    (&["packet loss", "packet", "network", "partition", "network partition", "tcp", "link"], &["is cut", "the wire"]),
    (&["jitter"], &["give or take"]),
    (&["bandwidth", "throttle", "throttling"], &["carries at most"]),
    (
        &["rps", "qp", "qps", "rate", "load", "requests per second", "request", "traffic"],
        &["calls per second", "makes"],
    ),
    (&["inject", "abort", "error"], &["aborted with", "answers with status"]),
    (
        &["fault", "fault injection", "chaos", "chaos mesh", "litmus", "gremlin"],
        &["aborted with", "delayed by", "is killed", "the wire from"],
    ),
    (&["guard", "stop condition", "halt", "abort if"], &["the run is aborted"]),
    (&["ramp", "ramp up", "ramping"], &["raises"]),
    (&["vu", "virtual user", "k6", "locust", "jmeter", "gatling"], &["users of", "calls per second"]),
    (&["toxic", "toxiproxy"], &["the wire from"]),
    (&["reset_peer", "reset peer", "rst"], &["resets"]),
    (&["limit_data", "limit data"], &["carries at most"]),
    (&["blackhole", "black hole"], &["is cut", "swallows"]),
    (&["virtualservice", "virtual service", "httproute", "istio"], &["go to", "retried", "time out"]),
    (&["destinationrule", "destination rule", "connection pool"], &["has at most", "ejected", "balanced by"]),
    (&["delay", "latency injection"], &["delayed by", "slowed by", "answers in"]),
    (&["error rate", "success rate", "availability", "fail", "succeed", "success"], &["succeed", "fail"]),
    (&["rate limit", "ratelimit", "rate limiting", "quota"], &["accepts at most", "rate limit"]),
    (&["pod", "endpoint", "host", "upstream"], &["instance 2 of"]),
    (&["recovery", "recover"], &["recover within", "comes back"]),
    (&["grpc", "protocol", "http2"], &["grpc", "http2"]),
    (&["auth", "authorization", "rbac", "jwt"], &["allowed", "denied"]),
    (&["tls", "certificate"], &["mTLS", "certificate"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sentences::find_steps;

    #[test]
    fn every_topic_leads_to_a_sentence_by_each_of_its_words() {
        for (theirs, ours) in TOPICS {
            for word in *ours {
                let steps = crate::steps();
                let says = |text: &str| text.to_lowercase().contains(&word.to_lowercase());
                let known = steps.iter().any(|s| {
                    says(s.sentence) || says(s.meaning) || says(s.example) || s.clauses.iter().any(|c| says(c.forms))
                });
                assert!(known, "{theirs:?}: {word}");
            }
            assert!(!find_steps(theirs[0]).is_empty(), "{theirs:?}");
        }
    }
}
