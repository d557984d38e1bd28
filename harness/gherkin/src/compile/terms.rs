//! On what terms a scenario is judged: the tags `@alpha(…)`, `@beta(…)` and `@quarantine(…)`, nearest to the scenario first.

use super::sink::Sink;
use crate::document::{Case, Tag};
use crate::source::{Defaults, Mistake};
use jiff::{ToSpan, civil::Date};
use squall_model::{ErrorRates, Quarantine, Terms};

/// The longest quarantine: what is not mended by then is not waited for, but forgotten.
const LONGEST_DAYS: i32 = 90;
/// As long as a hint suggests.
const SOON_DAYS: i32 = 30;

/// The terms of a scenario: the run's own, but for what its tags say.
pub(crate) fn terms(case: &Case, env: &Defaults<'_>, sink: &mut Sink<'_>) -> Terms {
    let mut terms = Terms { rates: env.rates, quarantine: None };
    // Feature first, scenario last: the nearest wins.
    for (_, tag) in &case.tags {
        let Some((word, inner)) = parts(&tag.text) else { continue };
        match word {
            "alpha" => terms.rates.alpha = rate(tag, inner, sink).unwrap_or(terms.rates.alpha),
            "beta" => terms.rates.beta = rate(tag, inner, sink).unwrap_or(terms.rates.beta),
            "quarantine" => terms.quarantine = quarantine(tag, inner, env, sink),
            _ => {}
        }
    }
    terms
}

/// `@word(inner)`, or the word alone.
fn parts(tag: &str) -> Option<(&str, &str)> {
    let text = tag.strip_prefix('@')?;
    match text.split_once('(') {
        Some((word, inner)) => Some((word, inner.strip_suffix(')').unwrap_or(inner).trim())),
        None => Some((text, "")),
    }
}

fn rate(tag: &Tag, inner: &str, sink: &mut Sink<'_>) -> Option<f64> {
    let value = inner.parse().ok().filter(|value| ErrorRates::is_rate(*value));
    if value.is_none() {
        let word = if tag.text.starts_with("@alpha") { "@alpha(1e-7)" } else { "@beta(1e-3)" };
        let mistake = Mistake::error("error-rate", 0..0, format!("{} is no error rate", tag.text))
            .label("a number between 0 and 0.5")
            .hint(format!("the chance that a verdict is wrong, as in {word}"));
        sink.out.push(mistake.at(tag.origin.clone()));
    }
    value
}

/// A quarantine that is over is told, and none.
fn quarantine(tag: &Tag, inner: &str, env: &Defaults<'_>, sink: &mut Sink<'_>) -> Option<Quarantine> {
    let Some(quarantine) = read(inner) else {
        let soon = env.today.unwrap_or(jiff::civil::date(2030, 1, 1)).saturating_add(SOON_DAYS.days());
        let mistake = Mistake::error("quarantine", 0..0, "a quarantine has a last day and a reason")
            .label("not understood")
            .hint(format!(
                "write @quarantine(until {soon}: \"why\"): it runs and is shown, and until then it does not count"
            ));
        sink.out.push(mistake.at(tag.origin.clone()));
        return None;
    };
    let today = env.today?;
    let until = quarantine.until;
    if until < today {
        let mistake = Mistake::warning("quarantine-over", 0..0, format!("this quarantine ended on {until}"))
            .label("its verdict counts again")
            .hint("take the tag out; or say anew for how long, and why");
        sink.out.push(mistake.at(tag.origin.clone()));
        return None;
    }
    let latest = today.saturating_add(LONGEST_DAYS.days());
    if until > latest {
        let mistake = Mistake::error("quarantine", 0..0, format!("a quarantine of more than {LONGEST_DAYS} days"))
            .label(format!("{latest} at the latest"))
            .hint("what nobody will mend by then is better taken out of the features");
        sink.out.push(mistake.at(tag.origin.clone()));
    }
    Some(quarantine)
}

/// `until 2030-01-31: "why"`.
fn read(inner: &str) -> Option<Quarantine> {
    let (day, reason) = inner.strip_prefix("until")?.split_once(':')?;
    let until: Date = day.trim().parse().ok()?;
    let reason = reason.trim().strip_prefix('"')?.strip_suffix('"')?.trim();
    (!reason.is_empty()).then(|| Quarantine { until, reason: reason.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarantine_has_a_day_and_a_reason() {
        let until = jiff::civil::date(2030, 1, 31);
        let reason = "see \"#7\"".to_owned();
        assert_eq!(read("until 2030-01-31: \"see \"#7\"\""), Some(Quarantine { until, reason }));
        for wrong in ["", "until", "2030-01-31: \"why\"", "until 2030-02-31: \"why\"", "until 2030-01-31: \"\""] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
