//! `{place}`: a part of the world that instances are in.

use super::reader::{Name, Reader};
use squall_model::{Place, PlaceKind, PlaceName};

/// The kinds of place that the language has; those without a kind of the model cannot be run yet.
const KINDS: [(&str, Option<PlaceKind>); 5] = [
    ("zone ", Some(PlaceKind::Zone)),
    ("site ", Some(PlaceKind::Site)),
    ("cluster ", None),
    ("node ", None),
    ("mesh ", None),
];

/// Reads `zone "east"`; `None` where this version has no such places (noted as missing). Where a service is named, one of its
/// instances must be there, else any instance.
pub(crate) fn place(r: &mut Reader<'_>, service: Option<String>) -> Option<Place> {
    let start = r.at();
    let kind = r.one_of(&KINDS)?;
    let (name, span) = r.quoted()?;
    let Some(kind) = kind else {
        let what = r.slice(r.since(start)).to_owned();
        r.lacks(r.since(start), what);
        return None;
    };
    let place = Place { kind, name: PlaceName::from(name) };
    r.name(span, Name::Place { service, place: place.clone() });
    Some(place)
}

/// Reads `, then zone "c"`, any number of times.
pub(crate) fn further(r: &mut Reader<'_>, service: Option<&str>) -> Vec<Place> {
    let mut places = Vec::new();
    while r.eat(", then ") {
        places.extend(place(r, service.map(str::to_owned)));
    }
    places
}

/// Some place comes next.
pub(crate) fn comes(r: &Reader<'_>) -> bool {
    KINDS.iter().any(|(word, _)| r.rest().starts_with(word))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Any place that can be written.
    pub(crate) fn any_place() -> impl Strategy<Value = Place> {
        let kind = prop_oneof![Just(PlaceKind::Zone), Just(PlaceKind::Site)];
        (kind, "[a-z][a-z0-9 .-]{0,8}").prop_map(|(kind, name)| Place { kind, name: PlaceName::from(name) })
    }

    proptest! {
        #[test]
        fn places_round_trip(wanted in any_place()) {
            let text = wanted.to_string();
            let mut r = Reader::whole(&text);
            prop_assert_eq!(place(&mut r, None), Some(wanted));
            prop_assert!(r.is_done() && r.missing.is_empty());
        }
    }

    #[test]
    fn clusters_and_nodes_are_missing() {
        for text in ["cluster \"east\"", "node \"n1\"", "mesh \"b\""] {
            let mut r = Reader::whole(text);
            assert_eq!((place(&mut r, None), r.is_done()), (None, true));
            assert_eq!((r.missing[0].what.as_str(), r.names.len()), (text, 0));
        }
    }

    #[test]
    fn further_places_come_in_order() {
        let mut r = Reader::whole(", then zone \"west\", then site \"edge\"");
        let names: Vec<String> = further(&mut r, None).iter().map(ToString::to_string).collect();
        assert_eq!((names, r.is_done()), (vec!["zone \"west\"".to_owned(), "site \"edge\"".to_owned()], true));
    }
}
