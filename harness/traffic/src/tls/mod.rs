//! TLS to a server: who is trusted, who the caller is, and what is spoken within.
//!
//! One provider of cryptography (ring), named wherever a configuration is made, so that it never depends on what else a program links. No
//! session is resumed: every connection pays for a whole handshake, as one of a caller that has never been there does.

mod identity;
mod session;
mod trust;

pub use identity::{SpiffeError, SpiffeId};
pub(crate) use session::Session;

use rustls::{
    ClientConfig, ClientConnection, RootCertStore,
    client::Resumption,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use squall_model::{Protocol, TlsFault};
use std::{
    fmt,
    hash::{Hash, Hasher},
    io,
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};
use thiserror::Error;

/// What is asked of a server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// One of the system's own authorities has issued it.
    System,
    /// One of these has, and nobody else: certificates in PEM.
    Authorities(Vec<u8>),
    /// Nothing: whoever answers is taken for the server.
    Anybody,
}

/// Who the server has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// Its certificate is for this name or address.
    Host(String),
    /// Its certificate has this SPIFFE identity, and may name any host or none; the second is the name that it is asked for by.
    Spiffe(SpiffeId, String),
}

/// The caller's own certificate, for servers that ask for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnCertificate {
    /// The certificate and those that lead to its authority, in PEM.
    pub chain: Vec<u8>,
    /// Its key, in PEM.
    pub key: Vec<u8>,
}

/// Why there can be no TLS as it was asked for.
#[derive(Debug, Error)]
pub enum TlsError {
    /// No host or address.
    #[error("`{0}` is no name that a certificate could be for")]
    Name(String),
    /// A file without what it should have.
    #[error("there is no {what} in PEM in it: {error}")]
    Pem {
        /// What was looked for.
        what: &'static str,
        /// What was found.
        error: String,
    },
    /// The system trusts nobody.
    #[error("this system has no certificates of authorities")]
    NoAuthorities,
    /// Key and certificate do not belong together, or are of a kind that nobody here knows.
    #[error("the caller's certificate cannot be used: {0}")]
    Own(String),
    /// An authority's certificate that is none.
    #[error("an authority's certificate cannot be used: {0}")]
    Authority(String),
}

/// Why a handshake failed that was only made to see whether it can be.
#[derive(Debug, Error)]
pub enum Unsecured {
    /// The server, or we, did not want to go on.
    #[error("{fault}: {error}")]
    Tls {
        /// Of which kind.
        fault: TlsFault,
        /// In the words of whoever found it.
        error: String,
    },
    /// The connection did not last.
    #[error("the connection did not last: {0}")]
    Broken(#[from] io::Error),
}

/// How connections to one server are secured. Two are the same if one is a clone of the other.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    /// For calls in this protocol to this peer.
    ///
    /// # Errors
    /// Where a certificate, a key or a name cannot be used.
    pub fn new(protocol: Protocol, peer: &Peer, trust: &Trust, own: Option<&OwnCertificate>) -> Result<Tls, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let (host, spiffe) = match peer {
            Peer::Host(host) => (host, None),
            Peer::Spiffe(id, host) => (host, Some(id)),
        };
        let name = ServerName::try_from(host.clone()).map_err(|_| TlsError::Name(host.clone()))?;
        let mut config = with_trust(&provider, trust, spiffe)?;
        if let Some(own) = own {
            config = with_own(config, &provider, own)?;
        }
        config.alpn_protocols = vec![spoken(protocol).to_vec()];
        config.resumption = Resumption::disabled();
        Ok(Tls { config: Arc::new(config), name })
    }

    /// A session before its handshake.
    pub(crate) fn session(&self) -> Result<Session, rustls::Error> {
        let connection = ClientConnection::new(Arc::clone(&self.config), self.name.clone())?;
        Ok(Session::new(connection, self.config.alpn_protocols.first().cloned()))
    }

    /// Makes a handshake on a blocking connection that carries no call, so that what is wrong is known before anything is sent.
    ///
    /// # Errors
    /// Where there is no handshake within the time.
    pub fn try_handshake(&self, stream: &TcpStream, within: Duration) -> Result<(), Unsecured> {
        let by = Instant::now() + within;
        let session = self.session().map_err(|error| failed(&error))?;
        loop {
            let left = by.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
            }
            stream.set_read_timeout(Some(left))?;
            match session.shake_hands(&mut &*stream) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => return Err(Unsecured::of(error)),
            }
        }
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.config, &other.config) && self.name == other.name
    }
}

impl Eq for Tls {}

impl Hash for Tls {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.config).hash(state);
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Unsecured {
    fn of(error: io::Error) -> Unsecured {
        match fault(&error) {
            Some(fault) => Unsecured::Tls { fault, error: error.to_string() },
            None => Unsecured::Broken(error),
        }
    }
}

fn failed(error: &rustls::Error) -> Unsecured {
    Unsecured::Tls { fault: session::fault_of(error), error: error.to_string() }
}

/// What an error of a secured connection says of TLS; `None` where it is one of the connection beneath.
pub(crate) fn fault(error: &io::Error) -> Option<TlsFault> {
    let inner = error.get_ref()?;
    if let Some(fault) = inner.downcast_ref::<session::WrongProtocol>() {
        return Some(fault.into());
    }
    inner.downcast_ref::<rustls::Error>().map(session::fault_of)
}

/// By ALPN: what is spoken is offered, and nothing else.
fn spoken(protocol: Protocol) -> &'static [u8] {
    match protocol {
        Protocol::Http2 | Protocol::Grpc => b"h2",
        Protocol::Http | Protocol::Tcp => b"http/1.1",
    }
}

fn with_trust(
    provider: &Arc<CryptoProvider>,
    trust: &Trust,
    spiffe: Option<&SpiffeId>,
) -> Result<ClientConfig, TlsError> {
    #[expect(clippy::expect_used, reason = "ring has suites for both versions")]
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .expect("ring has suites for both versions");
    let roots = match trust {
        Trust::Anybody => {
            let verifier = trust::anybody(provider);
            return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
        }
        Trust::System => system_roots()?,
        Trust::Authorities(pem) => roots(pem)?,
    };
    Ok(match spiffe {
        None => builder.with_root_certificates(roots).with_no_client_auth(),
        Some(id) => {
            let verifier = trust::spiffe(provider, roots, id.clone());
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        }
    })
}

fn with_own(
    mut config: ClientConfig,
    provider: &CryptoProvider,
    own: &OwnCertificate,
) -> Result<ClientConfig, TlsError> {
    let chain = certificates(&own.chain)?;
    let key = PrivateKeyDer::from_pem_slice(&own.key)
        .map_err(|error| TlsError::Pem { what: "private key", error: error.to_string() })?;
    let certified =
        rustls::sign::CertifiedKey::from_der(chain, key, provider).map_err(|error| TlsError::Own(error.to_string()))?;
    config.client_auth_cert_resolver = Arc::new(trust::Own(Arc::new(certified)));
    Ok(config)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let missing = |error: String| TlsError::Pem { what: "certificate", error };
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|e| missing(e.to_string()))?;
    if found.is_empty() { Err(missing("it has none".into())) } else { Ok(found) }
}

fn roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(|error| TlsError::Authority(error.to_string()))?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    // Systems come with certificates that nobody can read; what counts is that some can be.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(TlsError::NoAuthorities) } else { Ok(roots) }
}
