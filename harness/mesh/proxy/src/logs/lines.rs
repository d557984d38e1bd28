//! The lines of access logs and upstream logs.

use super::instance;
use crate::render::{CALLER, PROBE};
use serde::Deserialize;
use squall_mesh::{Bindings, LogLine, WallOffset};
use squall_model::{AccessRecord, GrpcStatus, InstanceId, Side, Stamp, TryRecord};

/// Fields of a line of the upstream log: one line a try (`UPSTREAM_REQUEST_ATTEMPT_COUNT` is 0 here, the header is right).
/// A try has a time in microseconds to the end of its answer, or to its head where a retry cut the rest off (`hd`); one
/// without an answer has milliseconds only.
pub const TRY: &[(&str, &str)] = &[
    ("k", "try"),
    ("id", "%REQ(X-REQUEST-ID)%"),
    ("n", "%REQ(X-ENVOY-ATTEMPT-COUNT)%"),
    ("s", "%RESPONSE_CODE%"),
    ("g", "%GRPC_STATUS_NUMBER%"),
    ("f", "%RESPONSE_FLAGS%"),
    ("u", "%UPSTREAM_HOST%"),
    ("why", "%UPSTREAM_TRANSPORT_FAILURE_REASON%"),
    ("t", "%START_TIME(%s.%6f)%"),
    ("us", "%COMMON_DURATION(DS_RX_BEG:US_RX_END:us)%"),
    ("hd", "%COMMON_DURATION(DS_RX_BEG:US_RX_BEG:us)%"),
    ("ms", "%DURATION%"),
];

const OUTBOUND: &[(&str, &str)] = &[
    ("k", "call"),
    ("id", "%REQ(X-REQUEST-ID)%"),
    ("n", "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"),
    ("s", "%RESPONSE_CODE%"),
    ("g", "%GRPC_STATUS_NUMBER%"),
    ("f", "%RESPONSE_FLAGS%"),
    ("d", "%RESPONSE_CODE_DETAILS%"),
    ("u", "%UPSTREAM_HOST%"),
    ("h", "%REQ(:AUTHORITY)%"),
    ("p", "%REQ(:PATH)%"),
    ("t", "%START_TIME(%s.%6f)%"),
    ("us", "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%"),
    ("ms", "%DURATION%"),
];

const INBOUND: &[(&str, &str)] = &[
    ("k", "served"),
    ("id", "%REQ(X-REQUEST-ID)%"),
    ("n", "%REQ(X-ENVOY-ATTEMPT-COUNT)%"),
    ("c", "%REQ(X-SQUALL-CALLER)%"),
    ("a", "%REQ(USER-AGENT)%"),
    ("s", "%RESPONSE_CODE%"),
    ("g", "%GRPC_STATUS_NUMBER%"),
    ("f", "%RESPONSE_FLAGS%"),
    ("d", "%RESPONSE_CODE_DETAILS%"),
    ("h", "%REQ(:AUTHORITY)%"),
    ("p", "%REQ(:PATH)%"),
    ("t", "%START_TIME(%s.%6f)%"),
    ("us", "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%"),
    ("ms", "%DURATION%"),
];

/// Who asks for the health of an instance, by its user agent. Callers' proxies name the caller; a check names none.
const CHECKER: &str = "Envoy/HC";

/// The fields of an access log.
pub fn format(side: Side) -> &'static [(&'static str, &'static str)] {
    match side {
        Side::Outbound => OUTBOUND,
        Side::Inbound => INBOUND,
    }
}

/// A line of any of the three logs. Envoy writes `null` where a field has nothing to say, and until 1.40 large numbers as `1e+05`.
#[derive(Debug, Deserialize)]
struct Line {
    k: String,
    id: Option<String>,
    n: Option<Number>,
    #[serde(default)]
    c: Option<String>,
    #[serde(default)]
    a: Option<String>,
    s: Option<Number>,
    #[serde(default)]
    g: Option<Number>,
    f: Option<String>,
    #[serde(default)]
    d: Option<String>,
    #[serde(default)]
    u: Option<String>,
    #[serde(default)]
    why: Option<String>,
    #[serde(default)]
    h: Option<String>,
    #[serde(default)]
    p: Option<String>,
    t: Option<Text>,
    #[serde(default)]
    us: Option<Number>,
    #[serde(default)]
    hd: Option<Number>,
    ms: Option<Number>,
}

