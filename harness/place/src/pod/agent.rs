//! What stands beside the proxy in a pod, and does there what the holder asks.

mod frozen;

use super::{
    AGENT_PORT, HOME, LEASE, LOOK, files, look_again, relay,
    wire::{ASK_TO_END, ASK_TO_GO_ON, Answer, Ask, Freeze, Hello, Said, To, boot, read_line, write_line},
};
use crate::clock;
use frozen::Frozen;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    cell::RefCell,
    collections::BTreeSet,
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Stdio,
    rc::Rc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    net::{TcpListener, TcpStream, UnixStream},
    sync::{Notify, watch},
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};

/// An agent that nobody holds by then was started for nothing.
const UNHELD: Duration = Duration::from_secs(60);

/// How long what was written may take to be read to its end.
const DRAIN: Duration = Duration::from_secs(1);

/// How often what stands still is looked at: it may end all the same.
const GLANCE: Duration = Duration::from_millis(50);

/// The proxy's own program.
const ENVOY: &str = "envoy";

/// Programs of the proxy's container: they are seen here since the pod's processes are.
const PROXY: [&str; 2] = [ENVOY, "pilot-agent"];

/// What an agent is started with.
#[derive(Debug)]
pub struct AgentArgs {
    /// The secret of the run that it obeys.
    pub token: String,
    /// Its own program: workloads are started from it.
    pub exe: PathBuf,
}

/// What all of its connections know.
struct Agent {
    args: AgentArgs,
    /// What it shares with the proxy.
    home: PathBuf,
    boot: String,
    /// The processes that it started.
    children: RefCell<BTreeSet<i32>>,
    /// Somebody holds the pod.
    held: Notify,
    /// Nobody does any more.
    over: Notify,
    /// How far its end has come.
    end: watch::Sender<End>,
}

/// How an agent ends: what wrote is killed first, and what it wrote is read to its end then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum End {
    NotYet,
    Killing,
    Draining,
}

/// Serves until the holder is gone, and then ends everything in the pod.
///
/// # Errors
/// Where its port cannot be had.
pub fn agent_main(args: AgentArgs) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, AGENT_PORT)).await?;
        serve(args, listener, HOME.into(), kill_proxy).await
    })
}

/// Serves until the holder is gone, and then ends what there is.
async fn serve(args: AgentArgs, listener: TcpListener, home: PathBuf, kill_proxy: fn()) -> io::Result<()> {
    let (held, over, end) = (Notify::new(), Notify::new(), watch::Sender::new(End::NotYet));
    let agent = Rc::new(Agent { args, home, boot: boot()?, children: RefCell::default(), held, over, end });
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::task::spawn_local(Rc::clone(&agent).answer(stream))),
                // One connection less, or for a moment no room for more.
                Err(_) => look_again(LOOK).await,
            }
        }
    };
    let unheld = async {
        if timeout(UNHELD, agent.held.notified()).await.is_ok() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = accepting => {}
        () = unheld => {}
        () = agent.over.notified() => {}
    }
    kill_proxy();
    agent.end.send_replace(End::Killing);
    // A kill is obeyed within microseconds.
    look_again(LOOK).await;
    agent.end.send_replace(End::Draining);
    // Whoever follows a file ends with it; one that does not read any more is not waited for.
    let _ = timeout(DRAIN, agent.end.closed()).await;
    Ok(())
}

impl Agent {
    async fn answer(self: Rc<Self>, mut stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let Ok(Ok(hello)) = timeout(LEASE, read_line::<Hello>(&mut stream)).await else { return };
        if hello.token != self.args.token {
            let _ = write_line(&mut stream, &Answer::No("this pod is another run's".into())).await;
            return;
        }
        if let Err(why) = self.obey(hello.ask, &mut stream).await {
            tracing::debug!(%why, "a connection ended");
        }
    }

    async fn obey(&self, ask: Ask, stream: &mut TcpStream) -> io::Result<()> {
        match ask {
            Ask::Hold { folder, faults } => self.hold(&folder, faults, stream).await,
            Ask::Reach(to) => self.reach(&to, stream).await,
            Ask::Follow(path) => {
                self.yes(stream).await?;
                let end = self.end.subscribe();
                files::follow(&path, stream, || *end.borrow() == End::Draining).await
            }
            Ask::Await(socket) => {
                while !socket.exists() {
                    files::still_wanted(stream)?;
                    look_again(LOOK).await;
                }
                self.yes(stream).await
            }
            Ask::Run { files, args, log } => self.run(&files, &args, &log, stream).await,
            Ask::Freeze(what) => self.freeze(what, stream).await,
        }
    }

    async fn yes(&self, stream: &mut TcpStream) -> io::Result<()> {
        write_line(stream, &Answer::Yes { boot: self.boot.clone() }).await
    }

    async fn no(&self, stream: &mut TcpStream, why: &io::Error) -> io::Result<()> {
        write_line(stream, &Answer::No(why.to_string())).await
    }

    /// Lives as long as the holder gives signs.
    async fn hold(&self, folder: &Path, faults: SocketAddr, stream: &mut TcpStream) -> io::Result<()> {
        let made = fs::create_dir_all(folder).and_then(|()| relay::listen(&self.home.join("faults.sock")));
        let listener = match made {
            Ok(listener) => listener,
            Err(why) => return self.no(stream, &why).await,
        };
        self.held.notify_one();
        let _over = Over(&self.over);
        self.yes(stream).await?;
        let token = self.args.token.clone();
        let _carrying = Aborting(tokio::spawn(relay::relay(listener, move || {
            let token = token.clone();
            async move {
                let mut stream = TcpStream::connect(faults).await?;
                stream.set_nodelay(true)?;
                write_line(&mut stream, &token).await?;
                Ok(stream)
            }
        })));
        while let Ok(Ok(_)) = timeout(LEASE, stream.read_u8()).await {}
        Ok(())
    }

