//! Records that must be there because another observer has their counterpart, one by one.

use super::{LawId, is_from_workload, lost_with};
use crate::{CallStory, Evidence, Process, TryView, join::tries_due};
use squall_model::{ClientEnd, InstanceId, Source, Stamp, Witness};
use std::collections::BTreeSet;

/// What became of a record that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Found,
    Missing,
    /// Missing, and a process that was killed may have taken it with it; or nobody may have written it.
    Excused,
    /// It is there, and what it is a record of was never sent: the record itself is one too many.
    Extra,
}

/// A record that a law asks for.
#[derive(Debug, Clone)]
pub(super) struct Due<'a> {
    pub(super) law: LawId,
    /// The kind of the record that is asked for; of one that is extra, its own.
    pub(super) source: Source,
    /// Who writes it.
    pub(super) at: Option<&'a InstanceId>,
    /// The number of its call among the stories, and of the record within it: two laws that ask for one record agree.
    pub(super) key: (usize, u32),
    /// When what it is a record of began.
    pub(super) when: Stamp,
    pub(super) state: State,
    /// Who has the counterpart; empty unless it is missing.
    pub(super) known_to: BTreeSet<Witness>,
}

/// Tells of every record that a law asks for.
pub(super) fn each<'a>(evidence: &'a Evidence, tell: &mut impl FnMut(Due<'a>)) {
    for (number, story) in evidence.stories.iter().enumerate() {
        let asked = Asked { evidence, number, story };
        asked.line(tell);
        asked.tries_of_line(tell);
        asked.tries(tell);
    }
}

/// What is asked for on account of one call.
struct Asked<'a> {
    evidence: &'a Evidence,
    number: usize,
    story: &'a CallStory,
}

