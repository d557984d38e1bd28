//! The port without a proxy: asked by a client of the same protocol.

use super::{
    FaultPort, Order,
    service::{ABORT, Port},
    state::PortState,
};
use crate::{host::ServeError, render::SlotTouch};
use envoy_types::pb::envoy::{
    config::core::v3::{Address, SocketAddress, address, socket_address::PortSpecifier},
    service::auth::v3::{
        AttributeContext, CheckRequest, CheckResponse,
        attribute_context::{HttpRequest, Peer, Request},
        authorization_server::Authorization,
        check_response::HttpResponse,
    },
};
use squall_model::{AnswerCode, FaultId, Fraction, InstanceId};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

const THERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7)), 9080);

fn shop() -> InstanceId {
    InstanceId { service: "shop".into(), number: 1 }
}

fn all(fault: u32) -> Order {
    Order {
        fault: FaultId(fault),
        at: BTreeSet::from([shop()]),
        from: None,
        only: BTreeSet::new(),
        share: Fraction::ALL,
        does: SlotTouch::Abort(AnswerCode::Status(503)),
    }
}

fn peer(at: &str, port: u32) -> Option<Peer> {
    let port_specifier = Some(PortSpecifier::PortValue(port));
    let at = SocketAddress { address: at.into(), port_specifier, ..SocketAddress::default() };
    let address = Some(Address { address: Some(address::Address::SocketAddress(at)) });
    Some(Peer { address, ..Peer::default() })
}

/// A question about the second try of this call.
fn question(id: &str, to: &str) -> CheckRequest {
    let headers =
        [("x-request-id", id), ("x-envoy-attempt-count", "2")].map(|(name, value)| (name.into(), value.into()));
    let http = HttpRequest { headers: headers.into(), path: "/".into(), ..HttpRequest::default() };
    let attributes = AttributeContext {
        source: peer("10.0.0.3", 40_000),
        destination: peer(to, 9080),
        request: Some(Request { http: Some(http), ..Request::default() }),
        ..AttributeContext::default()
    };
    CheckRequest { attributes: Some(attributes) }
}

fn port() -> (Port, Arc<PortState>) {
    let state = Arc::new(PortState::new(1));
    state.know(BTreeMap::from([(THERE, shop())]), BTreeMap::from([(Ipv4Addr::new(10, 0, 0, 3).into(), "web".into())]));
    (Port(Arc::clone(&state)), state)
}

async fn is_struck(port: &Port, id: &str, to: &str) -> bool {
    let answer: CheckResponse = port.check(tonic::Request::new(question(id, to))).await.unwrap().into_inner();
    assert_eq!(answer.status.unwrap().code, 0, "it is always OK");
    let Some(HttpResponse::OkResponse(ok)) = answer.http_response else { panic!("it is always OK") };
    ok.headers.iter().filter_map(|header| header.header.as_ref()).any(|header| header.key == ABORT)
}

#[tokio::test]
async fn what_is_asked_is_told_by_run_instance_and_caller() {
    let (port, state) = port();
    state.set("r1.", vec![all(0)]);
    state.set("r12.", Vec::new());
    assert!(is_struck(&port, "r1.0", "10.0.0.7").await);
    assert!(is_struck(&port, "r1.1.3", "::ffff:10.0.0.7").await, "an address of IPv4, however it is written");
    assert!(!is_struck(&port, "r12.0", "10.0.0.7").await);
    assert!(!is_struck(&port, "r2.0", "10.0.0.7").await, "a run that is not known");
    assert!(!is_struck(&port, "r1.0", "10.0.0.8").await, "an instance that is not known");

    let asked = state.take("r1.");
    let told: Vec<(&str, u32)> = asked.iter().map(|record| (record.id.as_str(), record.attempt)).collect();
    assert_eq!(told, [("r1.0", 2), ("r1.1.3", 2)]);
    for record in &asked {
        assert_eq!((&record.at, record.caller.as_ref()), (&shop(), Some(&"web".into())));
        assert_eq!((&record.meant, &record.struck), (&vec![FaultId(0)], &vec![FaultId(0)]));
    }
    assert!(asked.is_sorted_by_key(|record| record.asked));
    assert_eq!(state.take("r1."), [], "each is told once");
    let [none] = <[_; 1]>::try_from(state.take("r12.")).unwrap();
    assert_eq!((none.meant, none.struck), (Vec::new(), Vec::new()), "a run without orders is written down, too");
}

/// Each to where it is now, also where that is where another was.
#[test]
fn whoever_moved_is_known_where_it_is() {
    let (_, state) = port();
    let ip = |last: u8| std::net::IpAddr::from([10, 0, 0, last]);
    let at = |last: u8| SocketAddr::new(ip(last), 9080);
    let id = |number: u32| InstanceId { service: "shop".into(), number };
    let callers = BTreeMap::from([(ip(1), "shop".into())]);
    state.know(BTreeMap::from([(at(1), id(1)), (at(2), id(2))]), callers);
    let was = state.whereabouts();
    for _ in 0..2 {
        state.moved(&was, ip(1), ip(2));
        state.moved(&was, ip(2), ip(3));
    }
    let now = state.whereabouts();
    assert_eq!(now.instances, BTreeMap::from([(at(1), id(1)), (at(2), id(1)), (at(3), id(2))]));
    assert_eq!(now.callers, BTreeMap::from([(ip(1), "shop".into()), (ip(2), "shop".into())]));
}

#[tokio::test]
async fn orders_end_with_the_call_that_ends_them() {
    let (port, state) = port();
    state.set("r1.", vec![all(0)]);
    assert!(is_struck(&port, "r1.0", "10.0.0.7").await);
    state.set("r1.", Vec::new());
    assert!(!is_struck(&port, "r1.0", "10.0.0.7").await);
    state.set("r1.", vec![all(0)]);
    state.forget("r1.");
    assert!(!is_struck(&port, "r1.0", "10.0.0.7").await);
    assert_eq!(state.take("r1."), [], "and all of it is forgotten");
}

#[tokio::test]
async fn a_question_without_anything_in_it_is_answered() {
    let (port, _) = port();
    let answer = port.check(tonic::Request::new(CheckRequest::default())).await.unwrap().into_inner();
    assert_eq!(answer.status.unwrap().code, 0);
}

#[tokio::test]
async fn a_stalled_port_answers_when_it_is_one_no_more() {
    let (port, state) = port();
    state.set("r1.", vec![all(0)]);
    state.stall(true);
    let mut asked = Box::pin(is_struck(&port, "r1.0", "10.0.0.7"));
    assert!(tokio::time::timeout(Duration::from_millis(20), &mut asked).await.is_err());
    assert_eq!(state.take("r1."), [], "what was not answered is not written down");
    state.stall(false);
    assert!(asked.await);
}

#[test]
fn it_dies_and_comes_back_at_its_address() {
    let port = FaultPort::start((Ipv4Addr::LOCALHOST, 0).into(), 1).unwrap();
    let at = port.address();
    assert!(matches!(FaultPort::start(at, 1), Err(ServeError::Address { .. })), "it is taken");
    assert!(matches!(port.resume(), Err(ServeError::Running)));
    let mut client = TcpStream::connect(at).unwrap();
    port.stop().unwrap();
    assert!(matches!(std::io::Read::read_to_end(&mut client, &mut Vec::new()), Ok(_) | Err(_)), "the read must end");
    assert!(TcpStream::connect(at).is_err());
    port.resume().unwrap();
    drop(TcpStream::connect(at).unwrap());
}
