//! Why observers disagree: what all the laws that are broken come to together, classified by evidence.

use crate::{Dose, DoseLeak, DosePart, InstanceId, Side, duration};
use serde::{Deserialize, Deserializer, Serialize};
use std::{fmt, time::Duration};

/// A disagreement between observers, by its cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Discord {
    /// Records of one source are missing, and the others have what they would tell.
    LostTelemetry(Lost),
    /// Somebody else called: records or counters beyond ours.
    ForeignTraffic {
        /// What there is too much of.
        what: Foreign,
        /// Where; of a proxy's counters, whose.
        at: Option<InstanceId>,
        /// So many too many.
        extra: u64,
        /// Of so many in all.
        of: u64,
    },
    /// A proxy ended, and took with it more than it can have had in its hands; or its counters went back.
    ProxyRestarted {
        /// Whose.
        at: InstanceId,
        /// How that is known.
        by: Restart,
        /// Records that are missing or counts that are short.
        short: u64,
    },
    /// A fault was weaker at some of the proxies or instances that it was aimed at, and not at others.
    FaultPartial(Vec<DosePart>),
    /// A fault touched what it was not aimed at.
    FaultLeaked(Vec<DoseLeak>),
    /// The barrier was not passed: records may still be on their way.
    Unfinished,
    /// Somebody changed the application while it was tested: it answered by instances that it did not have when the run began.
    ApplicationChanged {
        /// So many tries were answered by those.
        tries: u64,
        /// Of so many that it answered.
        of: u64,
    },
    /// What no cause above explains: the law that is broken, with both its numbers. Also what was recorded before causes were.
    #[serde(untagged)]
    Unexplained(String),
}

/// Records that are missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Which kind.
    pub source: Source,
    /// Whose; `None`: nobody can tell.
    pub at: Option<InstanceId>,
    /// So many are missing…
    pub missing: u64,
    /// …of so many that were due.
    pub of: u64,
    /// From when on, nanoseconds after the stage's time origin; `None`: from the first one due, or now and then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// Up to when, nanoseconds after the stage's time origin; `None`: to the last one due, or now and then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// Who has every single one of them.
    pub known_to: Vec<Witness>,
}

/// What a record is a record of: one source is one file, of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The client's records: a call each.
    Client,
    /// The access log of a caller's proxy: a line for each call.
    CallersLog,
    /// The upstream log of a caller's proxy: a line for each try.
    UpstreamLog,
    /// The access log of a callee's proxy: a line for each try that arrived.
    CalleesLog,
    /// The ledger of a workload: a line for each try that it served.
    Ledger,
}

/// Who has what a source lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Witness {
    /// The counters of the very proxy.
    Counters,
    /// The client.
    Client,
    /// The access log of the caller's proxy.
    CallersLog,
    /// The upstream log of the caller's proxy.
    UpstreamLog,
    /// The access log of the callee's proxy.
    CalleesLog,
    /// The workload's ledger.
    Ledger,
}

/// What there is too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Foreign {
    /// Requests that a listener of a proxy counted and that are none of ours.
    Requests(Side),
    /// Records with an id of ours that belong to no call, or to none that was sent there.
    Records(Source),
}

/// How a restart of a proxy is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// It ended as it was asked to: how.
    Asked(String),
    /// It ended and nobody had asked: how.
    Unasked(String),
    /// Its counters say less than its own logs: they began anew.
    CountersWentBack,
}

impl Discord {
    /// One word or two for the kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Discord::LostTelemetry(_) => "lost telemetry",
            Discord::ForeignTraffic { .. } => "foreign traffic",
            Discord::ProxyRestarted { .. } => "proxy restarted",
            Discord::FaultPartial(_) => "fault partial",
            Discord::FaultLeaked(_) => "fault leaked",
            Discord::Unfinished => "unfinished record",
            Discord::ApplicationChanged { .. } => "the application changed",
            Discord::Unexplained(_) => "the books do not balance",
        }
    }

    /// Reads one, several, or the plain text of recordings that knew no causes.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub(crate) fn read_all<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Discord>, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Recorded {
            One(Discord),
            Several(Vec<Discord>),
        }
        Ok(match Recorded::deserialize(from)? {
            Recorded::One(one) => vec![one],
            Recorded::Several(several) => several,
        })
    }
}

