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
