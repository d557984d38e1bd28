//! Names against the topology: who is meant must be there.

use super::given::{Said, near_service};
use super::line::{Line, Says, Statement};
use super::sink::Sink;
use crate::clauses::{Name, Named};
use crate::nearest;
use crate::source::Mistake;
use squall_model::{FaultKind, Level, Place, Service, ServiceName, Topology};
use std::collections::BTreeMap;

/// What a scenario knows.
struct Known<'a> {
    topology: &'a Topology,
    /// Nobody has looked at the application: what its services have is taken on trust.
    unseen: bool,
    /// Services that grow or shrink: to how many instances at the most, and how many times.
    grown: BTreeMap<ServiceName, (u32, u32)>,
    /// Some line that may declare services could not be read: then only misspelt names are told.
    lenient: bool,
}

/// Looks up every name of every statement.
pub(crate) fn check(statements: &[Statement], lines: &[Line<'_>], given: &Said, lenient: bool, sink: &mut Sink<'_>) {
    let mut grown = BTreeMap::new();
    for statement in statements {
        if let Says::Fault(FaultKind::Resized { service, to }) = &statement.says {
            let (most, times) = grown.entry(service.clone()).or_insert((*to, 0));
            *most = (*most).max(*to);
            *times += 1;
        }
    }
    let known = Known { topology: &given.topology, unseen: given.unseen.is_some(), grown, lenient };
    for statement in statements {
        let Some(line) = lines.get(statement.line) else { continue };
        for named in &statement.names {
            if is_among_theirs(statement, named, &given.topology) {
                continue;
            }
            if let Some(mistake) = known.mistake(named) {
                sink.tell(line.step, mistake);
            }
        }
    }
}

/// Whether a fault means tries that services of others make among themselves: whom they call only whoever writes it knows.
fn is_among_theirs(statement: &Statement, named: &Named, topology: &Topology) -> bool {
    let theirs = |name: &str| topology.deployed(&ServiceName::from(name)).is_some();
    let (Says::Fault(FaultKind::Touch { on, .. }), Name::Edge { from, to }) = (&statement.says, &named.what) else {
        return false;
    };
    on.level == Level::Tries && theirs(from) && theirs(to)
}

impl Known<'_> {
    fn mistake(&self, named: &Named) -> Option<Mistake> {
        match &named.what {
            Name::Service(name) => self.service(named, name),
            Name::Version { service, version } => self.version(named, self.seen(service)?, version),
            Name::Instance { service, number } => self.instance(named, self.seen(service)?, *number, "has no instance"),
            Name::First { service, count } => self.instance(named, self.seen(service)?, *count, "has no"),
            Name::Place { service, place } => self.place(named, service.as_deref(), place),
            Name::Edge { from, to } => self.edge(named, self.of(from)?, to),
            Name::Size { service, to, grows } => self.size(named, self.seen(service)?, *to, *grows),
        }
    }

    fn of(&self, service: &str) -> Option<&Service> {
        self.topology.service(&ServiceName::from(service))
    }

    /// A service of which it is known what it has.
    fn seen(&self, service: &str) -> Option<&Service> {
        self.of(service).filter(|service| service.deployed.is_none() || !self.unseen)
    }

    fn service(&self, named: &Named, name: &str) -> Option<Mistake> {
        if self.of(name).is_some() {
            return None;
        }
        let hint = match near_service(self.topology, name) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None if self.lenient => return None,
            None => match self.topology.services.as_slice() {
                [] => "no service is declared: begin with `Given a service \"…\"`".to_owned(),
                services => {
                    let names: Vec<String> = services.iter().map(|s| format!("\"{}\"", s.name)).collect();
                    format!("the topology has {}; declare it: `Given a service \"{name}\"`", names.join(", "))
                }
            },
        };
        let mistake = Mistake::error("unknown-name", named.span.clone(), format!("there is no service \"{name}\""));
        Some(mistake.label("not in the topology").hint(hint))
    }

    fn version(&self, named: &Named, service: &Service, version: &str) -> Option<Mistake> {
        let mut versions: Vec<&str> =
            service.instances.iter().filter_map(|i| i.version.as_ref()).map(|v| v.as_str()).collect();
        versions.dedup();
        if versions.contains(&version) {
            return None;
        }
        let name = &service.name;
        let hint = match (nearest::name(version, versions.iter().copied()), versions.as_slice()) {
            (Some(near), _) => format!("did you mean \"{near}\"?"),
            (None, []) => {
                format!(
                    "its instances have no versions: `Given \"{name}\" has 1 instance of version \"{version}\" and 1 of version \"…\"`"
                )
            }
            (None, known) => {
                format!("it has {}", known.iter().map(|v| format!("\"{v}\"")).collect::<Vec<_>>().join(", "))
            }
        };
        let message = format!("\"{name}\" has no version \"{version}\"");
        Some(
            Mistake::error("unknown-name", named.span.clone(), message)
                .label("no instance is of this version")
                .hint(hint),
        )
    }

    fn instance(&self, named: &Named, service: &Service, number: u32, has_no: &str) -> Option<Mistake> {
        let now = u32::try_from(service.instances.len()).unwrap_or(u32::MAX);
        let most = self.grown.get(&service.name).map_or(0, |(most, _)| *most).max(now);
        if number <= most {
            return None;
        }
        let name = &service.name;
        let what = if has_no.ends_with("instance") { format!("{number}") } else { format!("{number} instances") };
        let instances = if most == 1 { "1 instance".to_owned() } else { format!("{most} instances") };
        let message = format!("\"{name}\" {has_no} {what}");
        let hint = format!("say `a service \"{name}\" with {number} instances`, or let it grow");
        Some(
            Mistake::error("unknown-name", named.span.clone(), message).label(format!("it has {instances}")).hint(hint),
        )
    }

    fn place(&self, named: &Named, service: Option<&str>, place: &Place) -> Option<Mistake> {
        let places = |s: &Service| s.instances.iter().filter_map(|i| i.place.clone()).collect::<Vec<_>>();
        let mut here: Vec<Place> = match service {
            Some(service) => places(self.seen(service)?),
            None => self.topology.services.iter().flat_map(places).collect(),
        };
        if here.contains(place) {
            return None;
        }
        here.sort();
        here.dedup();
        let message = match service {
            Some(service) => format!("\"{service}\" has no instance in {place}"),
            None => format!("there is no {place}"),
        };
        let hint = near_place(&here, place).unwrap_or_else(|| {
            format!("say who is there: `\"{}\" has 2 instances in {place}`", service.unwrap_or("…"))
        });
        Some(Mistake::error("unknown-name", named.span.clone(), message).label("nobody is there").hint(hint))
    }

    /// Growing is to more, shrinking to fewer, as far as the one line that says it is the only one.
    fn size(&self, named: &Named, service: &Service, to: u32, grows: bool) -> Option<Mistake> {
        let now = u32::try_from(service.instances.len()).unwrap_or(u32::MAX);
        let once = self.grown.get(&service.name).is_some_and(|(_, times)| *times == 1);
        if !once || (if grows { to > now } else { to < now }) {
            return None;
        }
        let (verb, wanted) = if grows { ("grow", "more") } else { ("shrink", "fewer") };
        let message = format!("\"{}\" has {now} instances: to {verb} is to {wanted}", service.name);
        let label = if to == now { "nothing happens".to_owned() } else { format!("not {wanted}") };
        Some(Mistake::error("size", named.span.clone(), message).label(label))
    }

    fn edge(&self, named: &Named, from: &Service, to: &str) -> Option<Mistake> {
        if from.calls.iter().any(|callee| callee.as_str() == to) || self.of(to).is_none() {
            return None;
        }
        let name = &from.name;
        let mistake = Mistake::error("no-edge", named.span.clone(), format!("\"{name}\" does not call \"{to}\""));
        if from.deployed.is_some() {
            let hint =
                format!("calls to \"{to}\" are made by a service of yours: `a service \"…\" that calls \"{to}\"`");
            return Some(mistake.label("whom a service of the application calls nobody knows").hint(hint));
        }
        let label = match from.calls.as_slice() {
            [] => "it calls nobody".to_owned(),
            calls => format!("it calls {}", calls.iter().map(|c| format!("\"{c}\"")).collect::<Vec<_>>().join(", ")),
        };
        Some(mistake.label(label).hint(format!("say `a service \"{name}\" that calls \"{to}\"`")))
    }
}

/// The place that may have been meant: of the same name, of a name like it, or any.
fn near_place(known: &[Place], place: &Place) -> Option<String> {
    if let Some(other) = known.iter().find(|known| known.name == place.name) {
        return Some(format!("\"{}\" is a {}: write `{other}`", other.name, other.kind));
    }
    let kin = known.iter().filter(|known| known.kind == place.kind).map(|known| known.name.as_str());
    match nearest::name(place.name.as_str(), kin) {
        Some(near) => Some(format!("did you mean \"{near}\"?")),
        None if known.is_empty() => None,
        None => {
            let all: Vec<String> = known.iter().map(ToString::to_string).collect();
            Some(format!("there is {}", all.join(", ")))
        }
    }
}
