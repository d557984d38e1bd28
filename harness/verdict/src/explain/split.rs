//! Carried by what: the value of an attribute that explains most.

use super::{
    ERROR, explains,
    offence::{Offence, One},
};
use crate::ruling::Case;
use squall_evidence::known;
use squall_model::{Attribute, Claim, ClaimKind, InstanceId, Outcome, Quantity, Split, Tally, Unit};
use squall_stats::{contrast::ln_fisher, share::Look};
use std::collections::BTreeMap;

/// Every attribute. Of several that part the units alike the first is named.
const ATTRIBUTES: &[Attribute] = &[
    Attribute::Version,
    Attribute::Zone,
    Attribute::Instance,
    Attribute::Path,
    Attribute::Method,
    Attribute::Host,
    Attribute::Header,
    Attribute::User,
    Attribute::Line,
    Attribute::Edge,
    Attribute::CallerZone,
    Attribute::Caller,
    Attribute::Attempt,
];

/// The value of an attribute whose units offend more than the others', by Fisher's exact test, corrected for the number of
/// values that are looked at (Bonferroni). `None` where nothing stands out.
pub(super) fn split(case: Case<'_>, claim: &Claim, offence: &Offence<'_>) -> Option<Split> {
    let all = offence.look();
    if all.hits == 0 || all.hits == all.n {
        return None;
    }
    let mut parts: Vec<(Attribute, String, Look)> = Vec::new();
    for by in ATTRIBUTES.iter().filter(|by| !is_the_claim(claim, **by)) {
        let mut values: BTreeMap<String, Look> = BTreeMap::new();
        for one in &offence.all {
            let Some(value) = value(case, offence.unit, one, *by) else { continue };
            let look = values.entry(value).or_default();
            look.n += 1;
            look.hits += u64::from(one.offends);
        }
        // What all have in common tells nothing apart.
        parts.extend(values.into_iter().filter(|(_, look)| look.n < all.n).map(|(value, look)| (*by, value, look)));
    }
    let error = (ERROR / parts.len().max(1) as f64).ln();
    let tested = parts.into_iter().map(|(by, value, part)| (ln_fisher(part, all), by, value, part));
    let clear = tested.filter(|(p, _, _, part)| *p <= error && explains(*part, all));
    let (_, by, value, part) = clear.reduce(|best, next| if next.0 < best.0 { next } else { best })?;
    let without = Tally { hits: all.hits - part.hits, n: all.n - part.n };
    Some(Split { by, value, within: Tally { hits: part.hits, n: part.n }, without, unit: offence.unit })
}

/// Where a claim is about the instances that are reached, to part by them would say it over again.
fn is_the_claim(claim: &Claim, by: Attribute) -> bool {
    let outcome = match &claim.kind {
        ClaimKind::Every { outcome, .. } | ClaimKind::Share { outcome, .. } => Some(outcome),
        ClaimKind::Total { quantity: Quantity::Count { outcome, .. }, .. } => Some(outcome),
        ClaimKind::Total { quantity: Quantity::Tries { .. }, .. } => return is_of_callee(by),
        _ => None,
    };
    match outcome {
        Some(Outcome::Reach(_) | Outcome::ReachOnlyOne(_) | Outcome::TriedTwiceOnOneInstance) => is_of_callee(by),
        Some(Outcome::Retried) => by == Attribute::Attempt,
        _ => false,
    }
}

fn is_of_callee(by: Attribute) -> bool {
    matches!(by, Attribute::Version | Attribute::Zone | Attribute::Instance)
}

/// Its value for this unit, where it has one.
fn value(case: Case<'_>, unit: Unit, one: &One<'_>, by: Attribute) -> Option<String> {
    let Case { plan, evidence, .. } = case;
    let line = || plan.lines().find(|line| Some(line.number) == one.story.line);
    let reached = || one.last_try(evidence).and_then(|t| t.instance());
    let of = |id: &InstanceId| known(&plan.topology, id);
    match by {
        Attribute::Instance => reached().map(ToString::to_string),
        Attribute::Version => reached().and_then(|id| Some(format!("{} {}", id.service, of(id)?.version.as_ref()?))),
        Attribute::Zone => reached().and_then(of)?.place.as_ref().map(ToString::to_string),
        Attribute::Caller => Some(one.story.caller.to_string()),
        Attribute::CallerZone => of(&one.story.caller)?.place.as_ref().map(ToString::to_string),
        Attribute::Edge => Some(one.story.edge.to_string()),
        Attribute::Path => Some(line()?.with.path.clone().unwrap_or_else(|| "/".into())),
        Attribute::Method => Some(line()?.with.method.clone().unwrap_or_else(|| "GET".into())),
        Attribute::Host => line()?.with.host.clone(),
        Attribute::Header => line()?.with.header.as_ref().map(|(name, value)| format!("{name}: {value}")),
        Attribute::User if unit == Unit::User => None,
        Attribute::User => match one.story.user {
            0 => line()?.with.user.clone(),
            number => Some(format!("user-{number}")),
        },
        Attribute::Line => {
            let number = one.story.line?;
            Some(plan.origins.lines.get(&number).map_or_else(|| format!("{}", number + 1), ToString::to_string))
        }
        Attribute::Attempt => (one.attempt > 0).then(|| one.attempt.to_string()),
    }
}
