//! Which calls are compared with which: by blocks, or before and after a moment; and the pilot, which is compared with none.

use crate::ruling::Case;
use squall_evidence::{CallMatcher, CallOutcome, CallStory, Life, Membership};
use squall_model::{Blocks, Calls, Phase, Reference};
use squall_stats::paired::Arm;

/// The pilot of blocks: the first without the fault gives the time, the first with it lets whoever is new to the fault get
/// used to it (pools open, the bad are found out).
const PILOT_BLOCKS: usize = 2;
/// The pilot before a moment: so many of the first calls.
const PILOT_CALLS: usize = 50;

/// What is kept of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    /// Index among all calls.
    pub(super) index: usize,
    pub(super) failed: bool,
    /// From its intended send to its end, nanoseconds.
    pub(super) took: u64,
    /// Something came or went before it was over: a verdict must not depend on it.
    pub(super) crossing: bool,
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
        self.blocks.iter().filter(|(arm, _)| *arm == Arm::Treated).flat_map(|(_, calls)| calls)
    }

    fn all(&self) -> impl Iterator<Item = &Call> {
        self.pilot.iter().chain(self.blocks.iter().flat_map(|(_, calls)| calls))
    }

    pub(super) fn any_crosses(&self) -> bool {
        self.all().any(|call| call.crossing)
    }

    pub(super) fn without_crossing(&self) -> Sides {
        let mut sides = self.clone();
        sides.pilot.retain(|call| !call.crossing);
        sides.blocks.iter_mut().for_each(|(_, calls)| calls.retain(|call| !call.crossing));
        sides
    }
}

/// The calls of a claim; `None` where there is nothing to compare with.
pub(super) fn sides(case: Case<'_>, calls: &Calls, reference: Reference) -> Option<Sides> {
    let meant = CallMatcher::new(case.plan, calls);
    let evidence = case.evidence;
    let stories = evidence.settled().iter().enumerate().filter(|(_, story)| meant.means(evidence, story));
    match reference.phases() {
        Some((treated, baseline)) => Some(around(case, stories, treated, baseline)),
        None => {
            let mut stages = case.plan.timeline.stages.iter().enumerate();
            let (stage, blocks) = stages.find_map(|(stage, it)| Some((stage, it.blocks?)))?;
            Some(in_blocks(case, stories, stage, blocks))
        }
    }
}

fn call(index: usize, story: &CallStory, crossing: bool) -> Call {
    Call { index, failed: story.outcome != CallOutcome::Succeeded, took: story.took(), crossing }
}

/// By blocks. Who is in flight when a fault comes or goes belongs to the block that it was sent in: to leave it out for being
/// slow would choose among the calls by what is compared.
fn in_blocks<'s>(
    case: Case<'_>,
    stories: impl Iterator<Item = (usize, &'s CallStory)>,
    stage: usize,
    blocks: Blocks,
) -> Sides {
    let mut all: Vec<(Arm, Vec<Call>)> =
        (0..blocks.count as usize).map(|block| (Arm::in_turn(block), Vec::new())).collect();
    for (index, story) in stories {
        let block = case.evidence.block_of(stage, blocks, Life::from(story));
        if let Some((_, calls)) = block.and_then(|block| all.get_mut(block as usize)) {
            calls.push(call(index, story, false));
        }
    }
    let rest = all.split_off(PILOT_BLOCKS.min(all.len()));
    let left_out = all.iter().map(|(_, calls)| calls.len() as u64).sum();
    let pilot = all.into_iter().filter(|(arm, _)| *arm == Arm::Baseline).flat_map(|(_, calls)| calls).collect();
    Sides { pilot, blocks: rest, left_out }
}

/// Before a moment and after it: two long blocks, of which the first gives up its first calls.
fn around<'s>(
    case: Case<'_>,
    stories: impl Iterator<Item = (usize, &'s CallStory)>,
    treated: Phase,
    baseline: Phase,
) -> Sides {
    let (mut after, mut before) = (Vec::new(), Vec::new());
    for (index, story) in stories {
        for (phase, into) in [(treated, &mut after), (baseline, &mut before)] {
            let membership = case.evidence.membership(phase, Life::from(story));
            if membership != Membership::Outside {
                into.push(call(index, story, membership == Membership::Crossing));
            }
        }
    }
    let rest = before.split_off(PILOT_CALLS.min(before.len()));
    let left_out = before.len() as u64;
    Sides { pilot: before, blocks: vec![(Arm::Baseline, rest), (Arm::Treated, after)], left_out }
}
