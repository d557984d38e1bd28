//! What stands beside the proxy in a pod, and does there what the holder asks.

use super::{
    AGENT_PORT, HOME, LEASE, LOOK, files, look_again, relay,
    wire::{ASK_TO_END, ASK_TO_GO_ON, Answer, Ask, Freeze, Hello, To, boot, read_line, write_line},
};
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
    time::timeout,
};

/// An agent that nobody holds by then was started for nothing.
const UNHELD: Duration = Duration::from_secs(60);

/// How long what was written may take to be read to its end.
const DRAIN: Duration = Duration::from_secs(1);

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

    /// Processes that stand still as long as the connection gives signs of life; it ends when they go on.
    async fn freeze(&self, what: Freeze, stream: &mut TcpStream) -> io::Result<()> {
        let whom = self.whom(what);
        if whom.is_empty() {
            return self.no(stream, &io::Error::other("nothing of that runs in the pod")).await;
        }
        let still = match Still::stand(whom) {
            Ok(still) => still,
            Err(why) => return self.no(stream, &why.into()).await,
        };
        while !still.all_do()? {
            files::still_wanted(stream)?;
            look_again(LOOK).await;
        }
        self.yes(stream).await?;
        while let Ok(Ok(sign)) = timeout(LEASE, stream.read_u8()).await {
            if sign == ASK_TO_GO_ON {
                break;
            }
        }
        Ok(())
    }

    fn whom(&self, what: Freeze) -> Vec<Pid> {
        let workloads = self.children.borrow().iter().copied().map(Pid::from_raw).collect::<Vec<_>>();
        let proxies = processes().into_iter().filter(|(_, name)| name == ENVOY).map(|(pid, _)| pid);
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

/// Processes that stand still. Dropped, they go on.
struct Still(Vec<Pid>);

impl Still {
    fn stand(whom: Vec<Pid>) -> nix::Result<Still> {
        let still = Still(whom);
        still.0.iter().try_for_each(|pid| kill(*pid, Signal::SIGSTOP))?;
        Ok(still)
    }

    /// Whether every thread of theirs does.
    fn all_do(&self) -> io::Result<bool> {
        for pid in &self.0 {
            if !crate::os::stands_still(pid.as_raw().cast_unsigned())? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        for pid in &self.0 {
            // One that died meanwhile does not go on.
            let _ = kill(*pid, Signal::SIGCONT);
        }
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
mod tests {
    use super::super::{Seat, freeze, wire};
    use super::*;
    use tempfile::TempDir;
    use tokio::{
        io::AsyncWriteExt,
        net::UnixListener,
        task::{LocalSet, spawn_local},
    };

    /// A pod of this machine, without a proxy.
    struct Pod {
        home: TempDir,
        at: SocketAddr,
        ended: JoinHandle<io::Result<()>>,
    }

    impl Pod {
        async fn start() -> Pod {
            let home = tempfile::tempdir().unwrap();
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let at = listener.local_addr().unwrap();
            let args = AgentArgs { token: "ours".into(), exe: "/bin/sleep".into() };
            let ended = spawn_local(serve(args, listener, home.path().to_owned(), || {}));
            Pod { home, at, ended }
        }

        fn agent(&self, token: &str) -> wire::Agent {
            wire::Agent { at: self.at, token: token.into() }
        }

        fn seat(&self) -> Seat {
            Seat { ip: self.at.ip(), agent: self.at, token: "ours".into() }
        }

        async fn hold(&self) -> TcpStream {
            let faults = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
            self.agent("ours").ask(Ask::Hold { folder: self.home.path().join("p0"), faults }).await.unwrap()
        }

        /// Fails where it does not end in time.
        async fn ends(self, within: Duration) {
            timeout(within, self.ended).await.expect("an end").unwrap().unwrap();
        }
    }

    fn test(body: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, async { timeout(Duration::from_secs(60), body).await.expect("in time") });
    }

    #[test]
    fn it_obeys_its_own_run_alone() {
        test(async {
            let pod = Pod::start().await;
            let refused = pod.agent("theirs").ask(Ask::Await(pod.home.path().to_owned())).await.unwrap_err();
            assert!(refused.to_string().contains("another run's"), "{refused}");
            pod.agent("ours").ask(Ask::Await(pod.home.path().to_owned())).await.unwrap();
        });
    }

    #[test]
    fn it_ends_with_its_holder() {
        test(async {
            let pod = Pod::start().await;
            let held = pod.hold().await;
            assert!(pod.home.path().join("p0").is_dir() && pod.home.path().join("faults.sock").exists());
            drop(held);
            // At once, and not when its lease is over.
            pod.ends(LEASE / 2).await;
        });
    }

    #[test]
    fn it_ends_when_its_holder_is_silent() {
        test(async {
            let pod = Pod::start().await;
            // The connection stays open: a machine that is gone closes nothing.
            let _held = pod.hold().await;
            pod.ends(5 * LEASE).await;
        });
    }

    #[test]
    fn it_lives_as_long_as_there_are_signs() {
        test(async {
            let pod = Pod::start().await;
            let mut held = pod.hold().await;
            let by = tokio::time::Instant::now() + LEASE + LEASE / 2;
            while tokio::time::Instant::now() < by {
                held.write_all(b".").await.unwrap();
                look_again(LEASE / 6).await;
            }
            assert!(!pod.ended.is_finished());
        });
    }

    #[test]
    fn it_carries_bytes_to_a_socket() {
        test(async {
            let pod = Pod::start().await;
            let path = pod.home.path().join("echo.sock");
            let missing = pod.agent("ours").reach(To::Unix(path.clone())).await;
            assert!(missing.is_err());
            let echo = UnixListener::bind(&path).unwrap();
            spawn_local(async move {
                let (mut stream, _) = echo.accept().await.unwrap();
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await.unwrap();
            });
            let mut reached = pod.agent("ours").reach(To::Unix(path)).await.unwrap();
            reached.write_all(b"hello").await.unwrap();
            let mut room = [0; 5];
            reached.read_exact(&mut room).await.unwrap();
            assert_eq!(&room, b"hello");
        });
    }

    #[test]
    fn it_follows_a_file_from_before_it_is_there() {
        test(async {
            let pod = Pod::start().await;
            let path = pod.home.path().join("log");
            let mut followed = pod.agent("ours").ask(Ask::Follow(path.clone())).await.unwrap();
            fs::write(&path, "one\n").unwrap();
            let mut room = [0; 4];
            followed.read_exact(&mut room).await.unwrap();
            assert_eq!(&room, b"one\n");
            use std::io::Write as _;
            fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"two\n").unwrap();
            followed.read_exact(&mut room).await.unwrap();
            assert_eq!(&room, b"two\n");
        });
    }

    #[test]
    fn what_was_written_is_read_to_its_end_after_the_holder_is_gone() {
        test(async {
            let pod = Pod::start().await;
            let path = pod.home.path().join("log");
            fs::write(&path, "one\n").unwrap();
            let mut followed = pod.agent("ours").ask(Ask::Follow(path.clone())).await.unwrap();
            let held = pod.hold().await;
            fs::write(&path, "one\n".repeat(100_000)).unwrap();
            drop(held);
            let mut all = String::new();
            followed.read_to_string(&mut all).await.unwrap();
            assert_eq!(all.len(), 400_000);
            pod.ends(LEASE / 2).await;
        });
    }

    #[test]
    fn a_process_ends_with_its_connection_and_the_connection_with_the_process() {
        test(async {
            let pod = Pod::start().await;
            let log = pod.home.path().join("w").join("log");
            let run = |seconds: &str| Ask::Run {
                files: vec![(pod.home.path().join("f").join("config"), "text".into())],
                args: vec![seconds.into()],
                log: log.clone(),
            };
            let mut brief = pod.agent("ours").ask(run("0.05")).await.unwrap();
            assert_eq!(fs::read_to_string(pod.home.path().join("f/config")).unwrap(), "text");
            assert!(brief.read_u8().await.is_err(), "it has ended");
            let long = pod.agent("ours").ask(run("314159")).await.unwrap();
            let sleeps = || {
                let own = |pid: Pid| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|c| c.ends_with(b"314159\0"));
                processes().into_iter().filter(|(pid, _)| own(*pid)).count()
            };
            // A process that executes has its arguments a moment later.
            while sleeps() == 0 {
                look_again(LOOK).await;
            }
            assert_eq!(sleeps(), 1);
            drop(long);
            while sleeps() > 0 {
                look_again(LOOK).await;
            }
        });
    }

    /// A process in the pod, and whether it stands still.
    async fn sleeper(pod: &Pod, seconds: &str) -> (TcpStream, impl Fn() -> bool) {
        let log = pod.home.path().join("log");
        let life =
            pod.agent("ours").ask(Ask::Run { files: Vec::new(), args: vec![seconds.into()], log }).await.unwrap();
        let mark = format!("{seconds}\0").into_bytes();
        let own = move |pid: &Pid| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|c| c.ends_with(&mark));
        let find = move || processes().into_iter().map(|(pid, _)| pid).find(|pid| own(pid));
        while find().is_none() {
            look_again(LOOK).await;
        }
        let pid = find().unwrap().as_raw().cast_unsigned();
        (life, move || crate::os::stands_still(pid).unwrap())
    }

    const WORKLOAD: Freeze = Freeze { proxy: false, workload: true };

    #[test]
    fn what_stands_still_goes_on_when_it_is_told_to() {
        test(async {
            let pod = Pod::start().await;
            assert!(pod.agent("ours").ask(Ask::Freeze(WORKLOAD)).await.is_err(), "there is nobody");
            let (_life, is_still) = sleeper(&pod, "271828").await;
            let seat = pod.seat();
            // Longer than a lease: there are signs of life.
            let still = freeze(&seat, WORKLOAD).await.unwrap();
            let by = tokio::time::Instant::now() + LEASE + LEASE / 4;
            while tokio::time::Instant::now() < by {
                assert!(is_still());
                look_again(LEASE / 6).await;
            }
            still.go_on().await.unwrap();
            assert!(!is_still());
        });
    }

    #[test]
    fn what_stands_still_goes_on_by_itself_when_nobody_gives_signs() {
        test(async {
            let pod = Pod::start().await;
            let (_life, is_still) = sleeper(&pod, "161803").await;
            // Dropped at once, silent while open: the one is seen at once, the other is a lease that runs out.
            drop(freeze(&pod.seat(), WORKLOAD).await.unwrap());
            while is_still() {
                look_again(LOOK).await;
            }
            let _silent = pod.agent("ours").ask(Ask::Freeze(WORKLOAD)).await.unwrap();
            assert!(is_still());
            let by = tokio::time::Instant::now() + 5 * LEASE;
            while is_still() && tokio::time::Instant::now() < by {
                look_again(LOOK).await;
            }
            assert!(!is_still());
        });
    }

    #[test]
    fn another_machine_is_refused_by_name() {
        test(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let at = listener.local_addr().unwrap();
            spawn_local(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _: Hello = read_line(&mut stream).await.unwrap();
                write_line(&mut stream, &Answer::Yes { boot: "of another machine".into() }).await.unwrap();
            });
            let agent = wire::Agent { at, token: "ours".into() };
            let refused = agent.awaits(Path::new("/")).await.unwrap_err();
            assert!(refused.to_string().contains("another machine"), "{refused}");
        });
    }
}
