//! Addresses without any set-up: all of 127.0.0.0/8 is loopback, so every proxy has an address of its own, and all of them can
//! have the same port, as pods have.

use crate::INBOUND as PORT;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
};

/// Part of 127.0.0.0/8 that no other run on this machine uses.
#[derive(Debug, Clone)]
pub struct Network {
    second: u8,
    /// Held as long as any of the run's proxies may live: whoever else wants this part finds it taken. Envoys share ports among each
    /// other without a word.
    _taken: Arc<TcpListener>,
}

impl Network {
    /// The first part that is free.
    ///
    /// # Errors
    /// Where none is.
    pub fn take() -> io::Result<Network> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        // 127.0 and 127.1 are other people's.
        for second in 2..=254 {
            match TcpListener::bind((Ipv4Addr::new(127, second, 255, 254), PORT)) {
                Ok(taken) => return Ok(Network { second, _taken: Arc::new(taken) }),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Where a proxy accepts tries, by the number of its node: `p17` is the seventeenth.
    #[must_use]
    pub fn proxy(&self, node: &str) -> SocketAddr {
        let digits = node.trim_start_matches(|c: char| !c.is_ascii_digit());
        let number: u32 = digits.parse().unwrap_or(0);
        // The last number of an address is 1 to 250, the third 0 to 254.
        let (third, fourth) = ((number / 250) % 255, number % 250 + 1);
        SocketAddr::from(([127, self.second, third as u8, fourth as u8], PORT))
    }

    /// Where istiod serves, on this port.
    #[must_use]
    pub fn istiod(&self, port: u16) -> SocketAddr {
        SocketAddr::from(([127, self.second, 255, 253], port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_have_different_parts_and_two_proxies_different_addresses() {
        let (one, two) = (Network::take().unwrap(), Network::take().unwrap());
        assert_ne!(one.proxy("p1").ip(), two.proxy("p1").ip());
        let all: std::collections::BTreeSet<_> = (0..2_000).map(|n| one.proxy(&format!("p{n}"))).collect();
        assert_eq!(all.len(), 2_000);
        assert!(!all.contains(&one.istiod(PORT)));
    }
}