impl fmt::Display for Discord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.kind())?;
        match self {
            Discord::LostTelemetry(lost) => lost.fmt(f),
            Discord::ForeignTraffic { what, at, extra, of } => foreign(f, *what, at.as_ref(), *extra, *of),
            Discord::ProxyRestarted { at, by: Restart::CountersWentBack, short } => {
                write!(f, "the counters of the proxy of {at} went back, they are short of {short} that its logs have")
            }
            Discord::ProxyRestarted { at, by, short } => {
                let (how, why) = match by {
                    Restart::Asked(how) => (how.as_str(), "as asked"),
                    Restart::Unasked(how) => (how.as_str(), "unasked"),
                    Restart::CountersWentBack => ("went back", "by its counters"),
                };
                write!(f, "the proxy of {at} {how}, {why}, and {short} of its records went with it")
            }
            Discord::FaultPartial(parts) => partial(f, parts),
            Discord::FaultLeaked(leaks) => {
                listed(f, leaks, |leak| format!("it touched {} on {} at {}", leak.touched, leak.edge, leak.at))
            }
            Discord::Unfinished => f.write_str("the barrier was not passed, records may still be on their way"),
            Discord::ApplicationChanged { tries, of } => write!(
                f,
                "{tries} of {of} tries were answered by instances that were not there when the run began: somebody rolled it out meanwhile?"
            ),
            Discord::Unexplained(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} {}", self.missing, self.of, self.source)?;
        match (self.source, &self.at) {
            (Source::Client, _) | (_, None) => {}
            (Source::Ledger, Some(at)) => write!(f, " of {at}")?,
            (_, Some(at)) => write!(f, " of the proxy of {at}")?,
        }
        f.write_str(if self.missing == 1 { " is missing" } else { " are missing" })?;
        let at = |nanos: u64| duration(Duration::from_millis(nanos / 1_000_000));
        match (self.since, self.until) {
            (None, None) => {}
            (Some(since), None) => write!(f, " since {}", at(since))?,
            (None, Some(until)) => write!(f, " until {}", at(until))?,
            (Some(since), Some(until)) => write!(f, " between {} and {}", at(since), at(until))?,
        }
        if self.known_to.is_empty() {
            return Ok(());
        }
        f.write_str(" (")?;
        listed(f, &self.known_to, |witness| witness.of(self.source).to_owned())?;
        let one = matches!(self.known_to.as_slice(), [one] if *one != Witness::Counters);
        write!(f, " {} {})", if one { "has" } else { "have" }, if self.missing == 1 { "it" } else { "them" })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::Client => "records of the client",
            Source::CallersLog | Source::CalleesLog => "access-log lines",
            Source::UpstreamLog => "upstream-log lines",
            Source::Ledger => "ledger lines",
        })
    }
}

impl Witness {
    /// Who it is, where records of this source are missing.
    fn of(self, source: Source) -> &'static str {
        match (self, source) {
            (Witness::Counters, Source::Ledger) => "the counters of its proxy",
            (Witness::Counters, _) => "its counters",
            (Witness::Client, _) => "the client",
            (Witness::CallersLog, Source::UpstreamLog) => "its access log",
            (Witness::CallersLog, _) => "the access log of the caller's proxy",
            (Witness::UpstreamLog, Source::CallersLog) => "its upstream log",
            (Witness::UpstreamLog, _) => "the upstream log of the caller's proxy",
            (Witness::CalleesLog, Source::Ledger) => "the access log of its proxy",
            (Witness::CalleesLog, _) => "the access log of the callee's proxy",
            (Witness::Ledger, _) => "the workload's ledger",
        }
    }
}

fn foreign(f: &mut fmt::Formatter<'_>, what: Foreign, at: Option<&InstanceId>, extra: u64, of: u64) -> fmt::Result {
    let whose = at.map(|at| format!(" of the proxy of {at}")).unwrap_or_default();
    match what {
        Foreign::Requests(side) => {
            let listener = if side == Side::Outbound { "outbound" } else { "inbound" };
            write!(f, "{extra} of {of} requests at the {listener} listener{whose} are none of ours")
        }
        Foreign::Records(Source::Ledger) => {
            let whose = at.map(|at| format!(" of {at}")).unwrap_or_default();
            write!(f, "{extra} of {of} ledger lines{whose} carry ids of ours and belong to no call")
        }
        Foreign::Records(source) => {
            write!(f, "{extra} of {of} {source}{whose} carry ids of ours and belong to no call")
        }
    }
}

fn partial(f: &mut fmt::Formatter<'_>, parts: &[DosePart]) -> fmt::Result {
    let (good, other): (Vec<_>, Vec<_>) = parts.iter().partition(|part| part.is_as_meant());
    let bad: Vec<_> = other.into_iter().filter(|part| part.dose != Dose::Confirmed).collect();
    listed(f, &bad, |part| format!("{} at {} ({} of {})", part.dose.word(), part.at, part.touched, part.of))?;
    if !good.is_empty() {
        f.write_str(", as meant at ")?;
        listed(f, &good, |part| format!("{} ({} of {})", part.at, part.touched, part.of))?;
    }
    Ok(())
}

/// `a`, `a and b`, `a, b and c`; of many the first few.
fn listed<T>(f: &mut fmt::Formatter<'_>, all: &[T], word: impl Fn(&T) -> String) -> fmt::Result {
    const SHOWN: usize = 5;
    let mut words: Vec<String> = all.iter().take(SHOWN).map(word).collect();
    if all.len() > SHOWN {
        words.push(format!("{} more", all.len() - SHOWN));
    }
    match words.split_last() {
        None => Ok(()),
        Some((last, [])) => f.write_str(last),
        Some((last, first)) => write!(f, "{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests;
