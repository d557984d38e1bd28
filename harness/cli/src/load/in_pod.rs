//! An agent in a pod of a cluster: what goes between it and whoever leads, and its life.
//!
//! It needs nothing of Kubernetes but files and its log: no account, no access to the API server, no way in from outside.
//! - Its [`Task`] is a file that is there before it is.
//! - Its [`Orders`] are another file: an annotation of its own pod. Whoever leads writes it by a patch, and an agent's machine brings the files of a pod
//!   up to date whenever the pod is changed, within a second or two. (Those of a ConfigMap take up to two minutes; a start that was fixed
//!   beforehand would have to be later than the slowest image takes to be there; a line over `exec` needs a right to run anything in any pod.)
//! - Its [`Word`]s are lines of its log, which can be read again from the beginning.
//!
//! Who comes too late for the start says so and sends nothing. Who is given no sign of life any more stops sending.

use super::{
    agent::{load_args, prepare},
    drive::{self, Driven, Teller, runtime, unable},
    files,
};
use crate::{
    date,
    outcome::{Exit, Failure},
    stop::Signals,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use squall_load::Part;
use squall_traffic::{Share, Start, now};
use std::{
    convert::Infallible,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// What both sides speak.
pub const VERSION: u16 = 1;

/// Folders of an agent's pod: in each is what it is told in [`FILE`], in the first the files that its command line names, too.
pub const TASK: &str = "task";
/// This one changes while it lives.
pub const ORDERS: &str = "orders";
/// What the file is called in either.
pub const FILE: &str = "told.json";

/// Which of the agents it is, from 0: a pod of an Indexed Job is told so.
const INDEX: &str = "JOB_COMPLETION_INDEX";

/// For how long whoever leads may give no sign of life. Longer than the minute after which a machine brings the files of its pods up to date
/// unasked: so nobody stops for a patch that was heard of late.
pub const LEASE: Duration = Duration::from_secs(90);

/// Between two looks at the orders.
const LOOK: Duration = Duration::from_millis(100);

/// Between two words of one that waits for the start, and two signs of one that sends.
const BEAT: Duration = Duration::from_secs(1);

/// What all agents of a run are given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// [`VERSION`].
    pub v: u16,
    /// The command line of the whole run.
    pub args: Vec<String>,
    /// What is drawn is drawn from this, so that all agents draw the same.
    pub seed: u64,
    /// How many they are.
    pub agents: u32,
}

/// What an agent is told while it lives: all of it each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Orders {
    /// Another number each time: whoever leads lives.
    pub sign: u64,
    /// The moment of the first intended send of the whole run: nanoseconds since 1970.
    pub start: Option<u64>,
    /// Send no more; what is in flight is waited for.
    pub stop: bool,
}

/// What an agent says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// It could start now; said again and again until it is told when.
    Ready {
        /// Where it has found the target.
        address: String,
        /// What its clock says: nanoseconds since 1970.
        clock: u64,
    },
    /// It cannot, or could not.
    Failed {
        /// The status with which it ends.
        status: u8,
        /// Why, with a way out.
        message: String,
    },
    /// All of its calls.
    Told {
        /// What came of them.
        part: Box<Part>,
        /// What stopped it before its time.
        stopped: Option<String>,
    },
}

/// The whole life of an agent in a pod that has its folders here.
///
/// # Errors
/// Exit 2 and 3 as of a run; whoever leads is told the same.
pub fn agent(folder: &Path) -> Result<Exit, Failure> {
    match runtime().and_then(|runtime| runtime.block_on(serve(folder))) {
        Ok(()) => Ok(Exit::Holds),
        Err(failure) => {
            say(&Word::Failed { status: failure.exit().status(), message: failure.to_string() });
            Err(failure)
        }
    }
}

async fn serve(folder: &Path) -> Result<(), Failure> {
    // The first process of a container ends by no signal that it does not listen for.
    let mut signals = Signals::listen().map_err(|e| unable(&e))?;
    let nth = std::env::var(INDEX).ok().and_then(|nth| nth.parse().ok());
    let nth = nth.ok_or_else(|| Failure::usage("an agent in a pod is started by a run, not by hand"))?;
    let Task { v, args, seed, agents } = read(&folder.join(TASK).join(FILE))
        .ok_or_else(|| Failure::environment("there is no task that could be read"))?;
    if v != VERSION {
        return Err(Failure::usage(format!("this agent speaks version {VERSION}, and was asked for {v}"))
            .help("its image and the program that started it have to be of one version: --image"));
    }
    let args = files::moved(load_args(&args)?, &folder.join(TASK));
    let planned = prepare(args, seed, Share { nth, of: agents })?;
    let mut post = Post::at(folder.join(ORDERS).join(FILE), LEASE);
    let start = tokio::select! {
        start = post.start() => start?,
        why = signals.only() => return Err(Failure::environment(format!("it was ended by {why} before the start"))),
        never = every_beat(|| say(&Word::Ready { address: planned.address.clone(), clock: clock() })) => match never {},
    };
    let ahead = start.checked_sub(clock()).map(Duration::from_nanos).ok_or_else(|| too_late(start))?;
    let start = Start { at: Some(now() + ahead), ..Start::default() };
    let stop = async {
        tokio::select! {
            why = post.stop() => why,
            why = signals.only() => why,
        }
    };
    let Driven { calls, generator, took, interrupted } = tokio::select! {
        driven = drive::send(&planned, start, None, stop, Teller::Nobody) => driven?,
        // An empty line now and then shows that there is nothing to be heard, and that it would be.
        never = every_beat(|| write("\n")) => match never {},
    };
    say(&Word::Told { part: Box::new(Part { calls, generator, took }), stopped: interrupted.map(str::to_owned) });
    Ok(())
}

