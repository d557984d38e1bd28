//! `{target}`: some or all instances of a service.

use super::place::place;
use super::reader::{Name, Reader};
use crate::source::Mistake;
use squall_model::{Place, ServiceName, Target, VersionName, Which};
use std::ops::Range;

/// Reads a target. The short `version "v2"` means that of `named`, the service that the sentence has named.
pub(crate) fn target(r: &mut Reader<'_>, named: Option<&ServiceName>) -> Option<Target> {
    let start = r.at();
    let (which, which_span) = which(r)?;
    let service = match (&which, named) {
        (Short::Version(version), named) if !r.eat(" of ") => {
            let Some(service) = named.cloned() else {
                let mistake = Mistake::error("whose-version", r.since(start), format!("whose version \"{version}\"?"))
                    .label("the sentence has named no service before")
                    .hint(format!("write `version \"{version}\" of \"…\"`"));
                r.tell(mistake);
                return None;
            };
            service
        }
        _ => {
            let (service, span) = r.quoted()?;
            r.name(span, Name::Service(service.to_owned()));
            ServiceName::from(service)
        }
    };
    let which = which.resolve(r, &service, which_span);
    let place = place_of(r, &service);
    Some(Target { service, which, place })
}

/// Which instances, before the service is known.
enum Short {
    Service,
    Every,
    Instance(u32),
    First(u32),
    Version(String),
}

impl Short {
    fn resolve(self, r: &mut Reader<'_>, service: &ServiceName, span: Range<usize>) -> Which {
        let service = service.to_string();
        match self {
            Short::Service => Which::Service,
            Short::Every => Which::Every,
            Short::Instance(number) => {
                r.name(span, Name::Instance { service, number });
                Which::Instance(number)
            }
            Short::First(count) => {
                r.name(span, Name::First { service, count });
                Which::First(count)
            }
            Short::Version(version) => {
                r.name(span, Name::Version { service, version: version.clone() });
                Which::Version(VersionName::from(version))
            }
        }
    }
}

fn which(r: &mut Reader<'_>) -> Option<(Short, Range<usize>)> {
    let start = r.at();
    if r.eat("every instance of ") || r.eat("the instances of ") {
        return Some((Short::Every, r.since(start)));
    }
    if r.eat("instance ") || r.eat("instances ") {
        let (number, span) = r.at_least_one("instances are numbered from 1")?;
        r.eat(" of ");
        return Some((Short::Instance(number), span));
    }
    if r.eat("version ") {
        let (version, span) = r.quoted()?;
        return Some((Short::Version(version.to_owned()), span));
    }
    if r.rest().starts_with('"') {
        return Some((Short::Service, r.since(start)));
    }
    let (count, span) = r.at_least_one("no instance at all")?;
    let _ = r.eat(" instances of ") || r.eat(" instance of ");
    Some((Short::First(count), span))
}

/// ` in zone "east"`.
fn place_of(r: &mut Reader<'_>, service: &ServiceName) -> Option<Place> {
    if r.eat(" in ") { place(r, Some(service.to_string())) } else { None }
}

#[cfg(test)]
pub(crate) mod tests_support {
    use super::super::place::tests::any_place;
    use super::*;
    use proptest::prelude::*;

    fn any_name() -> impl Strategy<Value = String> {
        "[a-z][a-z0-9 .-]{0,8}"
    }

    /// Any target that can be written.
    pub(crate) fn any_target() -> BoxedStrategy<Target> {
        let which = prop_oneof![
            Just(Which::Service),
            Just(Which::Every),
            (1u32..9).prop_map(Which::Instance),
            (1u32..9).prop_map(Which::First),
            any_name().prop_map(|v| Which::Version(VersionName::from(v))),
        ];
        (any_name(), which, proptest::option::of(any_place()))
            .prop_map(|(service, which, place)| Target { service: ServiceName::from(service), which, place })
            .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::tests_support::any_target;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn targets_round_trip(wanted in any_target()) {
            let text = wanted.to_string();
            let mut r = Reader::whole(&text);
            prop_assert_eq!(target(&mut r, None), Some(wanted));
            prop_assert!(r.is_done() && r.mistakes.is_empty());
        }
    }

    #[test]
    fn a_short_version_is_of_the_service_named_before() {
        let reviews = ServiceName::from("reviews");
        let mut r = Reader::whole("version \"v2\"");
        let wanted = Target { service: reviews.clone(), which: Which::Version(VersionName::from("v2")), place: None };
        assert_eq!(target(&mut r, Some(&reviews)), Some(wanted));
        let mut r = Reader::whole("version \"v2\"");
        assert_eq!(target(&mut r, None), None);
        assert_eq!(r.mistakes[0].span, 0..12);
    }
}
