//! Onward calls: those that a service makes while it serves a try, through its own proxy.

use crate::{
    Endpoint, Onward, REQUEST_ID, USER, WorkloadError, clock,
    lines::LineFile,
    socket::Stream,
    wire::{Connection, RequestHead, ResponseHead, WireError},
};
use serde::{Deserialize, Serialize};
use squall_model::{ServiceName, Stamp};
use std::{cell::RefCell, fmt, io, path::Path};

/// So many connections at rest are kept for each target.
const KEPT: usize = 32;

/// One onward call: a line of the log of onward calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnwardRecord {
    /// Its `x-request-id`: that of the try, the target, and which try of its call it was, `run-7.ratings.1`. So each try
    /// of a call has onward calls of its own. Of a mirrored copy: `run-7-shadow.ratings.1`. Empty if the try had none.
    pub id: String,
    /// The service that was called.
    pub target: ServiceName,
    /// When the first byte was about to be sent.
    pub began: Stamp,
    /// When the last byte of the answer was read, or the call was over in any other way.
    pub ended: Stamp,
    /// Status of a complete answer; 0 if there was none, or the try ended first.
    pub status: u16,
}

/// Reads one line of the log of onward calls.
///
/// # Errors
/// If it is no [`OnwardRecord`].
pub fn parse_onward_line(line: &str) -> Result<OnwardRecord, serde_json::Error> {
    serde_json::from_str(line)
}

/// Why a try cannot be answered with success: an onward call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    target: ServiceName,
    /// 0: no answer.
    seen: u16,
}

impl Failure {
    /// What the try is answered with: a gateway timeout is passed on as such.
    pub(crate) fn status(&self) -> u16 {
        if self.seen == 504 { 504 } else { 502 }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.target, self.seen)
    }
}

/// The services that this one calls.
#[derive(Debug)]
pub(crate) struct OnwardCalls {
    targets: Vec<Target>,
    log: Option<LineFile>,
}

impl OnwardCalls {
    pub(crate) fn open(onward: &[Onward], log: Option<&Path>) -> Result<OnwardCalls, WorkloadError> {
        let log = log
            .map(|path| LineFile::open(path).map_err(|source| WorkloadError::Log { path: path.to_owned(), source }))
            .transpose()?;
        let targets = onward
            .iter()
            .map(|o| Target { service: o.service.clone(), via: o.via.clone(), at_rest: RefCell::default() })
            .collect();
        Ok(OnwardCalls { targets, log })
    }

    pub(crate) fn are_any(&self) -> bool {
        !self.targets.is_empty()
    }

    /// Waits until a line of the log could not be written.
    pub(crate) async fn failed(&self) -> io::Error {
        match &self.log {
            Some(log) => log.failed().await,
            None => std::future::pending().await,
        }
    }

