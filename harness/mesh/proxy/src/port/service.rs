//! The gRPC side of the fault port.

use super::{
    order::Fate,
    state::{PortState, Question},
};
use envoy_types::pb::{
    envoy::{
        config::core::v3::{
            Address, HeaderValue, HeaderValueOption, address, header_value_option::HeaderAppendAction,
            socket_address::PortSpecifier,
        },
        service::auth::v3::{
            AttributeContext, CheckRequest, CheckResponse, OkHttpResponse,
            attribute_context::{HttpRequest, Peer},
            authorization_server::Authorization,
            check_response::HttpResponse,
        },
    },
    google::rpc,
};
use squall_model::AnswerCode;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tonic::{Request, Response, Status};

/// The header of a try's number.
const ATTEMPT: &str = "x-envoy-attempt-count";

/// The header of a call's id.
pub(super) const ID: &str = "x-request-id";

// What a fault filter obeys that is steered by headers (extensions/filters/http/fault, "Controlling fault injection via HTTP headers").
pub(super) const ABORT: &str = "x-envoy-fault-abort-request";
pub(super) const ABORT_GRPC: &str = "x-envoy-fault-abort-grpc-request";
pub(super) const DELAY: &str = "x-envoy-fault-delay-request";

#[derive(Debug, Clone)]
pub(super) struct Port(pub(super) Arc<PortState>);

#[tonic::async_trait]
impl Authorization for Port {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        self.0.attend().await;
        Ok(Response::new(response(&self.answer(request.into_inner().attributes.as_ref()))))
    }
}

impl Port {
    fn answer(&self, told: Option<&AttributeContext>) -> Fate {
        let http = told.and_then(|told| told.request.as_ref()?.http.as_ref());
        let (Some(told), Some(http)) = (told, http) else { return Fate::default() };
        let header = |name: &str| header(http, name);
        self.0.answer(&Question {
            id: header(ID).unwrap_or_default(),
            attempt: header(ATTEMPT).and_then(|count| count.parse().ok()).unwrap_or(0),
            to: told.destination.as_ref().and_then(address),
            from: told.source.as_ref().and_then(address).map(|from| from.ip()),
            header: &header,
        })
    }
}

/// A header or pseudo-header, by its name in lower case. Several of one name come as one, with commas between.
fn header<'h>(http: &'h HttpRequest, name: &str) -> Option<&'h str> {
    match name {
        ":path" => Some(http.path.as_str()),
        ":method" => Some(http.method.as_str()),
        ":authority" => Some(http.host.as_str()),
        ":scheme" => Some(http.scheme.as_str()),
        _ => http.headers.get(name).map(String::as_str),
    }
}

/// The address of one side of a connection, in the form of IPv4 where it is one.
fn address(peer: &Peer) -> Option<SocketAddr> {
    let Some(Address { address: Some(address::Address::SocketAddress(at)) }) = &peer.address else { return None };
    let port = match at.port_specifier {
        Some(PortSpecifier::PortValue(port)) => u16::try_from(port).ok()?,
        _ => return None,
    };
    Some(SocketAddr::new(at.address.parse::<std::net::IpAddr>().ok()?.to_canonical(), port))
}

/// OK, and what the fault filter behind is to do.
fn response(fate: &Fate) -> CheckResponse {
    let abort = fate.abort.map(|code| match code {
        AnswerCode::Status(status) => set(ABORT, status.to_string()),
        AnswerCode::Grpc(status) => set(ABORT_GRPC, status.number().to_string()),
    });
    let delay = (!fate.delay.is_zero()).then(|| set(DELAY, milliseconds(fate.delay).to_string()));
    let ok = OkHttpResponse { headers: delay.into_iter().chain(abort).collect(), ..OkHttpResponse::default() };
    CheckResponse {
        status: Some(rpc::Status::default()),
        http_response: Some(HttpResponse::OkResponse(ok)),
        ..CheckResponse::default()
    }
}

fn set(name: &str, value: String) -> HeaderValueOption {
    let header = HeaderValue { key: name.into(), value, ..HeaderValue::default() };
    let append_action = HeaderAppendAction::OverwriteIfExistsOrAdd as i32;
    HeaderValueOption { header: Some(header), append_action, ..HeaderValueOption::default() }
}

/// Whole ones are all that the header can say; a delay never vanishes.
fn milliseconds(time: Duration) -> u128 {
    time.as_micros().div_ceil(1000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::GrpcStatus;

    /// The headers of an answer, as a filter that is steered by them sees them.
    fn said(delay: Duration, abort: Option<AnswerCode>) -> Vec<(String, String)> {
        let Some(HttpResponse::OkResponse(ok)) = response(&Fate { delay, abort, ..Fate::default() }).http_response
        else {
            panic!("it is always OK");
        };
        let overwrites =
            |header: &HeaderValueOption| header.append_action() == HeaderAppendAction::OverwriteIfExistsOrAdd;
        assert!(ok.headers.iter().all(overwrites));
        ok.headers.into_iter().filter_map(|header| header.header).map(|header| (header.key, header.value)).collect()
    }

    #[test]
    fn a_fate_is_said_in_headers() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(said(Duration::ZERO, None), []);
        assert_eq!(said(Duration::from_millis(70), None), [pair(DELAY, "70")]);
        assert_eq!(said(Duration::from_nanos(1_000_001), None), [pair(DELAY, "1")], "finer than the proxy's own timer");
        assert_eq!(said(Duration::from_nanos(1), None), [pair(DELAY, "1")]);
        let both = said(Duration::from_secs(1), Some(AnswerCode::Status(503)));
        assert_eq!(both, [pair(DELAY, "1000"), pair(ABORT, "503")]);
        let grpc = said(Duration::ZERO, Some(AnswerCode::Grpc(GrpcStatus::Unavailable)));
        assert_eq!(grpc, [pair(ABORT_GRPC, "14")]);
    }
}
