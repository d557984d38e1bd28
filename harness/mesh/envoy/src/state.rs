//! What was asked of each proxy, and what it was seen to have. No I/O.

use crate::{
    admin::{Admin, AdminError},
    bootstrap::Bootstrap,
    channel::Layer,
    encode,
    xds::{Generation, Resources},
};
use squall_mesh::Seat;
use squall_model::{FaultId, Plan};
use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    rc::Rc,
};

#[derive(Debug, Default)]
pub(crate) struct State {
    proxies: BTreeMap<String, Known>,
    armed: BTreeMap<String, Rc<Armed>>,
    generation: u64,
    /// The control plane is dead: what is asked for now is told when it is back.
    pub(crate) stopped: bool,
}

/// One proxy, by its node id.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) admin: Admin,
    /// What it was sent last.
    pub(crate) sent: Option<(Generation, Resources)>,
    /// What it confirmed last.
    pub(crate) good: Resources,
    /// Its layer, without the epoch; `None` while that is being changed, and after a change that was not seen to succeed.
    pub(crate) layer: Option<Layer>,
    /// Counts its layers: its own, so that two that follow each other never have the same name.
    pub(crate) epoch: u64,
}

/// What is in place in one run of a scenario.
#[derive(Debug)]
pub(crate) struct Armed {
    pub(crate) plan: Plan,
    pub(crate) faults: BTreeSet<FaultId>,
}

impl State {
    /// What is known of a seat's proxy; one that is met for the first time has nothing.
    pub(crate) fn proxy(&mut self, seat: &Seat) -> Result<&mut Known, AdminError> {
        match self.proxies.entry(seat.node.clone()) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => {
                let admin = Admin::new(&Bootstrap::admin(&seat.folder))?;
                Ok(place.insert(Known {
                    admin,
                    sent: None,
                    good: encode::blank(seat),
                    layer: Some(Layer::new()),
                    epoch: 0,
                }))
            }
        }
    }

    pub(crate) fn forget(&mut self, node: &str) {
        self.proxies.remove(node);
    }

    pub(crate) fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }

    /// The faults that are in place in the run of this tag, if any.
    pub(crate) fn armed(&self, tag: &str) -> Option<Rc<Armed>> {
        self.armed.get(tag).map(Rc::clone)
    }

    /// Remembers what is in place in a run, for proxies that come later.
    pub(crate) fn arm(&mut self, tag: &str, plan: &Plan, faults: &BTreeSet<FaultId>) {
        if faults.is_empty() {
            self.armed.remove(tag);
        } else {
            let armed = Armed { plan: plan.clone(), faults: faults.clone() };
            self.armed.insert(tag.to_owned(), Rc::new(armed));
        }
    }
}
