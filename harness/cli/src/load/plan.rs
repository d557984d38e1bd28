//! A load run before it begins: everything that can be wrong is found here, and nothing has been sent.

use super::{
    args::{Answer, LoadArgs},
    pace::Pace,
    request::{self, Sent},
    secure,
    target::{self, Speaks, Target},
};
use crate::outcome::Failure;
use squall_model::Protocol;
use squall_traffic::{Line, Reply, Until};
use std::time::Duration;

/// Calls per second that another machine gets unless somebody says that it may have more.
const CEILING: f64 = 1_000.0;

/// What will be sent, and where to.
pub struct Planned {
    /// For the load engine.
    pub line: Line,
    /// What each of several requests is called.
    pub names: Vec<String>,
    /// What was drawn from, where anything was.
    pub seed: Option<u64>,
    /// When.
    pub pace: Pace,
    /// Where that is, for people.
    pub address: String,
    /// Most connections, where that was said.
    pub connections: Option<usize>,
    /// Sends due within so long are made together.
    pub tick: Duration,
    /// How late 99 of 100 sends may be.
    pub late: Duration,
    /// How long answers are waited for after the last send.
    pub drain: Duration,
    /// Calls that are due before this are sent and not counted.
    pub uncounted: Duration,
    /// The highest rate that a search may try.
    most: f64,
}

impl Planned {
    /// Everything that is said, checked, and the target found.
    ///
    /// # Errors
    /// Exit 2 for what cannot be meant, exit 3 where nobody answers.
    pub fn of(args: &LoadArgs) -> Result<Planned, Failure> {
        let (mut planned, target) = Planned::checked(args)?;
        let endpoint = target.find(args.timeout, planned.line.tls.as_ref())?;
        if !args.lift_ceiling && !target::is_local(&endpoint) {
            planned.keep_under_the_ceiling(args, &target::shown(&endpoint))?;
        }
        planned.address = target::shown(&endpoint);
        planned.line.targets = vec![endpoint];
        Ok(planned)
    }

    /// The same, to be sent from other machines: they find the target.
    ///
    /// # Errors
    /// Exit 2 for what cannot be meant.
    pub fn for_others(args: &LoadArgs) -> Result<Planned, Failure> {
        let (mut planned, target) = Planned::checked(args)?;
        if target.is_here() {
            let message =
                format!("`{}` is another place in each of the agents' pods, and nobody answers there", args.url);
            return Err(Failure::usage(message).help("call it by a name of the cluster: http://SERVICE.NAMESPACE/"));
        }
        if !args.lift_ceiling {
            planned.keep_under_the_ceiling(args, &target.host)?;
        }
        Ok(planned)
    }

    /// All of it that has nothing to do with where the target is.
    fn checked(args: &LoadArgs) -> Result<(Planned, Target), Failure> {
        let target = Target::parse(&args.url)?;
        if args.timeout.is_zero() {
            return Err(Failure::usage("with a timeout of 0 every call has failed before it begins"));
        }
        if args.deadline.is_some_and(|told| told.is_zero()) {
            return Err(Failure::usage("with a deadline of 0 no server has any time"));
        }
        if args.connections == Some(0) {
            return Err(Failure::usage("0 connections carry no calls"));
        }
        let Sent { mix, names, drawn } = request::sent(args, &target)?;
        let seed = args.seed.unwrap_or_else(rand::random);
        let pace = Pace::of(args, seed)?;
        let protocol = protocol(args, &target)?;
        let mut line = Line::new(0, Vec::new(), mix, pace.shape.clone());
        line.protocol = protocol;
        line.tls = secure::tls(args, &target, protocol)?;
        line.keep_alive = !args.disable_keepalive;
        line.redirects = args.follow_redirects.unwrap_or(0);
        line.messages = args.messages();
        line.told = args.told();
        line.seed = seed;
        line.until = until(args.answer);
        line.websocket = (target.speaks == Speaks::WebSocket).then(|| reply(args.answer));
        line.deadline = args.timeout;
        line.id_prefix = "load-".into();
        let planned = Planned {
            line,
            seed: pace.seed.or(drawn.then_some(seed)),
            names,
            pace,
            address: String::new(),
            connections: args.connections,
            tick: args.tick,
            late: args.late,
            drain: args.drain.min(args.timeout),
            uncounted: Duration::ZERO,
            most: args.search_to,
        };
        Ok((planned, target))
    }

    /// Another machine is somebody's: it is not flooded by a slip of the finger.
    fn keep_under_the_ceiling(&mut self, args: &LoadArgs, at: &str) -> Result<(), Failure> {
        if args.search_rate.is_some() {
            self.most = CEILING.min(self.most);
            return Ok(());
        }
        let what = match self.pace.peak {
            Some(peak) if peak <= CEILING => return Ok(()),
            Some(peak) => format!("{peak:.0} calls per second"),
            None => "users that do not think, as fast as they are answered,".to_owned(),
        };
        let message = format!("{what} to {at} are more than the {CEILING:.0}/s that another machine gets");
        Err(Failure::usage(message).help("--lift-ceiling, if that machine is yours to load"))
    }

    /// The highest rate that a search may try: that of `--search-to`, and of another machine no more than the ceiling.
    pub fn most(&self) -> f64 {
        self.most
    }
}

