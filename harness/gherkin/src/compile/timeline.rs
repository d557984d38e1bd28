//! When lines as stages: what stands before the traffic, what happens while it runs, what ends what.
//!
//! Traffic lines run in order; one, with the `meanwhile` lines after it, is a stage. A fault or change belongs to the next
//! stage. A later fault on the same subject and aspect replaces the earlier, or ends it where it began before.

use super::line::{Line, Restored, Says, Statement};
use super::sink::Sink;
use super::subject::{restores, same_fault};
use crate::source::Mistake;
use squall_model::{
    Act, Answers, Blocks, Cue, Fault, FaultId, FaultKind, PolicyId, Stage, Timeline, TrafficLine, When, duration,
};
use std::time::Duration;

/// A fault on its way into the timeline.
#[derive(Debug, Clone)]
struct Item {
    line: usize,
    own: bool,
    /// The stage that it belongs to.
    stage: usize,
    does: FaultKind,
    when: When,
    /// An end that its own line does not say: in which stage, and when there; without a time before its traffic.
    ends: Option<(usize, Option<Duration>)>,
}

/// What the When lines come to.
#[derive(Debug, Default)]
pub(crate) struct Story {
    pub(crate) faults: Vec<Fault>,
    /// The line of each fault, by its number.
    pub(crate) fault_lines: Vec<usize>,
    pub(crate) timeline: Timeline,
    /// The line of each traffic line, by its number.
    pub(crate) traffic_lines: Vec<usize>,
}

/// A change: a policy under When, with its number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    pub(crate) policy: PolicyId,
    pub(crate) line: usize,
    pub(crate) when: When,
}

/// Builds the stages.
pub(crate) fn story(
    statements: &[Statement],
    changes: &[Change],
    lines: &[Line<'_>],
    in_blocks: bool,
    sink: &mut Sink<'_>,
) -> Story {
    let (items, stages) = (Vec::new(), Vec::new());
    let mut builder = Builder { items, stages, traffic_lines: Vec::new(), in_blocks, lines, sink };
    let mut placed: Vec<(usize, Change)> = Vec::new();
    for statement in statements.iter().filter(|s| s.under_when && !s.control) {
        let stage = builder.stages.len();
        match &statement.says {
            Says::Fault(does) => builder.fault(statement, stage, does.clone()),
            Says::Restore(what) => builder.restore(statement, stage, what),
            Says::Traffic(line) => builder.traffic(statement, Some(line.clone())),
            Says::Nothing if builder.is_traffic(statement) => builder.traffic(statement, None),
            _ => placed.extend(changes.iter().filter(|c| c.line == statement.line).map(|c| (stage, *c))),
        }
    }
    builder.finish(&placed)
}

struct Builder<'a, 'l, 's> {
    items: Vec<Item>,
    stages: Vec<Vec<TrafficLine>>,
    traffic_lines: Vec<usize>,
    /// Faults that stand in the last stage are switched on and off while it runs.
    in_blocks: bool,
    lines: &'a [Line<'l>],
    sink: &'a mut Sink<'s>,
}

