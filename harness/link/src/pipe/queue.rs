//! What a pipe keeps: pieces as they were read, in order, each with its moment and its draw.

use crate::draw::Draw;
use squall_model::Stamp;
use std::collections::VecDeque;

/// The most that is kept, in bytes: a slow wire carries so much a delay on each connection, which is more than the receive
/// window of most real ones.
pub(super) const ROOM: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Queue {
    pieces: VecDeque<Piece>,
    bytes: usize,
    base: Draw,
    drawn: u64,
}

#[derive(Debug)]
struct Piece {
    arrived: Stamp,
    draw: Draw,
    bytes: Box<[u8]>,
    passed: usize,
}

impl Queue {
    pub(super) fn new(base: Draw) -> Queue {
        Queue { pieces: VecDeque::new(), bytes: 0, base, drawn: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// How much more may be kept.
    pub(super) fn room(&self) -> usize {
        ROOM.saturating_sub(self.bytes)
    }

    /// The draw of what comes next.
    pub(super) fn draw(&mut self) -> Draw {
        self.drawn += 1;
        self.base.nth(self.drawn)
    }

    /// Keeps a piece; nothing is none.
    pub(super) fn push(&mut self, bytes: &[u8], arrived: Stamp) {
        if !bytes.is_empty() {
            let draw = self.draw();
            self.bytes += bytes.len();
            self.pieces.push_back(Piece { arrived, draw, bytes: bytes.into(), passed: 0 });
        }
    }

    /// What is left of the first piece, and its moment and draw.
    pub(super) fn front(&self) -> Option<(&[u8], Stamp, Draw)> {
        let piece = self.pieces.front()?;
        Some((&piece.bytes[piece.passed..], piece.arrived, piece.draw))
    }

    /// So much of the first piece is passed on.
    pub(super) fn pop(&mut self, passed: usize) {
        let Some(piece) = self.pieces.front_mut() else { return };
        piece.passed += passed;
        self.bytes -= passed;
        if piece.passed == piece.bytes.len() {
            self.pieces.pop_front();
        }
    }

    pub(super) fn clear(&mut self) {
        // With its memory: it may have been much, and the connection may live long.
        self.pieces = VecDeque::new();
        self.bytes = 0;
    }
}