/// What is spoken, where everything that was said has a meaning in it.
fn protocol(args: &LoadArgs, target: &Target) -> Result<Protocol, Failure> {
    match (target.speaks, args.grpc, args.http2) {
        (Speaks::Bytes, ..) => check_bytes(args).map(|()| Protocol::Tcp),
        (Speaks::WebSocket, ..) => check_websocket(args).map(|()| Protocol::Http),
        (Speaks::Http, ..) if args.answer.is_some() => {
            Err(Failure::usage("--answer is of TCP and WebSocket, and this is HTTP").help("tcp://host:port, or ws://…"))
        }
        (Speaks::Http, true, _) => Ok(Protocol::Grpc),
        (Speaks::Http, false, true) => Ok(Protocol::Http2),
        (Speaks::Http, false, false) => Ok(Protocol::Http),
    }
}

fn check_bytes(args: &LoadArgs) -> Result<(), Failure> {
    let of_http = args.grpc
        || args.http2
        || !args.mix.is_empty()
        || !args.header.is_empty()
        || args.method.is_some()
        || args.follow_redirects.is_some();
    if of_http {
        return Err(Failure::usage("over TCP there is no HTTP: calls are the bytes of --body"));
    }
    if !args.has_body() {
        let message = "over TCP a call is the bytes of its body, and it has none";
        return Err(Failure::usage(message).help("--body ping --answer echo"));
    }
    match args.answer {
        Some(Answer::Message) => {
            Err(Failure::usage("over TCP there are no messages").help("--answer line, or N-bytes"))
        }
        _ => Ok(()),
    }
}

fn check_websocket(args: &LoadArgs) -> Result<(), Failure> {
    let given = [
        ("--grpc", args.grpc),
        ("--http2", args.http2),
        ("--mix", !args.mix.is_empty()),
        ("--method", args.method.is_some()),
        ("--follow-redirects", args.follow_redirects.is_some()),
        ("--disable-keepalive", args.disable_keepalive),
    ];
    if let Some((option, _)) = given.into_iter().find(|(_, given)| *given) {
        let message =
            format!("{option} has no meaning over WebSocket: connections are upgraded once, and calls are messages");
        return Err(Failure::usage(message));
    }
    if !args.has_body() {
        return Err(Failure::usage("over WebSocket a call is a message, and it has none").help("--body ping"));
    }
    match args.answer {
        Some(Answer::Line | Answer::Length(_)) => {
            Err(Failure::usage("over WebSocket an answer is a message").help("--answer echo, or message"))
        }
        _ => Ok(()),
    }
}

/// Over TCP.
fn until(answer: Option<Answer>) -> Until {
    match answer {
        Some(Answer::Line) => Until::Line,
        Some(Answer::Length(length)) => Until::Length(length),
        Some(Answer::Echo | Answer::Message) | None => Until::Echo,
    }
}

/// Over WebSocket.
fn reply(answer: Option<Answer>) -> Reply {
    if answer == Some(Answer::Message) { Reply::Any } else { Reply::Echo }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser as _;
    use squall_traffic::Endpoint;

    fn args(words: &[&str]) -> LoadArgs {
        let cli = Cli::try_parse_from(["squall", "load", "http://a"].iter().chain(words)).unwrap();
        let Command::Load(args) = cli.command else { panic!("{words:?}") };
        *args
    }

    #[test]
    fn another_machine_has_a_ceiling() {
        let sent = |words: &[&str]| Planned::for_others(&args(words));
        let checked = |words: &[&str]| sent(words).is_ok();
        assert!(checked(&["--rate", "1000"]));
        assert!(!checked(&["--rate", "1001"]));
        assert!(checked(&["--rate", "1001", "--lift-ceiling"]));
        assert!(!checked(&["--rate", "10..2000"]));
        assert!(!checked(&["--bursts", "2000 every 10s"]));
        assert!(checked(&["--users", "500", "--thinking", "1s"]));
        assert!(!checked(&["--users", "5"]));
        let most = |words: &[&str]| sent(&[&["--search-rate", "p99 < 50ms"], words].concat()).unwrap().most();
        assert_eq!((most(&[]), most(&["--search-to", "10"]), most(&["--lift-ceiling"])), (1_000.0, 10.0, 100_000.0));
    }

    #[test]
    fn this_machine_has_none_and_is_not_there_for_others() {
        let is_local = |at: &str| target::is_local(&Endpoint::Tcp(at.parse().unwrap()));
        assert!(is_local("[::ffff:127.0.0.1]:80") && !is_local("192.0.2.1:80"));
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", server.local_addr().unwrap());
        for words in [&["--rate", "50000"][..], &["--users", "5"]] {
            let here = LoadArgs { url: url.clone(), ..args(words) };
            assert_eq!(Planned::of(&here).unwrap().address, url["http://".len()..]);
        }
        for here in
            [url.as_str(), "http://localhost/", "http://[::1]:80", "http://[::ffff:127.0.0.1]/", "unix:/run/a.sock"]
        {
            let args = LoadArgs { url: here.into(), ..args(&["--rate", "5"]) };
            let message = Planned::for_others(&args).err().unwrap().to_string();
            assert!(message.contains("another place in each"), "{message}");
        }
        let there = LoadArgs { url: "http://front.shop/".into(), ..args(&["--rate", "5"]) };
        assert_eq!(Planned::for_others(&there).unwrap().address, "");
    }
}
