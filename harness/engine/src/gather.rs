//! Collects what the proxies and workloads of one run write down, as they write it.

use crate::{clock, deadline, error::EngineError, tail::Tail, world::World};
use squall_link::LinkLine;
use squall_mesh::{Bindings, LogLine, Mesh, WallOffset};
use squall_model::{AccessRecord, AskedRecord, InstanceId, LedgerRecord, Side, StateRecord, TryRecord, WireRecord};
use squall_workload::LedgerLine;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    path::{Path, PathBuf},
};

/// So many lines that cannot be read are kept: the first tells what is wrong.
const UNREADABLE: usize = 5;

/// What was written down so far, of calls whose id begins with the run's prefix.
#[derive(Debug)]
pub(crate) struct Gatherer {
    prefix: String,
    clock: WallOffset,
    proxies: BTreeMap<PathBuf, ProxyLogs>,
    ledgers: BTreeMap<PathBuf, (InstanceId, Tail)>,
    link: Option<(PathBuf, Tail)>,
    /// Whose each address is, or was: a try to an instance that is gone is still a try to that instance.
    addresses: Bindings,
    /// Markers that came back: the file that they stood in.
    marked: BTreeSet<(PathBuf, String)>,
    pub(crate) access: Vec<AccessRecord>,
    pub(crate) tries: Vec<TryRecord>,
    pub(crate) ledger: Vec<(InstanceId, LedgerRecord)>,
    pub(crate) states: Vec<StateRecord>,
    /// Health checks that reached each instance.
    pub(crate) checks: BTreeMap<InstanceId, u64>,
    /// Connections over damaged wires; one that is open is told at the barrier.
    pub(crate) wires: Vec<WireRecord>,
    /// What proxies of others asked about tries.
    pub(crate) asked: Vec<AskedRecord>,
    /// Lines that could not be read, the first few of them.
    pub(crate) unreadable: Vec<String>,
}

#[derive(Debug)]
struct ProxyLogs {
    instance: InstanceId,
    outbound: (PathBuf, Tail),
    inbound: (PathBuf, Tail),
    tries: Option<Tail>,
    states: Vec<Tail>,
}

impl Gatherer {
    /// Reads nothing yet: seats are adopted one by one.
    pub(crate) fn new(prefix: &str) -> Gatherer {
        Gatherer {
            prefix: prefix.to_owned(),
            clock: clock::wall_offset(),
            proxies: BTreeMap::new(),
            ledgers: BTreeMap::new(),
            link: None,
            addresses: Bindings::default(),
            marked: BTreeSet::new(),
            access: Vec::new(),
            tries: Vec::new(),
            ledger: Vec::new(),
            states: Vec::new(),
            checks: BTreeMap::new(),
            wires: Vec::new(),
            asked: Vec::new(),
            unreadable: Vec::new(),
        }
    }

    /// Reads what these seats write from now on; those it knows already go on. Who comes later came for this run, and may have
    /// written before we look: all that it wrote is read.
    pub(crate) fn adopt<M: Mesh>(&mut self, mesh: &M, world: &mut World<'_, M>) -> Result<(), EngineError> {
        let from = if self.proxies.is_empty() { Tail::from_here } else { Tail::from_start };
        let tail = |path: &Path| from(path).map_err(EngineError::io(format!("read {}", path.display())));
        self.addresses = world.addresses();
        if let (None, Some(links)) = (&self.link, world.links()) {
            self.link = Some((links.records().to_owned(), tail(links.records())?));
        }
        for (instance, placed) in world.seats() {
            if !self.proxies.contains_key(placed.folder()) {
                let logs = mesh.logs(placed.folder());
                let own_file = logs.tries != logs.outbound;
                let proxy = ProxyLogs {
                    instance: instance.clone(),
                    outbound: (logs.outbound.clone(), tail(&logs.outbound)?),
                    inbound: (logs.inbound.clone(), tail(&logs.inbound)?),
                    tries: if own_file { Some(tail(&logs.tries)?) } else { None },
                    states: logs.states.iter().map(|path| tail(path)).collect::<Result<_, _>>()?,
                };
                self.proxies.insert(placed.folder().to_owned(), proxy);
            }
            if let Some(hosted) = &placed.hosted
                && !self.ledgers.contains_key(&hosted.ledger)
            {
                self.ledgers.insert(hosted.ledger.clone(), (instance.clone(), tail(&hosted.ledger)?));
            }
        }
        Ok(())
    }

    /// Reads what was written since the last time.
    pub(crate) fn pump<M: Mesh>(&mut self, mesh: &M) -> Result<(), EngineError> {
        self.asked.extend(mesh.asked(&self.prefix));
        self.pump_proxies(mesh).and_then(|()| self.pump_link()).and_then(|()| self.pump_ledgers())
    }

