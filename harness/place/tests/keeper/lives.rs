//! The keeper in its normal life: start, signal, see, end.

use crate::Test;
use crate::world::{
    GONE, World, block_on, exe, script, sleepers, soon, unique_nap, until, wait_for_sleepers, wait_for_words, wait_gone,
};
use nix::sys::signal::{Signal as Unix, kill};
use nix::unistd::Pid;
use squall_place::{Exit, Keeper, Life, Net, NetWish, PlaceError, ProcessSpec, RunFolder, Signal};
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

pub(crate) const TESTS: &[Test] = &[
    ("an_exit_on_its_own_is_seen_and_not_asked_for", an_exit_on_its_own_is_seen_and_not_asked_for),
    ("a_kill_of_ours_is_asked_for_and_anothers_is_not", a_kill_of_ours_is_asked_for_and_anothers_is_not),
    ("pause_and_resume", pause_and_resume),
    ("a_process_gets_what_its_spec_says", a_process_gets_what_its_spec_says),
    ("a_kill_takes_the_whole_group", a_kill_takes_the_whole_group),
    ("what_cannot_start_says_why", what_cannot_start_says_why),
    ("requests_for_the_wrong_process_are_refused", requests_for_the_wrong_process_are_refused),
    ("a_shutdown_lets_processes_end_in_order", a_shutdown_lets_processes_end_in_order),
    ("a_shutdown_kills_who_does_not_listen", a_shutdown_kills_who_does_not_listen),
    ("a_shutdown_ends_daemons_too", a_shutdown_ends_daemons_too),
    ("a_dropped_keeper_ends_everything", a_dropped_keeper_ends_everything),
    ("a_lost_keeper_is_told_to_everybody", a_lost_keeper_is_told_to_everybody),
    ("twenty_runs_at_once", twenty_runs_at_once),
    ("many_processes_at_once", many_processes_at_once),
    ("terminal_signals_do_not_reach_the_keeper", terminal_signals_do_not_reach_the_keeper),
    ("a_program_that_is_no_keeper", a_program_that_is_no_keeper),
    ("a_wish_for_less_is_heard", a_wish_for_less_is_heard),
    ("the_survey_says_what_a_run_gets", the_survey_says_what_a_run_gets),
];

const GRACE: Duration = Duration::from_secs(10);

fn an_exit_on_its_own_is_seen_and_not_asked_for() {
    let world = World::new();
    block_on(async {
        let keeper = world.keeper(NetWish::Best).await;
        let mut lives = keeper.lives();
        let handle = keeper.spawn(script(&keeper, "short", "exit 7")).await.unwrap();
        let end = keeper.wait_exit(handle.id, soon()).await.unwrap();
        assert_eq!((end.how, end.asked, end.pid), (Exit::Code(7), false, handle.pid));
        assert!(end.at >= handle.started);
        assert_eq!(lives.recv().await.unwrap(), Life::Exited(end.clone()));
        assert_eq!(keeper.ends(), [end]);
        keeper.shutdown(GRACE).await.unwrap();
    });
}

fn a_kill_of_ours_is_asked_for_and_anothers_is_not() {
    let world = World::new();
    block_on(async {
        let keeper = world.keeper(NetWish::Best).await;
        let ours = keeper.spawn(script(&keeper, "ours", "exec sleep 1000")).await.unwrap();
        let theirs = keeper.spawn(script(&keeper, "theirs", "exec sleep 1000")).await.unwrap();
        keeper.signal(ours.id, Signal::Kill).await.unwrap();
        kill(Pid::from_raw(theirs.pid.cast_signed()), Unix::SIGKILL).unwrap();
        let (ours, theirs) =
            (keeper.wait_exit(ours.id, soon()).await.unwrap(), keeper.wait_exit(theirs.id, soon()).await.unwrap());
        assert_eq!((ours.how, ours.asked), (Exit::Signal(9), true));
        assert_eq!((theirs.how, theirs.asked), (Exit::Signal(9), false));
        keeper.shutdown(GRACE).await.unwrap();
    });
}

