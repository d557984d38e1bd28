//! A scenario compiled whole: all of its lines become one plan.

mod control;
mod faults;
mod given;
mod guards;
mod instances;
mod key;
mod line;
mod names;
mod policies;
mod routes;
mod sink;
mod statement;
mod subject;
mod terms;
mod then;
mod timeline;
mod traffic;
mod unread;

use line::Statement;
pub(crate) use line::{Line, Says};
pub(crate) use sink::Sink;
#[cfg(test)]
pub(crate) use statement::read;
pub(crate) use statement::runs;
pub(crate) use unread::word;

use crate::document::{Case, Step};
use crate::matcher::language;
use crate::sentences::Kind;
use crate::source::{Defaults, Mistake};
use squall_model::{
    Claim, ClaimId, ClaimKind, Diagnostic, FaultId, Guard, GuardId, GuardKind, Need, OriginMap, PLAN_SCHEMA, Plan,
    Policy, PolicyId, PolicyKind, Reference, Title, Topology, Variation, When,
};
use timeline::{Change, Story};

/// A plan with what lint needs to speak of it.
pub(crate) struct Built<'a> {
    pub(crate) case: &'a Case,
    pub(crate) plan: Plan,
    pub(crate) lines: Vec<Line<'a>>,
    /// The line of each policy, by its number.
    pub(crate) policy_lines: Vec<usize>,
    pub(crate) fault_lines: Vec<usize>,
    pub(crate) traffic_lines: Vec<usize>,
    pub(crate) claim_lines: Vec<usize>,
    pub(crate) guard_lines: Vec<usize>,
    pub(crate) changes: Vec<PolicyId>,
    /// Every line could be read: what is missing is really missing.
    pub(crate) complete: bool,
}

/// Compiles a scenario over the services of `base`. Mistakes go to the sink; with errors among them the plan is not to be run.
pub(crate) fn build<'a>(
    feature: &str,
    case: &'a Case,
    base: &Topology,
    env: &Defaults<'_>,
    sink: &mut Sink<'_>,
) -> Built<'a> {
    let before = sink.errors();
    let (lines, unread) = read_lines(&case.steps, sink);
    let told = sink.errors();
    let mut given = given::topology(base, &lines, env, sink);
    let half_known = case.broken || unread || sink.errors() > told;
    let statements: Vec<Statement> =
        lines.iter().enumerate().map(|(number, line)| statement::read(number, line, env, sink)).collect();
    let named = statements.iter().flat_map(|s| &s.names);
    given.take_on_trust(named.filter_map(|named| named.what.service()));
    names::check(&statements, &lines, &given, half_known, sink);
    let given::Said { topology, mut missing, .. } = given;
    missing.extend(statements.iter().flat_map(|s| s.missing.iter().map(|m| (s.line, m.clone()))));
    missing.sort_by_key(|(line, m)| (*line, m.span.start));

    let (policies, policy_lines) = policies_of(&statements, &lines, &topology, sink);
    let changes = changes_of(&statements, &policies, &policy_lines);
    let (claims, claim_lines) = claims_of(&statements, &lines);
    let (guards, guard_lines) = guards_of(&statements, &lines);
    let in_blocks = claims.iter().any(|claim| is_without_fault(&claim.kind));
    let Story { faults, fault_lines, timeline, traffic_lines } =
        timeline::story(&statements, &changes, &lines, in_blocks, sink);
    let control = control::rule(case, &statements, &lines, &policies, &faults, sink);
    let needs = missing
        .into_iter()
        .filter_map(|(line, m)| lines.get(line).map(|l| Need { what: m.what, origin: sink.origin(l.step, m.span) }))
        .collect();
    let mut plan = Plan {
        schema: PLAN_SCHEMA,
        key: key::key(feature, case, &[]),
        title: Title {
            feature: feature.to_owned(),
            scenario: case.name.clone(),
            tags: case.tags.iter().map(|(_, tag)| tag.text.clone()).collect(),
        },
        variation: Variation::Main,
        topology,
        policies,
        faults,
        timeline,
        claims,
        guards,
        control,
        terms: terms::terms(case, env, sink),
        needs,
        seed: env.seed,
        origins: OriginMap::of(case.origin.clone()),
    };
    plan.key = key::key(feature, case, &plan.claims);
    let complete = !case.broken && !unread && sink.errors() == before;
    let changes = changes.iter().map(|c| c.policy).collect();
    let mut built = Built {
        case,
        plan,
        lines,
        policy_lines,
        fault_lines,
        traffic_lines,
        claim_lines,
        guard_lines,
        changes,
        complete,
    };
    built.note_origins(sink);
    built
}

impl Built<'_> {
    fn note_origins(&mut self, sink: &Sink<'_>) {
        let origin = |line: &usize| self.lines.get(*line).map(|l| sink.origin(l.step, l.whole()));
        let mut origins = self.plan.origins.clone();
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        for (policy, line) in self.plan.policies.iter().zip(&self.policy_lines) {
            origins.policies.extend(origin(line).map(|o| (policy.id, o)));
        }
        for (n, line) in self.fault_lines.iter().enumerate() {
            origins.faults.extend(origin(line).map(|o| (FaultId(number(n)), o)));
        }
        for (n, line) in self.traffic_lines.iter().enumerate() {
            origins.lines.extend(origin(line).map(|o| (u16::try_from(n).unwrap_or(u16::MAX), o)));
        }
        for (n, line) in self.claim_lines.iter().enumerate() {
            origins.claims.extend(origin(line).map(|o| (ClaimId(number(n)), o)));
        }
        for (n, line) in self.guard_lines.iter().enumerate() {
            origins.guards.extend(origin(line).map(|o| (GuardId(number(n)), o)));
        }
        self.plan.origins = origins;
    }
}

