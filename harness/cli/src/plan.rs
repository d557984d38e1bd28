//! `plan`: what a run would start, change and send, without any of it.

use crate::{
    args::PlanArgs,
    features, mesh,
    outcome::{Exit, Failure},
    settings::Settings,
    term::Out,
};
use squall_model::{
    Act, ControlRule, FaultId, Plan, PolicyId, Shape, Stage, TrafficLine, Variation, controls, duration,
};
use squall_report::Colour;
use std::{fmt::Write, path::Path};

/// Prints the plans.
pub fn plan(args: &PlanArgs, out: Out) -> Result<Exit, Failure> {
    let selected = features::select(&args.paths, &Settings::read(Path::new("."))?, out)?;
    out.print_error(&selected.sources.render(&selected.warnings, out.error_style.colour));
    if args.json {
        let json = serde_json::to_string_pretty(&selected.plans).map_err(|e| Failure::environment(e.to_string()))?;
        out.print(&format!("{json}\n"));
        return Ok(Exit::Holds);
    }
    let text: String = selected.plans.iter().map(|plan| describe(plan, out)).collect();
    out.print(&text);
    Ok(Exit::Holds)
}

fn describe(plan: &Plan, out: Out) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{}  {}",
        out.style.paint(Colour::Bold, &plan.title.scenario),
        out.style.paint(Colour::Blue, &plan.origins.scenario)
    );
    let services: Vec<String> =
        plan.topology.services.iter().map(|s| format!("{} x{}", s.name, s.instances.len())).collect();
    let _ = writeln!(text, "  starts   {} proxies: {}", plan.proxies(), services.join(", "));
    for why in mesh::unsupported(plan) {
        let _ = writeln!(text, "  cannot   {} ({}): the scenario is unsupported", why.message, why.origin);
    }
    for (number, stage) in plan.timeline.stages.iter().enumerate() {
        describe_stage(&mut text, plan, number, stage);
    }
    if let Some(quarantine) = &plan.terms.quarantine {
        let _ = writeln!(text, "  counts   not, {quarantine}");
    }
    let claims = plan.claims.len();
    let _ = writeln!(text, "  judges   {claims} claim{}", if claims == 1 { "" } else { "s" });
    let _ = writeln!(text, "  control  {}\n", control(plan));
    text
}

fn describe_stage(text: &mut String, plan: &Plan, number: usize, stage: &Stage) {
    let stage_name = if plan.timeline.stages.len() > 1 { format!(" (stage {})", number + 1) } else { String::new() };
    for act in &stage.standing {
        let _ = writeln!(text, "  before   {}{stage_name}", happens(plan, *act));
    }
    if let Some(blocks) = stage.blocks {
        let (count, length) = (blocks.count, duration(blocks.length));
        let _ = writeln!(text, "  in turn  {count} blocks of {length}, without and with{stage_name}");
        let begins = stage.cues.iter().take_while(|cue| cue.at == blocks.begin(1));
        for cue in begins {
            let _ = writeln!(text, "           {}", happens(plan, cue.act));
        }
    }
    for cue in stage.cues.iter().filter(|_| stage.blocks.is_none()) {
        let _ = writeln!(text, "  at {:>7} {}{stage_name}", duration(cue.at), happens(plan, cue.act));
    }
    for line in &stage.lines {
        let _ = writeln!(text, "  sends    {}{stage_name}", traffic(line));
    }
}

/// What an act does, in the words of the language.
fn happens(plan: &Plan, act: Act) -> String {
    let fault = |id: FaultId| plan.fault(id).map(|f| f.does.to_string()).unwrap_or_default();
    let policy = |id: PolicyId| plan.origins.policies.get(&id).map_or_else(String::new, |at| format!(" ({at})"));
    match act {
        Act::Arm(id) => fault(id),
        Act::End(id) => format!("the end of: {}", fault(id)),
        Act::Change(id) => format!("a policy changes{}", policy(id)),
        Act::Revert(id) => format!("a policy changes back{}", policy(id)),
    }
}

fn traffic(line: &TrafficLine) -> String {
    let calls = line.shape.calls().map_or_else(|| "calls as the answers allow".into(), |n| format!("{n} calls"));
    let how = match line.shape {
        Shape::Open { rate, length, .. } => format!("at {rate} for {}", duration(length)),
        Shape::Decide { rate, cap } => format!("at most, at {rate}, until decided or for {}", duration(cap)),
        Shape::Serial { .. } => "one after another".into(),
        Shape::Closed { users, length, .. } => format!("by {users} users for {}", duration(length)),
        Shape::Ramp { from, to, length } => format!("from {from} to {to} per second over {}", duration(length)),
    };
    format!("{calls} from \"{}\" to {}{}, {how}", line.caller, line.to, line.with)
}

fn control(plan: &Plan) -> String {
    if let ControlRule::None(why) = &plan.control {
        return format!("none: {why}");
    }
    let each = |variation: &Variation| match variation {
        Variation::Main => "as written".to_owned(),
        Variation::WithoutPolicies => "without its policies".into(),
        Variation::WithoutPolicy(id) => {
            let line = plan.origins.policies.get(id).map_or(0, |o| o.line);
            format!("without the policy of line {line}")
        }
        Variation::WithoutFaults => "without its faults".into(),
        Variation::WithoutEvents => "without its events".into(),
        Variation::Replaced => "with the lines `in the control run`".into(),
        Variation::Outage => "with the claimed calls cut off in the fault's window".into(),
    };
    let all: Vec<String> = controls(plan).iter().map(each).collect();
    if all.is_empty() { "nothing to take away: it will be vacuous".into() } else { all.join(", else ") }
}
