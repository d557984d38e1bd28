//! Nothing survives: a runner, its keeper, or both are killed with SIGKILL, with all kinds of children.

use crate::Test;
use crate::world::{
    SOON, World, block_on, exe, script, sleepers, unique_nap, until, wait_for_sleepers, wait_gone, wait_stopped,
};
use nix::sys::signal::{Signal as Unix, kill};
use nix::unistd::Pid;
use squall_place::{Base, Fate, Keeper, Net, NetWish, RunFolder, Signal};
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, ExitCode, Stdio};

pub(crate) const TESTS: &[Test] = &[
    ("runner_killed_in_a_namespace", || killed(NetWish::Best, Victim::Runner)),
    ("keeper_killed_in_a_namespace", || killed(NetWish::Best, Victim::Keeper)),
    ("both_killed_in_a_namespace", || killed(NetWish::Best, Victim::Both)),
    ("runner_killed_in_a_user_namespace", || killed(NetWish::UserNamespace, Victim::Runner)),
    ("keeper_killed_in_a_user_namespace", || killed(NetWish::UserNamespace, Victim::Keeper)),
    ("both_killed_in_a_user_namespace", || killed(NetWish::UserNamespace, Victim::Both)),
    ("runner_killed_in_a_process_tree", || killed(NetWish::ProcessTree, Victim::Runner)),
    ("keeper_killed_in_a_process_tree", || killed(NetWish::ProcessTree, Victim::Keeper)),
    ("both_killed_in_a_process_tree", || killed(NetWish::ProcessTree, Victim::Both)),
    ("runner_killed_while_the_keeper_is_stopped", runner_killed_while_the_keeper_is_stopped),
    ("runner_stopped_and_killed", runner_stopped_and_killed),
    ("a_runner_that_lives_is_left_alone", a_runner_that_lives_is_left_alone),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Runner,
    Keeper,
    Both,
}

/// Plain, stopped, a stopped grandchild, a daemon: one sleeper each.
const SLEEPERS: usize = 4;

/// The runner to be killed: `runner BASE NET NAP`. Starts one process of each kind and waits for its end.
pub(crate) fn runner(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args: Vec<String> = args.map(|arg| arg.into_string().unwrap()).collect();
    let [base, wish, nap] = args.try_into().unwrap();
    let wish = match wish.as_str() {
        "Best" => NetWish::Best,
        "UserNamespace" => NetWish::UserNamespace,
        _ => NetWish::ProcessTree,
    };
    block_on(async {
        let folder = RunFolder::create_in(&Base::at(base).unwrap()).unwrap();
        let keeper = Keeper::start_with(&exe(), folder, wish).await.unwrap();
        for (name, words) in [
            ("plain", format!("exec sleep {nap}")),
            ("grandchild", format!("sh -c 'kill -STOP $$' {nap}; wait")),
            ("daemon", format!("(cd /; setsid sleep {nap} &); exec sleep 1000")),
        ] {
            keeper.spawn(script(&keeper, name, &words)).await.unwrap();
        }
        let stopped = keeper.spawn(script(&keeper, "stopped", &format!("exec sleep {nap}"))).await.unwrap();
        wait_for_sleepers(&nap, SLEEPERS);
        keeper.signal(stopped.id, Signal::Pause).await.unwrap();
        let stopped = || sleepers(&nap).iter().filter(|found| found.state == 'T').count();
        until(SOON, || if stopped() == 2 { Ok(()) } else { Err(sleepers(&nap)) });
        println!("{} {}", keeper.pid(), serde_json::to_string(keeper.net()).unwrap());
        // Until killed, or until the test itself is gone.
        tokio::task::spawn_blocking(|| io::stdin().read_to_string(&mut String::new())).await.unwrap().unwrap();
    });
    ExitCode::SUCCESS
}

struct Run {
    world: World,
    nap: String,
    runner: Child,
    keeper: Pid,
    net: Net,
}

