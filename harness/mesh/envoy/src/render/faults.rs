//! Which faults can be armed where: slots of the fault filters, filled from the baseline on at 0 %.

use super::{CALLER, USER};
use serde::Serialize;
use squall_mesh::Refusal;
use squall_model::{Calls, Fault, FaultKind, Filter, InstanceId, Level, ServiceName, Topology, Touch};
use std::time::Duration;

/// Fault filters in every chain: so many faults can stand at one spot.
pub const SLOTS: usize = 2;

/// One fault at one spot (extensions/filters/http/fault/v3/fault.proto). Its percentage is a runtime key, 0 where that is unset.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultSlot {
    /// The runtime key of its percentage.
    pub key: String,
    /// What it does.
    pub does: SlotTouch,
    /// Which requests it is for; all of these headers must match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<HeaderMatch>,
}

/// What a fault filter does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotTouch {
    /// Answers with this status.
    Abort(u32),
    /// Holds for so long.
    Delay(Duration),
}

/// A header, or pseudo-header, that must match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HeaderMatch {
    /// This very value.
    Exact(String, String),
    /// A value that this regular expression (RE2) matches whole.
    Regex(String, String),
}

/// The runtime key of a fault's percentage.
pub(super) fn key(fault: &Fault) -> String {
    format!("squall.f{}.share", fault.id.0)
}

/// Faults on calls that this caller makes to this service.
pub(crate) fn outbound(faults: &[Fault], caller: &ServiceName, to: &ServiceName) -> Result<Vec<FaultSlot>, Refusal> {
    let here = faults.iter().filter(|f| is_at_caller(f, caller, to));
    limited(here.filter_map(|f| slot(f, None)).collect(), &format!("calls from {caller} to {to}"))
}

/// Faults on tries that reach this instance.
pub(crate) fn inbound(faults: &[Fault], instance: &InstanceId, topology: &Topology) -> Result<Vec<FaultSlot>, Refusal> {
    let here = faults.iter().filter(|f| is_at_callee(f, instance, topology));
    limited(here.filter_map(|f| slot(f, from(f))).collect(), &format!("tries reaching {instance}"))
}

/// Whether a fault on calls sits at this caller's way to this service.
pub(crate) fn is_at_caller(fault: &Fault, caller: &ServiceName, to: &ServiceName) -> bool {
    match &fault.does {
        FaultKind::Touch { on, .. } if on.level == Level::Calls => {
            on.of.from.as_ref().is_none_or(|from| from == caller)
                && on.of.to.as_ref().is_none_or(|target| target.service == *to)
        }
        _ => false,
    }
}

/// Whether a fault on tries sits at this instance.
pub(crate) fn is_at_callee(fault: &Fault, instance: &InstanceId, topology: &Topology) -> bool {
    let aimed = |calls: &Calls| match &calls.to {
        Some(target) => target.instances(topology).contains(instance),
        None => true,
    };
    match &fault.does {
        FaultKind::Touch { on, .. } => on.level == Level::Tries && aimed(&on.of),
        FaultKind::Outage { of } => aimed(of),
        _ => false,
    }
}

fn from(fault: &Fault) -> Option<&ServiceName> {
    match &fault.does {
        FaultKind::Touch { on, .. } => on.of.from.as_ref(),
        FaultKind::Outage { of } => of.from.as_ref(),
        _ => None,
    }
}

fn slot(fault: &Fault, from: Option<&ServiceName>) -> Option<FaultSlot> {
    let (does, filter) = match &fault.does {
        FaultKind::Touch { on, touch } => {
            let does = match touch {
                Touch::Abort(status) => SlotTouch::Abort(u32::from(*status)),
                Touch::Delay(time) => SlotTouch::Delay(*time),
            };
            (does, &on.of.filter)
        }
        // Until there is a link between the proxies, a cut wire is stood in for by aborts of every try of the claimed calls.
        FaultKind::Outage { of } => (SlotTouch::Abort(503), &of.filter),
        _ => return None,
    };
    let caller = from.map(|name| HeaderMatch::Exact(CALLER.into(), name.to_string()));
    Some(FaultSlot { key: key(fault), does, only: headers(filter).into_iter().chain(caller).collect() })
}

/// A filter as header matches: the fault filter knows no others.
fn headers(filter: &Filter) -> Vec<HeaderMatch> {
    let exact = |name: &str, value: &Option<String>| value.clone().map(|v| HeaderMatch::Exact(name.into(), v));
    let path = match (&filter.path, &filter.query) {
        (None, None) => None,
        (path, query) => {
            let path = path.as_deref().map_or_else(|| "[^?]*".to_owned(), escape);
            let query = query
                .as_deref()
                .map_or_else(|| r"(\?.*)?".to_owned(), |query| format!(r"\?(.*&)?{}(&.*)?", escape(query)));
            Some(HeaderMatch::Regex(":path".into(), path + &query))
        }
    };
    let header = filter.header.clone().map(|(name, value)| HeaderMatch::Exact(name, value));
    [path, exact(":method", &filter.method), exact(":authority", &filter.host), header, exact(USER, &filter.user)]
        .into_iter()
        .flatten()
        .collect()
}

/// A text as a regular expression that matches it alone.
fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut all, c| {
        if !c.is_ascii_alphanumeric() && !matches!(c, '/' | '_' | '-' | '=') {
            all.push('\\');
        }
        all.push(c);
        all
    })
}

fn limited(slots: Vec<FaultSlot>, spot: &str) -> Result<Vec<FaultSlot>, Refusal> {
    match slots.len() {
        0..=SLOTS => Ok(slots),
        more => Err(Refusal(format!("{more} faults on {spot}: a proxy of ours has room for {SLOTS} at one spot"))),
    }
}
