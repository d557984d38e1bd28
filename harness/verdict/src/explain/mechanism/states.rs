//! Why an instance was not ejected, or was; and why nobody found it unhealthy.

use super::Said;
use crate::{
    moment::longest_in_a_row,
    ruling::Case,
    state::{Pair, pairs},
};
use squall_evidence::{Spell, spells};
use squall_model::{Claim, ClaimKind, Condition, Happening, PolicyKind, State, Tally};

/// Of a claim about an ejection: how many failures in a row there were, and how many it takes.
pub(super) fn ejection(case: Case<'_>, claim: &Claim) -> Said {
    let (state, wanted) = match &claim.kind {
        ClaimKind::State { what, ever, .. } => (what, *ever),
        ClaimKind::Moment { what: Happening::Becomes(what), .. } | ClaimKind::Lasts { what, .. } => (what, true),
        _ => return None,
    };
    if state.is != Condition::Ejected || !case.evidence.tells_states() {
        return None;
    }
    let spells = spells(case.plan, case.evidence, Condition::Ejected);
    let pairs = pairs(case, &state.of);
    let (out, never): (Vec<&Pair>, Vec<&Pair>) = pairs.iter().partition(|pair| pair.of(&spells).next().is_some());
    if wanted { not_reached(case, state, &never, &spells) } else { reached(case, state, &out, &spells) }
}

/// Of a claim about health: nobody checks.
pub(super) fn unchecked(case: Case<'_>, claim: &Claim) -> Said {
    let state = match &claim.kind {
        ClaimKind::State { what, ever: true, .. } => what,
        ClaimKind::Moment { what: Happening::Becomes(what), .. } | ClaimKind::Lasts { what, .. } => what,
        _ => return None,
    };
    let service = &state.of.service;
    let checks = |says: &PolicyKind| matches!(says, PolicyKind::Check { of, .. } if of == service);
    if state.is == Condition::Ejected || case.plan.policies.iter().any(|policy| checks(&policy.says)) {
        return None;
    }
    let n = pairs(case, &state.of).len() as u64;
    let text = format!("nothing checks instances of \"{service}\": no health check is configured");
    Some((text, Tally { hits: n, n }))
}

fn after(case: Case<'_>, state: &State) -> Option<(u32, String)> {
    case.plan.policies.iter().rev().find_map(|policy| match &policy.says {
        PolicyKind::Ejection { of, after, at_most, .. } if *of == state.of.service => {
            Some((*after, at_most.to_string()))
        }
        _ => None,
    })
}

fn not_reached(case: Case<'_>, state: &State, never: &[&Pair], spells: &[Spell]) -> Said {
    let service = &state.of.service;
    let n = never.len() as u64;
    let worst = never.iter().max_by_key(|pair| longest_in_a_row(case, &pair.by, &pair.of))?;
    let longest = longest_in_a_row(case, &worst.by, &worst.of);
    let row = format!("{} saw at most {longest} in a row of {}", worst.by, worst.of);
    let covers = Tally { hits: n, n };
    let Some((after, at_most)) = after(case, state) else {
        return Some((
            format!("nothing ejects instances of \"{service}\": {row}, and no ejection is configured"),
            covers,
        ));
    };
    if longest < after {
        return Some((format!("too few failures in a row: {row}, and it takes {after} to be ejected"), covers));
    }
    let overflows: u64 = case
        .evidence
        .observed()
        .counters
        .iter()
        .flat_map(|c| c.rises.iter())
        .filter(|(name, _)| name.ends_with(".outlier_detection.ejections_overflow"))
        .map(|(_, rise)| *rise)
        .sum();
    let others = spells.iter().filter(|s| s.of.service == *service).count();
    (overflows > 0 && others > 0).then(|| {
        let text = format!(
            "enough others were out: {row}, which is enough for an ejection, but at most {at_most} may be out at a time \
             (ejections_overflow +{overflows})"
        );
        (text, covers)
    })
}

fn reached(case: Case<'_>, state: &State, out: &[&Pair], spells: &[Spell]) -> Said {
    let first = out.iter().flat_map(|pair| pair.of(spells)).min_by_key(|s| s.from.asked)?;
    let longest = longest_in_a_row(case, &first.by, &first.of);
    let (after, _) = after(case, state)?;
    let covers = Tally { hits: out.len() as u64, n: out.len() as u64 };
    (longest >= after).then(|| {
        let text = format!(
            "enough failures in a row: {} saw up to {longest} of {}, and ejects after {after}",
            first.by, first.of
        );
        (text, covers)
    })
}
