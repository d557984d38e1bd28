//! `plan`: what a run would start, change and send, without any of it.

use crate::takes::{Takes, expected, rounded};
use crate::{
    args::{GroundKind, PlanArgs},
    features, mesh,
    outcome::{Exit, Failure},
    settings::Settings,
    term::Out,
};
use squall_gherkin::rests_on;
use squall_mesh_proxy::render;
use squall_model::{
    Act, Arrivals, Claim, ClaimKind, ControlRule, FaultId, FaultKind, Level, Members, Only, Plan, PolicyId, Population,
    Service, ServiceName, Shape, Stage, Traffic, TrafficLine, Unit, Variation, controls, duration,
};
use squall_report::{Colour, Style, count};
use std::{fmt::Write, path::Path, time::Duration};

/// Prints the plans.
pub fn plan(args: &PlanArgs, out: Out) -> Result<Exit, Failure> {
    let settings = Settings::read(Path::new("."))?;
    let selected = features::select(&args.paths, &settings, args.context.as_deref(), out)?;
    out.print_error(&selected.sources.render(&selected.warnings, out.error_style.colour));
    if args.json {
        let json = serde_json::to_string_pretty(&selected.plans).map_err(|e| Failure::environment(e.to_string()))?;
        out.print(&format!("{json}\n"));
        return Ok(Exit::Holds);
    }
    if args.objects {
        let on = args.paths.grounds();
        if !on.iter().all(|on| *on == GroundKind::Istio) || on.is_empty() {
            return Err(Failure::usage("--objects shows what Istio is told: it goes with --mesh istio"));
        }
        let objects: Vec<String> = selected.plans.iter().map(objects).collect::<Result<_, _>>()?;
        out.print(&objects.concat());
        return Ok(Exit::Holds);
    }
    let mut text: String = selected.plans.iter().map(|plan| describe(plan, &args.paths.grounds(), out.style)).collect();
    if let [_, _, ..] = selected.plans.as_slice() {
        text.push_str(&together(&selected.plans, &args.paths.grounds()));
    }
    if args.paths.grounds().contains(&GroundKind::IstioOnKubernetes) {
        settings.kubernetes.limits.told().iter().for_each(|limit| {
            let _ = writeln!(text, "within {limit}");
        });
    }
    out.print(&text);
    Ok(Exit::Holds)
}

/// What Istio would be told, each object a document of YAML.
fn objects(plan: &Plan) -> Result<String, Failure> {
    let mut text = format!("# {}  {}\n", plan.title.scenario, plan.origins.scenario);
    match squall_mesh_istio::render::rehearsed(plan) {
        Err(why) => {
            let _ = writeln!(text, "# unsupported: {why}");
        }
        Ok(objects) => {
            for object in objects {
                let yaml =
                    serde_yaml::to_string(&object.json("squall")).map_err(|e| Failure::environment(e.to_string()))?;
                let _ = write!(text, "---\n{yaml}");
            }
        }
    }
    Ok(text)
}

/// How long all of them take.
fn together(plans: &[Plan], on: &[GroundKind]) -> String {
    let all = plans.iter().map(|plan| expected(plan, on)).fold(Takes::default(), Takes::and);
    let controls = match all.controls {
        Duration::ZERO => String::new(),
        more => format!(", with control runs up to {}", rounded(all.main.time() + more)),
    };
    format!("{} scenarios: {}{controls}\n", plans.len(), all.main)
}

