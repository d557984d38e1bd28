//! `{subject}`: who an event happens to, or whose state is claimed.

use super::place::{self, place};
use super::reader::Reader;
use super::target::target;
use squall_model::{Members, Part, ServiceName, Target};

/// A subject.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Subject {
    /// Instances, or one of the processes of each.
    Members(Part, Members),
    /// The control plane, of all.
    ControlPlane,
    /// What this version has no hand on.
    Other,
}

impl Subject {
    /// Instances of one service, each with its proxy.
    pub(crate) fn instances(self) -> Option<Target> {
        match self {
            Subject::Members(Part::Instance, Members::Of(target)) => Some(target),
            _ => None,
        }
    }
}

/// Reads a subject.
pub(crate) fn subject(r: &mut Reader<'_>, named: Option<&ServiceName>) -> Option<Subject> {
    let (start, whole) = (r.at(), r.rest());
    if whole == "the control plane" {
        r.eat(whole);
        return Some(Subject::ControlPlane);
    }
    let parts = [("the process of ", Part::Workload), ("the proxy of ", Part::Proxy)];
    let part = r.one_of(&parts).unwrap_or(Part::Instance);
    if let Some(members) = members(r, named) {
        return Some(Subject::Members(part, members));
    }
    if r.eat("the certificate of ") {
        target(r, None);
    } else if r.eat("the control plane of ") {
        place(r, None);
        // The control plane of a place is missing, whatever the place is.
        r.missing.clear();
    }
    let end = start + whole.len();
    r.turn_to(end..end);
    Some(Subject::Other)
}

/// Instances of a service, or all in a place.
fn members(r: &mut Reader<'_>, named: Option<&ServiceName>) -> Option<Members> {
    if place::comes(r) {
        return place(r, None).map(Members::In);
    }
    let targets = ["\"", "every instance of", "the instances of", "instance", "version"];
    let comes = targets.iter().any(|t| r.rest().starts_with(t)) || r.rest().starts_with(|c: char| c.is_ascii_digit());
    if comes { target(r, named).map(Members::Of) } else { None }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::place::tests::any_place;
    use super::super::target::tests_support::any_target;
    use super::*;
    use proptest::prelude::*;

    /// Any members that can be written.
    pub(crate) fn any_members() -> impl Strategy<Value = Members> {
        prop_oneof![any_target().prop_map(Members::Of), any_place().prop_map(Members::In)]
    }

    proptest! {
        #[test]
        fn subjects_round_trip(of in any_members(), part in 0usize..3) {
            let (words, part) =
                [("", Part::Instance), ("the process of ", Part::Workload), ("the proxy of ", Part::Proxy)][part];
            let text = format!("{words}{of}");
            let mut r = Reader::whole(&text);
            prop_assert_eq!(subject(&mut r, None), Some(Subject::Members(part, of)));
            prop_assert!(r.is_done() && r.missing.is_empty());
        }
    }

    #[test]
    fn other_subjects_are_read_to_their_end() {
        for text in [
            "the mesh",
            "the proxy of node \"n1\"",
            "cluster \"east\"",
            "the certificate of \"reviews\"",
            "the control plane of zone \"east\"",
            "the change",
        ] {
            let mut r = Reader::whole(text);
            assert_eq!((subject(&mut r, None), r.is_done()), (Some(Subject::Other), true), "{text}");
        }
        let mut r = Reader::whole("the control plane");
        assert_eq!(subject(&mut r, None), Some(Subject::ControlPlane));
    }
}
