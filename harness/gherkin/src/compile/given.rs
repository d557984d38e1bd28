//! Lines of kind T: the topology of a scenario.

use super::line::{Args, Line};
use super::sink::Sink;
use crate::clauses::Missing;
use crate::clauses::calls::calls;
use crate::clauses::shape::{fleet, shape};
use crate::nearest;
use crate::source::{Application, Defaults, Mistake};
use crate::yaml::topology_from_yaml;
use squall_model::{Capacity, Deployed, Instance, Latency, Service, ServiceName, Topology};
use std::{collections::BTreeMap, ops::Range, time::Duration};

/// What the lines of kind T say.
pub(crate) struct Said {
    /// Over what the file says; a later line replaces what an earlier one said.
    pub(crate) topology: Topology,
    /// What of it cannot be run.
    pub(crate) missing: Vec<(usize, Missing)>,
    /// The namespace of an application that nobody has looked at.
    pub(crate) unseen: Option<String>,
}

impl Said {
    /// Takes names that nobody declared for services of the application that nobody has looked at.
    pub(crate) fn take_on_trust<'n>(&mut self, names: impl Iterator<Item = &'n str>) {
        let Some(namespace) = &self.unseen else { return };
        for name in names.map(ServiceName::from) {
            if self.topology.service(&name).is_none() {
                // What its proxies may be asked to do is found out where it is looked at.
                let pods = Some(BTreeMap::new());
                let deployed = Deployed { namespace: namespace.clone(), port: 80, pods, ..Deployed::default() };
                self.topology.services.push(Service { deployed: Some(deployed), ..Service::new(name) });
            }
        }
    }
}

