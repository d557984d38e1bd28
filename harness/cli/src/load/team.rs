//! Several agents as one generator: each sends its share from one moment on, and what they tell is merged without loss.

use super::{
    agent::{News, Order, VERSION},
    drive::{Driven, LOOK, runtime, unable},
    plan::Planned,
};
use crate::{outcome::Failure, stop::Signals, term::Out};
use squall_load::{Generator, Recorder, live};
use squall_model::Stamp;
use squall_traffic::{Share, now};
use std::{process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::mpsc,
    time::{Instant, interval, sleep_until, timeout_at},
};

/// What an agent may take to start and to find the target, beyond the timeout of a call.
const READY: Duration = Duration::from_secs(10);
/// From the order to start until the first send: every agent has read it by then.
const LEAD: Duration = Duration::from_millis(100);
/// What an agent may take beyond its time to tell that it is done.
const LATE: Duration = Duration::from_secs(10);

/// Sends everything by so many agents, and merges what they tell.
///
/// # Errors
/// Those of the agents; exit 3 where one ends without a word.
pub fn drive(
    planned: &Planned,
    agents: u32,
    seed: u64,
    timeout: Duration,
    out: Option<Out>,
) -> Result<Driven, Failure> {
    runtime()?.block_on(async {
        let mut signals = Signals::listen().map_err(|e| unable(&e))?;
        let mut team = Vec::new();
        for nth in 0..agents {
            team.push(Agent::start(nth, agents, seed).await?);
        }
        let by = Instant::now() + READY + timeout;
        for agent in &mut team {
            agent.ready(by).await?;
        }
        let at = now() + LEAD;
        for agent in &mut team {
            agent.order(&Order::Start { at }).await?;
        }
        let last = Instant::now() + LEAD + planned.pace.length + timeout + planned.drain + LATE;
        let mut merging = Merging { calls: Recorder::new(at), generator: None, took: Duration::ZERO, at, planned, out };
        let interrupted = merging.until_all_are_done(team, &mut signals, last).await?;
        let generator = merging.generator.unwrap_or_default();
        Ok(Driven { calls: merging.calls, generator, took: merging.took, interrupted })
    })
}

/// A process that sends a share. It ends if this does.
struct Agent {
    name: Name,
    process: Child,
    orders: ChildStdin,
    news: Reader,
}

/// Which of how many it is.
#[derive(Debug, Clone, Copy)]
struct Name(Share);

impl Name {
    fn lost(self, why: &str) -> Failure {
        Failure::environment(format!("agent {} of {} is lost: {why}", self.0.nth + 1, self.0.of))
    }
}

type Reader = Lines<BufReader<ChildStdout>>;
type Inbox = mpsc::UnboundedReceiver<Result<News, Failure>>;

impl Agent {
    async fn start(nth: u32, of: u32, seed: u64) -> Result<Agent, Failure> {
        let exe = std::env::current_exe().map_err(|e| unable(&e))?;
        let mut process = Command::new(exe)
            .arg("load-agent")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Not in the terminal's foreground: who is interrupted there is the one who leads.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| unable(&e))?;
        let (Some(orders), Some(news)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(Failure::environment("an agent has no pipes"));
        };
        let share = Share { nth, of };
        let news = BufReader::new(news).lines();
        let mut agent = Agent { name: Name(share), process, orders, news };
        let args = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
        agent.order(&Order::Prepare { v: VERSION, args, seed, share }).await?;
        Ok(agent)
    }

    async fn order(&mut self, order: &Order) -> Result<(), Failure> {
        let line = serde_json::to_string(order).map_err(|e| Failure::environment(e.to_string()))? + "\n";
        self.orders.write_all(line.as_bytes()).await.map_err(|e| self.name.lost(&e.to_string()))
    }

