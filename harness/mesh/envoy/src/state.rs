//! What was asked of each proxy, and what it was seen to have. No I/O.

use crate::{
    encode,
    xds::{Generation, Resources},
};
use squall_mesh::Seat;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(crate) struct State {
    proxies: BTreeMap<String, Known>,
    generation: u64,
    /// The control plane is dead: what is asked for now is told when it is back.
    pub(crate) stopped: bool,
}

/// One proxy, by its node id.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// What it was sent last.
    pub(crate) sent: Option<(Generation, Resources)>,
    /// What it confirmed last.
    pub(crate) good: Resources,
}

impl State {
    /// What is known of a seat's proxy; one that is met for the first time has nothing.
    pub(crate) fn proxy(&mut self, seat: &Seat) -> &mut Known {
        let new = || Known { sent: None, good: encode::blank(seat) };
        self.proxies.entry(seat.node.clone()).or_insert_with(new)
    }

    pub(crate) fn forget(&mut self, node: &str) {
        self.proxies.remove(node);
    }

    pub(crate) fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }
}
