//! How each clause reads, for people: what `squall steps` and docs/vocabulary.md say of it.
//!
//! Every form that a clause has stands here: `squall steps WORD` looks for words in them.

/// The forms of a clause.
pub(super) fn forms(clause: &str) -> &'static str {
    FORMS.iter().find(|(name, _)| *name == clause).map_or("", |(_, forms)| forms)
}

/// Each clause with its forms, by name.
const FORMS: &[(&str, &str)] = &[
    (
        "amount",
        "an amount: `no tries`, `at least 100 tries` (at most, exactly, between 10 and 20), `at most 1.3 tries for each call`, \
         `at most 50 tries per second`, `at most 10% of the tries`; not run yet: `a copy of every call`, `no copies`",
    ),
    (
        "answer",
        "an answer: `status 503` or `grpc status \"UNAVAILABLE\"`; not run yet: `header \"k: v\"`, `body \"…\"`, `close code 1000`",
    ),
    ("burst", "nothing, ` of each user` or `, in bursts of at most 10`"),
    (
        "calls",
        "calls: `calls to \"reviews\"`, `calls from \"web\" to \"reviews\" with method \"GET\"`; in this order, each optional: `of user \"alice\"`, \
         `from \"web\"`, `to \"reviews\"`, `on path \"/x\"`, `on host \"h\"`, `with query \"a=1\"`, `with method \"POST\"`, \
         `with header \"k: v\"`; not run yet: `with claim \"role: admin\"`, `with token \"expired\"`",
    ),
    (
        "check",
        "`http on path \"/healthz\"`, `grpc` or `tcp`, and perhaps `, out after 2 failures, back after 2 passes`",
    ),
    (
        "claim",
        "of what: `at least 99% of the calls`, `at most`, `more than`, `between 8% and 12% of the calls`, `at least 10 calls`, `at most`, \
         `more than`, `exactly`, `every call`, `no call`; of calls, tries, retries or users; `shed` or `failed` ones; more as in \
         {calls}; not run yet: connections, sessions, messages, copies, `new` ones",
    ),
    (
        "damage",
        "`is cut`, `swallows answers`, `swallows requests`, `refuses connections`, `resets 10% of its connections`, \
         `is slowed by 100 ms`, `is slowed by 100 ms, give or take 20 ms`, `carries at most 50 KB/s` (MB, GB; powers of \
         ten), `leaves its connections half open`, `closes its connections 2 s late`; of several wires in the plural: `are cut`, `reset 10% of their connections`",
    ),
    (
        "event",
        "`is killed`, `is stopped`, `is paused`, `is restarted`, `comes back`, `is cut off`, `answers with status 500`, \
         `answers with grpc status \"UNAVAILABLE\"`, `answers with grpc status \"INTERNAL\" after 1 message`, \
         `answers in 1 s`, `answers at once`, `answers as before`; not run yet: `is renewed`, `is replaced`, `expires`, \
         `joins the mesh`, `leaves the mesh`",
    ),
    (
        "fleet",
        "instances: `1 instance of version \"v1\" and 2 of version \"v2\"`, `2 instances in zone \"east\" and 1 in site \"edge\"`; not run yet: `and 1 outside the mesh`",
    ),
    ("further", "nothing, or `, then zone \"c\"`"),
    ("key", "`user`, `header \"x\"`, `cookie \"x\"` or `source address`"),
    ("limit", "nothing, or `, at most 50% at a time`"),
    (
        "margin",
        "nothing, `, within 1%`, `, within 1% and 5 ms` or `, within 5 ms`: so many more of a hundred may fail or be slow, and so much later is slow; 1%, and the larger of a quarter of the time and 5 ms, where nothing is said",
    ),
    ("mode", "`let through` or `turned away`"),
    (
        "moment",
        "a moment: `the fault`, `the end of the fault`, `the change`, `its return`, `its 5th failure`; not run yet: `its start`, `its end`",
    ),
    ("n", "a whole number: `3`"),
    (
        "outcome",
        "an outcome: `succeed`, `fail`, `succeed within 50 ms`, `finish within 50 ms`, `take at least 1 s`, `time out`, \
         `are shed`, `are shed by the circuit breaker` (rate limit, admission control, adaptive concurrency), `are denied`, \
         `are refused`, `are reset`, `are unroutable`, `are answered with status 503`, \
         `are answered with grpc status \"UNAVAILABLE\"`, `reach \"reviews\"`, `are retried`, `are tried more than 3 times`, \
         `are tried twice on one instance`, `are logged with flag \"UF\"`; not run yet: `are lost`, `are held`, \
         `are captured`, `wait at least 1 s`, `use mTLS`, `present the new certificate`, \
         `are one trace, with a span for each try`, `conform to \"contract.json\"`; with `every` and `no` in the singular",
    ),
    ("percent", "a share: `10%`"),
    ("phase", "nothing, ` before the fault`, ` during the fault`, ` after the change`, ` from 3 s to 5 s`"),
    ("place", "a place: `zone \"east\"` or `site \"edge\"`; not run yet: `cluster \"a\"`, `node \"n\"`"),
    ("rate", "a rate: `200 calls per second`, `30 calls per minute`"),
    ("reference", "`without the fault`, `before the fault`, `before the change`; not run yet: `without the proxy`"),
    ("rest", "nothing, or ` and 10% to version \"v2\"`"),
    ("retrying", "nothing, or `, each on another instance`; not run yet: `, waiting at least 100 ms`"),
    ("service", "a service in quotes: `\"reviews\"`"),
    ("sessions", "`WebSocket sessions`, `gRPC streams` or `TCP connections`"),
    (
        "shape",
        "nothing, or ` that calls \"x\"`, ` with 3 instances`, ` that answers in 5 ms`, ` of version \"v1\"`, ` in zone \"east\"`, \
         ` in site \"edge\"`, ` speaking http2`, ` speaking grpc`; not run yet: ` speaking tcp` (websocket, redis, xds), \
         ` outside the mesh`, ` without a proxy`, ` with one proxy for each node`",
    ),
    ("span", "`at least 2 s`, `at most 3 s` or `between 2 s and 3 s`"),
    (
        "state",
        "`is ejected`, `is healthy`, `is unhealthy` (each with `never`), `gets traffic again`; not run yet: `is in force`, \
         `is rejected`, `is reported stale` (rejecting, disconnected), `is the slowest hop`, `is up`, `is gone`",
    ),
    (
        "subject",
        "a subject: `instance 2 of \"reviews\"` or another target, `the process of …` or `the proxy of …` them, \
         `zone \"east\"`, `site \"edge\"`, `the control plane`; not run yet: `cluster \"a\"`, `node \"n\"`, `the mesh`, \
         `the rate limit service` (authorization, fault), `the filter \"f\"`, `the certificate of \"reviews\"`, \
         `the root of trust`, `the change`",
    ),
    (
        "target",
        "whom: `\"reviews\"`, `version \"v2\" of \"reviews\"`, `instance 2 of \"reviews\"`, `2 instances of \"reviews\"`, \
         `every instance of \"reviews\"`; any of them ` in zone \"east\"` or ` in site \"edge\"`; not run yet: ` in cluster \"a\"` (node, mesh); short, where \
         the sentence has named the service: `version \"v2\"`",
    ),
    ("text", "a text in quotes: `\"…\"`"),
    ("time", "a time with its unit: `200 ms`, `1.5 s`, `5 seconds`, `2 minutes`"),
    ("tls", "`mTLS only`, `mTLS and plaintext` or `plaintext only`"),
    ("touch", "`aborted with status 503`, `aborted with grpc status \"UNAVAILABLE\"` or `delayed by 200 ms`"),
    (
        "traffic",
        "calls or tries: `calls to \"reviews\"`, `tries reaching \"reviews\"`, `30% of the tries reaching \"reviews\"`; more as in {calls}",
    ),
    ("when", "nothing, ` at 2 s`, ` from 2 s` or ` from 2 s to 6 s`"),
    (
        "wire",
        "a wire: `the wire from \"web\" to \"reviews\"`, `the wire to \"reviews\"`, `the wires of zone \"east\"` (those that \
         cross its border)",
    ),
    (
        "with",
        "nothing, or ` of user \"alice\"`, ` on path \"/x\"`, ` on host \"h\"`, ` with query \"a=1\"`, ` with method \"POST\"`, \
         ` with header \"k: v\"`, ` as 50 users`, ` at random moments`; not run yet: ` with claim \"…\"`, ` with token \"…\"`",
    ),
];

#[cfg(test)]
mod tests {
    use super::FORMS;
    use crate::params::params;
    use std::collections::BTreeSet;

    #[test]
    fn each_clause_has_one_entry() {
        let named: Vec<&str> = FORMS.iter().map(|(name, _)| *name).collect();
        let clauses: BTreeSet<&str> = params().iter().map(|param| param.name).collect();
        assert_eq!(BTreeSet::from_iter(named.iter().copied()), clauses);
        assert_eq!(named.len(), clauses.len(), "one of them twice");
        assert!(FORMS.iter().all(|(_, forms)| !forms.is_empty()));
    }
}
