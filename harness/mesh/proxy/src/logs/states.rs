//! What a proxy says of other instances: its log of ejections and its log of health checks.

use super::instance;
use serde::Deserialize;
use squall_mesh::{Bindings, LogLine, WallOffset};
use squall_model::{Condition, InstanceId, Stamp, StateRecord};

/// A line of either log (data/cluster/v3/outlier_detection_event.proto, data/core/v3/health_check_event.proto).
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Ejection(Ejection),
    Check(Check),
}

#[derive(Debug, Deserialize)]
struct Ejection {
    timestamp: String,
    upstream_url: String,
    action: Action,
    #[serde(default)]
    enforced: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Action {
    Eject,
    Uneject,
}

#[derive(Debug, Deserialize)]
struct Check {
    timestamp: String,
    host: Host,
    eject_unhealthy_event: Option<serde::de::IgnoredAny>,
    add_healthy_event: Option<serde::de::IgnoredAny>,
    health_check_failure_event: Option<Failure>,
}

#[derive(Debug, Deserialize)]
struct Host {
    socket_address: Address,
}

#[derive(Debug, Deserialize)]
struct Address {
    address: String,
    port_value: u16,
}

#[derive(Debug, Deserialize)]
struct Failure {
    #[serde(default)]
    first_check: bool,
}

/// Reads a line of either log. What changes nothing is a probe: a check that fails once more, an ejection that is not enforced,
/// news of a host that is no longer ours.
///
/// # Errors
/// Why it is no line of either.
pub fn read(line: &str, proxy: &InstanceId, at: &Bindings, clock: WallOffset) -> Result<LogLine, String> {
    let line: Line = serde_json::from_str(line).map_err(|e| e.to_string())?;
    let (what, begins, host, time) = match &line {
        Line::Ejection(event) => (Condition::Ejected, event.begins(), event.upstream_url.clone(), &event.timestamp),
        Line::Check(event) => (Condition::Unhealthy, event.begins(), event.host.text(), &event.timestamp),
    };
    let at_time = stamp(time, clock).ok_or_else(|| format!("`{time}` is no time"))?;
    let (Some(begins), Some(of)) = (begins, instance(&host, at)) else { return Ok(LogLine::Probe) };
    Ok(LogLine::State(StateRecord { by: proxy.clone(), of, what, begins, at: at_time }))
}

impl Ejection {
    /// Whether an ejection begins or ends here. The end of one is never marked as enforced.
    fn begins(&self) -> Option<bool> {
        match self.action {
            Action::Eject => self.enforced.then_some(true),
            Action::Uneject => Some(false),
        }
    }
}

impl Check {
    /// Whether the host is unhealthy from now on, or healthy. One that fails its very first check was never healthy.
    fn begins(&self) -> Option<bool> {
        let failed_first = self.health_check_failure_event.as_ref().is_some_and(|failure| failure.first_check);
        match () {
            () if self.add_healthy_event.is_some() => Some(false),
            () if self.eject_unhealthy_event.is_some() || failed_first => Some(true),
            () => None,
        }
    }
}

impl Host {
    fn text(&self) -> String {
        format!("{}:{}", self.socket_address.address, self.socket_address.port_value)
    }
}

/// A time of the wall clock (RFC 3339, milliseconds) as a stamp.
fn stamp(text: &str, clock: WallOffset) -> Option<Stamp> {
    let time: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(time.as_nanosecond() - clock.0).ok().map(Stamp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use squall_mesh::Seat;
    use squall_model::Wire;

    fn id(service: &str, number: u32) -> InstanceId {
        InstanceId { service: service.into(), number }
    }

    /// `reviews-2` at its own address and behind a link.
    fn bindings() -> Bindings {
        let inbound = "127.0.0.1:4001".parse().unwrap();
        let seat = Seat { node: "p1".into(), folder: "/run/p1".into(), inbound, workload: None };
        let wire = Wire { from: id("web", 1), to: id("reviews", 2) };
        Bindings {
            seats: [(id("reviews", 2), seat)].into(),
            wires: [(wire, "127.0.0.1:5001".parse().unwrap())].into(),
            tag: "r1".into(),
            ..Bindings::default()
        }
    }

    fn read_one(line: &str) -> Result<LogLine, String> {
        // Midnight of 26 November 2026 is 1 s after the start of the clock.
        read(line, &id("web", 1), &bindings(), WallOffset((1_795_651_200 - 1) * 1_000_000_000))
    }

    fn state(what: Condition, begins: bool, ms: u64) -> Result<LogLine, String> {
        let (by, of) = (id("web", 1), id("reviews", 2));
        Ok(LogLine::State(StateRecord { by, of, what, begins, at: Stamp(1_000_000_000 + ms * 1_000_000) }))
    }

    #[test]
    fn an_ejection_begins_and_ends() {
        let line = |action: &str, enforced: bool, host: &str| {
            format!(
                r#"{{"type":"CONSECUTIVE_5XX","timestamp":"2026-11-26T00:00:00.478Z","cluster_name":"out.reviews","upstream_url":"{host}","action":"{action}","num_ejections":1,"enforced":{enforced},"eject_consecutive_event":{{}}}}"#
            )
        };
        for host in ["127.0.0.1:4001", "127.0.0.1:5001"] {
            assert_eq!(read_one(&line("EJECT", true, host)), state(Condition::Ejected, true, 478));
            assert_eq!(read_one(&line("UNEJECT", false, host)), state(Condition::Ejected, false, 478));
        }
        assert_eq!(read_one(&line("EJECT", false, "127.0.0.1:4001")), Ok(LogLine::Probe), "detected and no more");
        assert_eq!(read_one(&line("EJECT", true, "127.0.0.1:4999")), Ok(LogLine::Probe), "nobody's any more");
    }

    #[test]
    fn a_host_is_unhealthy_from_one_check_to_another() {
        let line = |event: &str| {
            format!(
                r#"{{"health_checker_type":"HTTP","host":{{"socket_address":{{"protocol":"TCP","address":"127.0.0.1","port_value":4001,"resolver_name":"","ipv4_compat":false}}}},"cluster_name":"out.reviews",{event},"timestamp":"2026-11-26T00:00:01.571Z","locality":{{}}}}"#
            )
        };
        let unhealthy = |begins| state(Condition::Unhealthy, begins, 1571);
        for (event, expected) in [
            (r#""eject_unhealthy_event":{"failure_type":"ACTIVE","http_status_code":500}"#, unhealthy(true)),
            (r#""health_check_failure_event":{"failure_type":"NETWORK","first_check":true}"#, unhealthy(true)),
            (r#""health_check_failure_event":{"failure_type":"ACTIVE","first_check":false}"#, Ok(LogLine::Probe)),
            (r#""add_healthy_event":{"first_check":true}"#, unhealthy(false)),
            (r#""add_healthy_event":{"first_check":false}"#, unhealthy(false)),
            (r#""degraded_healthy_host":{}"#, Ok(LogLine::Probe)),
        ] {
            assert_eq!(read_one(&line(event)), expected, "{event}");
        }
    }

    proptest! {
        #[test]
        fn what_is_no_line_is_an_error_and_no_panic(line in r#"\{?("(timestamp|host|action|[a-z]{1,3})":("?[-0-9.eTZ:]*"?|null|\{\}|\[\])[,}]?){0,6}"#) {
            drop(read_one(&line));
        }
    }

    #[test]
    fn a_line_without_a_time_is_none() {
        let line = r#"{"timestamp":"soon","upstream_url":"127.0.0.1:4001","action":"EJECT","enforced":true}"#;
        assert_eq!(read_one(line), Err("`soon` is no time".into()));
    }
}