fn pause_and_resume() {
    let world = World::new();
    block_on(async {
        let keeper = world.keeper(NetWish::Best).await;
        let nap = unique_nap();
        // The child of the process is paused with it.
        let handle = keeper.spawn(script(&keeper, "web", &format!("sleep {nap}; exit 3"))).await.unwrap();
        let states = || sleepers(&nap).iter().map(|found| found.state).collect::<String>();
        let is = |wanted: &str| {
            let states = states();
            if states == wanted { Ok(()) } else { Err(states) }
        };
        until(GONE, || is("S"));
        keeper.signal(handle.id, Signal::Pause).await.unwrap();
        until(GONE, || is("T"));
        keeper.signal(handle.id, Signal::Resume).await.unwrap();
        until(GONE, || is("S"));
        keeper.pause(&handle, soon()).await.unwrap();
        until(GONE, || is("T"));
        let alive = keeper.wait_exit(handle.id, Instant::now()).await.unwrap_err();
        assert!(matches!(alive, PlaceError::StillAlive { .. }), "{alive}");
        keeper.signal(handle.id, Signal::Kill).await.unwrap();
        assert!(keeper.wait_exit(handle.id, soon()).await.unwrap().asked);
        wait_gone(&nap);
        keeper.shutdown(GRACE).await.unwrap();
    });
}

fn a_process_gets_what_its_spec_says() {
    let world = World::new();
    // Not close-on-exec, as what a careless parent leaves us.
    let _inherited = nix::unistd::pipe().unwrap();
    block_on(async {
        let keeper = world.keeper(NetWish::Best).await;
        let tell =
            "pwd; echo $SQUALL_TEST; cat; echo err >&2; echo \"$0 $1\"; ls /proc/self/fd; ps -o sigmask= -p $$ || true";
        let folder = keeper.folder().process_folder("teller").unwrap();
        let spec = ProcessSpec::new("teller", "sh", folder.clone())
            .args(["-c", tell, "zero", "a b"])
            .env("SQUALL_TEST", "from the spec");
        fs::write(folder.log(), "earlier\n").unwrap();
        let handle = keeper.spawn(spec).await.unwrap();
        assert_eq!(keeper.wait_exit(handle.id, soon()).await.unwrap().how, Exit::Code(0));
        let log = fs::read_to_string(folder.log()).unwrap();
        let lines: Vec<&str> = log.lines().collect();
        // Standard input is empty; descriptors are the three of the log and the one with which ls reads the folder.
        let expected =
            ["earlier", folder.path().to_str().unwrap(), "from the spec", "err", "zero a b", "0", "1", "2", "3"];
        assert_eq!(lines[..9], expected, "{log}");
        assert!(lines[9..].iter().all(|mask| mask.trim().chars().all(|digit| digit == '0')), "{log}");
        keeper.shutdown(GRACE).await.unwrap();
    });
}

fn a_kill_takes_the_whole_group() {
    let world = World::new();
    block_on(async {
        let keeper = world.keeper(NetWish::ProcessTree).await;
        let nap = unique_nap();
        let forking = format!("sleep {nap} & sleep {nap}");
        let handle = keeper.spawn(script(&keeper, "forking", &forking)).await.unwrap();
        wait_for_sleepers(&nap, 2);
        keeper.signal(handle.id, Signal::Kill).await.unwrap();
        keeper.wait_exit(handle.id, soon()).await.unwrap();
        wait_gone(&nap);
        // The same when only the process itself is killed, by somebody else, and leaves a child behind.
        let nap = unique_nap();
        let handle = keeper.spawn(script(&keeper, "leaving", &format!("sleep {nap} & wait"))).await.unwrap();
        wait_for_sleepers(&nap, 1);
        kill(Pid::from_raw(handle.pid.cast_signed()), Unix::SIGKILL).unwrap();
        assert!(!keeper.wait_exit(handle.id, soon()).await.unwrap().asked);
        wait_gone(&nap);
        keeper.shutdown(GRACE).await.unwrap();
    });
}

