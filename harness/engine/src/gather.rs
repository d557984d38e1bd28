//! Collects what the proxies and workloads of one run write down, as they write it.

use crate::{clock, deadline, error::EngineError, pool::Placed, tail::Tail};
use squall_mesh::{Bindings, LogLine, Mesh, WallOffset};
use squall_model::{AccessRecord, InstanceId, LedgerRecord, Side, TryRecord};
use squall_workload::LedgerLine;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

/// What was written down so far, of calls whose id begins with the run's prefix.
#[derive(Debug)]
pub(crate) struct Gatherer {
    prefix: String,
    clock: WallOffset,
    proxies: BTreeMap<PathBuf, ProxyLogs>,
    ledgers: BTreeMap<PathBuf, (InstanceId, Tail)>,
    /// Whose each address is, or was: a try to an instance that is gone is still a try to that instance.
    addresses: Bindings,
    /// Markers that came back: the file that they stood in.
    marked: BTreeSet<(PathBuf, String)>,
    pub(crate) access: Vec<AccessRecord>,
    pub(crate) tries: Vec<TryRecord>,
    pub(crate) ledger: Vec<(InstanceId, LedgerRecord)>,
    /// Lines that could not be read, the first few of them.
    pub(crate) unreadable: Vec<String>,
}

#[derive(Debug)]
struct ProxyLogs {
    instance: InstanceId,
    outbound: (PathBuf, Tail),
    inbound: (PathBuf, Tail),
    tries: Option<Tail>,
}

impl Gatherer {
    /// Reads nothing yet: seats are adopted one by one, each from what it has written by then on.
    pub(crate) fn new(prefix: &str) -> Gatherer {
        Gatherer {
            prefix: prefix.to_owned(),
            clock: clock::wall_offset(),
            proxies: BTreeMap::new(),
            ledgers: BTreeMap::new(),
            addresses: Bindings::default(),
            marked: BTreeSet::new(),
            access: Vec::new(),
            tries: Vec::new(),
            ledger: Vec::new(),
            unreadable: Vec::new(),
        }
    }

    /// Reads what these seats write from now on; those it knows already go on.
    pub(crate) fn adopt<'p, M: Mesh>(
        &mut self,
        mesh: &M,
        seats: impl Iterator<Item = (&'p InstanceId, &'p Placed)>,
    ) -> Result<(), EngineError> {
        let tail = |path: &Path| Tail::from_here(path).map_err(EngineError::io(format!("read {}", path.display())));
        for (instance, placed) in seats {
            self.addresses.seats.insert(instance.clone(), placed.seat());
            if !self.proxies.contains_key(&placed.folder) {
                let logs = mesh.logs(&placed.folder);
                let own_file = logs.tries != logs.outbound;
                let proxy = ProxyLogs {
                    instance: instance.clone(),
                    outbound: (logs.outbound.clone(), tail(&logs.outbound)?),
                    inbound: (logs.inbound.clone(), tail(&logs.inbound)?),
                    tries: if own_file { Some(tail(&logs.tries)?) } else { None },
                };
                self.proxies.insert(placed.folder.clone(), proxy);
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
        let Gatherer { prefix, clock, proxies, ledgers, addresses, marked, access, tries, ledger, unreadable } = self;
        let (clock, at) = (*clock, &*addresses);
        let mut take = |path: &Path, line: &str, read: Result<LogLine, String>| match read {
            Ok(LogLine::Access(record)) if record.id.starts_with(prefix.as_str()) => access.push(record),
            Ok(LogLine::Try(record)) if record.id.starts_with(prefix.as_str()) => tries.push(record),
            Ok(LogLine::Marker(marker)) => drop(marked.insert((path.to_owned(), marker))),
            Ok(LogLine::Access(_) | LogLine::Try(_) | LogLine::Probe) => {}
            Err(why) if unreadable.len() < 5 => unreadable.push(format!("{why}: {line}")),
            Err(_) => {}
        };
        for proxy in proxies.values_mut() {
            let instance = &proxy.instance;
            if let Some(tail) = &mut proxy.tries {
                tail.read(|line| take(Path::new(""), line, mesh.read_try(line, instance, at, clock)))
                    .map_err(EngineError::io("read an upstream log"))?;
            }
            for ((path, tail), side) in [(&mut proxy.outbound, Side::Outbound), (&mut proxy.inbound, Side::Inbound)] {
                tail.read(|line| take(path, line, mesh.read_access(line, side, instance, at, clock)))
                    .map_err(EngineError::io("read an access log"))?;
            }
        }
        for (path, (instance, tail)) in ledgers {
            tail.read(|line| match squall_workload::parse_line(line) {
                Ok(LedgerLine::Try(record)) if record.id.starts_with(prefix.as_str()) => {
                    ledger.push((instance.clone(), record));
                }
                Ok(LedgerLine::Try(_)) => {}
                Ok(LedgerLine::Marker(marker)) => drop(marked.insert((path.clone(), marker))),
                Err(why) if unreadable.len() < 5 => unreadable.push(format!("{why}: {line}")),
                Err(_) => {}
            })
            .map_err(EngineError::io("read a ledger"))?;
        }
        Ok(())
    }

    /// Waits until everything that was written before now has been read, from every seat that lives.
    ///
    /// No sleep: a marker goes through each proxy and into each ledger, and what came before it has arrived when it has.
    pub(crate) async fn barrier<M: Mesh>(
        &mut self,
        mesh: &M,
        at: &Bindings,
        living: &[(&InstanceId, &Placed)],
        marker: &str,
    ) -> Result<(), EngineError> {
        let by = deadline::BARRIER.from_now();
        mesh.mark(marker, at, by).await?;
        let mut expected = BTreeSet::new();
        for (id, placed) in living {
            if at.seats.contains_key(id) {
                let logs = mesh.logs(&placed.folder);
                expected.extend([(logs.outbound, marker.to_owned()), (logs.inbound, marker.to_owned())]);
            }
            if let Some(hosted) = &placed.hosted
                && hosted.lives
            {
                let marked = clock::before(by, mark_ledger(&hosted.listen, marker)).await;
                let late = || EngineError::Expired {
                    deadline: deadline::BARRIER,
                    what: format!("the workload of {id} to take a marker"),
                };
                marked.ok_or_else(late)?.map_err(EngineError::io(format!("mark the ledger of {id}")))?;
                expected.insert((hosted.ledger.clone(), marker.to_owned()));
            }
        }
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

/// Has a workload write a marker into its ledger.
async fn mark_ledger(listen: &Path, marker: &str) -> std::io::Result<()> {
    let mut stream = UnixStream::connect(listen).await?;
    let request =
        format!("GET / HTTP/1.1\r\nhost: squall\r\n{}: {marker}\r\nconnection: close\r\n\r\n", squall_workload::MARKER);
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(())
}
