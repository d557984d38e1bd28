//! The arguments of `load`, as clap reads them.

use super::{
    body::Body,
    pace::{Bursts, RateRange, Steps, hertz},
    request::Weighted,
};
use crate::args::PlaceKind;
use clap::{ArgGroup, Args, ValueEnum};
use squall_load::Threshold;
use squall_traffic::{Messages, SpiffeId};
use std::{path::PathBuf, time::Duration};

/// Arguments of `load`.
#[derive(Debug, Clone, Args)]
#[command(
    group = ArgGroup::new("pace").required(true).args(["rate", "steps", "bursts", "replay", "users", "search_rate"]),
    after_help = "\
Exit status: 0 fine · 1 a threshold is shown to be broken · 2 usage · 3 nobody answers there
             5 a threshold is undecided, the generator was saturated, the run was stopped, or an agent on a cluster was lost"
)]
pub struct LoadArgs {
    /// Where to: `http://host:port/path`, `https://…`, `ws://…`, `wss://…`, `tcp://host:port`, or `unix:/path/of.sock` (`unix:/path/of.sock:/path` asks for a path).
    /// The path may have places that each call fills: `{seq}`, `{rand 1..100}`, `{uuid}`, `{column}` of --data.
    pub url: String,
    /// Open loop: calls per second, `2000`, `30/min`, or from one rate to another, `100..2000`.
    #[arg(long, value_name = "RATE")]
    pub rate: Option<RateRange>,
    /// Open loop: rates one after the other, each with its time: `100:10s,200..400:10s,0:5s`.
    #[arg(long, value_name = "RATE:TIME,…", conflicts_with = "duration")]
    pub steps: Option<Steps>,
    /// Open loop: so many calls at one moment, again and again: `50 every 1s`.
    #[arg(long, value_name = "N every TIME")]
    pub bursts: Option<Bursts>,
    /// Open loop: calls at recorded moments: a file with an offset a line, seconds (`0.25`) or with a unit (`250ms`), ascending.
    #[arg(long, value_name = "FILE")]
    pub replay: Option<PathBuf>,
    /// Closed loop: so many users, each of which waits for its answer before it calls again.
    #[arg(long, value_name = "N")]
    pub users: Option<u32>,
    /// Finds the highest rate at which this holds, `p99 < 50ms`: by trials of 3 s, or of --duration.
    #[arg(long, value_name = "CONDITION", conflicts_with_all = ["fail_if", "calls"])]
    pub search_rate: Option<Threshold>,
    /// No higher rate than this is tried.
    #[arg(long, value_name = "RATE", value_parser = hertz, default_value = "100000", requires = "search_rate")]
    pub search_to: f64,
    /// No trial is begun that would end later than this after the first.
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "3min", requires = "search_rate")]
    pub search_time: Duration,
    /// From an answer to the same user's next call.
    #[arg(long, value_name = "TIME", value_parser = time, requires = "users")]
    pub thinking: Option<Duration>,
    /// How long calls are sent: 10 s unless given; a recording's own length.
    #[arg(long, short, value_name = "TIME", value_parser = time)]
    pub duration: Option<Duration>,
    /// How calls are spread: evenly, each somewhere in its own slot, or as a Poisson process.
    #[arg(long, value_enum, default_value_t = Spread::Even, conflicts_with_all = ["bursts", "replay", "users"])]
    pub arrivals: Spread,
    /// The seed of whatever is drawn; random unless given.
    #[arg(long, env = "SQUALL_SEED")]
    pub seed: Option<u64>,
    /// So many send, each its share of the calls: processes, or with --on kubernetes pods. What they tell is merged without loss.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64), conflicts_with_all = ["calls", "search_rate"])]
    pub agents: u32,
    /// Where they are: on this machine, or on a cluster, as a Job in a namespace of the run's own that goes with it.
    #[arg(long, value_enum, default_value = "local", value_name = "PLACE")]
    pub on: PlaceKind,
    /// The context of the kubeconfig, for `--on kubernetes`; else the current one.
    #[arg(long, value_name = "NAME", requires = "on")]
    pub context: Option<String>,
    /// The image of this program, for `--on kubernetes` (kind-config/image); else `squall:VERSION`.
    #[arg(long, value_name = "IMAGE", env = "SQUALL_IMAGE")]
    pub image: Option<String>,
    /// At most so many connections (over HTTP/1.1: calls in flight). What that holds back is counted, not dropped.
    #[arg(long, short, value_name = "N")]
    pub connections: Option<usize>,
    /// A new connection for each call, HTTP/1.1 or TCP: it is opened, secured where it is to be, and told to be the only call on it.
    #[arg(long, conflicts_with_all = ["http2", "grpc"])]
    pub disable_keepalive: bool,
    /// Follows redirects within the origin that is called, up to 10 of a call, or so many: `--follow-redirects=3`. By default a redirect is
    /// the answer.
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "10", value_parser = clap::value_parser!(u32).range(1..), conflicts_with_all = ["grpc", "answer"])]
    pub follow_redirects: Option<u32>,
    /// The method: GET, with a body POST.
    #[arg(long, short = 'X', value_name = "METHOD")]
    pub method: Option<String>,
    /// A header, `name: value`; may be given again. Its value may have places, as the path may.
    #[arg(long, short = 'H', value_name = "HEADER")]
    pub header: Vec<String>,
    /// The body of each call, or the message of gRPC or WebSocket: a text, `@FILE`, or `N-bytes` for so many generated ones.
    #[arg(long, value_name = "TEXT|@FILE|N-bytes")]
    pub body: Option<Body>,
    /// A body with places, which are filled for each call as those of the path are: a text, or `@FILE`.
    #[arg(long, value_name = "TEXT|@FILE", conflicts_with_all = ["body", "grpc", "mix"])]
    pub body_template: Option<Body>,
    /// Several requests, drawn by weight: `9 GET /item/{rand 1..100}`, `1 POST /cart @cart.json`; given once for each.
    #[arg(long, value_name = "WEIGHT METHOD PATH [BODY]", conflicts_with_all = ["method", "body"])]
    pub mix: Vec<Weighted>,
    /// A table, CSV with a head, that `{column}` is filled from, its rows in turn.
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// What of that which comes back is the answer: `echo`, the very bytes that were sent; over TCP `line` or `N-bytes`, over WebSocket `message`,
    /// whatever it is.
    #[arg(long, value_name = "echo|line|N-bytes|message", value_parser = answer, conflicts_with_all = ["http2", "grpc", "mix", "method"])]
    pub answer: Option<Answer>,
    /// HTTP/2: with prior knowledge, over TLS by ALPN.
    #[arg(long, conflicts_with = "grpc")]
    pub http2: bool,
    /// Calls of gRPC, unary unless --stream says otherwise: the path is the method, `/package.Service/Method`.
    #[arg(long)]
    pub grpc: bool,
    /// Of gRPC: who sends several messages, and not one. The caller sends all of its own without waiting.
    #[arg(long, value_enum, value_name = "WHO", requires = "grpc", requires = "messages")]
    pub stream: Option<Streaming>,
    /// How many messages those are. An answer that ends with OK and has another number is broken.
    #[arg(long, value_name = "N", requires = "stream", value_parser = clap::value_parser!(u32).range(1..))]
    pub messages: Option<u32>,
    /// Of gRPC: what the server is told that a call may take from its intended start (`grpc-timeout`); unless given, --timeout.
    #[arg(long, value_name = "TIME", value_parser = time, requires = "grpc")]
    pub deadline: Option<Duration>,
    /// Certificates of the authorities that are trusted, in PEM; without them, the system's.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub cacert: Option<PathBuf>,
    /// A certificate of the caller's own, in PEM, for servers that ask for one.
    #[arg(long, value_name = "FILE")]
    pub cert: Option<PathBuf>,
    /// Its key, in PEM; without it, it is looked for in the file of the certificate.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Takes whoever answers for the server: its certificate is not checked.
    #[arg(long)]
    pub insecure: bool,
    /// Who the server has to be by its certificate, in place of its name: `spiffe://trust-domain/workload`.
    #[arg(long, value_name = "SPIFFE-ID", conflicts_with = "insecure")]
    pub server_identity: Option<SpiffeId>,
    /// How long a call may take, from its intended start.
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10s")]
    pub timeout: Duration,
    /// How long answers are waited for after the last call was sent.
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "2s")]
    pub drain: Duration,
    /// What makes the run fail, once it is shown: `p99 > 250ms`, `service p50 > 5ms`, `max > 1s`, `success < 99%`, `errors > 0`.
    /// May be given again.
    #[arg(long, value_name = "CONDITION")]
    pub fail_if: Vec<Threshold>,
    /// Writes every call to this file as it ends; `squall calls FILE` reads it.
    #[arg(long, value_name = "FILE")]
    pub calls: Option<PathBuf>,
    /// As what the result is written.
    #[arg(long, value_enum, default_value_t = LoadFormat::Text)]
    pub format: LoadFormat,
    /// Calls due within one tick are sent together, up to a tick late, and answers looked for once a tick: cheaper. By default each is sent in its own
    /// time.
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "0ms")]
    pub tick: Duration,
    /// How late 99 of 100 calls may be sent before the generator counts as saturated.
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10ms")]
    pub late: Duration,
    /// More than 1,000 calls per second to another machine than this one.
    #[arg(long)]
    pub lift_ceiling: bool,
}

