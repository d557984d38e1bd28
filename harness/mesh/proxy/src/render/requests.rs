//! What a request looks like. Routes and fault filters take the same conditions, so a word means the same at both.

use serde::Serialize;
use squall_mesh::Refusal;
use squall_model::Filter;
use std::collections::BTreeSet;

use super::USER;

/// So many kinds of calls may be told apart on the way to one service.
const KINDS: usize = 64;

/// One thing that is asked of a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// This very path, whatever its query.
    Path(String),
    /// This query, or one that has this among its parameters: `a=1`.
    Query(String),
    /// This host, whatever its port.
    Host(String),
    /// This header, or pseudo-header, with this very value.
    Header(String, String),
    /// This header, with any value.
    Has(String),
}

/// What is asked of one header, or pseudo-header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matched<'c> {
    /// It is there.
    Present,
    /// It is this.
    Exactly(&'c str),
    /// It matches this regular expression of RE2, as a whole.
    Regex(String),
}

impl Condition {
    /// As a match of a header or pseudo-header: the only form that fault filters know.
    #[must_use]
    pub fn header(&self) -> (&str, Matched<'_>) {
        match self {
            Condition::Has(name) => (name, Matched::Present),
            Condition::Header(name, value) => (name, Matched::Exactly(value)),
            Condition::Path(path) => (":path", Matched::Regex(format!(r"{}(\?.*)?", escaped(path)))),
            Condition::Query(query) => (":path", Matched::Regex(format!(r"[^?]*\?(.*&)?{}(&.*)?", escaped(query)))),
            Condition::Host(host) => (":authority", Matched::Regex(format!("{}(:[0-9]+)?", escaped(host)))),
        }
    }

    /// Whether it holds of a request with these headers and pseudo-headers, asked by their names in lower case: what
    /// [`Condition::header`] says to Envoy, said of a request that lies before us.
    pub fn is_met<'r>(&self, header: impl Fn(&str) -> Option<&'r str>) -> bool {
        match self {
            Condition::Has(name) => header(&name.to_ascii_lowercase()).is_some(),
            Condition::Header(name, value) => header(&name.to_ascii_lowercase()) == Some(value),
            Condition::Path(path) => rest(header(":path"), path).is_some_and(|rest| matches!(rest, [] | [b'?', ..])),
            Condition::Query(query) => {
                let all = header(":path").and_then(|path| path.split_once('?')).map(|(_, all)| all);
                all.is_some_and(|all| has_parameter(all, query))
            }
            Condition::Host(host) => rest(header(":authority"), host).is_some_and(is_port_or_nothing),
        }
    }
}

/// What follows this beginning.
fn rest<'r>(of: Option<&'r str>, beginning: &str) -> Option<&'r [u8]> {
    of.and_then(|of| of.strip_prefix(beginning)).map(str::as_bytes)
}

/// Whether a query has this among its parameters: from its beginning or an `&` to an `&` or its end.
fn has_parameter(query: &str, one: &str) -> bool {
    let begins = std::iter::once(0).chain(query.match_indices('&').map(|(at, _)| at + 1));
    let mut rests = begins.filter_map(|at| rest(query.get(at..), one));
    rests.any(|rest| matches!(rest, [] | [b'&', ..]))
}

fn is_port_or_nothing(rest: &[u8]) -> bool {
    match rest {
        [] => true,
        [b':', digits @ ..] => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// A text as a regular expression that matches it alone.
#[must_use]
pub fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut all, c| {
        if c.is_ascii_punctuation() {
            all.push('\\');
        }
        all.push(c);
        all
    })
}

/// A kind of request: all that is asked of it. Empty: every request.
pub(crate) type Kind = BTreeSet<Condition>;

/// A filter of the language as conditions.
pub(crate) fn kind(filter: &Filter) -> Kind {
    let Filter { path, host, query, method, header, user } = filter;
    let named = |name: &str, value: &Option<String>| value.clone().map(|v| Condition::Header(name.into(), v));
    let parameters = query.iter().flat_map(|query| query.split('&')).map(|one| Condition::Query(one.into()));
    let rest = [
        path.clone().map(Condition::Path),
        host.clone().map(Condition::Host),
        named(":method", method),
        header.clone().map(|(name, value)| Condition::Header(name, value)),
        named(USER, user),
    ];
    parameters.chain(rest.into_iter().flatten()).collect()
}