fn too_late(start: u64) -> Failure {
    let late = Duration::from_nanos(clock().saturating_sub(start));
    Failure::environment(format!("it heard of the start {:.1} s after it, and sent nothing", late.as_secs_f64()))
}

/// The machine's calendar: the one clock that machines have in common.
fn clock() -> u64 {
    u64::try_from(date::since_1970().as_nanos()).unwrap_or(u64::MAX)
}

async fn every_beat(mut what: impl FnMut()) -> Infallible {
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        what();
    }
}

/// The orders, as they change.
struct Post {
    file: PathBuf,
    /// How long they may stay the same.
    lease: Duration,
    last: Orders,
    changed: Instant,
}

impl Post {
    fn at(file: PathBuf, lease: Duration) -> Post {
        Post { file, lease, last: Orders::default(), changed: Instant::now() }
    }

    /// Looks again; true where it has been too long since anything changed.
    fn is_forsaken(&mut self) -> bool {
        // Before the first order there is an empty file, and while one is written, perhaps none.
        if let Some(orders) = read(&self.file).filter(|orders| *orders != self.last) {
            (self.last, self.changed) = (orders, Instant::now());
        }
        self.changed.elapsed() > self.lease
    }

    /// When the run starts.
    async fn start(&mut self) -> Result<u64, Failure> {
        let mut look = interval(LOOK);
        loop {
            look.tick().await;
            let is_forsaken = self.is_forsaken();
            match self.last.start {
                Some(start) => return Ok(start),
                None if is_forsaken => {
                    let message = format!("nobody has given it a sign of life for {:?}", self.lease);
                    return Err(Failure::environment(message));
                }
                None => {}
            }
        }
    }

    /// Returns when it is to send no more, and says why.
    async fn stop(&mut self) -> &'static str {
        let mut look = interval(LOOK);
        loop {
            look.tick().await;
            let is_forsaken = self.is_forsaken();
            if self.last.stop {
                return "an order";
            }
            if is_forsaken {
                return "the silence of whoever started it";
            }
        }
    }
}

/// What is in a file; `None` where it cannot be read, or is nothing of the kind.
fn read<T: DeserializeOwned>(file: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

fn say(word: &Word) {
    let Ok(line) = serde_json::to_string(word) else { return };
    write(&(line + "\n"));
}

fn write(line: &str) {
    let mut out = std::io::stdout().lock();
    // Whoever reads the log reads it elsewhere: here nobody can be told that it cannot be written.
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn words_and_orders_are_lines_that_people_can_read() {
        let orders = Orders { sign: 3, start: Some(1_700_000_000_000_000_000), stop: false };
        let line = r#"{"sign":3,"start":1700000000000000000,"stop":false}"#;
        assert_eq!(serde_json::to_string(&orders).unwrap(), line);
        assert_eq!(serde_json::from_str::<Orders>(line).unwrap(), orders);
        let word = Word::Ready { address: "10.0.0.7:80".into(), clock: 5 };
        assert_eq!(serde_json::to_string(&word).unwrap(), r#"{"ready":{"address":"10.0.0.7:80","clock":5}}"#);
    }

    /// Short, for a test.
    const SHORT: Duration = Duration::from_millis(600);

    fn on_a_clock<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
    }

    #[test]
    fn orders_are_heard_as_they_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        let order = |orders: Orders| fs::write(&file, serde_json::to_string(&orders).unwrap()).unwrap();
        // As it is before anybody has said anything.
        fs::write(&file, "").unwrap();
        on_a_clock(async {
            let (mut post, mut sign, mut beat) = (Post::at(file.clone(), SHORT), 0, interval(SHORT / 3));
            let started = tokio::select! {
                start = post.start() => start,
                never = async {
                    // It waits for as long as there are signs, and then it starts.
                    loop {
                        beat.tick().await;
                        sign += 1;
                        order(Orders { sign, start: (sign > 6).then_some(7), stop: false });
                    }
                } => never,
            };
            assert_eq!(started.unwrap(), 7);
            assert!(sign > 6);
            order(Orders { sign, start: Some(7), stop: true });
            assert_eq!(post.stop().await, "an order");
        });
    }

    #[test]
    fn who_is_given_no_sign_sends_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        on_a_clock(async {
            let (mut post, began) = (Post::at(file.clone(), SHORT), Instant::now());
            assert!(post.start().await.unwrap_err().to_string().contains("a sign"), "there is not even a file");
            assert!(began.elapsed() >= SHORT);
            fs::write(&file, serde_json::to_string(&Orders { start: Some(7), ..Orders::default() }).unwrap()).unwrap();
            let mut post = Post::at(file.clone(), SHORT);
            assert_eq!(post.start().await.unwrap(), 7);
            assert_eq!(post.stop().await, "the silence of whoever started it");
        });
    }
}
