//! The clauses as parameter types: each a flat regular expression, without capture groups and look-around.
//!
//! The expressions only tell sentences apart. What a clause means is read by the parsers in [`crate::clauses`].

use std::collections::HashMap;

/// A clause: its name in a sentence, its expression, and how it reads, for people.
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) regex: String,
    pub(crate) forms: &'static str,
}

const Q: &str = r#""[^"]*""#;
const N: &str = r"\d+";
const T: &str = r"\d+(?:\.\d+)? ?(?:milliseconds?|ms|minutes?|min|seconds?|s)";
const P: &str = r"\d+(?:\.\d+)?%";
const D: &str = r"\d+(?:\.\d+)?";
const UNITS: &str =
    "(?:(?:shed|failed|new) )?(?:calls?|try|tries|retry|retries|connections?|sessions?|messages?|users?|copy|copies)";
const STATE: &str = "(?:is (?:never )?(?:ejected|in force|rejected|healthy|unhealthy|reported (?:stale|rejecting|disconnected)\
    |the slowest hop|up|gone)|gets traffic(?: again)?)";

/// Every parameter type of the language.
pub(crate) fn params() -> Vec<Param> {
    let param = |name, regex: String, forms| Param { name, regex, forms };
    let place = format!("(?:zone|cluster|node|site) {Q}");
    let target = target();
    let filters = filters();
    let calls = calls(&target, &filters);
    let traffic = format!(
        "(?:{P} of the )?(?:{calls}|(?:the )?tries(?: of user {Q})?(?: from {Q})?(?: reaching {target})?{filters})"
    );
    let answer = format!("(?:status {N}|grpc status {Q}|close code {N}|header {Q}|body {Q})");
    vec![
        param("text", Q.into(), "a text in quotes: `\"…\"`"),
        param("service", Q.into(), "a service in quotes: `\"reviews\"`"),
        param("n", N.into(), "a whole number: `3`"),
        param("time", T.into(), "a time with its unit: `200 ms`, `1.5 s`, `5 seconds`"),
        param("percent", P.into(), "a share: `10%`"),
        param("rate", format!("{N} calls per (?:second|minute)"), "a rate: `200 calls per second`"),
        param(
            "claim",
            claim(&target, &filters),
            "of what: `at least 99% of the calls`, `at most 10 calls`, `every call`, `no shed call`",
        ),
        param(
            "outcome",
            outcome(&target, &answer),
            "an outcome: `succeed`, `fail`, `succeed within 50 ms`, `time out`, `are shed`, `are answered with status 503`, `reach \"reviews\"`, `are tried more than 3 times`…",
        ),
        param(
            "subject",
            subject(&target, &place),
            "a subject: `instance 2 of \"reviews\"`, `the process of …`, `the control plane`, `the change`…",
        ),
        param(
            "with",
            format!("(?: of user {Q})?{filters}(?: as {N} users)?(?: at random moments)?"),
            "nothing, or ` with method \"POST\"`, ` on path \"/x\"`, ` as 50 users`, ` at random moments`",
        ),
        param(
            "when",
            format!("(?: at {T}| from {T}(?: to {T})?)?"),
            "nothing, ` at 2 s`, ` from 2 s` or ` from 2 s to 6 s`",
        ),
        param(
            "phase",
            format!("(?: (?:before|during|after) the (?:fault|change)| from {T}(?: to {T})?)?"),
            "nothing, ` before the fault`, ` during the fault`, ` after the change`, ` from 3 s to 5 s`",
        ),
        param(
            "moment",
            format!(
                "(?:the fault|the end of the fault|the change|its (?:return|start|end)|its {N}(?:st|nd|rd|th) failure)"
            ),
            "a moment: `the fault`, `the end of the fault`, `the change`, `its 5th failure`",
        ),
        param(
            "shape",
            shape(),
            "nothing, or ` that calls \"x\"`, ` with 3 instances`, ` that answers in 5 ms`, ` of version \"v1\"`, ` in zone \"east\"`…",
        ),
        param(
            "fleet",
            fleet(),
            "instances: `1 instance of version \"v1\" and 2 of version \"v2\"`, `2 instances in zone \"east\"`",
        ),
        param(
            "retrying",
            format!("(?:, each on another instance)?(?:, waiting at least {T})?"),
            "nothing, `, each on another instance` or `, waiting at least 100 ms`",
        ),
        param("limit", format!("(?:, at most {P} at a time)?"), "nothing, or `, at most 50% at a time`"),
        param(
            "check",
            format!("(?:http on path {Q}|grpc|tcp)(?:, out after {N} failures?, back after {N} pass(?:es)?)?"),
            "`http on path \"/healthz\"`, `grpc` or `tcp`, and perhaps `, out after 2 failures, back after 2 passes`",
        ),
        param("mode", "(?:let through|turned away)".into(), "`let through` or `turned away`"),
        param("rest", format!("(?:(?:,| and) {P} to {target})*"), "nothing, or ` and 10% to version \"v2\"`"),
        param(
            "burst",
            format!("(?: of each user)?(?:, in bursts of at most {N})?"),
            "nothing, ` of each user` or `, in bursts of at most 10`",
        ),
        param(
            "tls",
            "(?:mTLS only|mTLS and plaintext|plaintext only)".into(),
            "`mTLS only`, `mTLS and plaintext` or `plaintext only`",
        ),
        param(
            "touch",
            format!("(?:aborted with {answer}|delayed by {T})"),
            "`aborted with status 503` or `delayed by 200 ms`",
        ),
        param(
            "wire",
            format!("(?:the wire(?: from {Q})?(?: to {target})|the wires? of {place})"),
            "a wire: `the wire from \"web\" to \"reviews\"`",
        ),
        param(
            "damage",
            format!(
                "(?:is cut|refuses connections|resets {P} of its connections|is slowed by {T}|carries at most {N} [KMG]B/s|swallows answers)"
            ),
            "`is cut`, `refuses connections`, `is slowed by 100 ms`…",
        ),
        param(
            "event",
            event(&answer),
            "`is killed`, `comes back`, `answers with status 500`, `answers in 1 s`, `answers as before`…",
        ),
        param(
            "sessions",
            "(?:WebSocket sessions|gRPC streams|TCP connections)".into(),
            "`WebSocket sessions`, `gRPC streams` or `TCP connections`",
        ),
        param(
            "reference",
            "(?:without the fault|before the fault|before the change|without the proxy)".into(),
            "`without the fault`, `before the fault`, `before the change` or `without the proxy`",
        ),
        param("margin", format!("(?:, within {P} and {T})?"), "nothing, or `, within 1% and 5 ms`"),
        param(
            "amount",
            amount(),
            "an amount: `no tries`, `at least 100 tries`, `at most 1.3 tries for each call`, `at most 50 tries per second`",
        ),
        param("state", STATE.into(), "`is ejected`, `gets traffic again`, `is in force`, `is rejected`…"),
        param("span", format!("(?:at least {T}|at most {T}|between {T} and {T})"), "`between 2 s and 3 s`"),
        param(
            "key",
            format!("(?:user|header {Q}|cookie {Q}|source address)"),
            "`user`, `header \"x\"`, `cookie \"x\"` or `source address`",
        ),
        param("place", place, "a place: `zone \"east\"`"),
        param("answer", answer, "an answer: `status 503`"),
        param("calls", calls, "calls: `calls to \"reviews\"`, `calls from \"web\" to \"reviews\" with method \"GET\"`"),
        param("traffic", traffic, "calls or tries: `calls to \"reviews\"`, `30% of the tries reaching \"reviews\"`"),
        param(
            "target",
            target,
            "whom: `\"reviews\"`, `version \"v2\" of \"reviews\"`, `instance 2 of \"reviews\"`, `every instance of \"reviews\"`",
        ),
    ]
}