/// Reads the lines of kind T.
pub(crate) fn topology(base: &Topology, lines: &[Line<'_>], env: &Defaults<'_>, sink: &mut Sink<'_>) -> Said {
    let said = Said { topology: base.clone(), missing: Vec::new(), unseen: None };
    let mut draft = Draft { said, declared: Vec::new(), env };
    let first = |line: &&(usize, &Line<'_>)| matches!(line.1.is.sentence.number, 1..=3);
    let all: Vec<(usize, &Line<'_>)> = lines.iter().enumerate().filter(|(_, l)| !l.is.control).collect();
    // Services first: `"reviews" has …` may stand before `a service "reviews"`.
    for (number, line) in all.iter().filter(first).chain(all.iter().filter(|l| !first(l))) {
        draft.line(*number, line, sink);
    }
    draft.said
}

struct Draft<'a> {
    said: Said,
    /// Services with the line that declared them, and whether that is the scenario's own.
    declared: Vec<(String, bool)>,
    env: &'a Defaults<'a>,
}

impl Draft<'_> {
    fn line(&mut self, number: usize, line: &Line<'_>, sink: &mut Sink<'_>) {
        let mut args = line.args();
        match line.is.sentence.number {
            1 => self.mesh_file(&mut args, sink),
            2 => self.application(&mut args),
            3 => self.service(&mut args, line.step.own),
            4 => self.fleet(&mut args),
            5 => self.capacity(&mut args),
            9 => self.own_defaults(&mut args),
            _ => return,
        }
        self.said.missing.extend(args.r.missing.iter().map(|m| (number, m.clone())));
        // Names are looked up by the statement of the same line.
        sink.all(line.step, args.r.mistakes);
    }

    fn mesh_file(&mut self, args: &mut Args<'_>, sink: &mut Sink<'_>) {
        let Some((name, span)) = args.quoted() else { return };
        let file = format!("scenarios/{name}.yaml");
        let Some(text) = (self.env.mesh)(name) else {
            let mistake = Mistake::error("no-mesh-file", span, format!("there is no {file}"))
                .label("no such mesh")
                .hint("meshes are described in scenarios/NAME.yaml, beside the features folder");
            args.tell(mistake);
            return;
        };
        match topology_from_yaml(&file, &text) {
            Ok(topology) => topology.services.into_iter().for_each(|service| self.put_from(service, &span, args)),
            Err(mistakes) => {
                sink.out.extend(mistakes);
                args.tell(
                    Mistake::error("mesh-file", span, format!("{file} cannot be read"))
                        .label("read because of this line"),
                );
            }
        }
    }

    /// The services that are deployed in a namespace.
    fn application(&mut self, args: &mut Args<'_>) {
        let Some((namespace, span)) = args.quoted() else { return };
        match (self.env.application)(namespace) {
            Application::Unseen => {
                args.r
                    .lacks(span, "an application without its cluster: it is joined by `--mesh istio --on kubernetes`");
                self.said.unseen = Some(namespace.to_owned());
            }
            Application::Seen(services) if services.is_empty() => {
                let message = format!("nothing in namespace \"{namespace}\" can be called");
                let mistake = Mistake::error("no-application", span, message)
                    .label("no service with instances and a port of HTTP")
                    .hint("a port says what it speaks by its name (`http`, `http-web`) or its appProtocol, and its pods have to be ready");
                args.tell(mistake);
            }
            Application::Seen(services) => {
                services.into_iter().for_each(|service| self.put_from(service, &span, args));
            }
        }
    }

    fn service(&mut self, args: &mut Args<'_>, own: bool) {
        let Some((name, span)) = args.quoted() else { return };
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') || name.len() > 40 {
            let mistake = Mistake::error("service-name", span.clone(), format!("\"{name}\" is no name for a service"))
                .label("letters, digits and dashes, 40 at most")
                .hint("the name is part of host names and file names");
            args.tell(mistake);
        }
        let shape = args.take(shape);
        if self.said.topology.deployed(&name.into()).is_some() {
            let message = format!("\"{name}\" is a service of the application");
            let mistake = Mistake::error("theirs", span.clone(), message)
                .label("would be meant by the same name")
                .hint("give yours another name, or leave the line out");
            args.tell(mistake);
        }
        if self.declared.iter().any(|(known, theirs)| known == name && *theirs == own) {
            let mistake = Mistake::warning("twice", span, format!("\"{name}\" is declared twice"))
                .label("replaces the service of this name above")
                .hint("one line can say all: `a service \"…\" with 3 instances that answer in 5 ms that calls \"…\"`");
            args.tell(mistake);
        }
        self.declared.push((name.to_owned(), own));
        let instance = Instance { version: shape.version, place: shape.place, at: None };
        self.put(Service {
            name: ServiceName::from(name),
            instances: vec![instance; shape.instances.unwrap_or(1).max(1) as usize],
            calls: shape.calls.into_iter().map(ServiceName::from).collect(),
            protocol: shape.protocol,
            latency: Latency::Fixed(shape.latency.unwrap_or(Duration::ZERO)),
            capacity: None,
            deployed: None,
        });
    }

    /// A service of a file or of an application; ours never take the place of somebody else's, nor theirs that of ours.
    fn put_from(&mut self, service: Service, span: &Range<usize>, args: &mut Args<'_>) {
        let known = self.said.topology.service(&service.name);
        if let Some(known) = known.filter(|known| known.deployed != service.deployed) {
            let whose = |of: &Service| {
                of.deployed.as_ref().map_or("of the scenario's own".to_owned(), |d| {
                    format!("of the application in namespace \"{}\"", d.namespace)
                })
            };
            let message = format!("\"{}\" is a service {}, and one {}", service.name, whose(known), whose(&service));
            args.tell(Mistake::error("theirs", span.clone(), message).label("would be meant by the same name"));
            return;
        }
        self.put(service);
    }

    fn put(&mut self, service: Service) {
        match self.said.topology.service_mut(&service.name) {
            Some(known) => *known = service,
            None => self.said.topology.services.push(service),
        }
    }

    fn fleet(&mut self, args: &mut Args<'_>) {
        let Some(name) = self.known(args) else { return };
        let instances = args.take(fleet);
        if let Some(service) = self.said.topology.service_mut(&name).filter(|_| !instances.is_empty()) {
            service.instances = instances;
        }
    }

    fn capacity(&mut self, args: &mut Args<'_>) {
        let Some(name) = self.known(args) else { return };
        let workers = args.take(|r| r.at_least_one("it would handle nothing at all"));
        if let (Some(service), Some((workers, _))) = (self.said.topology.service_mut(&name), workers) {
            service.capacity = Some(Capacity { workers: workers.max(1), queue: None });
        }
    }

    fn own_defaults(&mut self, args: &mut Args<'_>) {
        if let Some(of) = args.take(calls).filter(|of| !self.said.topology.own_defaults.contains(of)) {
            self.said.topology.own_defaults.push(of);
        }
    }

    /// The service that the line begins with. One that is not known is told when names are looked up.
    fn known(&self, args: &mut Args<'_>) -> Option<ServiceName> {
        let (name, span) = args.quoted()?;
        let name = ServiceName::from(name);
        if self.said.topology.deployed(&name).is_some() {
            let message = format!("\"{name}\" is a service of the application");
            args.tell(Mistake::error("theirs", span, message).label("it is as it was deployed"));
            return None;
        }
        self.said.topology.service(&name).map(|_| name)
    }
}

/// The nearest service, as a hint.
pub(crate) fn near_service(topology: &Topology, name: &str) -> Option<String> {
    nearest::name(name, topology.services.iter().map(|s| s.name.as_str())).map(str::to_owned)
}
