//! What stands still in pods, and what of it did not until it was told to go on.

use super::{Frozen, Lapse};
use squall_mesh::{Bindings, MeshEvent};
use squall_mesh_proxy::now;
use squall_model::{InstanceId, Part, Stamp, duration};

/// The pauses that nobody has ended yet.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    all: Vec<Pause>,
    /// Those that ended by themselves, as long as nobody was told of it.
    over: Vec<MeshEvent>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Pause {
    pub(super) of: Paused,
    pub(super) frozen: Box<dyn Frozen>,
    /// That it ended by itself was told: once is enough.
    pub(super) told: bool,
}

/// What was paused.
#[derive(Debug)]
pub(super) struct Paused {
    node: String,
    part: Part,
    begun: Stamp,
}

impl Pauses {
    pub(super) fn begin(&mut self, node: &str, part: Part, frozen: Box<dyn Frozen>) {
        self.all.push(Pause { of: Paused { node: node.to_owned(), part, begun: now() }, frozen, told: false });
    }

    /// Takes those of this part of these instances, for whoever ends them.
    pub(super) fn take(&mut self, part: Part, at: &Bindings) -> Vec<(InstanceId, Pause)> {
        let whose = |node: &String| at.seats.iter().find(|(_, seat)| seat.node == *node).map(|(id, _)| id.clone());
        let mut taken = Vec::new();
        for pause in std::mem::take(&mut self.all) {
            match whose(&pause.of.node).filter(|_| part == Part::Instance || part == pause.of.part) {
                Some(instance) => taken.push((instance, pause)),
                None => self.all.push(pause),
            }
        }
        taken
    }

    /// One that was taken had not lasted until then.
    pub(super) fn did_not_last(&mut self, pause: &Paused, lapse: Lapse) {
        self.over.push(pause.woke(lapse));
    }

    /// Those that ended by themselves since this was asked last. They are kept: of several processes some may stand still all the same.
    pub(super) fn events(&mut self) -> Vec<MeshEvent> {
        for pause in self.all.iter_mut().filter(|pause| !pause.told) {
            if let Some(lapse) = pause.frozen.lapse() {
                pause.told = true;
                self.over.push(pause.of.woke(lapse));
            }
        }
        std::mem::take(&mut self.over)
    }

    pub(super) fn forget(&mut self, node: &str) {
        self.all.retain(|pause| pause.of.node != node);
        self.over.retain(|event| !matches!(event, MeshEvent::Woke { node: of, .. } if of == node));
    }
}

impl Paused {
    fn woke(&self, Lapse { at, why }: Lapse) -> MeshEvent {
        let why = format!("over after {}: {why}", duration(at.since(self.begun)));
        MeshEvent::Woke { node: self.node.clone(), part: self.part, at, why }
    }
}