fn describe(plan: &Plan, on: &[GroundKind], style: Style) -> String {
    let mut text = String::new();
    let (title, at) = (&plan.title.scenario, &plan.origins.scenario);
    let _ = writeln!(text, "{}  {}", style.paint(Colour::Bold, title), style.paint(Colour::Blue, at));
    let services = |theirs: bool| -> Vec<String> {
        let those = plan.topology.services.iter().filter(|s| s.deployed.is_some() == theirs);
        those.map(|s| format!("{} x{}", s.name, s.instances.len())).collect()
    };
    let _ = writeln!(text, "  starts   {} proxies: {}", plan.proxies(), services(false).join(", "));
    let namespaces = plan.topology.joined();
    if !namespaces.is_empty() && plan.needs.is_empty() {
        let (who, whose) = (services(true).join(", "), namespaces.into_iter().collect::<Vec<_>>().join(", "));
        let restarted = render::restarted_in(plan, true);
        let restarted: Vec<&Service> = restarted.into_iter().filter(|service| is_restartable(service)).collect();
        let untouched = if restarted.is_empty() { ", and nothing of it is changed" } else { "" };
        let _ = writeln!(text, "  joins    {who} in namespace {whose}: called{untouched}");
        for service in restarted {
            let namespace = service.deployed.as_ref().map_or("", |of| of.namespace.as_str());
            let whose = format!("pods of {} in namespace {namespace}", service.name);
            let _ = writeln!(text, "  edits    {whose} are evicted, and their controllers start others");
        }
        for service in render::asking_in(plan, true) {
            let Some(of) = service.deployed.as_ref().filter(|of| of.pods.is_some()) else { continue };
            let name = squall_mesh_istio::asking::name(service);
            let whose = format!("EnvoyFilter {name} in namespace {}", of.namespace);
            let _ = writeln!(text, "  adds     {whose}, while the run lasts: its proxies ask about tries of ours");
        }
    }
    let cannot = mesh::unsupported(plan, on);
    for why in &cannot {
        let _ = writeln!(text, "  cannot   {} ({}): the scenario is unsupported", why.message, why.origin);
    }
    for (number, stage) in plan.timeline.stages.iter().enumerate() {
        describe_stage(&mut text, plan, number, stage);
    }
    if cannot.is_empty() {
        describe_nets(&mut text, plan);
    }
    if let Some(quarantine) = &plan.terms.quarantine {
        let _ = writeln!(text, "  counts   not, {quarantine}");
    }
    if cannot.is_empty() {
        describe_judgement(&mut text, plan, on);
    } else {
        text.push_str("  judges   nothing, and makes no control run\n");
    }
    text.push('\n');
    text
}

/// Whether whoever runs this allowed its pods to be restarted.
fn is_restartable(service: &Service) -> bool {
    service.deployed.as_ref().is_some_and(|of| of.restarted.is_some())
}

/// What ends each fault when nobody of ours is left to do it; faults that the same ends together.
fn describe_nets(text: &mut String, plan: &Plan) {
    let mut nets: Vec<(&str, Vec<u32>)> = Vec::new();
    for fault in plan.faults.iter().filter(|fault| !fault.does.is_event()) {
        let (net, line) = (net(plan, &fault.does), plan.origins.faults.get(&fault.id).map_or(0, |origin| origin.line));
        match nets.iter_mut().find(|(other, _)| *other == net) {
            Some((_, lines)) => lines.push(line),
            None => nets.push((net, vec![line])),
        }
    }
    for (net, mut lines) in nets {
        lines.dedup();
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "  ends     line {}, should we die: {net}", lines.join(" and "));
    }
}

/// What ends a fault when we are gone. There is none without: whoever adds a kind of fault has to say it here.
fn net(plan: &Plan, fault: &FaultKind) -> &'static str {
    match fault {
        FaultKind::Touch { on, .. } if on.level == Level::Tries && is_asked(plan, on) => {
            "the next try, since proxies that ask and get no answer go on"
        }
        FaultKind::Touch { .. } => "3 s, by the lease of the proxies that make it",
        FaultKind::Wire { .. } | FaultKind::Outage { .. } => {
            "3 s, by the lease of the link that the wires lead through"
        }
        FaultKind::Restarted { of: Members::Of(target), .. } if plan.topology.deployed(&target.service).is_some() => {
            "the controller of its pods, which starts others"
        }
        FaultKind::Down { .. }
        | FaultKind::Restarted { .. }
        | FaultKind::Answers { .. }
        | FaultKind::ControlPlaneKilled
        | FaultKind::Resized { .. } => "with its processes, which are ours and go with the run",
    }
}

