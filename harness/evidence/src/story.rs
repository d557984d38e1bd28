//! What is known of one call and of each of its tries, all observers together.

use crate::{CallOutcome, Flags, Observed, Process, Window, balance::lost_with, outcome};
use squall_model::{
    AccessRecord, AnswerCode, CallRecord, ClientEnd, Edge, GrpcStatus, InstanceId, LedgerRecord, Protocol, Stamp,
    TryRecord,
};
use std::ops::Range;

/// How well the observers of a call could be joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grade {
    /// Every record that was due is there.
    Exact,
    /// A record that was due is missing.
    Partial,
    /// No proxy has a line of it.
    ClientOnly,
}

/// Who made a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The client of a traffic line: the index of its record.
    Client(u32),
    /// A workload, while it served a try of the call with this number. Its proxy's line stands for the client's record.
    Onward(u64),
}

/// One call with all that is known of it. Records are named by their index in [`Observed`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallStory {
    /// Number of the call, or of the client's call that an onward call was made for.
    pub seq: u64,
    /// Who made it.
    pub origin: Origin,
    /// The traffic line; an onward call is of none.
    pub line: Option<u16>,
    /// From which service to which.
    pub edge: Edge,
    /// The instance that made it.
    pub caller: InstanceId,
    /// Number of the user that it was made for, 0 for none.
    pub user: u32,
    /// When it was meant to be sent. Onward: when its caller's proxy read it.
    pub intended: Stamp,
    /// When it met the first proxy that could do anything to it. Decides, with `intended`, which phase it belongs to.
    pub met: Stamp,
    /// When it was over.
    pub done: Stamp,
    /// How it ended for whoever made it.
    pub end: ClientEnd,
    /// How it ended.
    pub outcome: CallOutcome,
    /// How well it is known.
    pub grade: Grade,
    /// Its line at the caller's proxy.
    pub(crate) access: Option<u32>,
    /// Its tries.
    pub(crate) tries: Range<u32>,
    /// Every record that is due has come; false only while a run is under way.
    pub(crate) resolved: bool,
}

impl CallStory {
    /// From the intended send to the end, nanoseconds; infinite for a call that never ended.
    #[must_use]
    pub fn took(&self) -> u64 {
        match self.end {
            ClientEnd::Unfinished => u64::MAX,
            _ => self.done.0.saturating_sub(self.intended.0),
        }
    }

    /// A client's own call, not a workload's.
    #[must_use]
    pub fn is_clients(&self) -> bool {
        matches!(self.origin, Origin::Client(_))
    }

    /// The status that it was answered with, complete or cut.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self.end {
            ClientEnd::Answered(status) | ClientEnd::Cut(status) => Some(status),
            _ => None,
        }
    }
}

/// One try of a call, by index: what its sender, the callee's proxy and the workload wrote of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TryStory {
    /// Its number, from 1.
    pub attempt: u32,
    /// What the callee speaks.
    pub protocol: Protocol,
    /// Nobody at the callee's tells us: it was deployed by somebody else.
    pub(crate) one_sided: bool,
    pub(crate) sent: Option<u32>,
    pub(crate) arrived: Option<u32>,
    pub(crate) served: Option<u32>,
}

/// One try of a call, with its records.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TryView<'a> {
    /// Its number, from 1.
    pub attempt: u32,
    /// What the callee speaks.
    pub protocol: Protocol,
    /// Nobody at the callee's tells us: all that is known is what its sender saw.
    pub one_sided: bool,
    /// As its sender saw it: the upstream log of the caller's proxy.
    pub sent: Option<&'a TryRecord>,
    /// As the callee's proxy saw it.
    pub arrived: Option<&'a AccessRecord>,
    /// As the workload saw it, and which instance's that is.
    pub served: Option<(&'a InstanceId, &'a LedgerRecord)>,
}

