//! Where calls go: what was typed, taken apart, then found.

use super::secure;
use crate::outcome::Failure;
use squall_traffic::{Endpoint, Tls};
use std::{
    io,
    net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs},
    os::unix::net::UnixStream,
    path::PathBuf,
    time::Duration,
};

/// A connection that is not there after this time is not to be had.
const KNOCK: Duration = Duration::from_secs(5);

/// A URL, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    place: Place,
    /// What `host` says.
    pub host: String,
    /// With its query.
    pub path: String,
    /// What is spoken there.
    pub speaks: Speaks,
}

/// What a scheme means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    Http,
    WebSocket,
    /// Bytes, and nothing that says what they are.
    Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Unix(PathBuf),
    Tcp { host: String, port: u16, secured: bool },
}

impl Target {
    /// Takes a URL apart; one without a scheme is one of HTTP.
    ///
    /// # Errors
    /// Exit 2 where it is none, or one of something that is not spoken here.
    pub fn parse(url: &str) -> Result<Target, Failure> {
        if let Some(rest) = url.strip_prefix("unix:") {
            let (socket, path) = match rest.rfind(":/") {
                Some(at) if at > 0 => (&rest[..at], &rest[at + 1..]),
                _ => (rest, "/"),
            };
            if socket.is_empty() {
                return Err(
                    Failure::usage("`unix:` names no socket").help("unix:/run/web.sock, or unix:/run/web.sock:/path")
                );
            }
            let place = Place::Unix(PathBuf::from(socket));
            return Ok(Target { place, host: "localhost".into(), path: checked(path)?, speaks: Speaks::Http });
        }
        let (rest, secured, speaks) = match url.split_once("://") {
            Some(("http", rest)) => (rest, false, Speaks::Http),
            Some(("https", rest)) => (rest, true, Speaks::Http),
            Some(("ws", rest)) => (rest, false, Speaks::WebSocket),
            Some(("wss", rest)) => (rest, true, Speaks::WebSocket),
            Some(("tcp", rest)) => return Target::of_bytes(url, rest),
            Some((scheme, _)) => {
                return Err(Failure::usage(format!("`{scheme}` is no scheme that load knows"))
                    .help("http://host:port/path, https://…, ws://…, wss://…, tcp://host:port, or unix:PATH"));
            }
            None => (url, false, Speaks::Http),
        };
        let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        let path = if path.starts_with('?') { format!("/{path}") } else { path.to_owned() };
        let path = if path.is_empty() { "/".to_owned() } else { path };
        let place = self::authority(authority, secured)
            .ok_or_else(|| Failure::usage(format!("`{url}` names no host that could be called")))?;
        Ok(Target { place, host: authority.to_owned(), path: checked(&path)?, speaks })
    }

    fn of_bytes(url: &str, authority: &str) -> Result<Target, Failure> {
        let place = authority.contains(':').then(|| self::authority(authority, false)).flatten();
        let place = place.ok_or_else(|| Failure::usage(format!("`{url}` is no address")).help("tcp://host:port"))?;
        Ok(Target { place, host: authority.to_owned(), path: "/".into(), speaks: Speaks::Bytes })
    }

    /// True where it means another place on each machine: a socket, or a machine by the name that it has for itself.
    pub fn is_here(&self) -> bool {
        match &self.place {
            Place::Unix(_) => true,
            Place::Tcp { host, .. } => {
                host.eq_ignore_ascii_case("localhost")
                    || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
            }
        }
    }

    /// The name that the server's certificate is to be for; `None` where connections are not secured.
    pub fn secured_as(&self) -> Option<&str> {
        match &self.place {
            Place::Tcp { host, secured: true, .. } => Some(host),
            _ => None,
        }
    }

