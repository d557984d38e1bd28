//! Which calls and tries a clause of the language means.

use crate::{CallStory, Evidence};
use squall_model::{CallRecord, Calls, Filter, Instance, InstanceId, Plan, Target, Topology, TrafficLine, Which};

/// What is known of an instance. One that came later, by growth, is like the last of its service.
#[must_use]
pub fn known<'a>(topology: &'a Topology, instance: &InstanceId) -> Option<&'a Instance> {
    topology.instance(instance).or_else(|| topology.service(&instance.service)?.instances.last())
}

/// Is this instance among those that a target means? Instances that came later, by growth, count too.
#[must_use]
pub fn targets(topology: &Topology, target: &Target, instance: &InstanceId) -> bool {
    if target.service != instance.service {
        return false;
    }
    let known = || known(topology, instance);
    let here = target.place.is_none() || known().is_some_and(|i| i.place == target.place);
    here && match &target.which {
        Which::Service | Which::Every => true,
        Which::Instance(number) => instance.number == *number,
        Which::First(count) => instance.number <= *count,
        Which::Version(version) => known().is_some_and(|i| i.version.as_ref() == Some(version)),
    }
}

/// How well a call or a try fits a clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It is not meant.
    No,
    /// It may be meant: nobody knows what an onward call looks like.
    Maybe,
    /// It is meant.
    Yes,
}

/// Which calls of a line are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OfLine {
    None,
    User(u32),
    All,
}

/// A `{calls}` clause, made ready for many calls.
#[derive(Debug)]
pub struct CallMatcher<'a> {
    calls: &'a Calls,
    topology: &'a Topology,
    lines: Vec<OfLine>,
    /// The lines that are aimed at the very target of the clause.
    aimed: Vec<u16>,
}

impl<'a> CallMatcher<'a> {
    /// The clause for the lines of this plan.
    #[must_use]
    pub fn new(plan: &'a Plan, calls: &'a Calls) -> CallMatcher<'a> {
        let count = plan.lines().map(|l| usize::from(l.number) + 1).max().unwrap_or(0);
        let mut lines = vec![OfLine::None; count];
        for line in plan.lines() {
            lines[usize::from(line.number)] = of_line(calls, line);
        }
        let aimed = plan.lines().filter(|line| calls.to.as_ref() == Some(&line.to)).map(|line| line.number).collect();
        CallMatcher { calls, topology: &plan.topology, lines, aimed }
    }

    /// Is this call meant, by who made it, to which service, and what it looks like? Onward calls only where `from` names
    /// their caller.
    #[must_use]
    pub fn means(&self, evidence: &Evidence, story: &CallStory) -> bool {
        let named = story.is_clients() || self.calls.from.is_some();
        named && self.fits(story) == Fit::Yes && self.is_to(evidence, story)
    }

    /// Is this call of a client's meant, as far as a client knows? Which instance answered it does not; so of those that are aimed at a
    /// service those are meant whose line is aimed at the very target of the clause.
    #[must_use]
    pub fn means_record(&self, call: &CallRecord) -> bool {
        let of_user = match self.lines.get(usize::from(call.line)) {
            Some(OfLine::All) => true,
            Some(OfLine::User(user)) => *user == call.user,
            Some(OfLine::None) | None => false,
        };
        of_user && (self.is_to_all() || self.aimed.contains(&call.line))
    }

    /// May a call of the line of this number be meant?
    #[must_use]
    pub fn may_mean(&self, line: u16) -> bool {
        self.lines.get(usize::from(line)).is_some_and(|of| *of != OfLine::None)
    }

    /// Does this line of the plan make calls that are meant?
    #[must_use]
    pub fn means_line(&self, line: &TrafficLine) -> bool {
        self.lines.get(usize::from(line.number)).is_some_and(|of| *of != OfLine::None)
    }

    /// Is this call meant by a fault or a policy, which sits at a proxy and knows nothing of traffic lines? Only of service
    /// and looks, not of instances.
    #[must_use]
    pub fn fits(&self, story: &CallStory) -> Fit {
        let from = self.calls.from.as_ref().is_none_or(|from| *from == story.edge.from);
        let to = self.calls.to.as_ref().is_none_or(|to| to.service == story.edge.to);
        if !from || !to {
            return Fit::No;
        }
        let Some(line) = story.line else {
            return if self.calls.filter.is_empty() { Fit::Yes } else { Fit::Maybe };
        };
        match self.lines.get(usize::from(line)).copied().unwrap_or(OfLine::None) {
            OfLine::All => Fit::Yes,
            OfLine::User(user) if user == story.user => Fit::Yes,
            OfLine::User(_) | OfLine::None => Fit::No,
        }
    }

    /// Is this instance one of those that the clause names? All are where it names none.
    #[must_use]
    pub fn names(&self, instance: &InstanceId) -> bool {
        self.calls.to.as_ref().is_none_or(|to| targets(self.topology, to, instance))
    }

    /// The clause names no instances, or all that a service has.
    fn is_to_all(&self) -> bool {
        let all = |to: &Target| matches!(to.which, Which::Service | Which::Every) && to.place.is_none();
        self.calls.to.as_ref().is_none_or(all)
    }

    /// Calls are made to a service; those *to some of its instances* are those that its line aims there, that reached one, or that reached nobody
    /// and were sent to one last.
    fn is_to(&self, evidence: &Evidence, story: &CallStory) -> bool {
        let Some(to) = &self.calls.to else { return true };
        let aimed = || story.line.is_some_and(|line| self.aimed.contains(&line));
        self.is_to_all()
            || aimed()
            || evidence.reached_or_tried(story).is_some_and(|instance| targets(self.topology, to, instance))
    }
}

fn of_line(calls: &Calls, line: &TrafficLine) -> OfLine {
    let from = calls.from.as_ref().is_none_or(|from| *from == line.caller);
    let to = calls.to.as_ref().is_none_or(|to| to.service == line.to.service);
    if from && to { looks(&calls.filter, line) } else { OfLine::None }
}

/// What a filter asks must be what the line says, or what it says by saying nothing.
fn looks(filter: &Filter, line: &TrafficLine) -> OfLine {
    let with = &line.with;
    let is = |asked: &Option<String>, given: &Option<String>, default: &str| {
        asked.as_ref().is_none_or(|asked| asked == given.as_deref().unwrap_or(default))
    };
    let method = filter.method.as_ref().is_none_or(|m| m.eq_ignore_ascii_case(with.method.as_deref().unwrap_or("GET")));
    let header = filter.header.as_ref().is_none_or(|h| with.header.as_ref() == Some(h));
    let same = is(&filter.path, &with.path, "/")
        && is(&filter.host, &with.host, line.to.service.as_str())
        && is(&filter.query, &with.query, "")
        && method
        && header;
    match &filter.user {
        _ if !same => OfLine::None,
        None => OfLine::All,
        Some(user) if with.user.as_ref() == Some(user) => OfLine::All,
        Some(user) => match (line.users, user.strip_prefix("user-").and_then(|n| n.parse().ok())) {
            (Some(users), Some(number)) if number >= 1 && number <= users => OfLine::User(number),
            _ => OfLine::None,
        },
    }
}