/// Every kind of request that needs a route of its own, the most special first and "every request" last.
///
/// A request may be of several kinds and is then under the policies of all of them, while Envoy takes the first route that
/// matches: so kinds that can meet in one request have a route for that, too.
pub(crate) fn kinds(named: impl Iterator<Item = Kind>) -> Result<Vec<Kind>, Refusal> {
    let named: BTreeSet<Kind> = named.collect();
    let mut all = BTreeSet::from([Kind::new()]);
    for one in &named {
        let met: Vec<Kind> = all.iter().filter(|other| can_meet(one, other)).map(|other| one | other).collect();
        all.extend(met);
        if all.len() > KINDS {
            let n = named.len();
            return Err(Refusal(format!("{n} kinds of calls to one service, which overlap in more than {KINDS} ways")));
        }
    }
    let mut all: Vec<Kind> = all.into_iter().collect();
    // Where two match one request, so does their union, which asks more than either: the order among equals is no matter.
    all.sort_by_key(|kind| std::cmp::Reverse(kind.len()));
    Ok(all)
}

/// Whether one request can be of both kinds.
fn can_meet(one: &Kind, other: &Kind) -> bool {
    let excludes = |a: &Condition, b: &Condition| match (a, b) {
        (Condition::Path(a), Condition::Path(b)) | (Condition::Host(a), Condition::Host(b)) => a != b,
        (Condition::Header(name, a), Condition::Header(same, b)) => name == same && a != b,
        _ => false,
    };
    !one.iter().any(|a| other.iter().any(|b| excludes(a, b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What Envoy makes of a condition: a regular expression matches as a whole.
    fn as_envoy_has_it(condition: &Condition, value: Option<&str>) -> bool {
        match (condition.header().1, value) {
            (_, None) => false,
            (Matched::Present, Some(_)) => true,
            (Matched::Exactly(wanted), Some(value)) => wanted == value,
            (Matched::Regex(regex), Some(value)) => {
                regex::Regex::new(&format!("^(?:{regex})$")).unwrap().is_match(value)
            }
        }
    }

    proptest! {
        #[test]
        fn a_condition_is_met_where_envoy_says_so(
            asked in "[a&=?.]{1,4}",
            lead in "[a&=?.]{0,3}",
            tail in "([:&?]?[a1&?:]{0,2})",
            value in proptest::option::of("[a&=?.:1]{0,8}"),
        ) {
            let near = Some(format!("{lead}{asked}{tail}"));
            for value in [value, near.clone(), near.map(|near| format!("?{near}"))] {
                for condition in [
                    Condition::Path(asked.clone()),
                    Condition::Query(asked.clone()),
                    Condition::Host(asked.clone()),
                    Condition::Header("X-a".into(), asked.clone()),
                    Condition::Has("X-a".into()),
                ] {
                    let name = condition.header().0.to_ascii_lowercase();
                    let met = condition.is_met(|wanted| value.as_deref().filter(|_| wanted == name));
                    prop_assert_eq!(met, as_envoy_has_it(&condition, value.as_deref()), "{:?} of {:?}", condition, value);
                }
            }
        }
    }

    fn path(path: &str) -> Filter {
        Filter { path: Some(path.into()), ..Filter::default() }
    }

    fn user(user: &str) -> Filter {
        Filter { user: Some(user.into()), ..Filter::default() }
    }

    #[test]
    fn kinds_that_can_meet_have_a_route_for_that() {
        let filters = [path("/a"), user("alice"), path("/b"), Filter::default()];
        let found = kinds(filters.iter().map(kind)).unwrap();
        let (a, b) = (Condition::Path("/a".into()), Condition::Path("/b".into()));
        let alice = Condition::Header(USER.into(), "alice".into());
        let expected = [vec![&a, &alice], vec![&b, &alice], vec![&a], vec![&b], vec![&alice], vec![]];
        let expected: Vec<Kind> = expected.into_iter().map(|kind| kind.into_iter().cloned().collect()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn too_many_ways_to_overlap_are_refused() {
        let filters: Vec<Filter> =
            (0..7).map(|n| Filter { header: Some((format!("x-{n}"), "1".into())), ..Filter::default() }).collect();
        assert!(kinds(filters[..6].iter().map(kind)).is_ok());
        assert!(kinds(filters.iter().map(kind)).is_err());
        let paths: Vec<Filter> = (0..50).map(|n| path(&format!("/{n}"))).collect();
        assert_eq!(kinds(paths.iter().map(kind)).unwrap().len(), 51, "what excludes each other does not overlap");
    }

    #[test]
    fn a_query_is_its_parameters() {
        let filter = Filter { query: Some("a=1&debug".into()), ..Filter::default() };
        let expected = [Condition::Query("a=1".into()), Condition::Query("debug".into())];
        assert_eq!(kind(&filter), expected.into_iter().collect());
    }
}
