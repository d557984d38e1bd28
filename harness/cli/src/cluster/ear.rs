//! How this side hears who is there: the runner, every event once, in order, whatever becomes of the connection.

use super::{failure, job::Job, life::AWAY, manifest};
use crate::outcome::Failure;
use squall_engine::Stopper;
use squall_model::{Body, RunEvent};
use squall_place::kubernetes::{Cluster, ClusterError, Ended};
use squall_report::read_event;
use std::{sync::mpsc::Sender, time::Duration};
use tokio::time::{Instant, sleep_until, timeout};

/// How long a connection may bring nothing, not even a sign of life, before it is taken for broken.
const SILENCE: Duration = Duration::from_secs(10);

/// How long a runner may say nothing while the API server answers: it gives a sign every three seconds (`life::BEAT`), and stands still, or its node is gone.
const MUTE: Duration = Duration::from_secs(60);

/// How soon the runner's log is asked for again.
const AGAIN: Duration = Duration::from_millis(500);

/// So many lines that are no events are kept: the last ones tell why a runner ended.
const SAID: usize = 3;

/// Why there is no more to be heard of a container.
pub(super) enum Unheard {
    /// It has ended.
    Ended(Ended),
    /// The cluster does not say, or has not for too long.
    Cluster(ClusterError),
    /// It has not ended, and says nothing.
    Mute,
}

/// Hears a container of a pod line by line until `is_all`. A connection that is begun anew brings all lines again. `mute`: how long it may say
/// nothing, if it gives signs of life.
///
/// # Errors
/// Where it ends before that, cannot be heard for too long, or is mute.
pub(super) async fn follow(
    cluster: &Cluster,
    (namespace, pod, container): (&str, &str, &str),
    mute: Option<Duration>,
    mut is_all: impl FnMut(&str) -> bool,
) -> Result<(), Unheard> {
    let mut heard = Instant::now();
    let mut ended = None;
    let mut quiet = Quiet::default();
    loop {
        let began = Instant::now();
        quiet.connects();
        match cluster.lines_of(namespace, pod, container).await {
            Ok(mut lines) => {
                while let Ok(Some(line)) = timeout(SILENCE, lines.next()).await {
                    heard = Instant::now();
                    quiet.hears(began.elapsed());
                    if is_all(&line) {
                        return Ok(());
                    }
                }
            }
            Err(error) if !error.is_passing() => return Err(Unheard::Cluster(error)),
            Err(_) => {}
        }
        if let Some(end) = ended {
            return Err(Unheard::Ended(end));
        }
        match cluster.end_of(namespace, pod, container).await {
            // What it said last may not be here yet: once more.
            Ok(Some(end)) => ended = Some(end),
            Ok(None) => {
                let silent = quiet.lasts(began.elapsed());
                if mute.is_some_and(|mute| silent >= mute) {
                    return Err(Unheard::Mute);
                }
                heard = Instant::now();
            }
            Err(error) if error.is_passing() && heard.elapsed() <= AWAY => {}
            Err(error) => return Err(Unheard::Cluster(error)),
        }
        sleep_until(Instant::now() + AGAIN).await;
    }
}

/// For how long nothing new is heard, over connections that each bring at once all that was said before. Only connections after which the API server
/// answers count: it alone may be why nothing is heard.
#[derive(Debug, Default)]
struct Quiet {
    /// Lines of the connection that brought most.
    most: u64,
    /// Lines of this one, and whether any is news.
    here: u64,
    is_news: bool,
    so_far: Duration,
}

impl Quiet {
    fn connects(&mut self) {
        (self.here, self.is_news) = (0, false);
    }

    /// A line comes, so long after the connection began. What is said again comes at once, however much it is.
    fn hears(&mut self, after: Duration) {
        self.here += 1;
        self.is_news |= self.here > self.most || after > SILENCE / 2;
    }

    /// The connection lasted so long; for how long it has been quiet by then.
    fn lasts(&mut self, time: Duration) -> Duration {
        self.so_far = if self.is_news { Duration::ZERO } else { self.so_far + time };
        self.most = self.most.max(self.here);
        self.so_far
    }
}

/// Hears what the runner says.
pub struct Ear {
    events: Sender<RunEvent>,
    stopper: Stopper,
    /// The number of the event that comes next: a connection that is begun anew brings all of them again.
    next: u64,
    finished: bool,
    /// Events were missing before this one.
    lost_before: Option<u64>,
    said: Vec<String>,
}

impl Ear {
    /// It passes every event on. Why a run was stopped is known here, and not where it was carried out.
    pub fn new(events: Sender<RunEvent>, stopper: Stopper) -> Ear {
        Ear { events, stopper, next: 0, finished: false, lost_before: None, said: Vec::new() }
    }