/// Whether some of these tries reach services of others.
fn is_asked(plan: &Plan, on: &Traffic) -> bool {
    let theirs = |service: &ServiceName| plan.topology.deployed(service).is_some();
    match &on.of.to {
        Some(target) => theirs(&target.service),
        // Those that reach services of ours, too, end with the lease of our proxies.
        None => plan.topology.edges().all(|edge| theirs(&edge.to)),
    }
}

/// What is judged, what is taken away, and how long it all takes.
fn describe_judgement(text: &mut String, plan: &Plan, on: &[GroundKind]) {
    for guard in &plan.guards {
        let line = plan.origins.guards.get(&guard.id).map_or(0, |origin| origin.line);
        let _ = writeln!(text, "  guards   line {line}: {}", guard.text);
    }
    for claim in &plan.claims {
        let line = plan.origins.claims.get(&claim.id).map_or(0, |origin| origin.line);
        let _ = writeln!(text, "  judges   line {line}, {}: {}", how(plan, claim), claim.text);
    }
    let _ = writeln!(text, "  control  {}", control(plan));
    let takes = expected(plan, on);
    let more = match takes.control_runs {
        0 => "",
        1 => ", and its control run as long if nothing ends it sooner",
        _ => ", and each of its control runs as long if nothing ends it sooner",
    };
    let _ = writeln!(text, "  takes    {}{more}", takes.main);
}

/// What kind of claim it is, and on how many calls it rests.
fn how(plan: &Plan, claim: &Claim) -> String {
    let kind = match &claim.kind {
        ClaimKind::Every { .. } => "exact",
        ClaimKind::Total { .. } => "a count",
        ClaimKind::Share { .. } => "a share with a stated error rate",
        ClaimKind::Paired { .. } => "pairs with a stated error rate",
        ClaimKind::Moment { .. } => "a moment",
        ClaimKind::State { .. } => "a state",
        ClaimKind::Lasts { .. } => "a length of time",
    };
    let what = match claim.kind.population() {
        Some(Population { only: Some(Only::Failed), .. }) => "those that fail of ",
        Some(Population { only: Some(Only::Shed), .. }) => "those that are shed of ",
        Some(Population { unit: Unit::Try, .. }) => "the tries of ",
        Some(Population { unit: Unit::Retry, .. }) => "the retries of ",
        Some(Population { unit: Unit::User, .. }) => "the users of ",
        _ => "",
    };
    match rests_on(plan, claim) {
        Some(calls) => format!("{kind}, on {what}{}", count(calls, "call")),
        None => kind.to_owned(),
    }
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
    let random = matches!(line.shape, Shape::Open { arrivals: Arrivals::Random, .. });
    let about = if random { "about " } else { "" };
    let calls = line
        .shape
        .calls()
        .map_or_else(|| "calls as the answers allow".to_owned(), |n| format!("{about}{}", count(n, "call")));
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
    let policy = |id: PolicyId| format!("the policy of line {}", plan.origins.policies.get(&id).map_or(0, |o| o.line));
    let each = |variation: &Variation| variation.words(policy);
    let all: Vec<String> = controls(plan).iter().map(each).collect();
    if all.is_empty() { "nothing to take away: it will be vacuous".into() } else { all.join(", else ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_gherkin::{Defaults, Selection, Source, compile};

    #[test]
    fn a_plan_says_what_is_judged_and_for_how_long() {
        let text = include_str!("plan/told.feature");
        let compiled = compile(&Source::new("told.feature", text), &Defaults::default(), &Selection::default());
        let plans = compiled.unwrap().plans;
        let told: String = plans
            .iter()
            .map(|plan| describe(plan, &[GroundKind::Envoy], Style { colour: false, width: 110 }))
            .collect();
        insta::assert_snapshot!(told + &together(&plans, &[GroundKind::Envoy]));
    }
}
