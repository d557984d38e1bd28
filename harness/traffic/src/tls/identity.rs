//! SPIFFE identities (SPIFFE-ID and X509-SVID standards).

use std::{fmt, str::FromStr};
use thiserror::Error;

/// The longest that one may be, in bytes (SPIFFE-ID section 2.3).
const MOST: usize = 2_048;

/// Who a workload is: `spiffe://trust-domain/path`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SpiffeId(String);

/// Why a text is no SPIFFE identity.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SpiffeError {
    /// Another scheme, or none.
    #[error("`{0}` is no SPIFFE identity: write spiffe://trust-domain/workload")]
    Scheme(String),
    /// No trust domain, or characters that none has.
    #[error("`{0}` is no trust domain: it has a-z, 0-9, dots, dashes and underscores")]
    TrustDomain(String),
    /// An empty segment, or characters that none has.
    #[error(
        "`{0}` is no path of a SPIFFE identity: its segments have letters, digits, dots, dashes and underscores, and are not empty"
    )]
    Path(String),
    /// Too long.
    #[error("a SPIFFE identity has at most {MOST} bytes")]
    Long,
}

impl SpiffeId {
    /// As it stands in a certificate.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SpiffeId {
    type Err = SpiffeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("spiffe://").ok_or_else(|| SpiffeError::Scheme(text.into()))?;
        if text.len() > MOST {
            return Err(SpiffeError::Long);
        }
        let (domain, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let of_domain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
        if domain.is_empty() || !domain.bytes().all(of_domain) {
            return Err(SpiffeError::TrustDomain(domain.into()));
        }
        let of_path = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        let is_segment = |s: &str| !s.is_empty() && s != "." && s != ".." && s.bytes().all(of_path);
        if !path.is_empty() && !path[1..].split('/').all(is_segment) {
            return Err(SpiffeError::Path(path.into()));
        }
        Ok(SpiffeId(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_taken_as_the_standard_has_them() {
        for good in ["spiffe://prod", "spiffe://prod.example/ns/shop/sa/web", "spiffe://a_b-1/A.b"] {
            assert_eq!(good.parse::<SpiffeId>().unwrap().as_str(), good);
        }
        for bad in [
            "https://prod/web",
            "spiffe://",
            "spiffe:///web",
            "spiffe://Prod/web",
            "spiffe://prod:8080/web",
            "spiffe://u@prod/web",
            "spiffe://prod/",
            "spiffe://prod//web",
            "spiffe://prod/web/",
            "spiffe://prod/../web",
            "spiffe://prod/web?a",
            "spiffe://prod/w%65b",
        ] {
            assert!(bad.parse::<SpiffeId>().is_err(), "{bad}");
        }
        assert_eq!(format!("spiffe://a/{}", "b".repeat(2_048)).parse::<SpiffeId>(), Err(SpiffeError::Long));
    }
}