    /// Makes the calls that a try asks for, in turn, all of them whatever becomes of the first; says which went worst.
    pub(crate) async fn make(&self, head: &RequestHead) -> Result<(), Failure> {
        let (targets, path) = self.route(&head.path);
        let mut worst: Option<Failure> = None;
        for target in targets {
            let seen = self.call(target, head, &path).await;
            if (200..400).contains(&seen) {
                continue;
            }
            let failure = Failure { target: target.service.clone(), seen };
            if worst.as_ref().is_none_or(|w| w.status() < failure.status()) {
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

    async fn call(&self, target: &Target, head: &RequestHead, path: &str) -> u16 {
        let id = onward_id(head, &target.service);
        let request = render(target, &id, head.user.as_deref(), path);
        let mut open = OpenCall {
            log: self.log.as_ref(),
            record: OnwardRecord {
                id,
                target: target.service.clone(),
                began: clock::now(),
                ended: Stamp::default(),
                status: 0,
            },
        };
        match target.exchange(&request).await {
            Ok(status) => open.record.status = status,
            Err(error) => tracing::debug!(%error, target = %target.service, "an onward call had no answer"),
        }
        open.record.status
    }
}

/// The try number makes it unique: two tries of one call are two reasons for onward calls.
fn onward_id(head: &RequestHead, target: &ServiceName) -> String {
    match (head.id.as_str(), head.is_copy) {
        ("", _) => String::new(),
        (id, false) => format!("{id}.{target}.{}", head.attempt.max(1)),
        (id, true) => format!("{id}-shadow.{target}.{}", head.attempt.max(1)),
    }
}

fn render(target: &Target, id: &str, user: Option<&str>, path: &str) -> String {
    let mut request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n", target.service);
    let mut field = |name: &str, value: &str| {
        for part in [name, ": ", value, "\r\n"] {
            request.push_str(part);
        }
    };
    if !id.is_empty() {
        field(REQUEST_ID, id);
    }
    if let Some(user) = user {
        field(USER, user);
    }
    request.push_str("\r\n");
    request
}

/// An onward call that has not ended. Its line is written when it is dropped, the try's own end included.
struct OpenCall<'a> {
    log: Option<&'a LineFile>,
    record: OnwardRecord,
}

impl Drop for OpenCall<'_> {
    fn drop(&mut self) {
        if let Some(log) = self.log {
            self.record.ended = clock::now();
            log.append(&self.record);
        }
    }
}

/// One of those services, and the connections to the proxy that leads there.
#[derive(Debug)]
struct Target {
    service: ServiceName,
    via: Endpoint,
    at_rest: RefCell<Vec<Connection>>,
}

impl Target {
    /// One request, one answer; the status. Nothing is sent twice: a retry is the proxy's business, and seen in its logs.
    async fn exchange(&self, request: &str) -> Result<u16, WireError> {
        let mut connection = match self.rested() {
            Some(connection) => connection,
            None => Connection::new(Stream::connect(&self.via).await?),
        };
        connection.send(request.as_bytes()).await?;
        let head = loop {
            let head = connection.head(ResponseHead::parse).await?.ok_or(WireError::Cut)?;
            // 1xx are not the answer yet.
            if head.status >= 200 {
                break head;
            }
        };
        connection.skip_body(head.framing).await?;
        let mut at_rest = self.at_rest.borrow_mut();
        if head.keep_alive && at_rest.len() < KEPT {
            at_rest.push(connection);
        }
        Ok(head.status)
    }

    /// The connection that was used last and is still good.
    fn rested(&self) -> Option<Connection> {
        let mut at_rest = self.at_rest.borrow_mut();
        while let Some(connection) = at_rest.pop() {
            if connection.is_at_rest() {
                return Some(connection);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Framing;

    fn calls(names: &[&str]) -> OnwardCalls {
        let onward: Vec<Onward> =
            names.iter().map(|&n| Onward { service: n.into(), via: Endpoint::Unix("/nowhere".into()) }).collect();
        OnwardCalls::open(&onward, None).unwrap()
    }

    fn head(id: &str, attempt: u32, is_copy: bool) -> RequestHead {
        RequestHead {
            is_head: false,
            path: "/".into(),
            id: id.into(),
            attempt,
            caller: String::new(),
            user: None,
            is_copy,
            marker: None,
            is_check: false,
            framing: Framing::Length(0),
            keep_alive: true,
        }
    }

    #[test]
    fn a_path_may_name_the_service_to_call() {
        let calls = calls(&["reviews", "ratings"]);
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
        let id = |id, attempt, copy| onward_id(&head(id, attempt, copy), &"ratings".into());
        assert_eq!(id("run-7", 0, false), "run-7.ratings.1");
        assert_eq!(id("run-7", 2, false), "run-7.ratings.2");
        assert_eq!(id("run-7", 1, true), "run-7-shadow.ratings.1");
        assert_eq!(id("", 1, false), "");
    }

    #[test]
    fn requests_are_rendered() {
        let calls = calls(&["ratings"]);
        assert_eq!(
            render(&calls.targets[0], "run-7.ratings.1", Some("user-3"), "/5"),
            "GET /5 HTTP/1.1\r\nhost: ratings\r\nx-request-id: run-7.ratings.1\r\nx-squall-user: user-3\r\n\r\n"
        );
        assert_eq!(render(&calls.targets[0], "", None, "/"), "GET / HTTP/1.1\r\nhost: ratings\r\n\r\n");
    }

    #[test]
    fn a_failure_is_passed_on_as_a_gateway_does() {
        let failure = |seen| Failure { target: "ratings".into(), seen };
        assert_eq!([failure(504), failure(503), failure(0)].map(|f| f.status()), [504, 502, 502]);
        assert_eq!(failure(503).to_string(), "ratings 503");
    }
}