fn what_cannot_start_says_why() {
    let world = World::new();
    block_on(async {
        let keeper = world.keeper(NetWish::Best).await;
        let folder = |name| keeper.folder().process_folder(name).unwrap();
        let absent = ProcessSpec::new("absent", "/does/not/exist", folder("absent"));
        let refused = keeper.spawn(absent).await.unwrap_err().to_string();
        assert_eq!(
            refused,
            "absent did not start: cannot execute /does/not/exist: No such file or directory (os error 2)"
        );
        let no_program = ProcessSpec::new("text", "/etc/passwd", folder("text"));
        let refused = keeper.spawn(no_program).await.unwrap_err().to_string();
        assert_eq!(refused, "text did not start: cannot execute /etc/passwd: Permission denied (os error 13)");
        let nowhere = ProcessSpec::new("nowhere", "true", folder("nowhere")).cwd("/no/such/folder");
        let refused = keeper.spawn(nowhere).await.unwrap_err().to_string();
        assert!(refused.contains("cannot enter /no/such/folder, to run true: No such file"), "{refused}");
        let odd = ProcessSpec::new("odd", "true", folder("odd")).args([odd_text()]);
        let refused = keeper.spawn(odd).await.unwrap_err();
        assert!(matches!(refused, PlaceError::Spec { .. }), "{refused}");
        // None of it harmed the keeper.
        let fine = keeper.spawn(ProcessSpec::new("fine", "true", folder("fine"))).await.unwrap();
        assert_eq!(keeper.wait_exit(fine.id, soon()).await.unwrap().how, Exit::Code(0));
        keeper.shutdown(GRACE).await.unwrap();
    });
}

fn odd_text() -> std::ffi::OsString {
    std::os::unix::ffi::OsStringExt::from_vec(vec![b'a', 0xff])
}

fn requests_for_the_wrong_process_are_refused() {
    let (world, other) = (World::new(), World::new());
    block_on(async {
        let keeper = world.keeper(NetWish::Best).await;
        let elsewhere = other.keeper(NetWish::Best).await;
        let first = keeper.spawn(script(&keeper, "first", "exit 0")).await.unwrap();
        keeper.wait_exit(first.id, soon()).await.unwrap();
        let refused = keeper.signal(first.id, Signal::Kill).await.unwrap_err();
        assert!(matches!(refused, PlaceError::Exited { .. }), "{refused}");
        let refused = elsewhere.signal(first.id, Signal::Kill).await.unwrap_err();
        assert!(matches!(refused, PlaceError::UnknownProcess { .. }), "{refused}");
        let refused = elsewhere.wait_exit(first.id, soon()).await.unwrap_err();
        assert!(matches!(refused, PlaceError::UnknownProcess { .. }), "{refused}");
        keeper.shutdown(GRACE).await.unwrap();
        let refused =
            keeper.spawn(ProcessSpec::new("late", "true", elsewhere.folder().process_folder("late").unwrap()));
        let refused = refused.await.unwrap_err();
        assert!(matches!(refused, PlaceError::ShuttingDown | PlaceError::KeeperLost), "{refused}");
        elsewhere.shutdown(GRACE).await.unwrap();
    });
}

fn a_shutdown_lets_processes_end_in_order() {
    let world = World::new();
    block_on(async {
        let keeper = world.keeper(NetWish::Best).await;
        let done = world.base.path().join("done");
        let orderly =
            format!("trap 'echo done > {}; exit 0' TERM; echo up; while :; do sleep 0.01; done", done.display());
        let folder = keeper.folder().process_folder("orderly").unwrap();
        let spec = ProcessSpec::new("orderly", "sh", folder.clone()).args(["-c", &orderly]);
        let handle = keeper.spawn(spec).await.unwrap();
        wait_for_words(&folder.log(), "up\n");
        // Paused, it could not handle SIGTERM: a shutdown wakes it.
        keeper.signal(handle.id, Signal::Pause).await.unwrap();
        keeper.shutdown(Duration::from_secs(30)).await.unwrap();
        assert_eq!(fs::read_to_string(done).unwrap(), "done\n");
        let end = keeper.wait_exit(handle.id, soon()).await.unwrap();
        assert_eq!((end.how, end.asked), (Exit::Code(0), true));
        assert!(!keeper.folder().path().exists());
        keeper.shutdown(GRACE).await.unwrap();
    });
}