impl<'a> TryView<'a> {
    /// The instance that it went to.
    #[must_use]
    pub fn instance(&self) -> Option<&'a InstanceId> {
        let arrived = self.arrived.map(|line| &line.proxy).or(self.served.map(|(id, _)| id));
        arrived.or_else(|| self.sent.and_then(|t| t.upstream.as_ref()))
    }

    /// The status that came back, 0 if none did.
    #[must_use]
    pub fn status(&self) -> u16 {
        match (self.sent, self.arrived, self.served) {
            (Some(sent), ..) => sent.status,
            (None, Some(arrived), _) => arrived.status,
            (None, None, Some((_, served))) => served.status,
            (None, None, None) => 0,
        }
    }

    /// The status of gRPC that came back, where one did. What the callee wrote and its sender never got did not.
    #[must_use]
    pub fn grpc(&self) -> Option<GrpcStatus> {
        if self.status() == 0 {
            return None;
        }
        let sent = self.sent.and_then(|t| t.grpc);
        sent.or(self.arrived.and_then(|line| line.grpc)).or(self.served.and_then(|(_, line)| line.grpc))
    }

    /// What came back, in the terms of what the callee speaks; `None` if nothing did.
    #[must_use]
    pub fn answer(&self) -> Option<AnswerCode> {
        match (self.status(), self.protocol) {
            (0, _) => None,
            (status, Protocol::Grpc) => {
                Some(AnswerCode::Grpc(self.grpc().unwrap_or_else(|| GrpcStatus::of_http(status))))
            }
            (status, _) => Some(AnswerCode::Status(status)),
        }
    }

    /// It left the caller's proxy for an instance: not turned away by the breaker before that.
    #[must_use]
    pub fn was_sent(&self) -> bool {
        let turned_away = |t: &TryRecord| t.status == 0 && Flags(&t.flags).has_any(&["UO", "UH"]);
        self.has_arrived() || self.sent.is_some_and(|t| !turned_away(t))
    }

    /// The callee's proxy had its headers, even if a fault stopped it there.
    #[must_use]
    pub fn has_arrived(&self) -> bool {
        self.arrived.is_some() || self.served.is_some() || self.status() != 0
    }

    /// When it began: as its sender saw it, else as it arrived.
    #[must_use]
    pub fn began(&self) -> Stamp {
        let sent = self.sent.map(|t| t.began);
        sent.or(self.arrived.map(|a| a.began)).or(self.served.map(|(_, l)| l.began)).unwrap_or_default()
    }

    /// When the callee's proxy read it, else when it was sent.
    #[must_use]
    pub fn met(&self) -> Stamp {
        self.arrived.map_or_else(|| self.began(), |a| a.began)
    }

    /// How long it lasted for its sender, nanoseconds.
    #[must_use]
    pub fn took(&self) -> u64 {
        let seen = self.sent.map(|t| t.took).or(self.arrived.map(|a| a.took));
        seen.or(self.served.map(|(_, l)| l.ended.0.saturating_sub(l.began.0))).unwrap_or(0)
    }

    /// When it ended for its sender.
    #[must_use]
    pub fn ended(&self) -> Stamp {
        Stamp(self.began().0.saturating_add(self.took()))
    }

    /// Flags of the sender, then of the callee's proxy, where they say anything.
    #[must_use]
    pub fn flags(&self) -> String {
        let sent = self.sent.and_then(|t| Flags(&t.flags).said());
        let arrived = self.arrived.and_then(|a| Flags(&a.flags).said());
        sent.into_iter().chain(arrived).collect::<Vec<_>>().join(" ")
    }

    /// How the try ended, by the same words as a call.
    #[must_use]
    pub fn outcome(&self) -> CallOutcome {
        outcome::of_try(self)
    }
}

/// Records with our ids that belong to no call, by index in [`Observed`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Strays {
    /// Lines of access logs.
    pub access: Vec<u32>,
    /// Lines of upstream logs.
    pub tries: Vec<u32>,
    /// Lines of ledgers.
    pub ledger: Vec<u32>,
    /// Client's records with a number that another has already.
    pub calls: Vec<u32>,
}

/// The join of everything that was observed of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    pub(crate) observed: Observed,
    pub(crate) stories: Vec<CallStory>,
    pub(crate) tries: Vec<TryStory>,
    pub(crate) strays: Strays,
    pub(crate) settled_until: Option<Stamp>,
    /// Of faults, then of changes.
    pub(crate) windows: [Vec<Window>; 2],
    /// From when to when each stage sent.
    pub(crate) spans: Vec<(Stamp, Stamp)>,
}

impl Evidence {
    /// Everything raw, as it was given.
    #[must_use]
    pub fn observed(&self) -> &Observed {
        &self.observed
    }

    /// Everything raw back, to go on collecting into.
    #[must_use]
    pub fn into_observed(self) -> Observed {
        self.observed
    }

    /// Every call, in order of its intended send.
    #[must_use]
    pub fn stories(&self) -> &[CallStory] {
        &self.stories
    }