impl Builder<'_, '_, '_> {
    fn is_traffic(&self, statement: &Statement) -> bool {
        self.lines.get(statement.line).is_some_and(|l| l.is.sentence.kind == crate::sentences::Kind::Traffic)
    }

    fn tell(&mut self, line: usize, mistake: impl FnOnce(&Line<'_>) -> Mistake) {
        if let Some(line) = self.lines.get(line) {
            self.sink.tell(line.step, mistake(line));
        }
    }

    fn traffic(&mut self, statement: &Statement, line: Option<TrafficLine>) {
        if statement.meanwhile && self.stages.is_empty() {
            self.tell(statement.line, |line| {
                Mistake::error("meanwhile", line.whole(), "meanwhile of what?")
                    .label("no traffic line before this one")
                    .hint("leave out `meanwhile`, or put the other line first")
            });
        }
        if !statement.meanwhile || self.stages.is_empty() {
            self.stages.push(Vec::new());
        }
        let number = u16::try_from(self.traffic_lines.len()).unwrap_or(u16::MAX);
        if let (Some(line), Some(stage)) = (line, self.stages.last_mut()) {
            stage.push(TrafficLine { number, ..line });
            self.traffic_lines.push(statement.line);
        }
    }

    fn fault(&mut self, statement: &Statement, stage: usize, does: FaultKind) {
        let new = Item { line: statement.line, own: statement.own, stage, does, when: statement.when, ends: None };
        let mut replaced = None;
        for at in 0..self.items.len() {
            if same_fault(&self.items[at].does, &new.does) {
                replaced = self.meet(at, &new).or(replaced);
            }
        }
        if let Some(at) = replaced {
            self.items.remove(at);
        }
        self.items.push(new);
    }

    /// An earlier fault on the same subject and aspect: gives its number where the new one replaces it.
    fn meet(&mut self, at: usize, new: &Item) -> Option<usize> {
        let old = self.items[at].clone();
        // What is over in a moment has no end that another could be.
        let is_over = old.does.is_event() || matches!(old.does, FaultKind::Restarted { .. });
        if old.own != new.own {
            return Some(at);
        }
        if old.stage == new.stage && old.when == new.when {
            self.tell(new.line, |line| {
                Mistake::warning("replaced", line.whole(), "a line above says something else of the same")
                    .label("replaces that line")
                    .hint("take one of them out")
            });
            return Some(at);
        }
        if is_over
            || old.ends.is_some()
            || old.when.end().is_some_and(|end| old.stage < new.stage || new.when.start() >= Some(end))
        {
            return None;
        }
        match (old.stage == new.stage, old.when, new.when.start()) {
            (false, _, start) => self.items[at].ends = Some((new.stage, start)),
            (true, When::At(from) | When::Span { from, to: None }, Some(start)) if from < start => {
                self.items[at].when = When::Span { from, to: Some(start) };
            }
            _ => self.tell(new.line, |line| {
                Mistake::error("overlap", line.whole(), "this fault overlaps one of the same subject above")
                    .label("which of the two is in place?")
                    .hint("give both times that do not overlap: `from 1 s to 2 s`")
            }),
        }
        None
    }

    fn restore(&mut self, statement: &Statement, stage: usize, what: &Restored) {
        let open = |item: &Item| item.ends.is_none() && item.when.end().is_none() && restores(what, &item.does);
        let at = statement.when.start();
        let mut found = false;
        for number in 0..self.items.len() {
            if !open(&self.items[number]) {
                continue;
            }
            found = true;
            let item = &mut self.items[number];
            match (item.stage == stage, item.when.start(), at) {
                (false, _, at) => item.ends = Some((stage, at)),
                (true, None, Some(at)) => item.ends = Some((stage, Some(at))),
                (true, Some(from), Some(at)) if from < at => item.when = When::Span { from, to: Some(at) },
                (true, _, _) => self.tell(statement.line, |line| {
                    Mistake::error("backwards", line.whole(), "this undoes a fault before any traffic meets it")
                        .label("ends before it begins")
                        .hint("give it a later time: `… at 3 s`")
                }),
            }
        }
        if let (false, Restored::Answers(of)) = (found, what) {
            // Some of those that answer otherwise answer as before again.
            let wider =
                |item: &Item| matches!(&item.does, FaultKind::Answers { of: all, .. } if all.service == of.service);
            if self.items.iter().any(wider) {
                self.fault(statement, stage, FaultKind::Answers { of: of.clone(), how: Answers::AsBefore });
                return;
            }
        }
        if !found {
            let over = self.items.iter().rev().find(|item| restores(what, &item.does)).and_then(|item| item.when.end());
            self.tell(statement.line, |line| nothing_to_end(line, over));
        }
    }

    fn finish(mut self, changes: &[(usize, Change)]) -> Story {
        self.check_places(changes);
        let count = self.stages.len();
        let mut stages: Vec<Stage> =
            std::mem::take(&mut self.stages).into_iter().map(|lines| Stage { lines, ..Stage::default() }).collect();
        let last = count.saturating_sub(1);
        if self.in_blocks && self.items.iter().any(|item| item.stands_in(last)) {
            stages.iter_mut().skip(last).for_each(|stage| stage.blocks = blocks(stage));
        }
        let mut story = Story { traffic_lines: std::mem::take(&mut self.traffic_lines), ..Story::default() };
        for item in self.items.iter().filter(|item| item.stage < count) {
            let id = FaultId(u32::try_from(story.faults.len()).unwrap_or(u32::MAX));
            item.place(id, &mut stages);
            story.faults.push(Fault { id, does: item.does.clone(), when: item.when });
            story.fault_lines.push(item.line);
        }
        for (stage, change) in changes {
            put(&mut stages, *stage, change.when.start(), Act::Change(change.policy));
            if let Some(end) = change.when.end() {
                put(&mut stages, *stage, Some(end), Act::Revert(change.policy));
            }
        }
        for stage in &mut stages {
            // What ends at a moment ends before what begins at it.
            let begins = |act: Act| matches!(act, Act::Arm(_) | Act::Change(_));
            stage.standing.sort_by_key(|act| begins(*act));
            stage.cues.sort_by_key(|cue| (cue.at, begins(cue.act)));
        }
        story.timeline = Timeline { stages };
        story
    }

    /// Timed lines need a stage to be in, and one that is long enough.
    fn check_places(&mut self, changes: &[(usize, Change)]) {
        let ends: Vec<(usize, usize, When)> = self
            .items
            .iter()
            .map(|item| (item.line, item.stage, item.when))
            .chain(changes.iter().map(|(stage, change)| (change.line, *stage, change.when)))
            .chain(self.items.iter().filter_map(|item| {
                let (stage, at) = item.ends?;
                Some((item.line, stage, at.map_or(When::Standing, When::At)))
            }))
            .collect();
        for (line, stage, when) in ends {
            let Some(traffic) = self.stages.get(stage) else {
                self.tell(line, |line| {
                    Mistake::error("after-traffic", line.whole(), "no traffic follows this line")
                        .label("nobody would meet it")
                        .hint("put it above the traffic line that it belongs to")
                });
                continue;
            };
            let lengths: Vec<Option<Duration>> = traffic.iter().map(|line| line.shape.length()).collect();
            let serial = lengths.contains(&None) || lengths.is_empty();
            let length = lengths.into_iter().flatten().max();
            self.check_length(line, when, length, serial);
        }
    }

    fn check_length(&mut self, line: usize, when: When, length: Option<Duration>, serial: bool) {
        let Some(start) = when.start() else { return };
        match length {
            Some(length) if start >= length => self.tell(line, |line| {
                let lasts = duration(length);
                Mistake::error("after-traffic", line.clause("when"), format!("the traffic is over after {lasts}"))
                    .label("nobody would meet it")
                    .hint(format!("let the traffic last longer than {}", duration(start)))
            }),
            Some(length) if when.end().is_some_and(|end| end > length) => self.tell(line, |line| {
                let lasts = duration(length);
                Mistake::warning("after-traffic", line.clause("when"), format!("the traffic is over after {lasts}"))
                    .label("the end comes when nobody calls any more")
            }),
            None if serial && start > Duration::ZERO => self.tell(line, |line| {
                Mistake::warning("no-clock", line.clause("when"), "calls one after another have no length of their own")
                    .label("they may all be over by then")
                    .hint("say a rate and a time: `makes 100 calls per second to … for 5 seconds`")
            }),
            _ => {}
        }
    }
}