    /// Hears all of a run.
    ///
    /// # Errors
    /// Where the runner ends before the run does, or cannot be heard for too long.
    pub async fn listen(&mut self, cluster: &Cluster, job: &Job) -> Result<(), Failure> {
        let runner = (job.namespace.as_str(), manifest::RUNNER, manifest::RUNNER);
        let heard = follow(cluster, runner, Some(MUTE), |line| {
            self.hear(line);
            self.finished
        });
        match heard.await {
            Ok(()) => self.whole(),
            Err(Unheard::Ended(Ended { status, reason })) => {
                let last = self.said.join("; ");
                Err(Failure::environment(format!("the runner ended with {status} ({reason}): {last}")))
            }
            Err(Unheard::Cluster(error)) => Err(failure(&error)),
            Err(Unheard::Mute) => Err(Failure::environment(format!(
                "the runner has said nothing for {} s, and has not ended: it stands still, or its node is gone",
                MUTE.as_secs()
            ))),
        }
    }

    fn whole(&self) -> Result<(), Failure> {
        match self.lost_before {
            None => Ok(()),
            Some(seq) => Err(Failure::environment(format!(
                "what the runner said is not whole: events before number {seq} are missing, and the record with them"
            ))),
        }
    }

    fn hear(&mut self, line: &str) {
        if line.is_empty() {
            // A sign of life.
            return;
        }
        let Ok(mut event) = read_event(line) else {
            self.said.push(line.to_owned());
            if self.said.len() > SAID {
                self.said.remove(0);
            }
            return;
        };
        if event.seq < self.next {
            return;
        }
        if event.seq > self.next {
            self.lost_before = self.lost_before.or(Some(event.seq));
        }
        self.next = event.seq + 1;
        if let (Body::Interrupted { why }, Some(ours)) = (&mut event.body, self.stopper.why()) {
            ours.clone_into(why);
        }
        self.finished |= matches!(event.body, Body::RunFinished(_));
        // A reader that is gone is no reason to stop.
        let _ = self.events.send(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_again_is_no_sign_of_life() {
        let mut quiet = Quiet::default();
        let second = Duration::from_secs(1);
        let mut connection = |lines: &[Duration]| {
            quiet.connects();
            lines.iter().for_each(|after| quiet.hears(*after));
            quiet.lasts(10 * second)
        };
        assert_eq!(connection(&[Duration::ZERO; 3]), Duration::ZERO, "all of it is new");
        assert_eq!(connection(&[Duration::ZERO; 3]), 10 * second);
        assert_eq!(connection(&[]), 20 * second, "it could not be opened");
        assert_eq!(connection(&[Duration::ZERO; 4]), Duration::ZERO, "one more");
        assert_eq!(connection(&[Duration::ZERO; 4]), 10 * second);
        // A log that was cut brings less, and yet it goes on.
        assert_eq!(connection(&[Duration::ZERO, 6 * second]), Duration::ZERO);
    }
    use squall_model::{EVENT_VERSION, Stamp, Totals};
    use squall_report::write_event;
    use std::sync::mpsc::{Receiver, channel};

    fn ear() -> (Ear, Receiver<RunEvent>, Stopper) {
        let (events, reader) = channel();
        let stopper = Stopper::default();
        (Ear::new(events, stopper.clone()), reader, stopper)
    }

    fn line(seq: u64, body: Body) -> String {
        let event = RunEvent { v: EVENT_VERSION, seq, at: Stamp(seq), of: None, body };
        write_event(&event).unwrap().trim_end().to_owned()
    }

    fn numbers(reader: &Receiver<RunEvent>) -> Vec<u64> {
        reader.try_iter().map(|event| event.seq).collect()
    }

    #[test]
    fn what_is_said_again_is_heard_once() {
        let (mut ear, reader, _) = ear();
        for seq in [0, 1, 0, 1, 2] {
            ear.hear(&line(seq, Body::Started));
        }
        ear.hear("");
        assert_eq!(numbers(&reader), [0, 1, 2]);
        assert!(ear.whole().is_ok() && !ear.finished);
        ear.hear(&line(3, Body::RunFinished(Totals::default())));
        assert!(ear.finished);
    }

    #[test]
    fn what_is_missing_is_told() {
        let (mut ear, reader, _) = ear();
        ear.hear(&line(0, Body::Started));
        ear.hear(&line(5, Body::Started));
        ear.hear(&line(6, Body::Started));
        assert_eq!(numbers(&reader), [0, 5, 6]);
        assert!(ear.whole().unwrap_err().to_string().contains("before number 5"));
    }

    #[test]
    fn the_last_words_are_kept() {
        let (mut ear, reader, _) = ear();
        ["one", "two", "three", "four"].iter().for_each(|words| ear.hear(words));
        assert_eq!(ear.said, ["two", "three", "four"]);
        assert!(numbers(&reader).is_empty());
    }

    #[test]
    fn why_it_was_stopped_is_known_here() {
        let (mut ear, reader, stopper) = ear();
        let interrupted = || Body::Interrupted { why: "SIGTERM".into() };
        ear.hear(&line(0, interrupted()));
        stopper.stop("--timeout");
        ear.hear(&line(1, interrupted()));
        let why = |event: RunEvent| match event.body {
            Body::Interrupted { why } => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(reader.try_iter().map(why).collect::<Vec<_>>(), ["SIGTERM", "--timeout"]);
    }
}