fn a_shutdown_kills_who_does_not_listen() {
    let world = World::new();
    block_on(async {
        let keeper = world.keeper(NetWish::Best).await;
        let folder = keeper.folder().process_folder("deaf").unwrap();
        let deaf = "trap '' TERM; echo up; while :; do sleep 0.01; done";
        let spec = ProcessSpec::new("deaf", "sh", folder.clone()).args(["-c", deaf]);
        let handle = keeper.spawn(spec).await.unwrap();
        wait_for_words(&folder.log(), "up\n");
        keeper.shutdown(Duration::from_millis(50)).await.unwrap();
        let end = keeper.wait_exit(handle.id, soon()).await.unwrap();
        assert_eq!((end.how, end.asked), (Exit::Signal(9), true));
        assert_eq!(world.folders(), Vec::<std::path::PathBuf>::new());
    });
}

fn a_shutdown_ends_daemons_too() {
    for wish in [NetWish::Best, NetWish::ProcessTree] {
        let world = World::new();
        block_on(async {
            let keeper = world.keeper(wish).await;
            let nap = unique_nap();
            // Without its environment and in another session, a child of nobody's.
            let daemon = format!("(cd /; setsid env -i sleep {nap} &) ; exec sleep 1000");
            keeper.spawn(script(&keeper, "daemonic", &daemon)).await.unwrap();
            wait_for_sleepers(&nap, 1);
            keeper.shutdown(GRACE).await.unwrap();
            assert!(sleepers(&nap).is_empty(), "{:?}", keeper.net());
        });
    }
}

fn a_dropped_keeper_ends_everything() {
    let world = World::new();
    let nap = unique_nap();
    block_on(async {
        let keeper = world.keeper(NetWish::Best).await;
        keeper.spawn(script(&keeper, "web", &format!("exec sleep {nap}"))).await.unwrap();
        wait_for_sleepers(&nap, 1);
    });
    wait_gone(&nap);
    world.wait_clean();
}

fn a_lost_keeper_is_told_to_everybody() {
    for wish in [NetWish::Best, NetWish::ProcessTree] {
        let world = World::new();
        block_on(async {
            let keeper = world.keeper(wish).await;
            let mut lives = keeper.lives();
            let handle = keeper.spawn(script(&keeper, "web", "exec sleep 1000")).await.unwrap();
            let waiting = keeper.wait_exit(handle.id, soon());
            kill(Pid::from_raw(keeper.pid().cast_signed()), Unix::SIGKILL).unwrap();
            let lost = waiting.await.unwrap_err();
            assert!(matches!(lost, PlaceError::KeeperLost), "{lost}");
            let Life::Exited(end) = lives.recv().await.unwrap() else { panic!("no end") };
            assert_eq!((end.id, end.how, end.asked), (handle.id, Exit::Lost, false));
            assert!(matches!(lives.recv().await.unwrap(), Life::KeeperLost { .. }));
            let folder = keeper.folder().process_folder("late").unwrap();
            let lost = keeper.spawn(ProcessSpec::new("late", "true", folder)).await.unwrap_err();
            assert!(matches!(lost, PlaceError::KeeperLost), "{lost}");
            let lost = keeper.shutdown(GRACE).await.unwrap_err();
            assert!(matches!(lost, PlaceError::KeeperLost), "{lost}");
            // A shutdown waits until the remains are cleared away: not even a zombie is left of either.
            for pid in [keeper.pid(), handle.pid] {
                assert!(!Path::new(&format!("/proc/{pid}")).exists(), "{pid}");
            }
        });
        world.wait_clean();
    }
}

fn twenty_runs_at_once() {
    let world = World::new();
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..20)
            .map(|_| {
                scope.spawn(|| {
                    block_on(async {
                        let keeper = world.keeper(NetWish::Best).await;
                        let handle = keeper.spawn(script(&keeper, "web", "exec sleep 1000")).await.unwrap();
                        keeper.signal(handle.id, Signal::Kill).await.unwrap();
                        assert!(keeper.wait_exit(handle.id, soon()).await.unwrap().asked);
                        keeper.shutdown(GRACE).await.unwrap();
                    });
                })
            })
            .collect();
        runs.into_iter().for_each(|run| run.join().unwrap());
    });
    assert_eq!(world.folders(), Vec::<std::path::PathBuf>::new());
}