/// Nobody is down at that time: never was, or is back by then, as the line that took him down says.
fn nothing_to_end(line: &Line<'_>, over: Option<Duration>) -> Mistake {
    let mistake = Mistake::error("nothing-to-end", line.whole(), "there is nothing here to come back from");
    match over {
        Some(end) => mistake.label("a line above says when this ends, and that brings it back").hint(format!(
            "leave this line out; or say only the start above, ` from …` without ` to {}`",
            duration(end)
        )),
        None => mistake
            .label("no earlier line breaks this subject")
            .hint("the subject must be the same: `instance 2 of …` is not `every instance of …`"),
    }
}

/// The blocks of a stage, where all of its lines say how long they last, and it is long enough. Where it is not, lint tells.
fn blocks(stage: &Stage) -> Option<Blocks> {
    let lengths = stage.lines.iter().map(|line| line.shape.length()).collect::<Option<Vec<_>>>()?;
    Blocks::within(lengths.into_iter().max()?)
}

impl Item {
    /// It stands from before this stage to the end of the scenario, and is no event.
    fn stands_in(&self, stage: usize) -> bool {
        self.stage == stage && self.when == When::Standing && self.ends.is_none() && !self.does.is_event()
    }

    fn place(&self, id: FaultId, stages: &mut [Stage]) {
        if let Some(stage) = stages.get_mut(self.stage).filter(|_| self.stands_in(self.stage))
            && let Some(blocks) = stage.blocks
        {
            stage.cues.extend(blocks.cues(id));
            return;
        }
        put(stages, self.stage, self.when.start(), Act::Arm(id));
        if let Some(end) = self.when.end() {
            put(stages, self.stage, Some(end), Act::End(id));
        }
        if let Some((stage, at)) = self.ends {
            put(stages, stage, at, Act::End(id));
        }
    }
}

/// Enters an act into a stage: at a moment, or before its traffic.
fn put(stages: &mut [Stage], stage: usize, at: Option<Duration>, act: Act) {
    let Some(stage) = stages.get_mut(stage) else { return };
    match at {
        None => stage.standing.push(act),
        Some(at) => stage.cues.push(Cue { at, act }),
    }
}
