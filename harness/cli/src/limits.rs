//! What a project lets its runs do to a cluster: `[kubernetes.limits]` in squall.toml.
//!
//! Whatever a feature says, no more is done than that: it is refused before anything is touched, with the line of squall.toml that refuses
//! it, and the runner in the cluster looks at its plans once more. What cannot be counted counts as all of it.

#[cfg(feature = "kubernetes")]
mod ground;
mod hours;

#[cfg(feature = "kubernetes")]
pub use ground::sounds_like_production;
pub use hours::Hours;

use crate::settings::FILE;
use serde::{Deserialize, Serialize};
use squall_model::{
    Diagnostic, Fault, FaultKind, Fraction, Level, Members, Origin, Plan, Severity, Shape, Topology, TrafficLine,
    Variation, controls, duration, parse_duration, vary,
};
use std::{fmt, time::Duration};
use toml::Spanned;

/// The limits of a project; none where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Contexts of kubeconfigs that may be run on: names, or beginnings of names with `*` behind them.
    contexts: Option<Limit<Vec<String>>>,
    /// The largest share of calls, tries or instances of a service that a fault may touch.
    share: Option<Limit<Fraction>>,
    /// Calls per second of one traffic line.
    rate: Option<Limit<u32>>,
    /// Callers of one traffic line who wait for their answers.
    users: Option<Limit<u32>>,
    /// How long the traffic of a scenario may take.
    duration: Option<Limit<Duration>>,
    /// When runs may begin, in UTC.
    hours: Option<Limit<Hours>>,
}

/// A limit, and the line of squall.toml that says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Limit<T> {
    value: T,
    line: usize,
    /// As it was written.
    text: String,
}

/// As `[kubernetes.limits]` has it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Written {
    contexts: Option<Spanned<Vec<String>>>,
    share: Option<Spanned<Fraction>>,
    rate: Option<Spanned<u32>>,
    users: Option<Spanned<u32>>,
    duration: Option<Spanned<Length>>,
    hours: Option<Spanned<Hours>>,
}

/// A length of time as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "String")]
struct Length(Duration);

impl TryFrom<String> for Length {
    type Error = String;

    fn try_from(text: String) -> Result<Length, String> {
        parse_duration(&text).map(Length).map_err(|why| why.to_string())
    }
}

impl From<Length> for Duration {
    fn from(length: Length) -> Duration {
        length.0
    }
}

impl Written {
    /// With the lines of the text that they were read from.
    pub fn in_text(self, text: &str) -> Limits {
        fn at<T, U: From<T>>(name: &str, value: Option<Spanned<T>>, text: &str) -> Option<Limit<U>> {
            let value = value?;
            let span = value.span();
            let written = text.get(span.clone()).unwrap_or_default();
            let line = text.get(..span.start).unwrap_or_default().matches('\n').count() + 1;
            Some(Limit { value: value.into_inner().into(), line, text: format!("{name} = {written}") })
        }
        Limits {
            contexts: at("contexts", self.contexts, text),
            share: at("share", self.share, text),
            rate: at("rate", self.rate, text),
            users: at("users", self.users, text),
            duration: at("duration", self.duration, text),
            hours: at("hours", self.hours, text),
        }
    }
}

impl<T> fmt::Display for Limit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({FILE}:{})", self.text, self.line)
    }
}

impl Limits {
    /// Everything in a plan that goes beyond them, at its own place.
    pub fn beyond(&self, plan: &Plan) -> Vec<Diagnostic> {
        let mut all = Vec::new();
        if let Some(limit) = &self.share {
            let varied = controls(plan).into_iter().filter(|v| matches!(v, Variation::Replaced | Variation::Outage));
            let runs = std::iter::once(plan.clone()).chain(varied.map(|variation| vary(plan, variation)));
            for run in runs {
                let found = run.faults.iter().filter_map(|fault| beyond_share(&run, fault, limit));
                // What a control run breaks as well was said of the scenario.
                let new: Vec<_> = found.filter(|one| !all.contains(one)).collect();
                all.extend(new);
            }
        }
        all.extend(plan.lines().filter_map(|line| self.beyond_line(plan, line)));
        if let Some(limit) = &self.duration {
            let stages = plan.timeline.stages.iter();
            let longest =
                stages.map(|stage| stage.lines.iter().filter_map(|line| line.shape.length()).max().unwrap_or_default());
            let all_of_it: Duration = longest.sum();
            if all_of_it > limit.value {
                let what = format!("its traffic takes {}", duration(all_of_it));
                all.push(diagnostic(&what, limit, &plan.origins.scenario, "this scenario"));
            }
        }
        all
    }

