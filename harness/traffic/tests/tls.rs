//! Calls over TLS: who is taken for the server, who is taken for the caller, and what becomes of a call where neither is.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail")]

mod support;

use squall_model::{ClientEnd, Leg, Protocol, TlsFault};
use squall_traffic::{Endpoint, Line, LoadThread, OwnCertificate, Peer, Request, Shape, Start, Tls, Trust, Unsecured};
use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};
use support::{
    PATIENCE,
    secured::{Authority, Papers, serve},
};

const WEB: &str = "spiffe://prod.example/ns/shop/sa/web";

fn trusting(authority: &Authority) -> Trust {
    Trust::Authorities(authority.pem().into_bytes())
}

fn own(papers: &Papers) -> OwnCertificate {
    OwnCertificate { chain: papers.certificate.clone().into_bytes(), key: papers.key.clone().into_bytes() }
}

fn host(name: &str) -> Peer {
    Peer::Host(name.into())
}

fn identity(id: &str) -> Peer {
    Peer::Spiffe(id.parse().unwrap(), "anything.example".into())
}

fn tls(peer: &Peer, trust: &Trust, own: Option<&OwnCertificate>) -> Tls {
    Tls::new(Protocol::Http, peer, trust, own).unwrap()
}

/// How a handshake ends that is only made to see whether it can be.
fn knocked(tls: &Tls, at: SocketAddr) -> Result<(), TlsFault> {
    match tls.try_handshake(&TcpStream::connect(at).unwrap(), PATIENCE) {
        Ok(()) => Ok(()),
        Err(Unsecured::Tls { fault, .. }) => Err(fault),
        Err(Unsecured::Broken(error)) => panic!("{error}"),
    }
}

/// How calls end, one after the other, and the records of them.
async fn made(tls: Tls, at: SocketAddr, calls: u64) -> Vec<squall_model::CallRecord> {
    made_of(line(tls, at, calls)).await
}

fn line(tls: Tls, at: SocketAddr, calls: u64) -> Line {
    let request = Request::new("GET", "web.example", "/").unwrap();
    Line { tls: Some(tls), ..Line::new(0, vec![Endpoint::Tcp(at)], request, Shape::Serial { calls }) }
}

async fn made_of(line: Line) -> Vec<squall_model::CallRecord> {
    let run = LoadThread::start().unwrap().begin(vec![line], Start::default()).unwrap();
    run.finish(PATIENCE).await.unwrap();
    let mut records = Vec::new();
    run.drain_into(&mut records);
    records
}

#[tokio::test]
async fn calls_over_tls_say_how_long_the_connection_and_the_handshake_took() {
    let authority = Authority::new();
    let server = serve(&authority.for_host("web.example"), None, &["http/1.1"]);
    let records = made(tls(&host("web.example"), &trusting(&authority), None), server, 5).await;
    assert!(records.iter().all(|call| call.end == ClientEnd::Answered(200)), "{records:?}");
    let (first, later) = (&records[0], &records[1..]);
    let (connect, handshake) = (first.course.connect.unwrap(), first.course.tls.unwrap());
    assert!(connect + handshake <= first.sent.since(first.intended), "they lie before the send");
    assert!(handshake > Duration::ZERO);
    assert!(
        later.iter().all(|call| call.course.connect.is_none() && call.course.tls.is_none()),
        "on the same connection"
    );
    for call in &records {
        let began = call.course.first_byte.unwrap();
        assert!(call.sent <= began && began <= call.done, "{call:?}");
        assert_eq!((call.course.leg, call.course.received), (Leg::Answering, 2));
    }
}

/// A whole one: none is resumed.
#[tokio::test]
async fn each_call_on_a_connection_of_its_own_makes_a_handshake() {
    let authority = Authority::new();
    let server = serve(&authority.for_host("web.example"), None, &["http/1.1"]);
    let line = line(tls(&host("web.example"), &trusting(&authority), None), server, 3);
    let records = made_of(Line { keep_alive: false, ..line }).await;
    assert!(records.iter().all(|call| call.end == ClientEnd::Answered(200)), "{records:?}");
    assert!(records.iter().all(|call| call.course.connect.is_some() && call.course.tls.is_some()), "{records:?}");
}

