//! The load thread: one for all runs, so that wake-ups are shared and nobody else's work delays a send.

use crate::{
    agenda::{Agenda, Planned},
    alarm::Alarm,
    books::{Books, Phase},
    client::Pools,
    clock,
    line::{Line, LineError, Start},
    looks::{Look, LookLog, Mirror},
    looped::Looped,
    rest::{self, Rest},
    run::{self, Run},
    stamped,
};
use squall_model::Stamp;
use std::{io, sync::Arc, time::Duration};
use thiserror::Error;
use tokio::sync::{mpsc, watch};

/// From the call of [`LoadThread::begin`] to the first intended send: the thread has to wake up and enter the lines.
const LEAD: Duration = Duration::from_millis(5);
/// Sends closer together than this share a wake-up, which costs several times what a send does; unless asked otherwise.
const TICK: Duration = Duration::from_millis(1);
/// Between two looks at itself.
const LOOK: Duration = Duration::from_millis(100);
/// Connections to one proxy in one run, if file descriptors allow. Over HTTP/1.1 as many calls in flight: what 2,500 calls per
/// second leave hanging in 10 s is more, but no scenario asks that of one proxy.
const MAX_CONNECTIONS: u64 = 16_384;
/// File descriptors that are left to the rest of the process.
const SPARE_FILES: u64 = 256;

/// Why the load engine does not work.
#[derive(Debug, Error)]
pub enum LoadError {
    /// No thread, no timer, or no poll to be had.
    #[error("the load thread did not start")]
    Start(#[source] io::Error),
    /// It has panicked.
    #[error("the load thread is gone")]
    Gone,
    /// A run without lines.
    #[error("there is no line of traffic")]
    NoLines,
    /// A line that cannot be sent.
    #[error("line {number} of the traffic cannot be sent")]
    Line {
        /// [`Line::number`].
        number: u16,
        /// What is wrong with it.
        #[source]
        error: LineError,
    },
}

/// The handle of the load thread. The thread ends when the last handle and the last [`Run`] are gone.
#[derive(Debug, Clone)]
pub struct LoadThread {
    port: Port,
    looks: Arc<LookLog>,
    max_connections: usize,
    tick: Duration,
    /// Taken between two sends; answers are known by the kernel's stamp.
    rest: Option<Arc<Rest>>,
}

/// The way to the thread.
#[derive(Debug, Clone)]
pub(crate) struct Port {
    commands: mpsc::UnboundedSender<Command>,
    /// Its sender lives on the thread: closed means gone.
    alive: watch::Receiver<()>,
}

/// What the thread is told.
#[derive(Debug)]
pub(crate) enum Command {
    Begin {
        planned: Vec<Planned>,
        looped: Vec<Looped>,
    },
    /// A run was stopped: its lines need not stay in the agenda.
    Sweep,
    /// Give up what is in flight so long after the last send.
    Drain(Arc<Books>, Duration),
}

impl Port {
    pub(crate) fn tell(&self, command: Command) -> Result<(), LoadError> {
        self.commands.send(command).map_err(|_closed| LoadError::Gone)
    }

    /// Returns when the thread is gone.
    pub(crate) async fn gone(&self) {
        let mut alive = self.alive.clone();
        while alive.changed().await.is_ok() {}
    }
}

impl LoadThread {
    /// Starts the thread. Raises the process's soft limit of open files to the hard one: in an open loop against a mesh that hangs,
    /// every call over HTTP/1.1 in flight has a connection of its own.
    ///
    /// # Errors
    /// [`LoadError::Start`].
    pub fn start() -> Result<LoadThread, LoadError> {
        LoadThread::start_with_tick(TICK)
    }

    /// The same with another tick: calls that are due within one tick are sent together, which is cheap, and up to a tick late, which
    /// their latency has in it. [`LoadThread::start`] takes one of 1 ms; zero sends each call in its own time.
    ///
    /// # Errors
    /// [`LoadError::Start`].
    pub fn start_with_tick(tick: Duration) -> Result<LoadThread, LoadError> {
        LoadThread::start_as(tick, None)
    }

    /// The same, and answers wake nobody: they are looked for with the next send, or a tick (at least 1 ms) after the look before. Of one call at a
    /// time over TCP, in TLS or not, it is known nevertheless when they came, for the kernel says so; of others, when they were looked for.
    ///
    /// # Errors
    /// [`LoadError::Start`].
    pub fn start_resting(tick: Duration) -> Result<LoadThread, LoadError> {
        LoadThread::start_as(tick, Some(Arc::new(Rest::new(tick.max(TICK)))))
    }

    fn start_as(tick: Duration, rest: Option<Arc<Rest>>) -> Result<LoadThread, LoadError> {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        if let Some(rest) = &rest {
            let (before, after) = (Arc::clone(rest), Arc::clone(rest));
            runtime.on_thread_park(move || before.take()).on_thread_unpark(move || after.looked(clock::now()));
        }
        let runtime = runtime.enable_all().build().map_err(LoadError::Start)?;
        let alarm = {
            let _context = runtime.enter();
            Alarm::new().map_err(LoadError::Start)?
        };
        let own = rest.clone();
        let (commands, inbox) = mpsc::unbounded_channel();
        let (life, alive) = watch::channel(());
        let looks = Arc::<LookLog>::default();
        let log = Arc::clone(&looks);
        std::thread::Builder::new()
            .name("squall-load".into())
            .spawn(move || {
                let _life = life;
                let _stamping = own.as_ref().map(|_| {
                    rest::sleep_exactly();
                    stamped::ask_the_kernel()
                });
                runtime.block_on(serve(inbox, alarm, tick, own.as_deref(), &log));
            })
            .map_err(LoadError::Start)?;
        let max_connections = open_files().saturating_sub(SPARE_FILES).clamp(1, MAX_CONNECTIONS) as usize;
        Ok(LoadThread { port: Port { commands, alive }, looks, max_connections, tick, rest })
    }