    fn beyond_line(&self, plan: &Plan, line: &TrafficLine) -> Option<Diagnostic> {
        let origin = plan.origins.lines.get(&line.number).unwrap_or(&plan.origins.scenario);
        match (traffic(&line.shape), &self.rate, &self.users) {
            (Pace::Rate(rate), Some(limit), _) if rate > f64::from(limit.value) => {
                Some(diagnostic(&format!("{rate} calls are sent per second"), limit, origin, "this traffic"))
            }
            (Pace::Users(users), _, Some(limit)) if users > limit.value => {
                Some(diagnostic(&format!("{users} users call"), limit, origin, "this traffic"))
            }
            _ => None,
        }
    }

    /// Each of them, as it was written.
    pub fn told(&self) -> Vec<String> {
        let all = [
            self.contexts.as_ref().map(ToString::to_string),
            self.share.as_ref().map(ToString::to_string),
            self.rate.as_ref().map(ToString::to_string),
            self.users.as_ref().map(ToString::to_string),
            self.duration.as_ref().map(ToString::to_string),
            self.hours.as_ref().map(ToString::to_string),
        ];
        all.into_iter().flatten().collect()
    }
}

fn beyond_share(plan: &Plan, fault: &Fault, limit: &Limit<Fraction>) -> Option<Diagnostic> {
    let share = share(&plan.topology, &fault.does)?;
    if share <= limit.value {
        return None;
    }
    let origin = plan.origins.faults.get(&fault.id).unwrap_or(&plan.origins.scenario);
    let what = match &fault.does {
        FaultKind::Touch { on, .. } => format!("it touches {share} of the {}", level(on.level)),
        FaultKind::Down { .. } | FaultKind::Restarted { .. } | FaultKind::Answers { .. } => {
            format!("it touches {share} of the instances of a service")
        }
        _ => "how large a part it touches cannot be counted".into(),
    };
    Some(diagnostic(&what, limit, origin, "this fault"))
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Calls => "calls",
        Level::Tries => "tries",
    }
}

/// How large a part of what is there a fault touches; `None`: it breaks nothing.
fn share(topology: &Topology, does: &FaultKind) -> Option<Fraction> {
    does.is_harm().then(|| match does {
        FaultKind::Touch { on, .. } => on.share,
        FaultKind::Down { of, .. } | FaultKind::Restarted { of, .. } => of_instances(topology, of),
        FaultKind::Answers { of, .. } => of_instances(topology, &Members::Of(of.clone())),
        _ => Fraction::ALL,
    })
}

/// The largest share of the instances of any one service.
fn of_instances(topology: &Topology, of: &Members) -> Fraction {
    let meant = of.instances(topology);
    let of_service = |service: &squall_model::Service| {
        let hit = meant.iter().filter(|id| id.service == service.name).count() as u64;
        let all = service.instances.len().max(1) as u64;
        // Rounded up: two of three are more than 66%.
        Fraction::from_ppm((hit * 1_000_000).div_ceil(all) as u32).unwrap_or(Fraction::ALL)
    };
    topology.services.iter().map(of_service).max().unwrap_or(Fraction::ALL)
}

/// How traffic goes on.
enum Pace {
    /// So many calls per second, at the most.
    Rate(f64),
    /// So many callers, each of whom waits.
    Users(u32),
}

fn traffic(shape: &Shape) -> Pace {
    match shape {
        Shape::Open { rate, .. } | Shape::Decide { rate, .. } => Pace::Rate(rate.hertz()),
        Shape::Ramp { from, to, .. } => Pace::Rate(f64::from(*from.max(to))),
        Shape::Serial { .. } => Pace::Users(1),
        Shape::Closed { users, .. } => Pace::Users(*users),
    }
}

fn diagnostic<T>(what: &str, limit: &Limit<T>, origin: &Origin, label: &str) -> Diagnostic {
    Diagnostic {
        code: "beyond-limit".into(),
        severity: Severity::Error,
        message: format!("{what}, and on a cluster that is beyond {limit}"),
        origin: origin.clone(),
        label: label.into(),
        hint: Some("run it on this machine, or where more is allowed; limits are the project's to change".into()),
    }
}

#[cfg(test)]
mod tests;
