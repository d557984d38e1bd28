//! Words of one protocol on calls of another.

use super::{Found, called, speaks};
use squall_model::{Calls, Plan, Protocol, RetryOn, ServiceName};

/// Statuses of gRPC are never seen on plain HTTP, and those of HTTP seldom on gRPC, whose answers have 200 whatever their status
/// (router filter, `x-envoy-retry-on`, `x-envoy-retry-grpc-on`).
pub(super) fn retries(plan: &Plan, of: &Calls, on: &[RetryOn]) -> Option<Found> {
    let protocols: Vec<Protocol> = called(plan, of).into_iter().filter_map(|name| speaks(plan, name)).collect();
    if protocols.is_empty() {
        return None;
    }
    let plain = protocols.iter().all(|protocol| matches!(protocol, Protocol::Http | Protocol::Http2));
    let grpc = protocols.iter().all(|protocol| *protocol == Protocol::Grpc);
    if let Some(word) = on.iter().find(|on| is_of_grpc(on)).filter(|_| plain) {
        return Some(Found {
            code: "retry-on-grpc",
            message: format!("`{word}` is a status of gRPC, and these calls are plain HTTP: it is never seen"),
            label: "retries on what does not happen".into(),
            hint: "`5xx`, `gateway-error`, `reset` and `connect-failure` are seen on HTTP".into(),
        });
    }
    let word = on.iter().find(|on| matches!(on, RetryOn::Status(_) | RetryOn::Retriable4xx)).filter(|_| grpc)?;
    Some(Found {
        code: "retry-on-http",
        message: format!("`{word}` is a status of HTTP, and an answer of gRPC has 200 whatever came of the call"),
        label: "retries on what does not happen".into(),
        hint:
            "`unavailable`, `cancelled`, `deadline-exceeded`, `internal` and `resource-exhausted` are statuses of gRPC"
                .into(),
    })
}

fn is_of_grpc(on: &RetryOn) -> bool {
    matches!(
        on,
        RetryOn::Cancelled
            | RetryOn::DeadlineExceeded
            | RetryOn::Internal
            | RetryOn::ResourceExhausted
            | RetryOn::Unavailable
    )
}

/// On HTTP/2 calls share a connection: nothing waits for one but while it is being opened (circuit breaking,
/// `max_pending_requests`).
pub(super) fn waiting(plan: &Plan, to: &ServiceName, waiting: u32) -> Option<Found> {
    if !matches!(speaks(plan, to)?, Protocol::Http2 | Protocol::Grpc) {
        return None;
    }
    Some(Found {
        code: "waiting-on-http2",
        message: format!(
            "\"{to}\" speaks HTTP/2, where calls share connections: {waiting} waiting and no more is no limit"
        ),
        label: "waits for nothing".into(),
        hint: format!("`each instance of … has at most N tries to \"{to}\" in flight` limits them"),
    })
}
