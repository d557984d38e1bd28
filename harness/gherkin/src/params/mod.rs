//! The clauses as parameter types: each a flat regular expression, without capture groups and look-around.
//!
//! The expressions only tell sentences apart. What a clause means is read by the parsers in [`crate::clauses`].

mod forms;

use forms::forms;
use std::collections::HashMap;

/// A clause: its name in a sentence, its expression, and how it reads, for people.
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) regex: String,
    pub(crate) forms: &'static str,
}

impl Param {
    /// Its first forms, for a caret: as many as fit on a line.
    pub(crate) fn short(&self) -> String {
        const ROOM: usize = 120;
        let runs = self.forms.split("; not run yet").next().unwrap_or_default();
        if runs.len() <= ROOM {
            return runs.to_owned();
        }
        let cut = runs.match_indices("`, ").map(|(at, _)| at + 1).take_while(|at| *at <= ROOM).last();
        format!("{}…", &runs[..cut.unwrap_or(runs.len())])
    }
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
    let param = |name, regex: String| Param { name, regex, forms: forms(name) };
    let place = format!("(?:zone|cluster|node|site) {Q}");
    let target = target();
    let filters = filters();
    let calls = calls(&target, &filters);
    let traffic = format!(
        "(?:{P} of the )?(?:{calls}|(?:the )?tries(?: of user {Q})?(?: from {Q})?(?: reaching {target})?{filters})"
    );
    let answer = format!("(?:status {N}|grpc status {Q}|close code {N}|header {Q}|body {Q})");
    vec![
        param("text", Q.into()),
        param("service", Q.into()),
        param("n", N.into()),
        param("time", T.into()),
        param("percent", P.into()),
        param("rate", format!("{N} calls? per (?:second|minute)")),
        param("claim", claim(&target, &filters)),
        param("outcome", outcome(&target, &answer)),
        param("subject", subject(&target, &place)),
        param("with", format!("(?: of user {Q})?{filters}(?: as {N} users)?(?: at random moments)?")),
        param("when", format!("(?: at {T}| from {T}(?: to {T})?)?")),
        param("phase", format!("(?: (?:before|during|after) the (?:fault|change)| from {T}(?: to {T})?)?")),
        param(
            "moment",
            format!(
                "(?:the fault|the end of the fault|the change|its (?:return|start|end)|its {N}(?:st|nd|rd|th) failure)"
            ),
        ),
        param("shape", shape()),
        param("fleet", fleet()),
        param("retrying", format!("(?:, each on another instance)?(?:, waiting at least {T})?")),
        param("limit", format!("(?:, at most {P} at a time)?")),
        param(
            "check",
            format!("(?:http on path {Q}|grpc|tcp)(?:, out after {N} failures?, back after {N} pass(?:es)?)?"),
        ),
        param("mode", "(?:let through|turned away)".into()),
        param("rest", format!("(?:(?:,| and) {P} to {target})*")),
        param("burst", format!("(?: of each user)?(?:, in bursts of at most {N})?")),
        param("tls", "(?:mTLS only|mTLS and plaintext|plaintext only)".into()),
        param("touch", format!("(?:aborted with {answer}|delayed by {T})")),
        param("wire", format!("(?:the wires?(?: from {Q})? to {target}|the wires? of {place})")),
        param(
            "damage",
            format!(
                "(?:(?:is|are) cut|(?:is|are) slowed by {T}(?:, give or take {T})?|swallows? (?:answers|requests)\
                 |refuses? connections|resets? {P} of (?:its|their) connections|(?:carries|carry) at most {N} [KMG]B/s\
                 |leaves? (?:its|their) connections half open|closes? (?:its|their) connections {T} late)"
            ),
        ),
        param("event", event(&answer)),
        param("sessions", "(?:WebSocket sessions|gRPC streams|TCP connections)".into()),
        param("reference", "(?:without the fault|before the fault|before the change|without the proxy)".into()),
        param("margin", format!("(?:, within (?:{P}(?: and {T})?|{T}))?")),
        param("amount", amount()),
        param("state", STATE.into()),
        param("span", format!("(?:at least {T}|at most {T}|between {T} and {T})")),
        param("key", format!("(?:user|header {Q}|cookie {Q}|source address)")),
        param("further", format!("(?:, then {place})*")),
        param("place", place),
        param("answer", answer),
        param("calls", calls),
        param("traffic", traffic),
        param("target", target),
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