/// The expressions by name, as `cucumber-expressions` takes them.
pub(crate) fn by_name(params: &[Param]) -> HashMap<&'static str, &str> {
    params.iter().map(|p| (p.name, p.regex.as_str())).collect()
}

fn target() -> String {
    format!(
        "(?:(?:every instance of|instances? {N} of|{N} instances? of|version {Q} of|the instances of) {Q}|version {Q}|{Q})\
         (?: in (?:zone|cluster|node|site|mesh) {Q})?"
    )
}

fn filters() -> String {
    format!(
        "(?: on path {Q})?(?: on host {Q})?(?: with query {Q})?(?: with method {Q})?(?: with header {Q})?(?: with (?:claim|token) {Q})?"
    )
}

fn calls(target: &str, filters: &str) -> String {
    format!("(?:the )?calls(?: of user {Q})?(?: from {Q})?(?: to {target})?{filters}")
}

fn claim(target: &str, filters: &str) -> String {
    let of = format!("(?: of user {Q})?(?: from {Q})?(?: to {target}| reaching {target})?{filters}");
    format!(
        "(?:(?:(?:at least|at most|more than|exactly) {P}|between {P} and {P}) of the {UNITS}{of}\
         |(?:at least|at most|more than|exactly) {N} {UNITS}{of}|(?:every|no) {UNITS}{of})"
    )
}

