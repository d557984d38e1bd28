//! `{calls}` and `{traffic}`: which calls, which tries, how large a share of them.

use super::reader::{Name, Reader};
use super::target::target;
use crate::source::Mistake;
use squall_model::{Calls, Filter, Fraction, Level, ServiceName, Target, Traffic};
use std::ops::Range;

/// Reads `calls …`.
pub(crate) fn calls(r: &mut Reader<'_>) -> Option<Calls> {
    r.eat("the ");
    r.eat("calls").then(|| selection(r))
}

/// Reads `[30% of the] calls …` or `[30% of the] tries …`.
pub(crate) fn traffic(r: &mut Reader<'_>) -> Option<Traffic> {
    Some(traffic_with_share(r)?.0)
}

/// The same, with the place of the share.
pub(crate) fn traffic_with_share(r: &mut Reader<'_>) -> Option<(Traffic, Option<Range<usize>>)> {
    let share = if r.rest().starts_with(|c: char| c.is_ascii_digit()) { r.percent() } else { None };
    if share.is_some() {
        r.eat(" of the ");
    }
    r.eat("the ");
    let level = r.one_of(&[("calls", Level::Calls), ("tries", Level::Tries)])?;
    let of = selection(r);
    let span = share.as_ref().map(|(_, span)| span.clone());
    Some((Traffic { share: share.map_or(Fraction::ALL, |(share, _)| share), level, of }, span))
}

/// Reads what follows the noun: ` of user "alice" from "web" to "reviews" on path "/x"…`.
pub(crate) fn selection(r: &mut Reader<'_>) -> Calls {
    let mut filter = Filter { user: user(r), ..Filter::default() };
    let from = caller(r);
    let to = match r.eat(" to ") || r.eat(" reaching ") {
        true => target(r, None),
        false => None,
    };
    filters(r, &mut filter);
    note_edge(r, from.as_ref(), to.as_ref());
    Calls { from: from.map(|(from, _)| from), to, filter }
}

/// The caller must call the callee: noted at the caller's name.
fn note_edge(r: &mut Reader<'_>, from: Option<&(ServiceName, Range<usize>)>, to: Option<&Target>) {
    if let (Some((from, span)), Some(to)) = (from, to) {
        r.name(span.clone(), Name::Edge { from: from.to_string(), to: to.service.to_string() });
    }
}

/// ` of user "alice"`.
pub(crate) fn user(r: &mut Reader<'_>) -> Option<String> {
    if !r.eat(" of user ") {
        return None;
    }
    r.quoted().map(|(user, _)| user.to_owned())
}

fn caller(r: &mut Reader<'_>) -> Option<(ServiceName, Range<usize>)> {
    if !r.eat(" from ") {
        return None;
    }
    let (from, span) = r.quoted()?;
    r.name(span.clone(), Name::Service(from.to_owned()));
    Some((ServiceName::from(from), span))
}

/// ` on path "/x" on host "h" with query "a=1" with method "POST" with header "k: v" with claim "…"`, each optional.
pub(crate) fn filters(r: &mut Reader<'_>, filter: &mut Filter) {
    let start = r.at();
    if let Some((path, span)) = after(r, " on path ") {
        if !path.starts_with('/') {
            let mistake = Mistake::error("path", span, format!("no request has the path \"{path}\""))
                .label("a path begins with `/`")
                .hint(format!("write `on path \"/{path}\"`"));
            r.tell(mistake);
        } else if path.contains(['?', '#']) {
            let mistake = Mistake::error("path", span, "a path has no query")
                .label("never equal to the path of a request")
                .hint("write the query apart: `with query \"a=1\"`");
            r.tell(mistake);
        }
        filter.path = Some(path);
    }
    filter.host = after(r, " on host ").map(|(host, _)| host);
    filter.query = after(r, " with query ").map(|(query, _)| query.trim_start_matches('?').to_owned());
    if let Some((method, span)) = after(r, " with method ") {
        method_is_upper(r, &method, span);
        filter.method = Some(method);
    }
    if let Some((text, span)) = after(r, " with header ") {
        filter.header = header(r, &text, span);
    }
    let identity = r.at();
    if after(r, " with claim ").or_else(|| after(r, " with token ")).is_some() {
        let what = r.slice(r.since(identity)).trim().to_owned();
        r.lacks(r.since(start), format!("calls {what}"));
    }
}