impl<'a> Asked<'a> {
    /// A line at the caller's proxy for each call of a client.
    fn line(&self, tell: &mut impl FnMut(Due<'a>)) {
        let (evidence, story) = (self.evidence, self.story);
        if !story.is_clients() || story.end.is_without_a_connection() {
            return;
        }
        let never_arrived = || {
            let lost = lost_with(evidence, Process::Proxy, |id| *id == story.caller, story.intended, story.done);
            // What its client gave up on, or lost the connection of, may not have been read by any proxy.
            let given_up = matches!(story.end, ClientEnd::Reset | ClientEnd::Deadline | ClientEnd::Unfinished);
            lost || (given_up && story.tries.is_empty())
        };
        let answered = matches!(story.end, ClientEnd::Answered(_) | ClientEnd::Grpc(_) | ClientEnd::Cut(_));
        let any = |has: fn(&TryView<'_>) -> bool| evidence.tries(story).any(|t| has(&t));
        let known_to = || {
            known(&[
                (Witness::Client, answered),
                (Witness::UpstreamLog, any(|t| t.sent.is_some())),
                (Witness::CalleesLog, any(|t| t.arrived.is_some())),
                (Witness::Ledger, any(|t| t.served.is_some())),
            ])
        };
        tell(self.due(
            LawId::CallLogged,
            Source::CallersLog,
            Some(&story.caller),
            0,
            story.intended,
            || state(story.access.is_some(), never_arrived),
            known_to,
        ));
    }

    /// A line of the upstream log for each try that the line at the caller's proxy counts, and no more.
    fn tries_of_line(&self, tell: &mut impl FnMut(Due<'a>)) {
        let (evidence, story) = (self.evidence, self.story);
        if story.access.is_none() {
            return;
        }
        let due = tries_due(evidence.line(story));
        let logged = evidence.tries(story).filter(|t| t.sent.is_some()).count();
        let lost = || lost_with(evidence, Process::Proxy, |id| *id == story.caller, story.intended, story.done);
        for n in 0..due.max(logged) {
            let state = || match n {
                n if n < logged.min(due) => State::Found,
                _ if lost() => State::Excused,
                _ if n < due => State::Missing,
                _ => State::Extra,
            };
            // Those that are missing are numbered from 0, whichever of the tries they are.
            let key = n.saturating_sub(logged) as u32;
            let known_to = || known(&[(Witness::CallersLog, true)]);
            let at = Some(&story.caller);
            tell(self.due(LawId::TriesLogged, Source::UpstreamLog, at, key, story.intended, state, known_to));
        }
    }

    /// The four laws between a try's sender, the callee's proxy and the workload.
    fn tries(&self, tell: &mut impl FnMut(Due<'a>)) {
        let (evidence, story) = (self.evidence, self.story);
        let logged = evidence.tries(story).filter(|t| t.sent.is_some()).count();
        let lacking = evidence.line(story).map(|line| tries_due(Some(line)).saturating_sub(logged));
        let mut unsent = 0;
        for (t, key) in evidence.tries(story).zip(0u32..) {
            // Its sender lacks so many lines. Beyond them a try without one was not sent by it; without its own line nobody knows.
            let foreign = t.sent.is_none() && lacking.is_some_and(|lacking| unsent >= lacking);
            self.sent(&t, unsent as u32, foreign, tell);
            self.arrived(&t, key, foreign, tell);
            unsent += usize::from(t.sent.is_none());
        }
    }

    /// A line at the callee's proxy came from a try that was sent.
    fn sent(&self, t: &TryView<'a>, key: u32, foreign: bool, tell: &mut impl FnMut(Due<'a>)) {
        if t.arrived.is_none() {
            return;
        }
        let (source, at) = match foreign {
            true => (Source::CalleesLog, t.instance()),
            false => (Source::UpstreamLog, Some(&self.story.caller)),
        };
        let state = || match state(t.sent.is_some(), || self.lost(t, Process::Proxy, Some(&self.story.caller))) {
            State::Missing if foreign => State::Extra,
            state => state,
        };
        let known_to = || known(&[(Witness::CalleesLog, true), (Witness::Ledger, t.served.is_some())]);
        tell(self.due(LawId::LineTried, source, at, key, t.began(), state, known_to));
    }

    /// What was answered has arrived, what was passed on was served, what was served has arrived.
    fn arrived(&self, t: &TryView<'a>, key: u32, foreign: bool, tell: &mut impl FnMut(Due<'a>)) {
        let answered = t.sent.is_some_and(|sent| sent.status != 0);
        let line = || state(t.arrived.is_some(), || self.lost(t, Process::Proxy, t.instance()));
        let known_to = || known(&[(Witness::UpstreamLog, answered), (Witness::Ledger, t.served.is_some())]);
        if answered && !t.one_sided {
            tell(self.due(LawId::TryArrived, Source::CalleesLog, t.instance(), key, t.began(), line, known_to));
        }
        if t.arrived.is_some_and(is_from_workload) {
            let state = || state(t.served.is_some(), || self.lost(t, Process::Workload, t.instance()));
            let known_to = || known(&[(Witness::CalleesLog, true), (Witness::UpstreamLog, answered)]);
            tell(self.due(LawId::LineServed, Source::Ledger, t.instance(), key, t.began(), state, known_to));
        }
        if t.served.is_some() {
            let alone = foreign && t.arrived.is_none();
            let source = if alone { Source::Ledger } else { Source::CalleesLog };
            let state = || match line() {
                State::Missing if alone => State::Extra,
                state => state,
            };
            tell(self.due(LawId::ServedLogged, source, t.instance(), key, t.began(), state, known_to));
        }
    }

    fn lost(&self, t: &TryView<'_>, what: Process, whose: Option<&InstanceId>) -> bool {
        whose.is_some_and(|whose| lost_with(self.evidence, what, |id| id == whose, t.began(), t.ended()))
    }

    #[expect(clippy::too_many_arguments, reason = "a record that is due, field by field")]
    fn due(
        &self,
        law: LawId,
        source: Source,
        at: Option<&'a InstanceId>,
        key: u32,
        when: Stamp,
        state: impl FnOnce() -> State,
        known_to: impl FnOnce() -> BTreeSet<Witness>,
    ) -> Due<'a> {
        let state = state();
        let known_to = if state == State::Missing { known_to() } else { BTreeSet::new() };
        Due { law, source, at, key: (self.number, key), when, state, known_to }
    }
}

fn state(found: bool, excused: impl FnOnce() -> bool) -> State {
    match found {
        true => State::Found,
        false if excused() => State::Excused,
        false => State::Missing,
    }
}

fn known(all: &[(Witness, bool)]) -> BTreeSet<Witness> {
    all.iter().filter(|(_, has)| *has).map(|(witness, _)| *witness).collect()
}
