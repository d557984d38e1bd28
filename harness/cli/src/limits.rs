//! What a project lets its runs do to a cluster: `[kubernetes.limits]` in squall.toml.
//!
//! Whatever a feature says, no more is done than that: it is refused before anything is touched, with the line of squall.toml that refuses
//! it, and the runner in the cluster looks at its plans once more. What cannot be counted counts as all of it.

#[cfg(feature = "kubernetes")]
mod ground;
mod hours;
#[cfg(feature = "kubernetes")]
mod load;
mod share;
mod theirs;
mod traffic;

#[cfg(feature = "kubernetes")]
pub use ground::sounds_like_production;
pub use hours::Hours;

use crate::settings::FILE;
use serde::{Deserialize, Serialize};
use squall_model::{Diagnostic, Fraction, Origin, Plan, Severity, Variation, controls, parse_duration, vary};
use std::{fmt, path::Path, time::Duration};
use toml::Spanned;

/// The limits of a project; none where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Contexts of kubeconfigs that may be run on: names, or beginnings of names with `*` behind them.
    contexts: Option<Limit<Vec<String>>>,
    /// The largest share of a service's calls, tries and instances that may be broken at a time.
    share: Option<Limit<Fraction>>,
    /// Calls per second of one traffic line, also of one whose answers decide how fast it is.
    rate: Option<Limit<u32>>,
    /// Callers of one traffic line who wait for their answers.
    users: Option<Limit<u32>>,
    /// How long the traffic of a scenario may take.
    duration: Option<Limit<Duration>>,
    /// When runs may begin, in UTC.
    hours: Option<Limit<Hours>>,
    /// Namespaces of applications that may be joined.
    applications: Option<Limit<Vec<String>>>,
    /// Methods by which applications may be called, beside those that change nothing.
    methods: Option<Limit<Vec<String>>>,
    /// Labels that a service of an application must have, all of them, to be called or broken.
    labels: Option<Limit<Vec<Label>>>,
    /// Whether what is theirs may be edited, or anything be put beside it, where a command line allows it.
    edits: Option<Limit<bool>>,
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
    applications: Option<Spanned<Vec<String>>>,
    methods: Option<Spanned<Vec<String>>>,
    labels: Option<Spanned<Vec<Label>>>,
    edits: Option<Spanned<bool>>,
}

/// A label with its value, as people write it: `chaos=allowed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Label {
    name: String,
    value: String,
}

impl TryFrom<String> for Label {
    type Error = String;

    fn try_from(text: String) -> Result<Label, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok(Label { name: name.into(), value: value.into() }),
            _ => Err(format!("`{text}` is no label: write its name and its value, like `chaos=allowed`")),
        }
    }
}

impl From<Label> for String {
    fn from(label: Label) -> String {
        label.to_string()
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
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
            applications: at("applications", self.applications, text),
            methods: at("methods", self.methods, text),
            labels: at("labels", self.labels, text),
            edits: at("edits", self.edits, text),
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
                // What a control run breaks as well was said of the scenario.
                let new: Vec<_> = share::beyond(&run, limit).into_iter().filter(|one| !all.contains(one)).collect();
                all.extend(new);
            }
        }
        all.extend(self.beyond_traffic(plan));
        all.extend(self.beyond_theirs(plan));
        all
    }

    /// Whose they are, and each of them as it was written.
    pub fn told(&self) -> Vec<String> {
        let all = [
            self.contexts.as_ref().map(ToString::to_string),
            self.share.as_ref().map(ToString::to_string),
            self.rate.as_ref().map(ToString::to_string),
            self.users.as_ref().map(ToString::to_string),
            self.duration.as_ref().map(ToString::to_string),
            self.hours.as_ref().map(ToString::to_string),
            self.applications.as_ref().map(ToString::to_string),
            self.methods.as_ref().map(ToString::to_string),
            self.labels.as_ref().map(ToString::to_string),
            self.edits.as_ref().map(ToString::to_string),
        ];
        std::iter::once(self.whose()).chain(all.into_iter().flatten()).collect()
    }

    /// Whose they are, in one line that goes on from `within`: settings are those of the working folder.
    pub fn whose(&self) -> String {
        self.whose_in(&std::env::current_dir().unwrap_or_default())
    }

    fn whose_in(&self, folder: &Path) -> String {
        let file = folder.join(FILE);
        match *self == Limits::default() {
            false => format!("the limits of {}", file.display()),
            true if file.is_file() => format!("no limits: {} sets none", file.display()),
            true => format!("no limits: there is no {FILE} in {}", folder.display()),
        }
    }
}

/// What to do about whatever is beyond a limit.
const ELSEWHERE: &str = "run it on this machine, or where more is allowed; limits are the project's to change";

fn diagnostic(what: &str, limit: &dyn fmt::Display, origin: &Origin, label: &str) -> Diagnostic {
    Diagnostic {
        code: "beyond-limit".into(),
        severity: Severity::Error,
        message: format!("{what}, and on a cluster that is beyond {limit}"),
        origin: origin.clone(),
        label: label.into(),
        hint: Some(ELSEWHERE.into()),
    }
}

#[cfg(test)]
mod tests;
