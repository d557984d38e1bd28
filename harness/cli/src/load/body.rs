//! What a call carries: bytes that were typed, read or made up.

use crate::outcome::Failure;
use std::{convert::Infallible, path::PathBuf, str::FromStr};

/// A longer body is hardly meant.
pub const MAX_BODY: u64 = 64 << 20;

/// Where the body of a call comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// It was typed.
    Text(String),
    /// A file, read once.
    File(PathBuf),
    /// So many bytes that mean nothing.
    Generated(u64),
}

impl FromStr for Body {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = text.strip_suffix("-bytes").and_then(|n| n.parse().ok());
        Ok(match (text.strip_prefix('@'), bytes) {
            (Some(file), _) => Body::File(file.into()),
            (None, Some(bytes)) => Body::Generated(bytes),
            (None, None) => Body::Text(text.into()),
        })
    }
}

impl Body {
    /// The file that it is in.
    pub fn file_mut(&mut self) -> Option<&mut PathBuf> {
        match self {
            Body::File(path) => Some(path),
            Body::Text(_) | Body::Generated(_) => None,
        }
    }

    /// # Errors
    /// Exit 2 where the file cannot be read, or there is too much of it.
    pub fn read(&self) -> Result<Vec<u8>, Failure> {
        let long = |bytes: u64| {
            Failure::usage(format!("a body of {bytes} bytes is more than the {MAX_BODY} that a call may have"))
        };
        match self {
            Body::Text(text) => Ok(text.clone().into_bytes()),
            Body::Generated(bytes) if *bytes > MAX_BODY => Err(long(*bytes)),
            Body::Generated(bytes) => Ok((b'a'..=b'z').cycle().take(*bytes as usize).collect()),
            Body::File(path) => {
                let failed =
                    |e: std::io::Error| Failure::usage(format!("failed to read the body from {}: {e}", path.display()));
                let length = std::fs::metadata(path).map_err(failed)?.len();
                if length > MAX_BODY {
                    return Err(long(length));
                }
                std::fs::read(path).map_err(failed)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies() {
        assert_eq!("hi".parse(), Ok(Body::Text("hi".into())));
        assert_eq!("@a/b".parse(), Ok(Body::File("a/b".into())));
        assert_eq!("30-bytes".parse(), Ok(Body::Generated(30)));
        assert_eq!("-bytes".parse(), Ok(Body::Text("-bytes".into())));
        assert_eq!(Body::Generated(28).read().unwrap(), b"abcdefghijklmnopqrstuvwxyzab");
        assert!(Body::File("/nonexistent".into()).read().is_err());
        assert!(Body::Generated(1 << 40).read().is_err());
    }
}
