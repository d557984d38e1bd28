//! What a backend must say of a proxy in trouble: which it is, and what is wrong with it; and never that all is well.

use super::{
    Call, Ground, Seen, Trouble,
    case::{call, plan},
};
use crate::{Bindings, Desired, Mesh, MeshError};
use squall_model::{
    AnswerCode, Calls, Fault, FaultId, FaultKind, Fraction, Instance, InstanceId, Level, Plan, Policy, PolicyId,
    PolicyKind, RetryOn, Service, Stamp, Target, Topology, Touch, Traffic, When,
};
use std::{collections::BTreeSet, time::Duration};

/// Brings one proxy into trouble and has everything changed. False: the ground cannot bring that trouble about.
///
/// # Errors
/// What was otherwise than a mesh owes, in words.
pub async fn check_trouble<G: Ground>(ground: &mut G, victim: &InstanceId, trouble: Trouble) -> Result<bool, String> {
    let plan = troubled();
    let at = ground.place(&plan.topology).await;
    for instance in plan.topology.instances().map(|(id, ..)| id).filter(|id| id.service.as_str() == "reviews") {
        ground.answer(&instance, 503, Duration::ZERO);
    }
    let by = ground.soon();
    configure(ground, &plan, &at, false, by).await.map_err(|e| format!("before the trouble: {e}"))?;
    if !ground.bring(victim, trouble).await {
        return Ok(false);
    }
    // Another run of a scenario: everything is new to every proxy.
    let next = Bindings { tag: "c2".into(), ..at.clone() };
    let outcome = configure(ground, &plan, &next, true, ground.shortly()).await;
    let Err(error) = outcome else { return Err("it is said to be in force".into()) };
    is_fit(&error, trouble, victim, &plan)?;
    if trouble == Trouble::Refusing {
        return taken_back(ground).await.map(|()| true);
    }
    let faults = BTreeSet::from([FaultId(0)]);
    let armed = ground.mesh().arm(&plan, &next, &faults, ground.shortly()).await;
    let aimed = victim.service.as_str() == "reviews";
    match armed {
        Ok(_) if aimed => return Err("a fault is said to be in place where nothing can be".into()),
        Err(error) if aimed => names(&error, victim, &plan)?,
        // Who has no part in the fault may hold it up, or not.
        _ => {}
    }
    if trouble == Trouble::Paused {
        relieved(ground, victim, &plan, &next).await?;
    }
    Ok(true)
}

/// `web` calls `reviews`; retries that may come, and a fault.
fn troubled() -> Plan {
    let mut web = Service::new("web".into());
    web.calls = vec!["reviews".into()];
    let mut reviews = Service::new("reviews".into());
    reviews.instances = vec![Instance::default(); 2];
    let of = Calls { to: Some(Target::service("reviews".into())), ..Calls::default() };
    let says = PolicyKind::Retries { of: of.clone(), up_to: 2, on: vec![RetryOn::FiveHundreds], elsewhere: false };
    let on = Traffic { share: Fraction::ALL, level: Level::Tries, of };
    let does = FaultKind::Touch { on, touch: Touch::Abort(AnswerCode::Status(451)) };
    Plan {
        policies: vec![Policy { id: PolicyId(0), own: true, says }],
        faults: vec![Fault { id: FaultId(0), does, when: When::Standing }],
        ..plan(Topology { services: vec![web, reviews], ..Topology::default() })
    }
}

/// Has the plan in force, with or without its policies.
async fn configure<G: Ground>(
    ground: &G,
    plan: &Plan,
    at: &Bindings,
    policies: bool,
    by: Stamp,
) -> Result<(), MeshError> {
    let mesh = ground.mesh();
    let policies = plan.policies.iter().map(|p| &p.says).filter(|_| policies).collect();
    let config = mesh.render(&Desired { topology: &plan.topology, policies, faults: &plan.faults }, at)?;
    let applied = mesh.apply(&config, at, by).await?;
    mesh.confirm(&applied, at, by).await.map(drop)
}

/// An error of the right kind, about the right proxy.
fn is_fit(error: &MeshError, trouble: Trouble, victim: &InstanceId, plan: &Plan) -> Result<(), String> {
    names(error, victim, plan)?;
    match (error, trouble) {
        (MeshError::Rejected { words, .. }, Trouble::Refusing) if !words.trim().is_empty() => Ok(()),
        (MeshError::Lagging(_), Trouble::Lying | Trouble::Paused | Trouble::Dead) => Ok(()),
        (MeshError::Silent { .. }, Trouble::Paused | Trouble::Dead) => Ok(()),
        _ => Err(format!("a proxy that is {trouble:?} is told as {error:?}")),
    }
}

/// It names the one that is in trouble, with a reason, and nobody else.
fn names(error: &MeshError, victim: &InstanceId, plan: &Plan) -> Result<(), String> {
    let text = error.to_string();
    let named = |id: &InstanceId| text.contains(&id.to_string());
    let others: Vec<String> = plan
        .topology
        .instances()
        .map(|(id, ..)| id)
        .filter(|id| id != victim && named(id))
        .map(|id| id.to_string())
        .collect();
    let reason = match error {
        MeshError::Lagging(all) => all.iter().all(|one| one.len() > victim.to_string().len() + 3),
        MeshError::Rejected { words: why, .. } | MeshError::Silent { why, .. } => !why.trim().is_empty(),
        MeshError::Refused(_) | MeshError::ControlPlane(_) | MeshError::Spared(_) => false,
    };
    if named(victim) && others.is_empty() && reason {
        Ok(())
    } else {
        Err(format!("it is {victim} that is in trouble, and the error says: {text}"))
    }
}

/// Nobody has anything of a configuration that one proxy has rejected.
async fn taken_back<G: Ground>(ground: &mut G) -> Result<(), String> {
    let Seen { tries, .. } = ground.call(&a_call()).await;
    if tries.len() == 1 { Ok(()) } else { Err(format!("a rejected configuration is in force: {} tries", tries.len())) }
}

/// Once the proxy goes on, everything can be brought about that could not before.
async fn relieved<G: Ground>(ground: &mut G, victim: &InstanceId, plan: &Plan, at: &Bindings) -> Result<(), String> {
    ground.relieve(victim).await;
    let after = |what: &'static str| move |error: MeshError| format!("after the trouble, {what}: {error}");
    ground.mesh().arm(plan, at, &BTreeSet::new(), ground.soon()).await.map_err(after("ending the fault"))?;
    let at = Bindings { tag: "c3".into(), ..at.clone() };
    configure(ground, plan, &at, true, ground.soon()).await.map_err(after("configuring"))?;
    match ground.call(&a_call()).await {
        Seen { status: 503, tries, .. } if tries.len() == 3 => Ok(()),
        Seen { status, tries, .. } => Err(format!(
            "after the trouble a call comes to {} tries and status {status}, not to three and 503",
            tries.len()
        )),
    }
}

fn a_call() -> Call {
    call("web", "reviews").call
}
