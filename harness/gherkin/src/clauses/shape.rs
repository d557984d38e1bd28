//! `{shape}`, `{fleet}`, `{with}`: what a service is, what instances it has, what its calls look like.

use super::calls::{filters, user};
use super::place::place;
use super::reader::{Name, Reader};
use crate::source::Mistake;
use squall_model::{Filter, Instance, Place, Protocol, VersionName};
use std::ops::Range;
use std::time::Duration;

/// What a line says of a service; `None` where it says nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Shape {
    pub(crate) calls: Vec<String>,
    pub(crate) instances: Option<u32>,
    pub(crate) version: Option<VersionName>,
    pub(crate) place: Option<Place>,
    pub(crate) protocol: Protocol,
    pub(crate) latency: Option<Duration>,
}

/// Instances that a topology carries at most: one proxy each, on one machine.
pub(crate) const MOST_INSTANCES: u32 = 200;

/// Reads a shape.
pub(crate) fn shape(r: &mut Reader<'_>) -> Shape {
    let mut shape = Shape::default();
    while !r.is_done() {
        let start = r.at();
        if r.eat(" that calls ") {
            callees(r, &mut shape.calls);
        } else if r.eat(" with one proxy for each ") {
            if !r.eat("instance") {
                r.eat("node");
                r.lacks(r.since(start + 1), "one proxy for each node");
            }
        } else if r.eat(" with ") {
            shape.instances = r.at_least_one("no instance at all").map(|(n, span)| not_too_many(r, n, span));
            let _ = r.eat(" instances") || r.eat(" instance");
        } else if r.eat(" of version ") {
            shape.version = r.quoted().map(|(version, _)| VersionName::from(version));
        } else if r.eat(" in ") {
            shape.place = here(r);
        } else if r.eat(" speaking ") {
            shape.protocol = protocol(r, start + 1);
        } else if r.eat(" that answers in ") || r.eat(" that answer in ") {
            shape.latency = r.time().map(|(time, _)| time);
        } else if r.eat(" outside the mesh") || r.eat(" without a proxy") {
            r.lacks(r.since(start + 1), format!("a service{}", r.slice(r.since(start))));
        } else {
            break;
        }
    }
    shape
}

fn not_too_many(r: &mut Reader<'_>, number: u32, span: Range<usize>) -> u32 {
    if number > MOST_INSTANCES {
        let mistake =
            Mistake::error("too-many", span, format!("{number} instances are {number} proxies on one machine"))
                .label(format!("at most {MOST_INSTANCES}"));
        r.tell(mistake);
    }
    number.min(MOST_INSTANCES)
}

fn callees(r: &mut Reader<'_>, calls: &mut Vec<String>) {
    while let Some((name, span)) = r.quoted() {
        r.name(span.clone(), Name::Service(name.to_owned()));
        if calls.iter().any(|known| known == name) {
            r.tell(Mistake::warning("twice", span, format!("\"{name}\" is named twice")).label("once is enough"));
        } else {
            calls.push(name.to_owned());
        }
        if !(r.eat(", ") || r.eat(" and ")) {
            break;
        }
    }
}

/// The place that instances are in: this is where it gets its name.
fn here(r: &mut Reader<'_>) -> Option<Place> {
    let names = r.names.len();
    let place = place(r, None);
    r.names.truncate(names);
    place
}

fn protocol(r: &mut Reader<'_>, start: usize) -> Protocol {
    let words = [
        ("http2", Protocol::Http2),
        ("http", Protocol::Http),
        ("grpc", Protocol::Grpc),
        ("tcp", Protocol::Tcp),
        ("websocket", Protocol::Http),
        ("redis", Protocol::Tcp),
        ("xds", Protocol::Grpc),
    ];
    let at = r.at();
    let protocol = r.one_of(&words).unwrap_or_default();
    if !matches!(r.slice(r.since(at)), "http" | "http2" | "grpc") {
        r.lacks(r.since(start), format!("a service {}", r.slice(r.since(start))));
    }
    protocol
}

