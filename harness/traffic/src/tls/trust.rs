//! Verifiers beyond the usual one, and the caller's own certificate.

use super::SpiffeId;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
    client::{
        ResolvesClientCert,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor,
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
    sign::CertifiedKey,
};
use std::{fmt, sync::Arc};

/// Takes any certificate. The handshake is still one of whoever has its key, so what is measured is a whole one.
pub(super) fn anybody(provider: &Arc<CryptoProvider>) -> Arc<dyn ServerCertVerifier> {
    Arc::new(Verifier { provider: Arc::clone(provider), asked: None })
}

/// Takes certificates of these authorities that have this identity, as the one identity that they have (X509-SVID section 2).
pub(super) fn spiffe(
    provider: &Arc<CryptoProvider>,
    roots: RootCertStore,
    id: SpiffeId,
) -> Arc<dyn ServerCertVerifier> {
    Arc::new(Verifier { provider: Arc::clone(provider), asked: Some((roots, id)) })
}

#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    /// What is asked of a certificate; `None`: nothing.
    asked: Option<(RootCertStore, SpiffeId)>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some((roots, id)) = &self.asked {
            let parsed = ParsedCertificate::try_from(certificate)?;
            let known = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&parsed, roots, between, now, known)?;
            check_identity(certificate, id)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn check_identity(certificate: &CertificateDer<'_>, id: &SpiffeId) -> Result<(), Error> {
    let parsed = webpki::EndEntityCert::try_from(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let names: Vec<&str> = parsed.valid_uri_names().collect();
    if names == [id.as_str()] {
        return Ok(());
    }
    let other = OtherIdentity { expected: id.clone(), presented: names.into_iter().map(str::to_owned).collect() };
    Err(CertificateError::Other(OtherError(Arc::new(other))).into())
}

/// The server is somebody else.
#[derive(Debug)]
pub(super) struct OtherIdentity {
    expected: SpiffeId,
    presented: Vec<String>,
}

impl fmt::Display for OtherIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OtherIdentity { expected, presented } = self;
        match &presented[..] {
            [] => write!(f, "expected {expected}, and the certificate has no identity"),
            others => write!(f, "expected {expected}, and the certificate is that of {}", others.join(" and ")),
        }
    }
}

impl std::error::Error for OtherIdentity {}

/// The one certificate that the caller has, whoever asks for it.
#[derive(Debug)]
pub(super) struct Own(pub(super) Arc<CertifiedKey>);

impl ResolvesClientCert for Own {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