/// A number, or a text that holds one: header values come as text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Number {
    Plain(f64),
    Text(String),
}

impl Number {
    fn value(&self) -> Option<f64> {
        match self {
            Number::Plain(value) => Some(*value),
            Number::Text(text) => text.parse().ok(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Text {
    Text(String),
    Number(f64),
}

/// Reads a line of a log.
///
/// # Errors
/// Why it is none of ours.
pub fn read(line: &str, side: Side, proxy: &InstanceId, at: &Bindings, clock: WallOffset) -> Result<LogLine, String> {
    let line: Line = serde_json::from_str(line).map_err(|e| e.to_string())?;
    if line.h.as_deref() == Some(PROBE) {
        let marker = line.p.as_deref().and_then(|path| path.strip_prefix("/marker/"));
        return Ok(marker.map_or(LogLine::Probe, |marker| LogLine::Marker(marker.to_owned())));
    }
    let text = |t: Option<String>| t.filter(|t| t != "-").unwrap_or_default();
    let caller = text(line.c);
    if side == Side::Inbound && caller.is_empty() && line.a.as_deref() == Some(CHECKER) {
        return Ok(LogLine::Check);
    }
    let whole = |n: &Option<Number>| n.as_ref().and_then(Number::value).unwrap_or(0.0);
    let began = line.t.as_ref().and_then(|t| stamp(t, clock)).ok_or("it has no time")?;
    let took = match line.us.as_ref().or(line.hd.as_ref()).and_then(Number::value) {
        Some(us) => us * 1e3,
        None => whole(&line.ms) * 1e6,
    } as u64;
    let upstream = line.u.as_deref().and_then(|host| instance(host, at));
    let grpc = line.g.as_ref().and_then(Number::value).and_then(|n| GrpcStatus::from_number(n as u64));
    let flags = line.f.clone().unwrap_or_else(|| "-".into());
    match line.k.as_str() {
        "try" => Ok(LogLine::Try(TryRecord {
            proxy: proxy.clone(),
            id: line.id.unwrap_or_default(),
            attempt: whole(&line.n) as u32,
            status: whole(&line.s) as u16,
            grpc,
            flags,
            upstream,
            failure: text(line.why),
            began,
            took,
        })),
        "call" | "served" => Ok(LogLine::Access(AccessRecord {
            proxy: proxy.clone(),
            side,
            id: line.id.unwrap_or_default(),
            attempts: whole(&line.n) as u32,
            status: whole(&line.s) as u16,
            grpc,
            flags,
            details: text(line.d),
            caller,
            upstream,
            began,
            took,
        })),
        other => Err(format!("`{other}` is no kind of line ({CALLER})")),
    }
}

/// `seconds.microseconds` of the wall clock as a stamp.
fn stamp(text: &Text, clock: WallOffset) -> Option<Stamp> {
    let nanos: i128 = match text {
        Text::Text(text) => {
            let (seconds, micros) = text.split_once('.')?;
            seconds.parse::<i128>().ok()? * 1_000_000_000 + micros.parse::<i128>().ok()? * 1_000
        }
        Text::Number(seconds) => (seconds * 1e9) as i128,
    };
    u64::try_from(nanos - clock.0).ok().map(Stamp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use squall_mesh::Seat;

    fn bindings() -> Bindings {
        let id = InstanceId { service: "reviews".into(), number: 2 };
        let seat = Seat {
            node: "p1".into(),
            folder: "/run/p1".into(),
            inbound: "127.0.0.1:4001".parse().unwrap(),
            workload: None,
        };
        Bindings { seats: [(id, seat)].into_iter().collect(), tag: "r1".into(), ..Bindings::default() }
    }

    fn web() -> InstanceId {
        InstanceId { service: "web".into(), number: 1 }
    }

    fn read_one(line: &str) -> Result<LogLine, String> {
        read(line, Side::Outbound, &web(), &bindings(), WallOffset(1_000_000_000_000_000_000))
    }

    #[test]
    fn a_try_is_read() {
        let line = r#"{"k":"try","id":"r1.7","n":"2","s":503,"f":"-","u":"127.0.0.1:4001","why":null,"t":"1000000001.000250","ms":6}"#;
        let LogLine::Try(record) = read_one(line).unwrap() else { panic!("no try") };
        assert_eq!((record.attempt, record.status, record.took), (2, 503, 6_000_000));
        assert_eq!(record.upstream.unwrap().to_string(), "reviews-2");
        assert_eq!(record.began, Stamp(1_000_250_000));
    }

    #[test]
    fn a_try_lasts_to_its_end_or_to_its_head_or_as_long_as_is_known() {
        let line =
            |times: &str| format!(r#"{{"k":"try","id":"a","n":"1","s":200,"f":"-","t":"1000000001.000250",{times}}}"#);
        for (times, took) in [
            (r#""us":1500,"hd":1400,"ms":1"#, 1_500_000),
            (r#""us":null,"hd":1400,"ms":1"#, 1_400_000),
            (r#""us":null,"hd":null,"ms":40"#, 40_000_000),
        ] {
            let LogLine::Try(record) = read_one(&line(times)).unwrap() else { panic!("no try") };
            assert_eq!(record.took, took);
        }
    }

    proptest! {
        #[test]
        fn numbers_are_read_in_any_form(number in 0..10_000_000_u64, attempt in 0..100_u32) {
            let forms = [format!("{number}"), format!("{number}.0"), format!("{:e}", number as f64)];
            for (form, attempt_form) in forms.iter().zip([format!("{attempt}"), format!("\"{attempt}\""), format!("{attempt}")]) {
                let line = format!(r#"{{"k":"call","id":"a","n":{attempt_form},"s":200,"t":"1000000001.000250","us":{form}}}"#);
                let LogLine::Access(record) = read_one(&line).unwrap() else { panic!("no call") };
                prop_assert_eq!((record.took, record.attempts), (number * 1000, attempt));
            }
        }

        #[test]
        fn what_is_no_line_is_an_error_and_no_panic(line in r#"\{?("[a-z]{1,3}":("?[-0-9.e]*"?|null|\[\])[,}]?){0,6}"#) {
            drop(read_one(&line));
        }
    }

    #[test]
    fn a_call_without_a_try_and_large_numbers() {
        let line = r#"{"k":"call","id":"r1.8","n":0,"s":503,"f":"UO","d":"overflow","u":null,"h":"reviews","p":"/","t":"1000000001.5","us":1e+05,"ms":100}"#;
        let LogLine::Access(record) = read_one(line).unwrap() else { panic!("no call") };
        assert_eq!((record.attempts, record.flags.as_str(), record.took), (0, "UO", 100_000_000));
    }

    #[test]
    fn a_status_of_grpc_is_read_where_there_is_one() {
        let line = |kind: &str, status: &str| {
            format!(r#"{{"k":"{kind}","id":"a","n":"1","s":200,"g":{status},"f":"-","t":"1000000001.000250","ms":1}}"#)
        };
        for (status, read) in [("14", Some(GrpcStatus::Unavailable)), ("0", Some(GrpcStatus::Ok)), ("null", None)] {
            let LogLine::Access(call) = read_one(&line("call", status)).unwrap() else { panic!("no call") };
            let LogLine::Try(one) = read_one(&line("try", status)).unwrap() else { panic!("no try") };
            assert_eq!((call.grpc, one.grpc), (read, read), "{status}");
        }
    }

    #[test]
    fn a_check_is_known_by_its_asker_and_by_nobody_having_called() {
        let line = |caller: &str, agent: &str| {
            format!(
                r#"{{"k":"served","id":"x","n":null,"c":{caller},"a":"{agent}","s":200,"f":"-","h":"reviews","p":"/healthz","t":"1000000001.5","ms":0}}"#
            )
        };
        let inbound = |line: &str| read(line, Side::Inbound, &web(), &bindings(), WallOffset(0)).unwrap();
        assert_eq!(inbound(&line("null", "Envoy/HC")), LogLine::Check);
        // Whoever has a caller is a try, whatever its client calls itself.
        for (caller, agent) in [("\"web\"", "Envoy/HC"), ("null", "curl/8")] {
            assert!(matches!(inbound(&line(caller, agent)), LogLine::Access(_)), "{caller} {agent}");
        }
    }

    #[test]
    fn probes_and_markers_are_told_apart() {
        let probe = r#"{"k":"call","id":"x","n":0,"s":200,"f":"-","h":"squall.probe","p":"/version","t":"1000000001.5","ms":0}"#;
        assert_eq!(read_one(probe), Ok(LogLine::Probe));
        let marker = probe.replace("/version", "/marker/r1.end");
        assert_eq!(read_one(&marker), Ok(LogLine::Marker("r1.end".into())));
        assert!(read_one("no json").is_err());
    }
}