fn after(r: &mut Reader<'_>, words: &str) -> Option<(String, Range<usize>)> {
    if !r.eat(words) {
        return None;
    }
    r.quoted().map(|(text, span)| (text.to_owned(), span))
}

fn method_is_upper(r: &mut Reader<'_>, method: &str, span: Range<usize>) {
    if method.is_empty() || method.bytes().any(|b| !b.is_ascii_uppercase()) {
        let mistake = Mistake::error("method", span, format!("\"{method}\" is no method of HTTP"))
            .label("methods are written in capitals, and their case counts")
            .hint(format!("write `with method \"{}\"`", method.to_uppercase()));
        r.tell(mistake);
    }
}

/// `name: value`, the name in lower case.
fn header(r: &mut Reader<'_>, text: &str, span: Range<usize>) -> Option<(String, String)> {
    let found = text.split_once(':').map(|(name, value)| (name.trim().to_lowercase(), value.trim().to_owned()));
    let found = found.filter(|(name, _)| !name.is_empty() && !name.contains(' '));
    if found.is_none() {
        let mistake = Mistake::error("header", span, format!("\"{text}\" is no header"))
            .label("a name, a colon, a value")
            .hint("write `with header \"x-tier: gold\"`");
        r.tell(mistake);
    }
    found
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::target::tests_support::any_target;
    use super::*;
    use proptest::prelude::*;

    fn any_filter() -> impl Strategy<Value = Filter> {
        let word = || "[a-z]{1,6}";
        (
            proptest::option::of(word().prop_map(|p| format!("/{p}"))),
            proptest::option::of(word()),
            proptest::option::of(word().prop_map(|q| format!("{q}=1"))),
            proptest::option::of(prop_oneof![Just("GET".to_owned()), Just("POST".to_owned())]),
            proptest::option::of((word(), word())),
            proptest::option::of(word()),
        )
            .prop_map(|(path, host, query, method, header, user)| Filter {
                path,
                host,
                query,
                method,
                header,
                user,
            })
    }

    pub(crate) fn any_calls() -> BoxedStrategy<Calls> {
        let from = proptest::option::of("[a-z]{1,6}".prop_map(ServiceName::from));
        (from, proptest::option::of(any_target()), any_filter())
            .prop_map(|(from, to, filter)| Calls { from, to, filter })
            .boxed()
    }

    proptest! {
        #[test]
        fn calls_round_trip(wanted in any_calls()) {
            let text = format!("calls{wanted}");
            let mut r = Reader::whole(&text);
            prop_assert_eq!(calls(&mut r), Some(wanted));
            prop_assert!(r.is_done() && r.mistakes.is_empty());
        }

        #[test]
        fn traffic_round_trips(of in any_calls(), ppm in 1u32..=1_000_000) {
            let share = Fraction::from_ppm(ppm).unwrap();
            let text = format!("{share} of the calls{of}");
            let mut r = Reader::whole(&text);
            prop_assert_eq!(traffic(&mut r), Some(Traffic { share, level: Level::Calls, of }));
            prop_assert!(r.is_done());
        }
    }

    #[test]
    fn mistakes_have_carets_inside_the_clause() {
        let text = "calls to \"reviews\" on path \"x\" with method \"post\" with header \"tier\"";
        let mut r = Reader::whole(text);
        calls(&mut r);
        let marked: Vec<&str> = r.mistakes.iter().map(|m| &text[m.span.clone()]).collect();
        assert_eq!(marked, ["x", "post", "tier"]);
    }
}
