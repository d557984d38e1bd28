//! How large a part of a service is broken at a time: what is drawn of its calls and tries, and its instances that are down or gone.
//!
//! What is broken at the same time adds up, moment by moment of the plan's timeline; what has no end there is taken to overlap with all
//! that comes after it.

use super::{Limit, diagnostic};
use squall_model::{
    Act, Diagnostic, Fault, FaultKind, Fraction, InstanceId, Level, Members, Origin, Plan, Service, ServiceName, Stage,
    Topology, Traffic,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// Every fault of a plan with which more of a service is broken than that.
pub(super) fn beyond(plan: &Plan, limit: &Limit<Fraction>) -> Vec<Diagnostic> {
    let mut moment = Moment::before(plan);
    let mut all = Vec::new();
    for act in plan.timeline.stages.iter().flat_map(Stage::acts) {
        let found = moment.after(act).and_then(|fault| moment.beyond(fault, limit));
        all.extend(found.filter(|one| !all.contains(one)));
    }
    all
}

/// What is in place at a moment.
struct Moment<'p> {
    plan: &'p Plan,
    /// In the order in which it came.
    faults: Vec<&'p Fault>,
    sizes: BTreeMap<ServiceName, Size>,
    /// With every service as large as it ever gets: an instance that comes later is one, too.
    largest: Topology,
}

/// How many instances a service has.
struct Size {
    now: usize,
    /// At the most so far: those that are missing were taken away.
    most: usize,
    /// The fewest of the whole plan. Shares are of these: what takes effect late may meet no more.
    fewest: usize,
}

impl<'p> Moment<'p> {
    fn before(plan: &'p Plan) -> Moment<'p> {
        let mut largest = plan.topology.clone();
        let of = |service: &Service| {
            let first = service.instances.len();
            (service.name.clone(), Size { now: first, most: first, fewest: first })
        };
        let mut sizes: BTreeMap<_, _> = plan.topology.services.iter().map(of).collect();
        for fault in &plan.faults {
            let FaultKind::Resized { service, to } = &fault.does else { continue };
            let to = *to as usize;
            if let (Some(size), Some(service)) = (sizes.get_mut(service), largest.service_mut(service)) {
                size.fewest = size.fewest.min(to);
                let like = service.instances.last().cloned().unwrap_or_default();
                service.instances.resize(service.instances.len().max(to), like);
            }
        }
        Moment { plan, faults: Vec::new(), sizes, largest }
    }

    /// The moment after an act, and the fault by which more may be broken now.
    fn after(&mut self, act: Act) -> Option<&'p Fault> {
        let (Act::Arm(id) | Act::End(id)) = act else { return None };
        let fault = self.plan.fault(id)?;
        let begins = matches!(act, Act::Arm(_));
        self.faults.retain(|here| here.id != id);
        let FaultKind::Resized { service, to } = &fault.does else {
            self.faults.extend(begins.then_some(fault));
            return begins.then_some(fault);
        };
        // Growth that ends is instances that are taken away.
        self.faults.push(fault);
        let first = self.plan.topology.service(service).map_or(0, |service| service.instances.len());
        if let Some(size) = self.sizes.get_mut(service) {
            size.now = if begins { *to as usize } else { first };
            size.most = size.most.max(size.now);
        }
        Some(fault)
    }

    /// What is too much with a fault that has just come: it alone, or with what is in place besides.
    fn beyond(&self, fault: &Fault, limit: &Limit<Fraction>) -> Option<Diagnostic> {
        let label = if fault.does.is_event() { "this event" } else { "this fault" };
        let tell = |what: String| diagnostic(&what, limit, origin(self.plan, fault), label);
        if is_uncountable(&fault.does) {
            let is_beyond = limit.value < Fraction::ALL;
            return is_beyond.then(|| tell("how large a part it touches cannot be counted".into()));
        }
        let alone = |service: &&Service| self.share(service, &[fault]);
        let hit: Vec<&Service> = self.plan.topology.services.iter().filter(|s| alone(s) > Fraction::ZERO).collect();
        let most = hit.iter().map(alone).max()?;
        if most > limit.value {
            return Some(tell(format!("it {}", does(&fault.does, most))));
        }
        let (together, service) = hit.into_iter().map(|s| (self.share(s, &self.faults), s)).max_by_key(|s| s.0)?;
        (together > limit.value).then(|| {
            let others = self.besides(fault, service);
            tell(format!("together with {others} it touches {together} of \"{}\"", service.name))
        })
    }

