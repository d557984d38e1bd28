//! Which calls are compared with which: by blocks, or before and after a moment; and the pilot, which is compared with none.

use crate::{
    doubt::{Doubt, Reading},
    ruling::Case,
    units::{Member, members},
};
use squall_evidence::{CallOutcome, Life};
use squall_model::{Blocks, Calls, Phase, Reference};
use squall_stats::paired::Arm;

/// The pilot of blocks: the first without the fault gives the time, the first with it lets whoever is new to the fault get
/// used to it (pools open, the bad are found out).
const PILOT_BLOCKS: usize = 2;
/// The pilot before a moment: so many calls, from all of the time before it.
const PILOT_CALLS: usize = 50;

/// What is kept of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    /// Index among all calls.
    pub(super) index: usize,
    /// What became of it…
    pub(super) fate: Fate,
    /// …and what would have, had the machine not held it up.
    unheld: Fate,
    doubt: Doubt,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) failed: bool,
    /// From its intended send to its end, nanoseconds.
    pub(super) took: u64,
}

impl Call {
    /// One that nothing speaks against.
    pub(super) fn clear(index: usize, fate: Fate) -> Call {
        Call { index, fate, unheld: fate, doubt: Doubt::default() }
    }

    fn new(case: Case<'_>, of: &Member<'_>) -> Call {
        let Member { index, story, crossing } = *of;
        let fate = |outcome, took| Fate { failed: outcome != CallOutcome::Succeeded, took };
        let call = Call::clear(index, fate(story.outcome, story.took()));
        match case.evidence.held_up(case.plan, story) {
            None => Call { doubt: Doubt { crossing, ..call.doubt }, ..call },
            Some(hold) => Call {
                unheld: fate(hold.outcome, hold.took),
                doubt: Doubt { crossing, held: 1, longest: hold.nanos },
                ..call
            },
        }
    }

    /// Itself by this reading, where it counts.
    fn by(self, reading: Reading) -> Option<Call> {
        let fate = if reading.is_unheld() { self.unheld } else { self.fate };
        (!(reading.is_inner() && self.doubt.crossing)).then_some(Call { fate, ..self })
    }
}

/// Calls in order of their intended send, by what they stand for.
#[derive(Debug, Clone, Default)]
pub(super) struct Sides {
    /// The first ones without the fault.
    pub(super) pilot: Vec<Call>,
    /// The blocks that are compared, two and two.
    pub(super) blocks: Vec<(Arm, Vec<Call>)>,
    /// Calls that are compared with none.
    pub(super) left_out: u64,
}

impl Sides {
    pub(super) fn is_empty(&self) -> bool {
        self.blocks.iter().all(|(_, calls)| calls.is_empty())
    }

    pub(super) fn treated(&self) -> impl Iterator<Item = &Call> {
        self.of(Arm::Treated)
    }

    /// What these are compared with.
    pub(super) fn others(&self) -> impl Iterator<Item = &Call> {
        self.of(Arm::Baseline)
    }

    fn of(&self, arm: Arm) -> impl Iterator<Item = &Call> {
        self.blocks.iter().filter(move |(of, _)| *of == arm).flat_map(|(_, calls)| calls)
    }

    fn all(&self) -> impl Iterator<Item = &Call> {
        self.pilot.iter().chain(self.blocks.iter().flat_map(|(_, calls)| calls))
    }

    pub(super) fn doubt(&self) -> Doubt {
        Doubt::of_all(self.all().map(|call| call.doubt))
    }

    pub(super) fn by(&self, reading: Reading) -> Sides {
        let of = |calls: &[Call]| calls.iter().filter_map(|call| call.by(reading)).collect();
        let blocks = self.blocks.iter().map(|(arm, calls)| (*arm, of(calls))).collect();
        Sides { pilot: of(&self.pilot), blocks, left_out: self.left_out }
    }
}

/// The calls of a claim; `None` where there is nothing to compare with.
pub(super) fn sides(case: Case<'_>, calls: &Calls, reference: Reference) -> Option<Sides> {
    match reference.phases() {
        Some((treated, baseline)) => Some(around(case, calls, treated, baseline)),
        None => {
            let mut stages = case.plan.timeline.stages.iter().enumerate();
            let (stage, blocks) = stages.find_map(|(stage, it)| Some((stage, it.blocks?)))?;
            Some(in_blocks(case, calls, stage, blocks))
        }
    }
}

/// By blocks. Who is in flight when a fault comes or goes belongs to the block that it was sent in: to leave it out for being
/// slow would choose among the calls by what is compared.
fn in_blocks(case: Case<'_>, calls: &Calls, stage: usize, blocks: Blocks) -> Sides {
    let mut all: Vec<(Arm, Vec<Call>)> =
        (0..blocks.count as usize).map(|block| (Arm::in_turn(block), Vec::new())).collect();
    for member in members(case, calls, Phase::Whole) {
        let block = case.evidence.block_of(stage, blocks, Life::from(member.story));
        if let Some((_, calls)) = block.and_then(|block| all.get_mut(block as usize)) {
            calls.push(Call::new(case, &member));
        }
    }
    let rest = all.split_off(PILOT_BLOCKS.min(all.len()));
    let left_out = all.iter().map(|(_, calls)| calls.len() as u64).sum();
    let pilot = all.into_iter().filter(|(arm, _)| *arm == Arm::Baseline).flat_map(|(_, calls)| calls).collect();
    Sides { pilot, blocks: rest, left_out }
}

/// Before a moment and after it: two long blocks, of which the first gives up its pilot. That is taken from all over it, by place: the
/// first calls alone are a tenth of a second of a busy machine, or a quiet one, and no measure of the seconds that follow.
fn around(case: Case<'_>, calls: &Calls, treated: Phase, baseline: Phase) -> Sides {
    let of = |phase| members(case, calls, phase).map(|member| Call::new(case, &member)).collect::<Vec<_>>();
    let (after, before) = (of(treated), of(baseline));
    let all = before.len().max(1);
    let is_pilot = |place: usize| place * PILOT_CALLS / all != (place + 1) * PILOT_CALLS / all;
    let (mut pilot, mut rest) = (Vec::new(), Vec::new());
    for (place, call) in before.into_iter().enumerate() {
        if is_pilot(place) { pilot.push(call) } else { rest.push(call) }
    }
    let left_out = pilot.len() as u64;
    Sides { pilot, blocks: vec![(Arm::Baseline, rest), (Arm::Treated, after)], left_out }
}