/// Reads a fleet: instances in order.
pub(crate) fn fleet(r: &mut Reader<'_>) -> Vec<Instance> {
    let mut instances = Vec::new();
    while let Some((count, span)) = r.at_least_one("no instance at all") {
        let count = not_too_many(r, count, span);
        let _ = r.eat(" instances ") || r.eat(" instance ") || r.eat(" ");
        let start = r.at();
        let mut instance = Instance::default();
        if r.eat("of version ") {
            instance.version = r.quoted().map(|(version, _)| VersionName::from(version));
        } else if r.eat("in ") {
            instance.place = here(r);
        } else if r.eat("outside the mesh") {
            r.lacks(r.since(start), "instances outside the mesh");
        }
        instances.extend(std::iter::repeat_n(instance, count as usize));
        if !(r.eat(", ") || r.eat(" and ")) {
            break;
        }
    }
    instances
}

/// What the calls of a traffic line look like, and by whom and when they are made.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct With {
    pub(crate) filter: Filter,
    pub(crate) users: Option<u32>,
    /// Where it says `at random moments`.
    pub(crate) random: Option<Range<usize>>,
    /// Where it says `as 50 users`.
    pub(crate) users_at: Option<Range<usize>>,
}

/// Reads what follows the callee of a traffic line.
pub(crate) fn with(r: &mut Reader<'_>) -> With {
    let mut with = With { filter: Filter { user: user(r), ..Filter::default() }, ..With::default() };
    filters(r, &mut with.filter);
    let start = r.at();
    if r.eat(" as ") {
        with.users = r.at_least_one("no users at all").map(|(users, _)| users);
        let _ = r.eat(" users") || r.eat(" user");
        with.users_at = Some(r.since(start + 1));
    }
    let start = r.at();
    if r.eat(" at random moments") {
        with.random = Some(r.since(start + 1));
    }
    with
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_read_in_any_order() {
        let mut r =
            Reader::whole(" with 3 instances that answer in 5 ms that calls \"a\", \"b\" and \"c\" in zone \"east\"");
        let shape = shape(&mut r);
        assert_eq!(shape.instances, Some(3));
        assert_eq!(shape.latency, Some(Duration::from_millis(5)));
        assert_eq!(shape.calls, ["a", "b", "c"]);
        assert_eq!(shape.place, Some(Place::zone("east")));
        assert!(r.is_done() && r.missing.is_empty() && r.mistakes.is_empty());
    }

    #[test]
    fn what_cannot_be_run_is_missing_and_read_on() {
        let mut r = Reader::whole(" speaking tcp with 2 instances outside the mesh in cluster \"east\"");
        let shape = shape(&mut r);
        let missing: Vec<&str> = r.missing.iter().map(|m| m.what.as_str()).collect();
        assert_eq!(missing, ["a service speaking tcp", "a service outside the mesh", "cluster \"east\""]);
        assert_eq!((shape.instances, shape.protocol, r.is_done()), (Some(2), Protocol::Tcp, true));
    }

    #[test]
    fn three_protocols_are_spoken() {
        for (text, protocol) in [("http", Protocol::Http), ("http2", Protocol::Http2), ("grpc", Protocol::Grpc)] {
            let text = format!(" speaking {text} in site \"edge\"");
            let mut r = Reader::whole(&text);
            let shape = shape(&mut r);
            assert_eq!((shape.protocol, r.missing.len(), r.is_done()), (protocol, 0, true), "{text}");
            assert_eq!(shape.place.map(|p| p.to_string()).as_deref(), Some("site \"edge\""));
        }
    }

    #[test]
    fn a_fleet_is_numbered_in_its_order() {
        let mut r = Reader::whole("1 instance of version \"v1\", 2 of version \"v2\" and 1 in zone \"east\"");
        let fleet = fleet(&mut r);
        let versions: Vec<_> = fleet.iter().map(|i| i.version.as_ref().map(ToString::to_string)).collect();
        assert_eq!(versions, [Some("v1".into()), Some("v2".into()), Some("v2".into()), None]);
        assert_eq!(fleet[3].place, Some(Place::zone("east")));
        assert!(r.is_done());
    }

    #[test]
    fn with_says_who_and_when() {
        let mut r =
            Reader::whole(" of user \"alice\" on path \"/x\" with method \"POST\" as 50 users at random moments");
        let with = with(&mut r);
        assert_eq!((with.filter.user.as_deref(), with.filter.method.as_deref()), (Some("alice"), Some("POST")));
        assert_eq!((with.users, with.random.is_some(), r.is_done()), (Some(50), true, true));
    }
}