fn many_processes_at_once() {
    let world = World::new();
    block_on(async {
        let keeper = std::rc::Rc::new(world.keeper(NetWish::Best).await);
        let local = tokio::task::LocalSet::new();
        let pids = local.run_until(async {
            let starts: Vec<_> = (0..100)
                .map(|number| {
                    let keeper = std::rc::Rc::clone(&keeper);
                    tokio::task::spawn_local(async move {
                        // A large environment: more than one pipe's worth in all.
                        let spec =
                            script(&keeper, &format!("p{number}"), "exec sleep 1000").env("BIG", "x".repeat(10_000));
                        keeper.spawn(spec).await.unwrap().pid
                    })
                })
                .collect();
            let mut pids = HashSet::new();
            for start in starts {
                pids.insert(start.await.unwrap());
            }
            pids
        });
        assert_eq!(pids.await.len(), 100);
        keeper.shutdown(GRACE).await.unwrap();
        assert_eq!(keeper.ends().iter().filter(|end| end.asked).count(), 100);
    });
}

fn terminal_signals_do_not_reach_the_keeper() {
    let world = World::new();
    block_on(async {
        let keeper = world.keeper(NetWish::Best).await;
        let pid = Pid::from_raw(keeper.pid().cast_signed());
        assert_ne!(nix::unistd::getsid(Some(pid)).unwrap(), nix::unistd::getsid(None).unwrap());
        for signal in [Unix::SIGINT, Unix::SIGTERM, Unix::SIGHUP, Unix::SIGQUIT, Unix::SIGUSR1] {
            kill(pid, signal).unwrap();
        }
        let handle = keeper.spawn(script(&keeper, "web", "exec sleep 1000")).await.unwrap();
        // What the keeper blocks, its children do not.
        kill(Pid::from_raw(handle.pid.cast_signed()), Unix::SIGTERM).unwrap();
        assert_eq!(keeper.wait_exit(handle.id, soon()).await.unwrap().how, Exit::Signal(15));
        keeper.shutdown(GRACE).await.unwrap();
    });
}

fn a_program_that_is_no_keeper() {
    let world = World::new();
    block_on(async {
        let start = |exe: &'static str| Keeper::start(Path::new(exe), RunFolder::create_in(&world.base).unwrap());
        let refused = start("/bin/true").await.unwrap_err().to_string();
        assert_eq!(refused, "the keeper (/bin/true keeper) did not start: it ended without a word");
        let refused = start("/does/not/exist").await.unwrap_err().to_string();
        assert!(refused.ends_with("No such file or directory (os error 2)"), "{refused}");
        let refused = start("/bin/ls").await.unwrap_err().to_string();
        assert!(refused.contains("option"), "{refused}");
    });
    world.wait_clean();
}

fn a_wish_for_less_is_heard() {
    let world = World::new();
    block_on(async {
        let keeper = world.keeper(NetWish::ProcessTree).await;
        assert_eq!(*keeper.net(), Net::ProcessTree { why: "as asked".into() });
        keeper.shutdown(GRACE).await.unwrap();
        let keeper = world.keeper(NetWish::UserNamespace).await;
        assert_ne!(*keeper.net(), Net::PidNamespace { user: false });
        // The files of a run within a user namespace are ours.
        let done = world.base.path().join("done");
        let handle = keeper.spawn(script(&keeper, "id", &format!("id -u > {}", done.display()))).await.unwrap();
        assert_eq!(keeper.wait_exit(handle.id, soon()).await.unwrap().how, Exit::Code(0));
        assert_eq!(fs::read_to_string(done).unwrap().trim(), nix::unistd::getuid().to_string());
        keeper.shutdown(GRACE).await.unwrap();
    });
}

fn the_survey_says_what_a_run_gets() {
    let survey = squall_place::survey(&exe());
    let world = World::new();
    block_on(async {
        let keeper = world.keeper(NetWish::Best).await;
        assert_eq!(survey.net.as_ref(), Ok(keeper.net()));
        assert!(survey.subreaper);
        keeper.shutdown(GRACE).await.unwrap();
    });
}