#[test]
fn who_is_taken_for_the_server() {
    let (ours, other) = (Authority::new(), Authority::new());
    let by_host = serve(&ours.for_host("web.example"), None, &[]);
    let by_id = serve(&ours.for_identity(WEB), None, &[]);
    let by_two = serve(&ours.for_identities(&[WEB, "spiffe://prod.example/ns/shop/sa/cart"]), None, &[]);
    let expired = serve(&ours.expired("web.example"), None, &[]);
    let (trust, id) = (trusting(&ours), identity(WEB));
    for (peer, trust, at, outcome) in [
        (&host("web.example"), &trust, by_host, Ok(())),
        (&host("web.example"), &trusting(&other), by_host, Err(TlsFault::Untrusted)),
        (&host("shop.example"), &trust, by_host, Err(TlsFault::WrongIdentity)),
        (&host("shop.example"), &Trust::Anybody, by_host, Ok(())),
        (&host("web.example"), &trust, expired, Err(TlsFault::Expired)),
        (&host("web.example"), &Trust::Anybody, expired, Ok(())),
        (&id, &trust, by_id, Ok(())),
        (&id, &trusting(&other), by_id, Err(TlsFault::Untrusted)),
        (&identity("spiffe://prod.example/ns/shop/sa/cart"), &trust, by_id, Err(TlsFault::WrongIdentity)),
        (&id, &trust, by_host, Err(TlsFault::WrongIdentity)),
        (&id, &trust, by_two, Err(TlsFault::WrongIdentity)),
    ] {
        assert_eq!(knocked(&tls(peer, trust, None), at), outcome, "{peer:?}");
    }
}

/// In TLS 1.3 a server tells only after the caller's side of the handshake that it does not want it: the first call is told.
#[tokio::test]
async fn who_is_taken_for_the_caller() {
    let (ours, other) = (Authority::new(), Authority::new());
    let server = serve(&ours.for_host("web.example"), Some(&ours), &[]);
    let (good, bad) = (own(&ours.for_identity(WEB)), own(&other.for_identity(WEB)));
    for (papers, end) in [
        (Some(&good), ClientEnd::Answered(200)),
        (Some(&bad), ClientEnd::Insecure(TlsFault::TurnedAway)),
        (None, ClientEnd::Insecure(TlsFault::TurnedAway)),
    ] {
        let records = made(tls(&host("web.example"), &trusting(&ours), papers), server, 1).await;
        assert_eq!(records[0].end, end);
    }
}

/// Each failure has a class of its own, and says how far the call came.
#[tokio::test]
async fn a_handshake_that_fails_is_told_from_a_refused_connection() {
    let authority = Authority::new();
    let ours = || tls(&host("web.example"), &trusting(&authority), None);
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let (at, closing) = (plain.local_addr().unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    std::thread::spawn(move || {
        use std::io::Write as _;
        plain.incoming().flatten().for_each(|mut stream| drop(stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n")));
    });
    let closes = closing.local_addr().unwrap();
    std::thread::spawn(move || closing.incoming().flatten().for_each(drop));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let other = serve(&Authority::new().for_host("web.example"), None, &[]);
    for (at, end, leg) in [
        (at, ClientEnd::Insecure(TlsFault::NotTls), Leg::Handshaking),
        (closes, ClientEnd::Insecure(TlsFault::BrokenOff), Leg::Handshaking),
        (other, ClientEnd::Insecure(TlsFault::Untrusted), Leg::Handshaking),
        (nobody, ClientEnd::Refused, Leg::Connecting),
    ] {
        let records = made(ours(), at, 1).await;
        assert_eq!((records[0].end, records[0].course.leg), (end, leg));
    }
}

#[test]
fn http2_is_agreed_on_or_not_spoken() {
    let authority = Authority::new();
    let papers = authority.for_host("web.example");
    let http2 = |trust: &Trust| Tls::new(Protocol::Http2, &host("web.example"), trust, None).unwrap();
    let trust = trusting(&authority);
    assert_eq!(knocked(&http2(&trust), serve(&papers, None, &["h2", "http/1.1"])), Ok(()));
    assert_eq!(knocked(&http2(&trust), serve(&papers, None, &["http/1.1"])), Err(TlsFault::NoProtocol));
    assert_eq!(knocked(&http2(&trust), serve(&papers, None, &[])), Err(TlsFault::NoProtocol));
}

#[test]
fn what_is_no_certificate() {
    let papers = Authority::new().for_host("web.example");
    let with =
        |trust: &Trust, own: Option<&OwnCertificate>| Tls::new(Protocol::Http, &host("a"), trust, own).unwrap_err();
    let text = with(&Trust::Authorities(b"hello".to_vec()), None).to_string();
    assert!(text.contains("no certificate"), "{text}");
    let keyless = OwnCertificate { key: papers.certificate.clone().into_bytes(), ..own(&papers) };
    let text = with(&Trust::Anybody, Some(&keyless)).to_string();
    assert!(text.contains("no private key"), "{text}");
    let of_another = OwnCertificate { key: Authority::new().for_host("a").key.into_bytes(), ..own(&papers) };
    let text = with(&Trust::Anybody, Some(&of_another)).to_string();
    assert!(text.contains("cannot be used"), "{text}");
}
