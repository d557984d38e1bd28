//! What a poll's token stands for.

use crate::connection::ConnectionId;
use mio::Token;

/// Everything that the one poll of the process watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watched {
    /// The process is to end.
    Terminate,
    /// An alarm is due.
    Timer,
    /// The control socket.
    Control,
    /// A client of it.
    Client(u64),
    /// Where a wire accepts connections.
    Door(usize),
    /// The caller's end of a connection.
    Caller(ConnectionId),
    /// The callee's.
    Callee(ConnectionId),
}

const KINDS: usize = 8;

impl From<Watched> for Token {
    fn from(watched: Watched) -> Token {
        let (kind, number) = match watched {
            Watched::Terminate => (0, 0),
            Watched::Timer => (1, 0),
            Watched::Control => (2, 0),
            Watched::Client(n) => (3, n as usize),
            Watched::Door(n) => (4, n),
            Watched::Caller(ConnectionId(n)) => (5, n as usize),
            Watched::Callee(ConnectionId(n)) => (6, n as usize),
        };
        Token(number * KINDS + kind)
    }
}

impl From<Token> for Watched {
    fn from(Token(token): Token) -> Watched {
        let number = token / KINDS;
        match token % KINDS {
            0 => Watched::Terminate,
            1 => Watched::Timer,
            2 => Watched::Control,
            3 => Watched::Client(number as u64),
            4 => Watched::Door(number),
            5 => Watched::Caller(ConnectionId(number as u64)),
            _ => Watched::Callee(ConnectionId(number as u64)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_means_what_it_was_made_for() {
        let all = [
            Watched::Terminate,
            Watched::Timer,
            Watched::Control,
            Watched::Client(7),
            Watched::Door(0),
            Watched::Door(9),
            Watched::Caller(ConnectionId(12)),
            Watched::Callee(ConnectionId(12)),
        ];
        for watched in all {
            assert_eq!(Watched::from(Token::from(watched)), watched);
        }
    }
}
