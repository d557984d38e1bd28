//! Tells of a judgement: claims with what bears on them, faults with their counts, evidence kept where it is needed.

use crate::{events::Events, scenario::Said};
use squall_evidence::{Evidence, absences};
use squall_mesh::{MeshError, PoliciesInForce, PolicyInForce};
use squall_model::{
    Body, CounterRecord, DoseCount, Exemplar, Finding, InForce, InstanceId, Judged, Plan, RunOf, Unsaid, Verdict,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader, Seek, SeekFrom},
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
    said: &Said,
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
    for absence in absences(plan, evidence) {
        events.emit(Some(of), Body::Absence(absence));
    }
    let violated = findings.iter().any(|finding| finding.verdict == Verdict::Violated);
    let lines = if violated { Lines::read(said) } else { Lines::default() };
    for finding in findings {
        events.emit(Some(of), Body::Judged(judged(plan, evidence, finding, &lines)));
    }
}

/// What callers' proxies have in force for the hosts that they called, those together that say the same, and who did not say.
pub(crate) fn in_force(events: &Events, of: &RunOf, policies: &PoliciesInForce, counters: &[CounterRecord]) {
    for one in together(policies, counters) {
        events.emit(Some(of), Body::InForce(one));
    }
    for one in unsaid(policies) {
        events.emit(Some(of), Body::Unsaid(one));
    }
}

/// By host, then by what is said, each with those who say it. Nobody calls the hosts that are left out.
fn together(policies: &PoliciesInForce, counters: &[CounterRecord]) -> Vec<InForce> {
    let called = |by: &InstanceId, host: &str| {
        let prefix = format!("cluster.out.{host}.upstream_");
        counters.iter().any(|one| one.proxy == *by && one.rises.keys().any(|name| name.starts_with(&prefix)))
    };
    // A proxy says the same twice of two routes that differ in nothing that is told: it is one that says so.
    let mut all: BTreeMap<&PolicyInForce, BTreeSet<InstanceId>> = BTreeMap::new();
    for (by, policy) in policies.iter().flat_map(|(by, said)| said.iter().flatten().map(move |policy| (by, policy))) {
        if called(by, &policy.host) {
            all.entry(policy).or_default().insert(by.clone());
        }
    }
    let told = |(policy, by): (&PolicyInForce, BTreeSet<InstanceId>)| InForce {
        by,
        host: policy.host.clone(),
        says: policy.says.clone(),
    };
    all.into_iter().map(told).collect()
}

/// Those that did not say, each with its reason.
fn unsaid(policies: &PoliciesInForce) -> Vec<Unsaid> {
    let silent = policies.iter().filter_map(|(by, said)| Some((by, said.as_ref().err()?)));
    let why = |error: &MeshError| match error {
        // The other words say who.
        MeshError::Silent { why, .. } => why.clone(),
        other => other.to_string(),
    };
    // An error may bring along a whole answer.
    let in_a_line = |why: String| shortened(why.lines().next().unwrap_or_default());
    silent.map(|(by, error)| Unsaid { by: by.clone(), why: in_a_line(why(error)) }).collect()
}

fn judged(plan: &Plan, evidence: &Evidence, finding: &Finding, lines: &Lines) -> Judged {
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
        log: if finding.verdict == Verdict::Violated { lines.about(&finding.exemplars) } else { Vec::new() },
    }
}

/// What the proxies of a run wrote.
#[derive(Debug, Default)]
struct Lines {
    access: Vec<String>,
    /// The last warning of each proxy's own log.
    warnings: Vec<String>,
}

impl Lines {
    fn read(said: &Said) -> Lines {
        let is_warning = |line: &String| line.contains("[warning]") || line.contains("[error]");
        // A proxy that has served another scenario has warned of that one, too.
        let own = |path: &Path| said.before.get(path).copied().unwrap_or_default();
        let last = |path: &Path| read(path, own(path)).into_iter().rfind(is_warning);
        Lines {
            access: said.access.iter().flat_map(|path| read(path, 0)).collect(),
            warnings: said.own.iter().filter_map(|(id, path)| Some(format!("{id}: {}", last(path)?))).collect(),
        }
    }

    /// The access-log lines of the first exemplars as the proxies wrote them, and their last warnings.
    fn about(&self, exemplars: &[Exemplar]) -> Vec<String> {
        let ids: Vec<String> = exemplars.iter().take(QUOTED_CALLS).map(|e| format!("\"{}\"", e.id)).collect();
        let of_calls = self.access.iter().filter(|line| ids.iter().any(|id| line.contains(id)));
        of_calls.chain(&self.warnings).map(|line| shortened(line)).collect()
    }
}

