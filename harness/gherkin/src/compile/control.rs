//! What the control run of a scenario does: tags, and lines that begin `in the control run`.

use super::line::{Line, Says, Statement};
use super::sink::Sink;
use super::subject::{answers_for, same_fault, stands_for};
use crate::document::{Case, Tag};
use crate::nearest;
use crate::source::Mistake;
use squall_model::{ControlRule, Fault, FaultId, FaultKind, Policy, Replacement};

const FORMS: &str = "@control(policies), @control(faults), @control(outage), @control(none: \"reason\")";

/// The rule of a scenario.
pub(crate) fn rule(
    case: &Case,
    statements: &[Statement],
    lines: &[Line<'_>],
    policies: &[Policy],
    faults: &[Fault],
    sink: &mut Sink<'_>,
) -> ControlRule {
    let tagged = tagged(case, sink);
    let replacements = replacements(statements, lines, policies, faults, sink);
    let first = statements.iter().find(|s| s.control).and_then(|s| lines.get(s.line));
    match (tagged, first) {
        (Some((_, tag)), Some(_)) => {
            let mistake = Mistake::error("control", 0..0, "two control runs: by a tag and by lines")
                .label("this scenario has lines that begin `in the control run` too")
                .hint("keep one of them");
            sink.out.push(mistake.at(tag.origin.clone()));
            ControlRule::Replace(replacements)
        }
        (None, Some(_)) => ControlRule::Replace(replacements),
        (Some((rule, _)), None) => rule,
        (None, None) => ControlRule::Default,
    }
}

/// The rule that the tags say: the nearest to the scenario wins.
fn tagged<'a>(case: &'a Case, sink: &mut Sink<'_>) -> Option<(ControlRule, &'a Tag)> {
    let mut found: Option<(usize, ControlRule, &Tag)> = None;
    for (level, tag) in case.tags.iter().filter(|(_, tag)| is_control(&tag.text)) {
        let Some(rule) = control_tag(&tag.text) else {
            let mistake = Mistake::error("control", 0..0, format!("there is no {}", tag.text))
                .label("unknown control run")
                .hint(hint(&tag.text));
            sink.out.push(mistake.at(tag.origin.clone()));
            continue;
        };
        if found.as_ref().is_some_and(|(known, other, _)| known == level && *other != rule) {
            let mistake =
                Mistake::error("control", 0..0, "two control runs for one scenario").label("keep one of them");
            sink.out.push(mistake.at(tag.origin.clone()));
        }
        found = Some((*level, rule, tag));
    }
    found.map(|(_, rule, tag)| (rule, tag))
}

fn is_control(tag: &str) -> bool {
    let word = tag.trim_start_matches('@').split('(').next().unwrap_or_default();
    word.eq_ignore_ascii_case("control")
}

fn control_tag(tag: &str) -> Option<ControlRule> {
    let inner = tag.strip_prefix("@control(")?.strip_suffix(')')?.trim();
    match inner {
        "policies" => Some(ControlRule::Policies),
        "faults" => Some(ControlRule::Faults),
        "outage" => Some(ControlRule::Outage),
        _ => {
            let reason = inner.strip_prefix("none")?.trim_start().strip_prefix(':')?.trim();
            let reason = reason.strip_prefix('"')?.strip_suffix('"')?.trim();
            (!reason.is_empty()).then(|| ControlRule::None(reason.to_owned()))
        }
    }
}

fn hint(tag: &str) -> String {
    let inner = tag.split_once('(').map_or("", |(_, inner)| inner.trim_end_matches(')').trim());
    if inner.starts_with("none") {
        return "a scenario without a control run says why: @control(none: \"nothing here can be taken away\")"
            .to_owned();
    }
    match nearest::name(inner, ["policies", "faults", "outage", "none"]) {
        Some(near) => format!("did you mean @control({near})?"),
        None => format!("write {FORMS}"),
    }
}

fn replacements(
    statements: &[Statement],
    lines: &[Line<'_>],
    policies: &[Policy],
    faults: &[Fault],
    sink: &mut Sink<'_>,
) -> Vec<Replacement> {
    let mut all = Vec::new();
    let mut next = u32::try_from(faults.len()).unwrap_or(u32::MAX);
    for statement in statements.iter().filter(|s| s.control) {
        match &statement.says {
            Says::Policy(says) => {
                let instead_of =
                    policies.iter().filter(|p| answers_for(&p.says, says)).max_by_key(|p| p.own).map(|p| p.id);
                all.push(Replacement::Policy { instead_of, says: says.clone() });
            }
            Says::Fault(does) => {
                let instead_of = stood_for(faults, does);
                let fault = Fault { id: FaultId(next), does: does.clone(), when: statement.when };
                next += 1;
                all.push(Replacement::Fault { instead_of, fault });
            }
            Says::Nothing if !statement.missing.is_empty() => {}
            Says::Nothing | Says::Traffic(_) | Says::Restore(_) | Says::Claim(_) | Says::Guard(_) => {
                refuse(statement, lines, sink);
            }
        }
    }
    all
}

/// The fault that another replaces: that on the very same subject, else one of its kind for the same service.
fn stood_for(faults: &[Fault], does: &FaultKind) -> Option<FaultId> {
    let same = faults.iter().find(|f| same_fault(&f.does, does));
    same.or_else(|| faults.iter().find(|f| stands_for(&f.does, does))).map(|f| f.id)
}

fn refuse(statement: &Statement, lines: &[Line<'_>], sink: &mut Sink<'_>) {
    let Some(line) = lines.get(statement.line).filter(|l| l.is.sentence.supported) else { return };
    let is_read = !matches!(statement.says, Says::Nothing) || line.is.sentence.kind == crate::sentences::Kind::Topology;
    if !is_read {
        return;
    }
    let what = line.is.sentence.kind.noun();
    let mistake = Mistake::error(
        "control",
        0..crate::matcher::CONTROL.len() - 1,
        format!("a control run cannot replace {what}"),
    )
    .label("policies and faults only")
    .hint("topology, traffic and expectations are the same in both runs: only then do they tell what the policy does");
    sink.tell(line.step, mistake);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_tags() {
        assert_eq!(control_tag("@control(outage)"), Some(ControlRule::Outage));
        assert_eq!(control_tag("@control(none: \"a \\\" b\")"), Some(ControlRule::None("a \\\" b".into())));
        for wrong in ["@control", "@control()", "@control(none)", "@control(none: \"\")", "@control(outages)"] {
            assert_eq!(control_tag(wrong), None, "{wrong}");
        }
        assert_eq!(hint("@control(outages)"), "did you mean @control(outage)?");
    }
}