    fn pump_proxies<M: Mesh>(&mut self, mesh: &M) -> Result<(), EngineError> {
        let Gatherer { prefix, clock, proxies, addresses, marked, access, tries, states, checks, unreadable, .. } =
            self;
        let (clock, at) = (*clock, &*addresses);
        let mut take = |of: &InstanceId, path: &Path, line: &str, read: Result<LogLine, String>| match read {
            Ok(LogLine::Access(record)) if record.id.starts_with(prefix.as_str()) => access.push(record),
            Ok(LogLine::Try(record)) if record.id.starts_with(prefix.as_str()) => tries.push(record),
            Ok(LogLine::State(record)) => states.push(record),
            Ok(LogLine::Marker(marker)) => drop(marked.insert((path.to_owned(), marker))),
            Ok(LogLine::Check) => *checks.entry(of.clone()).or_default() += 1,
            Ok(LogLine::Access(_) | LogLine::Try(_) | LogLine::Probe) => {}
            Err(why) => note(unreadable, why, line),
        };
        for proxy in proxies.values_mut() {
            let instance = &proxy.instance;
            if let Some(tail) = &mut proxy.tries {
                tail.read(|line| take(instance, Path::new(""), line, mesh.read_try(line, instance, at, clock)))
                    .map_err(EngineError::io("read an upstream log"))?;
            }
            for tail in &mut proxy.states {
                tail.read(|line| take(instance, Path::new(""), line, mesh.read_state(line, instance, at, clock)))
                    .map_err(EngineError::io("read a log of ejections and health checks"))?;
            }
            for ((path, tail), side) in [(&mut proxy.outbound, Side::Outbound), (&mut proxy.inbound, Side::Inbound)] {
                tail.read(|line| take(instance, path, line, mesh.read_access(line, side, instance, at, clock)))
                    .map_err(EngineError::io("read an access log"))?;
            }
        }
        Ok(())
    }

    fn pump_link(&mut self) -> Result<(), EngineError> {
        let Gatherer { link, marked, wires, unreadable, .. } = self;
        let Some((path, tail)) = link else { return Ok(()) };
        tail.read(|line| match squall_link::parse_line(line) {
            Ok(LinkLine::Record(record)) => wires.push(record),
            Ok(LinkLine::Marker(marker)) => drop(marked.insert((path.clone(), marker))),
            Err(why) => note(unreadable, why, line),
        })
        .map_err(EngineError::io("read the records of a link"))
    }

    fn pump_ledgers(&mut self) -> Result<(), EngineError> {
        let Gatherer { prefix, ledgers, marked, ledger, unreadable, .. } = self;
        for (path, (instance, tail)) in ledgers {
            tail.read(|line| match squall_workload::parse_line(line) {
                Ok(LedgerLine::Record(record)) if record.id.starts_with(prefix.as_str()) => {
                    ledger.push((instance.clone(), record));
                }
                Ok(LedgerLine::Record(_)) => {}
                Ok(LedgerLine::Marker(marker)) => drop(marked.insert((path.clone(), marker))),
                Err(why) => note(unreadable, why, line),
            })
            .map_err(EngineError::io("read a ledger"))?;
        }
        Ok(())
    }

    /// Whether the proxies say what they think of instances: then silence says that they think well of them.
    pub(crate) fn tells_states(&self) -> bool {
        self.proxies.values().any(|proxy| !proxy.states.is_empty())
    }

    /// Waits until everything that was written before now has been read, from every seat that lives.
    ///
    /// No sleep: a marker goes through each proxy and into each ledger, and what came before it has arrived when it has.
    pub(crate) async fn barrier<M: Mesh>(
        &mut self,
        mesh: &M,
        world: &mut World<'_, M>,
        marker: &str,
    ) -> Result<(), EngineError> {
        let by = deadline::BARRIER.from_now();
        let at = world.within_reach();
        mesh.mark(marker, &at, by).await?;
        let mut expected = BTreeSet::new();
        if let Some(links) = world.links() {
            links.mark(marker).await?;
            expected.insert((links.records().to_owned(), marker.to_owned()));
        }
        for (_, placed) in world.seats().filter(|(id, _)| at.seats.contains_key(id)) {
            let logs = mesh.logs(placed.folder());
            expected.extend([(logs.outbound, marker.to_owned()), (logs.inbound, marker.to_owned())]);
        }
        let ledgers = world.mark_ledgers(marker).await?;
        expected.extend(ledgers.into_iter().map(|ledger| (ledger, marker.to_owned())));
        loop {
            self.pump(mesh)?;
            if expected.is_subset(&self.marked) {
                return Ok(());
            }
            if clock::now() > by {
                let missing: Vec<String> =
                    expected.difference(&self.marked).map(|(path, _)| path.display().to_string()).collect();
                return Err(EngineError::Expired {
                    deadline: deadline::BARRIER,
                    what: format!("the markers in {}", missing.join(", ")),
                });
            }
            // A file has no way to say that it grew but to be looked at: this is the interval of looking, not a wait for luck.
            clock::until(clock::now() + std::time::Duration::from_micros(500)).await;
        }
    }
}

fn note(unreadable: &mut Vec<String>, why: impl Display, line: &str) {
    if unreadable.len() < UNREADABLE {
        unreadable.push(format!("{why}: {line}"));
    }
}