fn shortened(line: &str) -> String {
    match line.char_indices().nth(QUOTED_LENGTH) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// A log from this byte on. One that cannot be read has nothing to say; the verdict does not hang on it.
fn read(path: &Path, from: u64) -> Vec<String> {
    let open = || {
        let mut file = fs::File::open(path)?;
        file.seek(SeekFrom::Start(from))?;
        Ok::<_, std::io::Error>(BufReader::new(file))
    };
    open().map_or_else(|_| Vec::new(), |log| log.lines().map_while(Result::ok).collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_quoted_with_what_it_said_since_the_run_began() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own");
        let of_another = "[warning] of another\n";
        let said = |text: &str, before: u64| {
            fs::write(&path, text).unwrap();
            let own = vec![(InstanceId { service: "web".into(), number: 1 }, path.clone())];
            Lines::read(&Said { own, before: [(path.clone(), before)].into(), ..Said::default() }).warnings
        };
        let before = of_another.len() as u64;
        assert_eq!(said(of_another, before), [""; 0]);
        assert_eq!(said(&format!("{of_another}[info] x\n[warning] own\n[info] y\n"), before), ["web-1: [warning] own"]);
        assert_eq!(said("[warning] of one that is new\n", 0), ["web-1: [warning] of one that is new"]);
    }

    #[test]
    fn those_that_say_the_same_are_told_of_together_and_hosts_that_nobody_called_not_at_all() {
        let id = |number| InstanceId { service: "web".into(), number };
        let policy = |host: &str, says: &str| PolicyInForce { host: host.into(), says: says.into() };
        let said = |retries: &str| vec![policy("reviews", retries), policy("ratings", "no retries")];
        let policies = [(1, "1 retry"), (2, "1 retry"), (3, "no retries")];
        let policies = policies.map(|(number, retries)| (id(number), Ok(said(retries)))).into();
        let rose = |number, name: &str| CounterRecord { proxy: id(number), rises: [(name.to_owned(), 1)].into() };
        let reviews = "cluster.out.reviews.upstream_rq_total";
        // What is like a name is none, and what control planes count is no call.
        let others = [rose(1, "cluster.out.ratings2.upstream_rq_total"), rose(2, "cluster.out.ratings.update_success")];
        let counters: Vec<_> = (1..=3).map(|n| rose(n, reviews)).chain(others).collect();
        let told = together(&policies, &counters);
        let told: Vec<_> = told.iter().map(|one| (one.by.len(), one.host.as_str(), one.says.as_str())).collect();
        assert_eq!(told, [(2, "reviews", "1 retry"), (1, "reviews", "no retries")]);
        // Another's calls are not its own.
        let told = together(&policies, &[rose(1, reviews)]);
        assert_eq!(told.iter().map(|one| one.by.clone()).collect::<Vec<_>>(), [BTreeSet::from([id(1)])]);
    }

    #[test]
    fn one_that_says_the_same_twice_is_named_once() {
        let id = InstanceId { service: "web".into(), number: 1 };
        let policy = PolicyInForce { host: "reviews".into(), says: "1 retry".into() };
        let policies = [(id.clone(), Ok(vec![policy.clone(), policy]))].into();
        let rises = [("cluster.out.reviews.upstream_rq_total".to_owned(), 1)].into();
        let told = together(&policies, &[CounterRecord { proxy: id.clone(), rises }]);
        assert_eq!(told.iter().map(|one| one.by.iter().collect()).collect::<Vec<Vec<_>>>(), [[&id]]);
    }

    #[test]
    fn one_that_does_not_say_is_told_of_and_keeps_nobody_elses_word_back() {
        let id = |number| InstanceId { service: "web".into(), number };
        let policy = PolicyInForce { host: "reviews".into(), says: "1 retry".into() };
        let silent =
            MeshError::Silent { instance: id(2).to_string(), why: "no answer by the deadline\nand more".into() };
        let lagging = MeshError::Lagging(vec!["web-3 is not there yet".into()]);
        let policies = [(id(1), Ok(vec![policy])), (id(2), Err(silent)), (id(3), Err(lagging))].into();
        let rises = |number| CounterRecord {
            proxy: id(number),
            rises: [("cluster.out.reviews.upstream_rq_total".to_owned(), 1)].into(),
        };
        let told = together(&policies, &[rises(1), rises(2)]);
        assert_eq!(told.iter().map(|one| one.by.clone()).collect::<Vec<_>>(), [BTreeSet::from([id(1)])]);
        let unsaid: Vec<String> = unsaid(&policies).iter().map(|one| format!("{}: {}", one.by, one.why)).collect();
        assert_eq!(
            unsaid,
            ["web-2: no answer by the deadline", "web-3: not in force by the deadline: web-3 is not there yet"]
        );
    }
}