    /// With another cap on the connections of one run to one proxy. To reach it is a failure of the schedule.
    #[must_use]
    pub fn with_max_connections(self, max_connections: usize) -> LoadThread {
        LoadThread { max_connections, ..self }
    }

    /// With this cap, where that is fewer than the machine allows; `None`: as it is.
    #[must_use]
    pub fn with_fewer_connections(self, most: Option<usize>) -> LoadThread {
        let allowed = self.max_connections;
        self.with_max_connections(most.map_or(allowed, |most| most.min(allowed)))
    }

    /// Calls that are due within so long are sent together.
    #[must_use]
    pub fn tick(&self) -> Duration {
        self.tick
    }

    /// The cap on the connections of one run to one proxy.
    #[must_use]
    pub fn max_connections(&self) -> usize {
        self.max_connections
    }

    /// Begins a run: all its lines count their time from one origin, which is a few milliseconds ahead unless it is given.
    /// Returns at once. The k-th call of the i-th of n lines (all from 0) has number `first_seq + k·n + i`.
    ///
    /// # Errors
    /// [`LoadError::NoLines`], [`LoadError::Line`], [`LoadError::Gone`]; nothing has been sent then.
    #[expect(clippy::needless_pass_by_value, reason = "the run owns what it sends")]
    pub fn begin(&self, lines: Vec<Line>, start: Start) -> Result<Run, LoadError> {
        if lines.is_empty() {
            return Err(LoadError::NoLines);
        }
        for line in &lines {
            line.check().map_err(|error| LoadError::Line { number: line.number, error })?;
        }
        let t0 = start.at.unwrap_or_else(|| clock::now() + LEAD);
        let books = Books::new(t0, start.first_seq);
        let pools = Pools::new(self.max_connections, self.rest.clone());
        let command = run::enter(&lines, &books, t0, start.first_seq, pools)?;
        self.port.tell(command)?;
        Ok(Run::new(books, self.port.clone(), t0))
    }

    /// How the load thread did, looked at each 100 ms, from a moment on; of the last ten minutes.
    #[must_use]
    pub fn looks_since(&self, from: Stamp) -> Vec<Look> {
        self.looks.since(from)
    }

    /// The looks since the last time, which are kept no longer.
    #[must_use]
    pub fn take_looks(&self) -> Vec<Look> {
        self.looks.take()
    }
}

/// The thread's own task: begins what is due and does as it is told. Answers are the business of the calls' tasks.
async fn serve(
    mut inbox: mpsc::UnboundedReceiver<Command>,
    mut alarm: Alarm,
    tick: Duration,
    rest: Option<&Rest>,
    looks: &LookLog,
) {
    let (mut agenda, mut mirror) = (Agenda::default(), Mirror::new());
    let mut last_sent = Stamp::default();
    let mut look = clock::now() + LOOK;
    // On tokio's timer, for the sake of the calls' deadlines: tokio wakes itself, at the price of a write, when a timer is
    // entered that is earlier than all others. With this one always there, a deadline hardly ever is.
    let mut look_timer = std::pin::pin!(tokio::time::sleep_until(clock::instant(look)));
    loop {
        let send = agenda.next().map(|at| at.max(last_sent + tick));
        rest.iter().for_each(|rest| rest.sends(send));
        tokio::select! {
            biased;
            command = inbox.recv() => match command {
                Some(command) => obey(command, &mut agenda),
                None => return,
            },
            () = alarm.until(send.unwrap_or_default()), if send.is_some() => {
                last_sent = clock::now();
                agenda.next().into_iter().for_each(|due| mirror.sent(last_sent.since(due)));
                rest.iter().for_each(|rest| rest.looked(last_sent));
                agenda.begin_due(last_sent, |line, ticket| {
                    let line = Arc::clone(line);
                    tokio::spawn(async move { line.make(ticket).await });
                });
            }
            () = &mut look_timer => {
                let now = clock::now();
                looks.push(mirror.look(look, now));
                look = now + LOOK;
                look_timer.as_mut().reset(clock::instant(look));
            }
        }
    }
}

fn obey(command: Command, agenda: &mut Agenda) {
    match command {
        Command::Begin { planned, looped } => {
            planned.into_iter().for_each(|p| agenda.add(p));
            for one in looped {
                tokio::spawn(one.run());
            }
        }
        Command::Sweep => agenda.sweep(),
        Command::Drain(books, drain) => {
            tokio::spawn(give_up_after(books, drain));
        }
    }
}

/// Waits for the last send, then for the answers, and aborts what has none after `drain`.
async fn give_up_after(books: Arc<Books>, drain: Duration) {
    let mut phase = books.phase();
    // An error would mean that the books are gone, and they are ours.
    let _ = phase.wait_for(|phase| *phase > Phase::Sending).await;
    if tokio::time::timeout(drain, phase.wait_for(|phase| *phase == Phase::Done)).await.is_err() {
        books.abort();
    }
}

/// The number of files that the process may have open, after asking for as many as it can get.
fn open_files() -> u64 {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 1_024 };
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    }
}
