//! What a stand-in wants to know of a try, whatever the protocol it came in. Pure.

use crate::{ATTEMPT, CALLER, REQUEST_ID, USER, deadline::Deadline};

/// A try as its head describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Head {
    /// The method is HEAD: the answer has no body.
    pub(crate) is_head: bool,
    pub(crate) path: String,
    pub(crate) id: String,
    /// 0 where the header is absent.
    pub(crate) attempt: u32,
    pub(crate) caller: String,
    pub(crate) user: Option<String>,
    /// A mirrored copy.
    pub(crate) is_copy: bool,
    /// From a proxy's or a kubelet's own checks, not for a call.
    pub(crate) is_check: bool,
    pub(crate) deadline: Deadline,
}

impl Head {
    /// `host` is where it is for, `field` gives the first header of a name in lower case.
    pub(crate) fn new<'a>(
        method: &str,
        path: &str,
        host: Option<&[u8]>,
        field: impl Fn(&'static str) -> Option<&'a [u8]>,
    ) -> Head {
        let text = |name| field(name).map(|value| String::from_utf8_lossy(value).into_owned());
        Head {
            is_head: method == "HEAD",
            path: path.to_owned(),
            id: text(REQUEST_ID).unwrap_or_default(),
            attempt: field(ATTEMPT).and_then(number).unwrap_or(0),
            caller: text(CALLER).unwrap_or_default(),
            user: text(USER),
            is_copy: host.is_some_and(is_shadow),
            is_check: field("user-agent").is_some_and(is_checker),
            deadline: Deadline::read(field),
        }
    }
}

fn number(value: &[u8]) -> Option<u32> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

/// Envoy names the host of a mirrored copy `HOST-shadow`, before the port if there is one.
fn is_shadow(host: &[u8]) -> bool {
    let name = host.split(|&b| b == b':').next().unwrap_or(host);
    name.ends_with(b"-shadow")
}

fn is_checker(agent: &[u8]) -> bool {
    agent.starts_with(b"Envoy/HC") || agent.starts_with(b"kube-probe/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(method: &str, fields: &[(&'static str, &'static str)]) -> Head {
        let field = |name: &str| fields.iter().find(|(of, _)| *of == name).map(|(_, value)| value.as_bytes());
        Head::new(method, "/", field("host"), field)
    }

    #[test]
    fn a_try_is_read_from_what_the_proxies_add() {
        let read = head(
            "POST",
            &[
                ("host", "reviews-shadow:80"),
                ("x-request-id", "run-7"),
                ("x-envoy-attempt-count", "3"),
                ("x-squall-caller", "web"),
                ("x-squall-user", "user-4"),
            ],
        );
        assert_eq!(
            read,
            Head {
                is_head: false,
                path: "/".into(),
                id: "run-7".into(),
                attempt: 3,
                caller: "web".into(),
                user: Some("user-4".into()),
                is_copy: true,
                is_check: false,
                deadline: Deadline::default(),
            }
        );
    }

    #[test]
    fn what_is_absent_is_empty() {
        let read = head("HEAD", &[("host", "reviews")]);
        assert!(read.is_head && read.id.is_empty() && read.caller.is_empty() && !read.is_copy);
        assert_eq!((read.attempt, read.user), (0, None));
    }

    #[test]
    fn checks_are_known_by_their_agent() {
        assert!(head("GET", &[("user-agent", "Envoy/HC")]).is_check);
        assert!(head("GET", &[("user-agent", "kube-probe/1.34")]).is_check);
        assert!(!head("GET", &[("user-agent", "curl/8")]).is_check);
    }
}