/// Every step that is a sentence; true if some step is none.
fn read_lines<'a>(steps: &'a [Step], sink: &mut Sink<'_>) -> (Vec<Line<'a>>, bool) {
    let mut lines = Vec::new();
    let mut unread = false;
    for step in steps {
        match language().find(step.ty, &step.text.text).filter(|_| step.keyword != "*") {
            Some(is) => lines.push(Line { step, is }),
            None => {
                unread = true;
                let told: Diagnostic = unread::diagnose(step, sink);
                sink.out.push(told);
            }
        }
    }
    (lines, unread)
}

/// Policies in order of writing: a later one on the same subject replaces the earlier, but a change replaces nothing.
fn policies_of(
    statements: &[Statement],
    lines: &[Line<'_>],
    topology: &Topology,
    sink: &mut Sink<'_>,
) -> (Vec<Policy>, Vec<usize>) {
    let mut kept: Vec<(&Statement, &PolicyKind)> = Vec::new();
    for statement in statements.iter().filter(|s| !s.control) {
        let Says::Policy(says) = &statement.says else { continue };
        if !is_change(statement, statements) {
            let replaced = |s: &Statement, old: &PolicyKind| {
                !is_change(s, statements) && subject::same_policy(old, says, topology)
            };
            let beside = kept.iter().any(|(s, old)| s.own == statement.own && replaced(s, old));
            if let Some(line) = lines.get(statement.line).filter(|_| beside) {
                let mistake =
                    Mistake::warning("replaced", line.whole(), "a line above says something else of the same")
                        .label("replaces that line")
                        .hint("take one of them out; a policy that comes later is a change: under When, with its time");
                sink.tell(line.step, mistake);
            }
            kept.retain(|(s, old)| !replaced(s, old));
        }
        kept.push((statement, says));
    }
    let policy = |(number, (statement, says)): (usize, (&Statement, &PolicyKind))| {
        let id = PolicyId(u32::try_from(number).unwrap_or(u32::MAX));
        (Policy { id, own: statement.own, says: says.clone() }, statement.line)
    };
    kept.into_iter().enumerate().map(policy).unzip()
}

/// A policy under When is a change, unless it stands before all traffic and has no time: then it is in place from the start.
fn is_change(statement: &Statement, statements: &[Statement]) -> bool {
    let traffic_before =
        || statements.iter().any(|s| s.line < statement.line && !s.control && matches!(s.says, Says::Traffic(_)));
    statement.under_when && (statement.when != When::Standing || traffic_before())
}

fn changes_of(statements: &[Statement], policies: &[Policy], policy_lines: &[usize]) -> Vec<Change> {
    policies
        .iter()
        .zip(policy_lines)
        .filter_map(|(policy, line)| {
            let statement = statements.iter().find(|s| s.line == *line)?;
            is_change(statement, statements).then_some(Change { policy: policy.id, line: *line, when: statement.when })
        })
        .collect()
}

fn claims_of(statements: &[Statement], lines: &[Line<'_>]) -> (Vec<Claim>, Vec<usize>) {
    let claims = statements.iter().filter_map(|statement| match &statement.says {
        Says::Claim(kind) => Some((statement.line, kind)),
        _ => None,
    });
    claims
        .enumerate()
        .map(|(number, (line, kind))| {
            let text = lines.get(line).map_or("", Line::text).to_owned();
            (Claim { id: ClaimId(u32::try_from(number).unwrap_or(u32::MAX)), text, kind: kind.clone() }, line)
        })
        .unzip()
}

fn guards_of(statements: &[Statement], lines: &[Line<'_>]) -> (Vec<Guard>, Vec<usize>) {
    let guards = statements.iter().filter_map(|statement| match &statement.says {
        Says::Guard(says) => Some((statement.line, says)),
        _ => None,
    });
    let guard = |((line, says), number): ((usize, &GuardKind), u32)| {
        let text = lines.get(line).map_or("", Line::text).to_owned();
        (Guard { id: GuardId(number), text, says: says.clone() }, line)
    };
    guards.zip(0..).map(guard).unzip()
}

/// The claim compares calls with those without the fault: it has to come and go.
fn is_without_fault(kind: &ClaimKind) -> bool {
    matches!(kind, ClaimKind::Paired { reference: Reference::WithoutFault, .. })
}

/// True for lines of this kind.
pub(crate) fn is_kind(line: &Line<'_>, kind: Kind) -> bool {
    line.is.sentence.kind == kind
}

/// Gives plans that say the very same keys of their own, by their order.
pub(crate) fn distinct(mut plans: Vec<Plan>) -> Vec<Plan> {
    let mut seen: std::collections::BTreeMap<squall_model::PlanKey, usize> = std::collections::BTreeMap::new();
    for plan in &mut plans {
        let times = seen.entry(plan.key.clone()).or_default();
        *times += 1;
        if *times > 1 {
            plan.key = key::again(&plan.key, *times);
        }
    }
    plans
}
