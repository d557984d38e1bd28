//! Traffic lines of a plan as the load engine takes them. Pure.

use crate::error::EngineError;
use squall_mesh::Endpoint;
use squall_model::{Arrivals, Filter, Protocol, Shape, TrafficLine};
use squall_traffic::{Line, Request};
use std::time::Duration;

/// The client's deadline for each call unless a scenario says otherwise.
pub(crate) const CLIENT_DEADLINE: Duration = Duration::from_secs(10);

/// One line, sent through these proxies.
pub(crate) fn line(
    line: &TrafficLine,
    protocol: Protocol,
    proxies: &[Endpoint],
    prefix: &str,
    seed: u64,
) -> Result<Line, EngineError> {
    let request = request(&line.with, line.to.service.as_str())?;
    let mut made =
        Line::new(line.number, endpoints(proxies), request, shape(line.shape, seed ^ u64::from(line.number)));
    made.protocol = protocol;
    made.users = line.users;
    made.deadline = CLIENT_DEADLINE;
    made.id_prefix = prefix.to_owned();
    Ok(made)
}

/// So many first calls come to somebody else's application within a second at the most, those of all lines together.
const GENTLE_HZ: f64 = 10.0;

/// First calls of a line: one after another, and gently where they go to somebody else's; of so many lines.
pub(crate) fn first(line: &TrafficLine, calls: u64, theirs: bool, lines: usize) -> squall_traffic::Shape {
    if !theirs {
        return squall_traffic::Shape::Serial { calls };
    }
    // What one line may send all may send together; two seconds of it are enough.
    let rate_hz = line.shape.peak().unwrap_or(GENTLE_HZ).min(GENTLE_HZ) / lines.max(1) as f64;
    let calls = (calls as f64).min((2.0 * rate_hz).ceil());
    let length = Duration::from_secs_f64(calls / rate_hz);
    squall_traffic::Shape::Open { rate_hz, length, arrivals: squall_traffic::Arrivals::Even }
}

/// A few calls through each of these proxies to a service: opens pools, is in no claim.
pub(crate) fn settling(
    number: u16,
    to: &str,
    protocol: Protocol,
    proxies: &[Endpoint],
    calls: squall_traffic::Shape,
    prefix: &str,
) -> Result<Line, EngineError> {
    let request = request(&Filter::default(), to)?;
    let mut made = Line::new(number, endpoints(proxies), request, calls);
    made.protocol = protocol;
    made.deadline = Duration::from_secs(2);
    made.id_prefix = prefix.to_owned();
    Ok(made)
}

fn endpoints(proxies: &[Endpoint]) -> Vec<squall_traffic::Endpoint> {
    proxies
        .iter()
        .map(|at| match at {
            Endpoint::Unix(path) => squall_traffic::Endpoint::Unix(path.clone()),
            Endpoint::Tcp(address) => squall_traffic::Endpoint::Tcp(*address),
        })
        .collect()
}

fn request(with: &Filter, service: &str) -> Result<Request, EngineError> {
    let bad = |e: squall_traffic::RequestError| EngineError::Plan(format!("a traffic line cannot be sent: {e}"));
    let path = with.path.as_deref().unwrap_or("/");
    let path = with.query.as_ref().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let host = with.host.as_deref().unwrap_or(service);
    let mut request = Request::new(with.method.as_deref().unwrap_or("GET"), host, &path).map_err(bad)?;
    if let Some((name, value)) = &with.header {
        request = request.with_header(name, value).map_err(bad)?;
    }
    if let Some(user) = &with.user {
        request = request.with_header("x-squall-user", user).map_err(bad)?;
    }
    Ok(request)
}

fn shape(shape: Shape, seed: u64) -> squall_traffic::Shape {
    use squall_traffic::Shape as Made;
    match shape {
        Shape::Open { rate, length, arrivals } => {
            let arrivals = match arrivals {
                Arrivals::Even => squall_traffic::Arrivals::Even,
                Arrivals::Random => squall_traffic::Arrivals::Random { seed },
            };
            Made::Open { rate_hz: rate.hertz(), length, arrivals }
        }
        Shape::Decide { rate, cap } => {
            Made::Open { rate_hz: rate.hertz(), length: cap, arrivals: squall_traffic::Arrivals::Even }
        }
        Shape::Serial { calls } => Made::Serial { calls: u64::from(calls) },
        Shape::Closed { users, length, thinking } => Made::Closed { users, length, thinking },
        Shape::Ramp { from, to, length } => Made::Ramp { from_hz: f64::from(from), to_hz: f64::from(to), length },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::{Filter, Rate, Target, Which};

    fn of(shape: Shape) -> TrafficLine {
        let to = Target { service: "shop".into(), which: Which::Service, place: None };
        TrafficLine { number: 0, caller: "web".into(), to, with: Filter::default(), users: None, shape }
    }

    #[test]
    fn first_calls_to_an_application_come_gently() {
        let hertz = |count| Rate { count, per: Duration::from_secs(1) };
        let open =
            |count| of(Shape::Open { rate: hertz(count), length: Duration::from_secs(9), arrivals: Arrivals::Even });
        let first = |line: &TrafficLine, calls, lines| match first(line, calls, true, lines) {
            squall_traffic::Shape::Open { rate_hz, length, .. } => (rate_hz, length.as_millis()),
            other => panic!("{other:?}"),
        };
        assert_eq!(first(&open(500), 6, 1), (10.0, 600));
        assert_eq!(first(&open(500), 60, 1), (10.0, 2_000), "no longer than two seconds");
        assert_eq!(first(&open(3), 60, 1), (3.0, 2_000), "no faster than what follows");
        assert_eq!(first(&open(3), 60, 3), (1.0, 2_000), "all lines together");
        let thoughtless = of(Shape::Closed { users: 9, length: Duration::from_secs(9), thinking: Duration::ZERO });
        assert_eq!(first(&thoughtless, 6, 1), (10.0, 600));
        assert!(matches!(super::first(&open(500), 6, false, 1), squall_traffic::Shape::Serial { calls: 6 }));
    }
}