    /// The calls that may be judged: those before the oldest one that is not yet resolved. All of them once the run is over.
    #[must_use]
    pub fn settled(&self) -> &[CallStory] {
        match self.settled_until {
            None => &self.stories,
            Some(until) => &self.stories[..self.stories.partition_point(|s| s.intended < until)],
        }
    }

    /// The run is over and its record complete.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.observed.quiet
    }

    /// From here on calls may still be unresolved; `None` once the run is over.
    #[must_use]
    pub fn settled_until(&self) -> Option<Stamp> {
        self.settled_until
    }

    /// Records that belong to no call.
    #[must_use]
    pub fn strays(&self) -> &Strays {
        &self.strays
    }

    /// The client's record of a call; an onward call has none.
    #[must_use]
    pub fn record(&self, story: &CallStory) -> Option<&CallRecord> {
        match story.origin {
            Origin::Client(index) => self.observed.calls.get(index as usize),
            Origin::Onward(_) => None,
        }
    }

    /// The line of a call at the caller's proxy.
    #[must_use]
    pub fn line(&self, story: &CallStory) -> Option<&AccessRecord> {
        self.observed.access.get(story.access? as usize)
    }

    /// The `x-request-id` of a call.
    #[must_use]
    pub fn id(&self, story: &CallStory) -> String {
        match (story.origin, self.line(story)) {
            (Origin::Onward(_), Some(line)) => line.id.clone(),
            _ => format!("{}{}", self.observed.prefix, story.seq),
        }
    }

    /// The tries of a call, in order.
    pub fn tries<'a>(&'a self, story: &CallStory) -> impl DoubleEndedIterator<Item = TryView<'a>> + ExactSizeIterator {
        self.tries[story.tries.start as usize..story.tries.end as usize].iter().map(|t| view(&self.observed, t))
    }

    /// How many tries of a call left the caller's proxy.
    #[must_use]
    pub fn tries_sent(&self, story: &CallStory) -> usize {
        self.tries(story).filter(TryView::was_sent).count()
    }

    /// Can this process of the try's instance have taken its record of the try with it when it was killed?
    #[must_use]
    pub fn may_be_lost(&self, t: &TryView<'_>, with: Process) -> bool {
        let whose = |id: &InstanceId| t.instance() == Some(id);
        lost_with(self, with, whose, t.began(), t.ended())
    }

    /// The instance whose very answer a call's client got; `None` if it got none, or one that a proxy made.
    #[must_use]
    pub fn answered_by<'a>(&'a self, story: &CallStory) -> Option<&'a InstanceId> {
        let line = self.line(story)?;
        let whole = matches!(story.end, ClientEnd::Answered(_) | ClientEnd::Grpc(_));
        let via_upstream = matches!(line.details.as_str(), "via_upstream" | "");
        let t = self.tries(story).rev().find(|t| outcome::is_passed_on(line, t))?;
        t.instance().filter(|_| whole && via_upstream)
    }

    /// The instance that answered a call: that of the try whose answer was passed on, else of the last that arrived anywhere.
    #[must_use]
    pub fn reached<'a>(&'a self, story: &CallStory) -> Option<&'a InstanceId> {
        let arrived = || self.tries(story).rev().filter(TryView::has_arrived);
        let passed_on = self.line(story).and_then(|line| arrived().find(|t| outcome::is_passed_on(line, t)));
        passed_on.or_else(|| arrived().next()).and_then(|t| t.instance())
    }

    /// The same; of a call that arrived nowhere the instance that it was sent to last: one that refuses connections has its failures, too.
    #[must_use]
    pub fn reached_or_tried<'a>(&'a self, story: &CallStory) -> Option<&'a InstanceId> {
        let sent = || self.tries(story).rev().filter(TryView::was_sent).find_map(|t| t.instance());
        self.reached(story).or_else(sent)
    }
}

/// A try with its records.
pub(crate) fn view<'a>(observed: &'a Observed, t: &TryStory) -> TryView<'a> {
    TryView {
        attempt: t.attempt,
        protocol: t.protocol,
        one_sided: t.one_sided,
        sent: t.sent.and_then(|i| observed.tries.get(i as usize)),
        arrived: t.arrived.and_then(|i| observed.access.get(i as usize)),
        served: t.served.and_then(|i| observed.ledger.get(i as usize)).map(|(id, line)| (id, line)),
    }
}