fn outcome(target: &str, answer: &str) -> String {
    let is = "(?:is|are)";
    let forms = [
        format!("succeeds?(?: within {T})?"),
        "fails?".into(),
        format!("finish(?:es)? within {T}"),
        format!("takes? at least {T}"),
        "times? out".into(),
        format!("{is} shed(?: by the (?:circuit breaker|rate limit|admission control|adaptive concurrency))?"),
        format!("{is} (?:denied|refused|reset|unroutable|lost|held|captured|retried)"),
        format!("{is} answered with {answer}"),
        format!("reach(?:es)? {target}"),
        format!("{is} tried more than {N} times?"),
        format!("{is} tried twice on one instance"),
        format!("waits? at least {T}"),
        "uses? mTLS".into(),
        format!("presents? the (?:new certificate|certificate of {Q})"),
        format!("{is} logged with flag {Q}"),
        format!("{is} one trace, with a span for each try"),
        format!("conforms? to {Q}"),
    ];
    format!("(?:{})", forms.join("|"))
}

fn subject(target: &str, place: &str) -> String {
    format!(
        "(?:{target}|{place}|the (?:proxy|process) of (?:{target}|{place})|the mesh|the control plane(?: of {place})?\
         |the (?:rate limit|authorization|fault) service|the filter {Q}|the certificate of {Q}|the root of trust|the change)"
    )
}

fn shape() -> String {
    format!(
        "(?: that calls {Q}(?:, {Q})*(?: and {Q})?| with {N} instances?| of version {Q}| in (?:zone|cluster|node|site) {Q}\
         | speaking (?:http2|http|grpc|tcp|websocket|redis|xds)| outside the mesh| that answers? in {T}\
         | with one proxy for each (?:instance|node)| without a proxy)*"
    )
}

fn fleet() -> String {
    let by = format!("(?:of version {Q}|in (?:zone|cluster|node|site) {Q})");
    let more = format!("(?:of version {Q}|in (?:zone|cluster|node|site) {Q}|outside the mesh)");
    format!("{N} instances? {by}(?:(?:,| and) {N} {more})*")
}

fn event(answer: &str) -> String {
    format!(
        "(?:is (?:killed|paused|restarted|stopped|cut off|renewed|replaced)|comes back|joins the mesh|leaves the mesh|expires\
         |answers (?:in {T}|at once|as before|with {answer}(?: after {N} messages?)?))"
    )
}

fn amount() -> String {
    format!(
        "(?:no (?:tries|copies)|a copy of every call\
         |(?:(?:at least|at most) {D}|between {D} and {D}) tries (?:for each call|per second)\
         |(?:at least|at most|exactly) {N}(?: tries| copies)?|between {N} and {N}(?: tries| copies)?\
         |(?:(?:at least|at most) {P}|between {P} and {P}) of the (?:tries|copies))"
    )
}
