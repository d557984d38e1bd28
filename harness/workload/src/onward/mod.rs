//! Onward calls: those that a service makes while it serves a try, through its own proxy.

mod target;

pub(crate) use target::NoAnswer;

use crate::{Onward, clock, deadline::Deadline, ending::Answered, head::Head};
use squall_model::{GrpcStatus, ServiceName, Stamp};
use std::fmt;
use target::Target;

/// Why a try cannot be answered with success: an onward call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    target: ServiceName,
    seen: Answered,
}

impl Failure {
    pub(crate) fn new(target: ServiceName, seen: Answered) -> Failure {
        Failure { target, seen }
    }

    /// A proxy, or the service behind it, has given the call up for its time.
    pub(crate) fn is_timeout(&self) -> bool {
        match self.seen.grpc {
            Some(status) => status == GrpcStatus::DeadlineExceeded,
            None => self.seen.status == 504,
        }
    }
}

/// `ratings 503`, `ratings UNAVAILABLE`; `ratings 0` without an answer.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seen.grpc {
            Some(status) => write!(f, "{} {status}", self.target),
            None => write!(f, "{} {}", self.target, self.seen.status),
        }
    }
}

/// What an onward call asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    /// Empty: it has none.
    pub(crate) id: &'a str,
    pub(crate) path: &'a str,
    pub(crate) user: Option<&'a str>,
    /// What is left of it.
    pub(crate) deadline: Deadline,
}

/// The services that this one calls.
#[derive(Debug)]
pub(crate) struct OnwardCalls {
    targets: Vec<Target>,
}

impl OnwardCalls {
    pub(crate) fn to(onward: &[Onward]) -> OnwardCalls {
        OnwardCalls { targets: onward.iter().map(Target::new).collect() }
    }

    pub(crate) fn are_any(&self) -> bool {
        !self.targets.is_empty()
    }

    /// Makes the calls that a try asks for whose head was read at `began`, in turn, all of them whatever becomes of the first;
    /// says which went worst.
    pub(crate) async fn make(&self, head: &Head, began: Stamp) -> Result<(), Failure> {
        let (targets, path) = self.route(&head.path);
        let mut worst: Option<Failure> = None;
        for target in targets {
            let seen = self.call(target, head, began, &path).await;
            if seen.code().is_success() {
                continue;
            }
            let failure = Failure::new(target.service.clone(), seen);
            if worst.as_ref().is_none_or(|w| !w.is_timeout() && failure.is_timeout()) {
                worst = Some(failure);
            }
        }
        worst.map_or(Ok(()), Err)
    }

    /// `/NAME/rest` goes to that service alone, as `/rest`; any other path to all of them, as it is.
    fn route(&self, path: &str) -> (&[Target], String) {
        let rest = path.strip_prefix('/').unwrap_or(path);
        for target in &self.targets {
            let Some(rest) = rest.strip_prefix(target.service.as_str()) else { continue };
            if rest.is_empty() || rest.starts_with(['/', '?']) {
                return (std::slice::from_ref(target), format!("/{}", rest.strip_prefix('/').unwrap_or(rest)));
            }
        }
        (&self.targets, path.to_owned())
    }

    async fn call(&self, target: &Target, head: &Head, began: Stamp, path: &str) -> Answered {
        let id = onward_id(head, &target.service);
        let deadline = head.deadline.after(clock::now().since(began));
        let ask = Ask { id: &id, path, user: head.user.as_deref(), deadline };
        target.exchange(&ask).await.unwrap_or_else(|error| {
            tracing::debug!(%error, target = %target.service, "an onward call had no answer");
            Answered::default()
        })
    }
}

/// The try number makes it unique: two tries of one call are two reasons for onward calls.
fn onward_id(head: &Head, target: &ServiceName) -> String {
    match (head.id.as_str(), head.is_copy) {
        ("", _) => String::new(),
        (id, false) => format!("{id}.{target}.{}", head.attempt.max(1)),
        (id, true) => format!("{id}-shadow.{target}.{}", head.attempt.max(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Endpoint;
    use squall_model::Protocol;

    #[test]
    fn a_path_may_name_the_service_to_call() {
        let onward = ["reviews", "ratings"].map(|name| Onward {
            service: name.into(),
            via: Endpoint::Unix("/nowhere".into()),
            protocol: Protocol::Http,
        });
        let calls = OnwardCalls::to(&onward);
        let route = |path: &str| {
            let (targets, path) = calls.route(path);
            (targets.iter().map(|t| t.service.to_string()).collect::<Vec<_>>().join("+"), path)
        };
        assert_eq!(route("/ratings"), ("ratings".into(), "/".into()));
        assert_eq!(route("/ratings/5?x=1"), ("ratings".into(), "/5?x=1".into()));
        assert_eq!(route("/ratings?x=1"), ("ratings".into(), "/?x=1".into()));
        assert_eq!(route("/ratings-old"), ("reviews+ratings".into(), "/ratings-old".into()));
        assert_eq!(route("/"), ("reviews+ratings".into(), "/".into()));
    }

    #[test]
    fn ids_tell_tries_and_copies_apart() {
        let id = |id: &str, attempt, is_copy| {
            onward_id(&Head { id: id.into(), attempt, is_copy, ..Head::default() }, &"ratings".into())
        };
        assert_eq!(id("run-7", 0, false), "run-7.ratings.1");
        assert_eq!(id("run-7", 2, false), "run-7.ratings.2");
        assert_eq!(id("run-7", 1, true), "run-7-shadow.ratings.1");
        assert_eq!(id("", 1, false), "");
    }

    #[test]
    fn a_failure_says_what_was_seen() {
        let failure = |status, grpc| Failure::new("ratings".into(), Answered { status, grpc });
        assert_eq!(failure(503, None).to_string(), "ratings 503");
        assert_eq!(failure(0, None).to_string(), "ratings 0");
        assert_eq!(failure(200, Some(GrpcStatus::Unavailable)).to_string(), "ratings UNAVAILABLE");
    }
}