    /// The lines of what else touches a service.
    fn besides(&self, fault: &Fault, service: &Service) -> String {
        let others = self.faults.iter().filter(|other| other.id != fault.id);
        let others = others.filter(|other| self.share(service, &[other]) > Fraction::ZERO);
        let lines: BTreeSet<u32> = others.map(|other| origin(self.plan, other).line).collect();
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        format!("{} {}", if lines.len() == 1 { "line" } else { "lines" }, lines.join(" and "))
    }

    /// The part of a service that these touch together. What cannot be counted is refused by itself, whatever else there is.
    fn share(&self, service: &Service, faults: &[&Fault]) -> Fraction {
        let (mut drawn, mut instances, mut resized) = (0, BTreeSet::new(), false);
        for fault in faults {
            match &fault.does {
                FaultKind::Touch { on, .. } if self.means(on, service) => {
                    drawn = u32::saturating_add(drawn, on.share.ppm());
                }
                FaultKind::Resized { service: of, .. } => resized |= *of == service.name,
                does => instances.extend(self.hit(does).into_iter().filter(|id| id.service == service.name)),
            }
        }
        let Some(size) = self.sizes.get(&service.name) else { return Fraction::ALL };
        let gone = if resized { part(size.most - size.now, size.most) } else { 0 };
        whole(drawn.saturating_add(part(instances.len(), size.fewest)).saturating_add(gone))
    }

    /// The instances that a fault hits by name.
    fn hit(&self, does: &FaultKind) -> Vec<InstanceId> {
        match does {
            FaultKind::Down { of, .. } | FaultKind::Restarted { of, .. } => self.behind(of.instances(&self.largest)),
            FaultKind::Answers { of, .. } if does.is_harm() => Members::Of(of.clone()).instances(&self.largest),
            _ => Vec::new(),
        }
    }

    /// These, and those of other services that stand before the same pods of an application.
    fn behind(&self, all: Vec<InstanceId>) -> Vec<InstanceId> {
        let ip = |id: &InstanceId| Some(self.largest.instance(id)?.at?.ip());
        let pods: BTreeSet<IpAddr> = all.iter().filter_map(ip).collect();
        let others =
            self.largest.instances().map(|(id, ..)| id).filter(|id| ip(id).is_some_and(|ip| pods.contains(&ip)));
        let others: Vec<InstanceId> = others.filter(|id| !all.contains(id)).collect();
        all.into_iter().chain(others).collect()
    }

    /// Whether calls to this service may be among them.
    fn means(&self, on: &Traffic, service: &Service) -> bool {
        match (&on.of.to, &on.of.from) {
            (Some(to), _) => to.service == service.name,
            (None, Some(from)) => self.plan.topology.callers(&service.name).any(|caller| caller.name == *from),
            (None, None) => true,
        }
    }
}

/// Wires, a control plane, and whatever else nobody has said how to count.
fn is_uncountable(does: &FaultKind) -> bool {
    !matches!(
        does,
        FaultKind::Touch { .. }
            | FaultKind::Down { .. }
            | FaultKind::Restarted { .. }
            | FaultKind::Answers { .. }
            | FaultKind::Resized { .. }
    )
}

fn does(does: &FaultKind, share: Fraction) -> String {
    match does {
        FaultKind::Touch { on, .. } if on.level == Level::Calls => format!("touches {share} of the calls"),
        FaultKind::Touch { .. } => format!("touches {share} of the tries"),
        FaultKind::Resized { .. } => format!("takes away {share} of the instances of a service"),
        _ => format!("touches {share} of the instances of a service"),
    }
}

fn origin<'p>(plan: &'p Plan, fault: &Fault) -> &'p Origin {
    plan.origins.faults.get(&fault.id).unwrap_or(&plan.origins.scenario)
}

/// So many of all, in parts per million, rounded up: two of three are more than 66%.
fn part(some: usize, all: usize) -> u32 {
    u32::try_from((some as u64 * 1_000_000).div_ceil(all.max(1) as u64)).unwrap_or(u32::MAX)
}

/// Parts per million; more than the whole is the whole.
fn whole(ppm: u32) -> Fraction {
    Fraction::from_ppm(ppm).unwrap_or(Fraction::ALL)
}
