use super::super::{Lapse, Seat, Still, freeze, wire};
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

/// Who of ours sleeps for so long, once it does.
async fn pid_of(seconds: &str) -> Pid {
    let mark = format!("{seconds}\0").into_bytes();
    let sleeps = |pid: &u32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|c| c.ends_with(&mark));
    loop {
        if let Some(pid) = crate::os::children_of(std::process::id()).into_iter().find(sleeps) {
            return Pid::from_raw(pid.cast_signed());
        }
        look_again(LOOK).await;
    }
}

/// A process in the pod, and whether it stands still.
async fn sleeper(pod: &Pod, seconds: &str) -> (TcpStream, impl Fn() -> bool) {
    let log = pod.home.path().join("log");
    let life = pod.agent("ours").ask(Ask::Run { files: Vec::new(), args: vec![seconds.into()], log }).await.unwrap();
    let pid = pid_of(seconds).await.as_raw().cast_unsigned();
    (life, move || crate::os::stands_still(pid).unwrap())
}

/// What is known of it that a pause ended early, once it is.
async fn lapse_of(still: &Still) -> Lapse {
    loop {
        if let Some(lapse) = still.lapse() {
            return lapse;
        }
        look_again(LOOK).await;
    }
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
            assert!(is_still() && still.lapse().is_none());
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
        let mut silent = pod.agent("ours").ask(Ask::Freeze(WORKLOAD)).await.unwrap();
        assert!(is_still());
        let begun = clock::now();
        let by = tokio::time::Instant::now() + 5 * LEASE;
        while is_still() && tokio::time::Instant::now() < by {
            look_again(LOOK).await;
        }
        assert!(!is_still());
        // Late, and after a sign that comes too late: it is told all the same, and since when.
        silent.write_all(b".").await.unwrap();
        look_again(LEASE / 6).await;
        let Said::Lapsed { at } = read_line(&mut silent).await.unwrap() else { panic!("it lapsed") };
        assert!(begun + LEASE / 2 < at && at < clock::now());
    });
}

#[test]
fn one_that_ends_is_told_and_the_others_stand_still_until_they_are_told() {
    test(async {
        let pod = Pod::start().await;
        let (_one, one_is_still) = sleeper(&pod, "141421").await;
        let (_other, _) = sleeper(&pod, "173205").await;
        let still = freeze(&pod.seat(), WORKLOAD).await.unwrap();
        let begun = clock::now();
        kill(pid_of("173205").await, Signal::SIGKILL).unwrap();
        let lapse = lapse_of(&still).await;
        assert!(begun < lapse.at && lapse.why.contains("the workload ended"), "{lapse:?}");
        look_again(4 * GLANCE).await;
        assert!(one_is_still());
        assert_eq!(still.go_on().await, Err(lapse), "it did not last");
        assert!(!one_is_still());
    });
}

/// Between being found and being stopped, and after that before it is reaped.
#[test]
fn one_that_has_ended_keeps_no_other_going() {
    test(async {
        let sleep = tokio::process::Command::new("sleep").arg("224949").kill_on_drop(true).spawn().unwrap();
        let other = sleep.id().unwrap();
        let mut reaped = std::process::Command::new("true").spawn().unwrap();
        reaped.wait().unwrap();
        let mut unreaped = std::process::Command::new("true").spawn().unwrap();
        while !crate::os::identity(unreaped.id()).unwrap().zombie {
            look_again(LOOK).await;
        }
        let pid = |child: &std::process::Child| Pid::from_raw(child.id().cast_signed());
        let asleep = Pid::from_raw(other.cast_signed());
        let whom = vec![("proxy", pid(&reaped)), ("workload", pid(&unreaped)), ("workload", asleep)];
        let mut frozen = Frozen::stop(whom).unwrap();
        while !frozen.all_stand().unwrap() {
            look_again(LOOK).await;
        }
        assert!(frozen.is_anybody() && crate::os::stands_still(other).unwrap());
        assert_eq!(frozen.ended(), ["proxy", "workload"]);
        assert!(frozen.ended().is_empty(), "once is enough");
        drop(frozen);
        assert!(!crate::os::stands_still(other).unwrap());
        let mut nobody = Frozen::stop(vec![("workload", pid(&unreaped))]).unwrap();
        assert!(nobody.all_stand().unwrap() && !nobody.is_anybody() && nobody.ended() == ["workload"]);
        unreaped.wait().unwrap();
    });
}

/// An agent that says yes to a pause, and then this; then it is gone.
async fn says_then_goes(words: &'static str) -> Still {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    spawn_local(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _: Hello = read_line(&mut stream).await.unwrap();
        write_line(&mut stream, &Answer::Yes { boot: boot().unwrap() }).await.unwrap();
        stream.write_all(words.as_bytes()).await.unwrap();
    });
    freeze(&Seat { ip: at.ip(), agent: at, token: "ours".into() }, WORKLOAD).await.unwrap()
}

#[test]
fn a_pause_that_was_over_early_is_known_and_why() {
    test(async {
        let begun = clock::now();
        let gone = says_then_goes("").await;
        let lapse = lapse_of(&gone).await;
        assert!(begun < lapse.at && lapse.why.contains("connection to the pod ended"), "{lapse:?}");
        assert_eq!(gone.go_on().await, Err(lapse));
        let let_go = says_then_goes("{\"lapsed\":{\"at\":7}}\n").await;
        let lapse = let_go.go_on().await.unwrap_err();
        assert!(lapse.at.0 == 7 && lapse.why.contains("no sign"), "{lapse:?}");
        // What came first is what counts.
        let first = says_then_goes("{\"ended\":{\"what\":\"proxy\",\"at\":5}}\n\"go_on\"\n").await;
        assert_eq!(first.go_on().await.unwrap_err().at.0, 5);
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