    async fn reach(&self, to: &To, stream: &mut TcpStream) -> io::Result<()> {
        match to {
            To::Unix(path) => self.carry(UnixStream::connect(path).await, stream).await,
            To::Port(port) => {
                let connected = TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).await;
                let undelayed = connected.and_then(|far| far.set_nodelay(true).map(|()| far));
                self.carry(undelayed, stream).await
            }
        }
    }

    async fn carry<S>(&self, far: io::Result<S>, stream: &mut TcpStream) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match far {
            Ok(far) => {
                self.yes(stream).await?;
                relay::carry(stream, far).await;
                Ok(())
            }
            Err(why) => self.no(stream, &why).await,
        }
    }

    /// Processes that stand still as long as the connection gives signs of life. When they go on, or one of them ends, that is said on it.
    async fn freeze(&self, what: Freeze, stream: &mut TcpStream) -> io::Result<()> {
        let mut frozen = match Frozen::stop(self.whom(what)) {
            Ok(frozen) => frozen,
            Err(why) => return self.no(stream, &why).await,
        };
        loop {
            match frozen.all_stand() {
                Ok(true) => break,
                Ok(false) => files::still_wanted(stream)?,
                Err(why) => return self.no(stream, &why).await,
            }
            look_again(LOOK).await;
        }
        if !frozen.is_anybody() {
            return self.no(stream, &io::Error::other("nothing of that runs in the pod")).await;
        }
        self.yes(stream).await?;
        let mut lease = Instant::now() + LEASE;
        loop {
            for what in frozen.ended() {
                write_line(stream, &Said::Ended { what: what.into(), at: clock::now() }).await?;
            }
            match timeout_at(lease.min(Instant::now() + GLANCE), stream.read_u8()).await {
                Ok(Ok(ASK_TO_GO_ON)) => {
                    drop(frozen);
                    return write_line(stream, &Said::GoOn).await;
                }
                Ok(sign) => {
                    sign?;
                    lease = Instant::now() + LEASE;
                }
                Err(_) if Instant::now() < lease => {}
                Err(_) => break,
            }
        }
        let at = clock::now();
        drop(frozen);
        write_line(stream, &Said::Lapsed { at }).await
    }

    /// By what they are.
    fn whom(&self, what: Freeze) -> Vec<(&'static str, Pid)> {
        let workloads = self.children.borrow().iter().map(|pid| ("workload", Pid::from_raw(*pid))).collect::<Vec<_>>();
        let proxies = processes().into_iter().filter(|(_, name)| name == ENVOY).map(|(pid, _)| ("proxy", pid));
        let proxies = proxies.filter(|_| what.proxy);
        workloads.into_iter().filter(|_| what.workload).chain(proxies).collect()
    }

    /// A process that ends when the connection does; the connection ends when it does.
    async fn run(
        &self,
        files: &[(PathBuf, String)],
        args: &[String],
        log: &Path,
        stream: &mut TcpStream,
    ) -> io::Result<()> {
        let started = prepare(files, log).and_then(|log| {
            tokio::process::Command::new(&self.args.exe)
                .args(args)
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log)
                .kill_on_drop(true)
                .spawn()
        });
        let mut child = match started {
            Ok(child) => child,
            Err(why) => return self.no(stream, &why).await,
        };
        let _known = child.id().map(|pid| Known::new(&self.children, pid.cast_signed()));
        self.yes(stream).await?;
        let mut end = self.end.subscribe();
        loop {
            tokio::select! {
                _ = end.wait_for(|end| *end >= End::Killing) => return child.kill().await,
                ended = child.wait() => return ended.map(drop),
                asked = stream.read_u8() => match (asked, child.id()) {
                    (Ok(ASK_TO_END), Some(pid)) => kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM)?,
                    _ => return child.kill().await,
                },
            }
        }
    }
}

/// A process that is known for as long as it runs.
struct Known<'a> {
    all: &'a RefCell<BTreeSet<i32>>,
    pid: i32,
}

impl<'a> Known<'a> {
    fn new(all: &'a RefCell<BTreeSet<i32>>, pid: i32) -> Known<'a> {
        all.borrow_mut().insert(pid);
        Known { all, pid }
    }
}

impl Drop for Known<'_> {
    fn drop(&mut self) {
        self.all.borrow_mut().remove(&self.pid);
    }
}

/// Writes the files, and opens the log.
fn prepare(files: &[(PathBuf, String)], log: &Path) -> io::Result<fs::File> {
    for (path, content) in files {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, content)?;
    }
    log.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::OpenOptions::new().create(true).append(true).open(log)
}

/// Says that nobody holds the pod any more, however that came.
struct Over<'a>(&'a Notify);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

struct Aborting(JoinHandle<()>);

impl Drop for Aborting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Kills the proxy and whoever would start it again.
fn kill_proxy() {
    for (pid, name) in processes() {
        if PROXY.contains(&name.as_str()) {
            // One that is gone already is no trouble.
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}

/// The processes of the pod, by the names of their programs; who starts others comes before what it started.
fn processes() -> Vec<(Pid, String)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut numbers: Vec<i32> = numbers.collect();
    numbers.sort_unstable();
    let named = |pid: i32| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        Some((Pid::from_raw(pid), name.trim().to_owned()))
    };
    numbers.into_iter().filter_map(named).collect()
}

#[cfg(test)]
mod tests;