impl LoadArgs {
    /// How many messages a call of gRPC has.
    pub fn messages(&self) -> Messages {
        self.stream.zip(self.messages).map_or(Messages::UNARY, |(stream, several)| stream.messages(several))
    }

    /// What the server is told that a call may take: of gRPC.
    pub fn told(&self) -> Option<Duration> {
        self.grpc.then(|| self.deadline.unwrap_or(self.timeout))
    }

    /// Calls carry something.
    pub fn has_body(&self) -> bool {
        self.body.is_some() || self.body_template.is_some()
    }
}

/// What is taken for an answer, where no protocol says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// What was sent.
    Echo,
    /// Up to a line break.
    Line,
    /// So many bytes.
    Length(u64),
    /// The next message.
    Message,
}

/// How calls are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Spread {
    Even,
    Jitter,
    Poisson,
}

/// Who streams messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Streaming {
    /// One message is answered with several.
    Server,
    /// Several messages are answered with one.
    Client,
    /// Several messages are answered with as many.
    Both,
}

impl Streaming {
    /// How many messages a call has each way.
    pub fn messages(self, several: u32) -> Messages {
        match self {
            Streaming::Server => Messages { sent: 1, answered: several },
            Streaming::Client => Messages { sent: several, answered: 1 },
            Streaming::Both => Messages { sent: several, answered: several },
        }
    }
}

/// What a load run is told as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LoadFormat {
    /// For people.
    Text,
    /// In fortio's shape.
    Json,
    /// A line for each second.
    Csv,
    /// An interval log of HDR histograms.
    Hdr,
}

fn answer(text: &str) -> Result<Answer, String> {
    let length = text.strip_suffix("-bytes").and_then(|n| n.parse().ok()).filter(|n| *n > 0);
    match (text, length) {
        ("echo", _) => Ok(Answer::Echo),
        ("message", _) => Ok(Answer::Message),
        ("line", _) => Ok(Answer::Line),
        (_, Some(length)) => Ok(Answer::Length(length)),
        _ => Err(format!("`{text}` is no answer: write echo, line, N-bytes or message")),
    }
}

fn time(text: &str) -> Result<Duration, String> {
    squall_model::parse_duration(text).map_err(|e| e.to_string())
}