    /// Looks the host up, connects once, and makes the handshake of TLS where there is one, so that nobody waits for a run that cannot be.
    /// That connection carries no call.
    ///
    /// # Errors
    /// Exit 3 where there is no such host, or nobody takes the connection.
    pub fn find(&self, within: Duration, tls: Option<&Tls>) -> Result<Endpoint, Failure> {
        let within = within.min(KNOCK);
        match &self.place {
            Place::Unix(path) => {
                let refused = |e: io::Error| Failure::environment(format!("nobody answers at {}: {e}", path.display()));
                UnixStream::connect(path).map_err(refused)?;
                Ok(Endpoint::Unix(path.clone()))
            }
            Place::Tcp { host, port, .. } => {
                let unknown = |e: String| Failure::environment(format!("failed to look up `{host}`: {e}"));
                let addresses = (host.as_str(), *port).to_socket_addrs().map_err(|e| unknown(e.to_string()))?;
                let mut last = unknown("it has no address".to_owned());
                for address in addresses {
                    match TcpStream::connect_timeout(&address, within) {
                        Ok(stream) => return self::secured(&stream, address, within, tls),
                        Err(e) => last = Failure::environment(format!("nobody answers at {address}: {e}")),
                    }
                }
                Err(last)
            }
        }
    }
}

fn secured(stream: &TcpStream, address: SocketAddr, within: Duration, tls: Option<&Tls>) -> Result<Endpoint, Failure> {
    if let Some(tls) = tls {
        tls.try_handshake(stream, within).map_err(|error| secure::failed(&address.to_string(), &error))?;
    }
    Ok(Endpoint::Tcp(address))
}

/// True where calls do not leave this machine.
pub fn is_local(endpoint: &Endpoint) -> bool {
    match endpoint {
        Endpoint::Unix(_) => true,
        Endpoint::Tcp(address) => address.ip().to_canonical().is_loopback(),
    }
}

/// An address or a path, for people.
pub fn shown(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Unix(path) => path.display().to_string(),
        Endpoint::Tcp(address) => SocketAddr::to_string(address),
    }
}

/// Host and port, that of the scheme unless given.
fn authority(text: &str, secured: bool) -> Option<Place> {
    if text.contains('@') {
        return None;
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Some(if secured { 443 } else { 80 }), |port| port.parse().ok().filter(|port| *port > 0))?;
    (!host.is_empty()).then(|| Place::Tcp { host: host.to_owned(), port, secured })
}

/// A path, with the places that it may have.
fn checked(path: &str) -> Result<String, Failure> {
    if path.contains('#') {
        return Err(Failure::usage(format!("`{path}`: what stands behind # is never sent")));
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let tcp = |host: &str, port| Place::Tcp { host: host.into(), port, secured: false };
        let tls = |host: &str, port| Place::Tcp { host: host.into(), port, secured: true };
        for (url, place, host, path) in [
            ("http://a", tcp("a", 80), "a", "/"),
            ("http://a:8080/b?c=d", tcp("a", 8080), "a:8080", "/b?c=d"),
            ("a:8080?c", tcp("a", 8080), "a:8080", "/?c"),
            ("https://a/b", tls("a", 443), "a", "/b"),
            ("https://a:8443", tls("a", 8443), "a:8443", "/"),
            ("tcp://a:7", tcp("a", 7), "a:7", "/"),
            ("ws://a/b", tcp("a", 80), "a", "/b"),
            ("wss://a?c", tls("a", 443), "a", "/?c"),
            ("http://[::1]:5/x", tcp("::1", 5), "[::1]:5", "/x"),
            ("unix:/run/a.sock", Place::Unix("/run/a.sock".into()), "localhost", "/"),
            ("unix:/run/a.sock:/b?c", Place::Unix("/run/a.sock".into()), "localhost", "/b?c"),
        ] {
            let speaks = match &url[..2] {
                "tc" => Speaks::Bytes,
                "ws" => Speaks::WebSocket,
                _ => Speaks::Http,
            };
            let expected = Target { place, host: host.into(), path: path.into(), speaks };
            assert_eq!(Target::parse(url).unwrap(), expected, "{url}");
        }
        for bad in [
            "ftp://a",
            "http://",
            "http://:80",
            "http://a:0",
            "http://a:x",
            "http://u@a",
            "unix:",
            "tcp://a",
            "ws://",
            "tcp://a:7/b",
            "a/#b",
        ] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
    }
}
