//! Tells of a judgement: claims with what bears on them, faults with their counts, evidence kept where it is needed.

use crate::{events::Events, scenario::Logs};
use squall_evidence::Evidence;
use squall_model::{Body, DoseCount, Exemplar, Finding, Judged, Plan, RunOf, Verdict};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
};

/// Calls whose log lines are quoted.
const QUOTED_CALLS: usize = 1;

/// Characters of a quoted line: Envoy's own can be very long.
const QUOTED_LENGTH: usize = 240;

/// One event for each fault, one for each claim.
pub(crate) fn judgement(
    events: &Events,
    of: &RunOf,
    plan: &Plan,
    evidence: &Evidence,
    findings: &[Finding],
    doses: &[DoseCount],
    logs: &Logs,
) {
    for count in doses {
        let (Some(fault), Some(origin)) = (plan.fault(count.fault), plan.origins.faults.get(&count.fault)) else {
            continue;
        };
        events.emit(
            Some(of),
            Body::Dosed {
                text: format!("{}{}", fault.does, fault.when),
                origin: origin.clone(),
                level: fault.does.level(),
                count: count.clone(),
            },
        );
    }
    for finding in findings {
        events.emit(Some(of), Body::Judged(judged(plan, evidence, finding, logs)));
    }
}

fn judged(plan: &Plan, evidence: &Evidence, finding: &Finding, logs: &Logs) -> Judged {
    let claim = plan.claim(finding.claim);
    let green = finding.verdict == Verdict::Holds;
    let counters = match claim {
        Some(claim) if !green => squall_verdict::bearing(plan, claim, evidence),
        _ => Vec::new(),
    };
    Judged {
        text: claim.map(|c| c.text.clone()).unwrap_or_default(),
        origin: plan.origins.claims.get(&finding.claim).unwrap_or(&plan.origins.scenario).clone(),
        finding: finding.clone(),
        counters,
        log: if finding.verdict == Verdict::Violated { quoted(&finding.exemplars, logs) } else { Vec::new() },
    }
}

/// The access-log lines of the first exemplars as the proxies wrote them, and the last warning of each proxy's own log.
fn quoted(exemplars: &[Exemplar], logs: &Logs) -> Vec<String> {
    let ids: Vec<String> = exemplars.iter().take(QUOTED_CALLS).map(|e| format!("\"{}\"", e.id)).collect();
    let mut lines = Vec::new();
    for path in &logs.access {
        lines.extend(read(path).into_iter().filter(|line| ids.iter().any(|id| line.contains(id))));
    }
    for (id, path) in &logs.own {
        let own = read(path);
        let last = own.iter().rfind(|l| l.contains("[warning]") || l.contains("[error]"));
        lines.extend(last.map(|line| format!("{id}: {line}")));
    }
    for line in &mut lines {
        if let Some((end, _)) = line.char_indices().nth(QUOTED_LENGTH) {
            line.truncate(end);
            line.push('…');
        }
    }
    lines
}

/// A log that cannot be read has nothing to say; the verdict does not hang on it.
fn read(path: &Path) -> Vec<String> {
    fs::File::open(path)
        .map_or_else(|_| Vec::new(), |file| BufReader::new(file).lines().map_while(Result::ok).collect())
}

/// Writes what was observed into the run's record, so that a verdict that is not green can be judged again.
pub(crate) fn keep_evidence(record: &Path, of: &RunOf, evidence: &Evidence) {
    let name = format!(
        "{}-{}.json",
        of.plan,
        serde_json::to_string(&of.variation).unwrap_or_default().replace(['"', '{', '}', ':'], "")
    );
    let folder = record.join("evidence");
    let written = fs::create_dir_all(&folder)
        .and_then(|()| serde_json::to_vec(evidence.observed()).map_err(std::io::Error::other))
        .and_then(|text| fs::write(folder.join(&name), text));
    if let Err(error) = written {
        tracing::warn!("the evidence {name} was not kept: {error}");
    }
}