impl Run {
    fn start(wish: NetWish) -> Run {
        let (world, nap) = (World::new(), unique_nap());
        let mut runner = Command::new(exe())
            .arg("runner")
            .arg(world.base.path())
            .args([&format!("{wish:?}"), &nap])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(runner.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (pid, net) = line.split_once(' ').expect("the runner did not get ready");
        let keeper = Pid::from_raw(pid.parse().unwrap());
        let run = Run { world, nap, runner, keeper, net: serde_json::from_str(net).unwrap() };
        assert_eq!(sleepers(&run.nap).len(), SLEEPERS);
        run
    }

    fn runner(&self) -> Pid {
        Pid::from_raw(self.runner.id().cast_signed())
    }
}

impl Drop for Run {
    /// A failed test must not leave what it complains about.
    fn drop(&mut self) {
        let _ = self.runner.kill();
        let _ = self.runner.wait();
        for found in sleepers(&self.nap) {
            let _ = kill(Pid::from_raw(found.pid.cast_signed()), Unix::SIGKILL);
        }
        let _ = self.world.recover();
    }
}

fn killed(wish: NetWish, victim: Victim) {
    let mut run = Run::start(wish);
    if victim == Victim::Both {
        // At once: the runner must not see the keeper go.
        kill(run.runner(), Unix::SIGSTOP).unwrap();
        wait_stopped(run.runner());
    }
    if victim != Victim::Runner {
        kill(run.keeper, Unix::SIGKILL).unwrap();
    }
    if victim != Victim::Keeper {
        kill(run.runner(), Unix::SIGKILL).unwrap();
        run.runner.wait().unwrap();
    }
    let beyond_the_tree = victim == Victim::Both && matches!(run.net, Net::ProcessTree { .. });
    if beyond_the_tree {
        // The keeper's own children had its death signal, and the kernel sends SIGHUP to groups with stopped processes that
        // lose their session's last parent. The daemon heard nothing.
        wait_for_sleepers(&run.nap, 1);
    } else {
        wait_gone(&run.nap);
    }
    match victim {
        // The keeper removes the folder itself.
        Victim::Runner => {
            run.world.wait_clean();
        }
        // The folder is the living runner's, and only its contents are of no use any more.
        Victim::Keeper => assert_eq!(run.world.recover().runs, []),
        Victim::Both => {
            let recovery = run.world.recover();
            assert!(recovery.is_clean(), "{recovery:?}");
            assert_eq!(recovery.runs.len(), 1, "{recovery:?}");
            // A namespace that is just ending may still be seen; what escapes a tree is there to be found.
            let escaped =
                recovery.runs[0].ended.iter().any(|process| process.name == "sleep" && process.fate == Fate::Killed);
            assert_eq!(escaped, beyond_the_tree, "{recovery:?}");
            wait_gone(&run.nap);
            assert!(run.world.folders().is_empty());
        }
    }
}

fn runner_killed_while_the_keeper_is_stopped() {
    for wish in [NetWish::Best, NetWish::ProcessTree] {
        let mut run = Run::start(wish);
        kill(run.keeper, Unix::SIGSTOP).unwrap();
        kill(run.runner(), Unix::SIGKILL).unwrap();
        run.runner.wait().unwrap();
        assert_eq!(sleepers(&run.nap).len(), SLEEPERS, "somebody else ended them");
        let recovery = run.world.recover();
        assert!(recovery.is_clean(), "{recovery:?}");
        let keeper = &recovery.runs[0].ended[0];
        assert_eq!((keeper.name.as_str(), keeper.fate), ("keeper", Fate::Ended));
        wait_gone(&run.nap);
        assert!(run.world.folders().is_empty());
    }
}

fn runner_stopped_and_killed() {
    let mut run = Run::start(NetWish::Best);
    kill(run.runner(), Unix::SIGSTOP).unwrap();
    assert_eq!(run.world.recover().running.len(), 1);
    assert_eq!(sleepers(&run.nap).len(), SLEEPERS);
    kill(run.runner(), Unix::SIGKILL).unwrap();
    run.runner.wait().unwrap();
    wait_gone(&run.nap);
}

fn a_runner_that_lives_is_left_alone() {
    let run = Run::start(NetWish::Best);
    let recovery = run.world.recover();
    assert_eq!((recovery.runs.len(), recovery.running.len()), (0, 1));
    assert_eq!(sleepers(&run.nap).len(), SLEEPERS);
}
