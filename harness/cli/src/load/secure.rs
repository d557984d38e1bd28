//! How connections are secured: what was typed, as the load engine takes it, and in words.

use super::{args::LoadArgs, target::Target};
use crate::outcome::Failure;
use squall_model::{Protocol, TlsFault};
use squall_traffic::{OwnCertificate, Peer, Tls, TlsError, Trust, Unsecured};
use std::path::Path;

/// TLS as it was asked for; `None` where the target has none.
///
/// # Errors
/// Exit 2 where it is asked for and the target has none, or a certificate cannot be used.
pub fn tls(args: &LoadArgs, target: &Target, protocol: Protocol) -> Result<Option<Tls>, Failure> {
    let given = [
        ("--cacert", args.cacert.is_some()),
        ("--cert", args.cert.is_some()),
        ("--key", args.key.is_some()),
        ("--insecure", args.insecure),
        ("--server-identity", args.server_identity.is_some()),
    ];
    let Some(name) = target.secured_as() else {
        let of_tls = given.into_iter().find(|(_, given)| *given);
        return of_tls.map_or(Ok(None), |(option, _)| {
            Err(Failure::usage(format!("{option} is of TLS, and `{}` has none", args.url))
                .help("https://…, or wss://…"))
        });
    };
    let trust = match (&args.cacert, args.insecure) {
        (Some(file), _) => Trust::Authorities(read(file)?),
        (None, true) => Trust::Anybody,
        (None, false) => Trust::System,
    };
    let peer = match &args.server_identity {
        Some(id) => Peer::Spiffe(id.clone(), name.to_owned()),
        None => Peer::Host(name.to_owned()),
    };
    let own = args.cert.as_ref().map(|chain| own(chain, args.key.as_deref())).transpose()?;
    Tls::new(protocol, &peer, &trust, own.as_ref()).map(Some).map_err(|error| unusable(args, &error))
}

/// In words.
pub fn words(args: &LoadArgs) -> String {
    let server = match (&args.server_identity, args.insecure) {
        (Some(id), _) => format!("the server is {id}"),
        (None, true) => "the server's certificate is not checked".to_owned(),
        (None, false) => "the server's certificate is for its name".to_owned(),
    };
    let own = if args.cert.is_some() { ", and the caller has one of its own" } else { "" };
    format!("TLS: {server}{own}")
}

/// What to say where there is no handshake.
pub fn failed(address: &str, error: &Unsecured) -> Failure {
    let failure = Failure::environment(format!("failed to secure a connection to {address}: {error}"));
    let Unsecured::Tls { fault, .. } = error else { return failure };
    match fault {
        TlsFault::Untrusted => failure.help("--cacert FILE, with the certificate of the authority that issued it"),
        TlsFault::WrongIdentity => {
            failure.help("call it by a name that its certificate has, or --server-identity spiffe://…")
        }
        TlsFault::TurnedAway => failure.help("--cert FILE --key FILE, if it asks its callers for a certificate"),
        TlsFault::NoProtocol => failure.help("without --http2 it is HTTP/1.1 that is spoken"),
        TlsFault::NotTls => failure.help("http://…, if that is what it speaks"),
        TlsFault::Expired | TlsFault::BrokenOff | TlsFault::Other => failure,
    }
}

fn own(chain: &Path, key: Option<&Path>) -> Result<OwnCertificate, Failure> {
    let chain = read(chain)?;
    // A file may well have both.
    let key = key.map_or_else(|| Ok(chain.clone()), read)?;
    Ok(OwnCertificate { chain, key })
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|e| Failure::usage(format!("failed to read {}: {e}", file.display())))
}

/// An error of a file's contents names the option that it came by.
fn unusable(args: &LoadArgs, error: &TlsError) -> Failure {
    let shown = |file: &Option<std::path::PathBuf>| file.as_ref().map(|f| f.display().to_string()).unwrap_or_default();
    match error {
        TlsError::Pem { what: "private key", .. } => {
            let file = if args.key.is_some() { &args.key } else { &args.cert };
            Failure::usage(format!("{}: {error}", shown(file))).help("--key FILE, with the key of --cert in PEM")
        }
        TlsError::Pem { .. } | TlsError::Authority(_) | TlsError::Own(_) => {
            let files = [shown(&args.cacert), shown(&args.cert)].into_iter().filter(|f| !f.is_empty());
            Failure::usage(format!("{}: {error}", files.collect::<Vec<_>>().join(", ")))
        }
        TlsError::NoAuthorities => Failure::usage(error.to_string()).help("--cacert FILE, or --insecure"),
        TlsError::Name(_) => Failure::usage(error.to_string()),
    }
}
