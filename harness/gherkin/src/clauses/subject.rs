//! `{subject}`: who an event happens to, or whose state is claimed.

use super::reader::Reader;
use super::target::{place, target};
use squall_model::{ServiceName, Target};

/// A subject.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Subject {
    /// Instances, each with its proxy.
    Instances(Target),
    /// Their workloads alone.
    Process(Target),
    /// The control plane, of all.
    ControlPlane,
    /// What this version has no hand on.
    Other,
}

/// Reads a subject.
pub(crate) fn subject(r: &mut Reader<'_>, named: Option<&ServiceName>) -> Option<Subject> {
    let (start, whole) = (r.at(), r.rest());
    if r.eat("the process of ") {
        if let Some(target) = instances(r, named) {
            return Some(Subject::Process(target));
        }
    } else if whole == "the control plane" {
        r.eat(whole);
        return Some(Subject::ControlPlane);
    } else if let Some(target) = instances(r, named) {
        return Some(Subject::Instances(target));
    } else {
        names_within(r, named);
    }
    let end = start + whole.len();
    r.turn_to(end..end);
    Some(Subject::Other)
}

/// A target, where one comes next.
fn instances(r: &mut Reader<'_>, named: Option<&ServiceName>) -> Option<Target> {
    let targets = ["\"", "every instance of", "the instances of", "instance", "version"];
    let comes = targets.iter().any(|t| r.rest().starts_with(t)) || r.rest().starts_with(|c: char| c.is_ascii_digit());
    if comes { target(r, named) } else { None }
}

/// The names in a subject that cannot be acted on are looked up all the same.
fn names_within(r: &mut Reader<'_>, named: Option<&ServiceName>) {
    if r.eat("the proxy of ") {
        if instances(r, named).is_none() {
            place(r, None);
        }
    } else if r.eat("the certificate of ") {
        target(r, None);
    } else if r.eat("the control plane of ")
        || ["zone", "cluster", "node", "site"].iter().any(|p| r.rest().starts_with(p))
    {
        place(r, None);
    }
}

#[cfg(test)]
mod tests {
    use super::super::target::tests_support::any_target;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn subjects_round_trip(wanted in any_target(), process: bool) {
            let text = if process { format!("the process of {wanted}") } else { wanted.to_string() };
            let mut r = Reader::whole(&text);
            let wanted = if process { Subject::Process(wanted) } else { Subject::Instances(wanted) };
            prop_assert_eq!(subject(&mut r, None), Some(wanted));
            prop_assert!(r.is_done());
        }
    }

    #[test]
    fn other_subjects_are_read_to_their_end() {
        for text in [
            "the mesh",
            "the proxy of node \"n1\"",
            "the certificate of \"reviews\"",
            "the control plane of cluster \"east\"",
            "the change",
        ] {
            let mut r = Reader::whole(text);
            assert_eq!((subject(&mut r, None), r.is_done()), (Some(Subject::Other), true), "{text}");
        }
        let mut r = Reader::whole("the control plane");
        assert_eq!(subject(&mut r, None), Some(Subject::ControlPlane));
    }
}