    async fn ready(&mut self, by: Instant) -> Result<(), Failure> {
        match timeout_at(by, hear(self.name, &mut self.news)).await {
            Ok(Ok(News::Ready)) => Ok(()),
            Ok(Ok(_)) => Err(self.name.lost("it speaks out of turn")),
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(self.name.lost("it is not ready in time")),
        }
    }
}

/// What an agent says next. That it failed is an error.
async fn hear(name: Name, news: &mut Reader) -> Result<News, Failure> {
    let line = news.next_line().await.map_err(|e| name.lost(&e.to_string()))?;
    let line = line.ok_or_else(|| name.lost("it has ended"))?;
    match serde_json::from_str(&line) {
        Ok(News::Failed { status: 2, message }) => Err(Failure::usage(message)),
        Ok(News::Failed { message, .. }) => Err(Failure::environment(message)),
        Ok(news) => Ok(news),
        Err(error) => Err(name.lost(&error.to_string())),
    }
}

/// All that agents say, in the order in which it comes, until each is done or lost; and what keeps them alive, and takes orders.
fn hear_all(team: Vec<Agent>) -> (Inbox, Vec<(Child, ChildStdin)>) {
    let (heard, inbox) = mpsc::unbounded_channel();
    let kept = team.into_iter().map(|agent| {
        let (name, mut news, heard) = (agent.name, agent.news, heard.clone());
        tokio::spawn(async move {
            loop {
                let said = hear(name, &mut news).await;
                let is_last = matches!(said, Ok(News::Done { .. }) | Err(_));
                if heard.send(said).is_err() || is_last {
                    return;
                }
            }
        });
        (agent.process, agent.orders)
    });
    (inbox, kept.collect())
}

/// What has been told so far.
struct Merging<'a> {
    calls: Recorder,
    generator: Option<Generator>,
    took: Duration,
    at: Stamp,
    planned: &'a Planned,
    /// Where a line can be redrawn.
    out: Option<Out>,
}

impl Merging<'_> {
    /// Merges until every agent has said that it is done. With what stopped the run before its time, if anything did.
    async fn until_all_are_done(
        &mut self,
        team: Vec<Agent>,
        signals: &mut Signals,
        last: Instant,
    ) -> Result<Option<&'static str>, Failure> {
        let mut left = team.len();
        let (mut inbox, mut agents) = hear_all(team);
        let mut look = interval(LOOK);
        let mut stopped = None;
        while left > 0 {
            tokio::select! {
                news = inbox.recv() => match news {
                    Some(news) => left -= usize::from(self.hear(news?)?),
                    None => return Err(Failure::environment("every agent has ended, and not all of them were done")),
                },
                why = signals.only(), if stopped.is_none() => {
                    stopped = Some(why);
                    for (_, orders) in &mut agents {
                        // One that is lost is heard of elsewhere.
                        let _ = orders.write_all(b"\"stop\"\n").await;
                    }
                }
                _ = look.tick() => self.show(),
                () = sleep_until(last) => return Err(Failure::environment("an agent did not end in time")),
            }
        }
        if let Some(out) = self.out {
            out.print_error("\r\x1b[2K");
        }
        Ok(stopped.filter(|_| self.took < self.planned.pace.length))
    }

    /// True where this agent is done.
    fn hear(&mut self, news: News) -> Result<bool, Failure> {
        match news {
            News::Calls(calls) => self.calls.merge(&calls),
            News::Done { generator, took } => {
                self.generator = Some(match self.generator.take() {
                    Some(all) => all.with(generator),
                    None => generator,
                });
                self.took = self.took.max(took);
                return Ok(true);
            }
            News::Ready | News::Failed { .. } => return Err(Failure::environment("an agent speaks out of turn")),
        }
        Ok(false)
    }

    fn show(&self) {
        let Some(out) = self.out else { return };
        let (passed, length) = (now().since(self.at), self.planned.pace.length);
        let line = live(&self.calls, passed.min(length), length, 0, out.error_style);
        out.print_error(&format!("\r\x1b[2K{line}"));
    }
}
