//! Agents on a cluster as one generator: what is asked of them, and what they tell, merged and judged. How a cluster is brought to do it
//! is [`cluster::agents()`]'s.

use super::{
    about,
    args::LoadArgs,
    files,
    in_pod::{Task, VERSION},
    plan::Planned,
    target::{Speaks, Target},
    tell,
};
use crate::{
    cluster, date,
    outcome::{Exit, Failure},
    term::Out,
};
use squall_load::{About, Agents, Merged, Own, Part, Report, Threshold, part};
use squall_model::Protocol;
use std::{collections::BTreeSet, time::Duration};

/// What is asked of a cluster.
#[cfg_attr(not(feature = "kubernetes"), expect(dead_code, reason = "only a cluster reads it"))]
pub struct Errand {
    /// What all agents are given.
    pub task: Task,
    /// What is in the files that the command line names.
    pub files: Vec<Vec<u8>>,
    /// What of the load each of them sends.
    pub own: Vec<Own>,
    /// The context of the kubeconfig that was named.
    pub context: Option<String>,
    /// The image that was named.
    pub image: Option<String>,
    /// What is called, as the URL says it.
    pub host: String,
    /// By which methods; none where bytes are sent.
    pub methods: BTreeSet<String>,
    /// Most calls in any second; `None` where it is up to the answers.
    pub peak: Option<f64>,
    /// Users who wait for their answers.
    pub users: Option<u32>,
    /// For how long calls are sent.
    pub length: Duration,
    /// How much longer the last of them may take.
    pub after: Duration,
}

/// What came of it.
pub struct Heard {
    /// Where the agents were, in words.
    pub place: String,
    /// Where they have found the target.
    pub address: String,
    /// When they began, since 1970.
    pub began: Duration,
    /// What each has told; of one that is lost, why.
    pub parts: Vec<Result<Part, String>>,
    /// What stopped them before their time.
    pub interrupted: Option<&'static str>,
    /// That something of the run is left on the cluster.
    pub left: Option<Failure>,
}

/// Has a cluster send, then tells and judges what came of it.
///
/// # Errors
/// Exit 2 for what agents elsewhere cannot do, exit 3 where nothing was sent.
pub fn load(args: &LoadArgs, out: Out) -> Result<Exit, Failure> {
    refuse(args)?;
    let planned = Planned::for_others(args)?;
    let target = Target::parse(&args.url)?;
    let mut about = about(args, &planned);
    let own = own(args.agents, args.users.map(u64::from), about.meant)?;
    out.note(&format!("{} · {} · {}", about.url, about.protocol, about.schedule));
    let task = Task {
        v: VERSION,
        args: std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect(),
        seed: planned.line.seed,
        agents: args.agents,
    };
    let errand = Errand {
        task,
        files: files::read(args)?,
        own: own.clone(),
        context: args.context.clone(),
        image: args.image.clone(),
        host: target.host,
        methods: methods(&planned, target.speaks),
        peak: planned.pace.peak,
        users: args.users,
        length: planned.pace.length,
        after: args.timeout + planned.drain,
    };
    let Heard { place, address, began, parts, interrupted, left } = cluster::agents(&errand, out)?;
    (about.address, about.began, about.started) = (address, began, date::at(began));
    let merged = Merged::of(own.into_iter().zip(parts).collect(), interrupted.is_some());
    let exit = tell(&report(about, place, &merged, &args.fail_if, interrupted), args, out)?;
    match left {
        // A red never hides behind an error.
        Some(left) if exit != Exit::Violated => Err(left),
        Some(left) => {
            out.error(&left);
            Ok(exit)
        }
        None => Ok(exit),
    }
}

/// By which methods calls are made; none where messages or bytes are sent that no method tells of.
fn methods(planned: &Planned, speaks: Speaks) -> BTreeSet<String> {
    match (speaks, planned.line.protocol) {
        (Speaks::Bytes | Speaks::WebSocket, _) => BTreeSet::new(),
        // Whatever else is written: it is always this.
        (Speaks::Http, Protocol::Grpc) => BTreeSet::from(["POST".to_owned()]),
        (Speaks::Http, _) => planned.line.requests.methods().into_iter().map(str::to_owned).collect(),
    }
}

/// What all of them came to, judged; where one is lost, nothing is.
fn report<'a>(
    about: About,
    place: String,
    merged: &'a Merged,
    fail_if: &[Threshold],
    interrupted: Option<&'static str>,
) -> Report<'a> {
    let Merged { calls, generator, took, agents } = merged;
    let agents = Agents { place, all: agents.clone() };
    let judged = fail_if.iter().map(|threshold| {
        let judged = threshold.judge(calls, generator.is_saturated());
        if agents.are_whole() { judged } else { judged.of_a_part() }
    });
    let (judged, generator) = (judged.collect(), generator.clone());
    Report { about, calls, took: *took, generator, judged, interrupted, agents: Some(agents) }
}

/// What agents on other machines cannot do, or not as it is meant.
fn refuse(args: &LoadArgs) -> Result<(), Failure> {
    let refused = [
        ("--calls", args.calls.is_some(), "what agents tell is how many and how long, and not each call"),
        ("--search-rate", args.search_rate.is_some(), "each of its trials would need agents of its own"),
        (
            "--replay",
            args.replay.is_some(),
            "moments that were recorded to the microsecond are others by the clocks of several machines",
        ),
    ];
    match refused.into_iter().find(|(_, given, _)| *given) {
        None => Ok(()),
        Some((option, _, why)) => Err(Failure::usage(format!("{option} does not go with --on kubernetes: {why}"))
            .help("send from this machine, without --on kubernetes")),
    }
}

/// What of the load comes to each agent: every so-many-th call, or user.
fn own(agents: u32, users: Option<u64>, meant: Option<u64>) -> Result<Vec<Own>, Failure> {
    let (all, what) = match (users, meant) {
        (Some(users), _) => (users, "users"),
        (None, meant) => (meant.unwrap_or_default(), "calls"),
    };
    if u64::from(agents) > all {
        return Err(Failure::usage(format!("{agents} agents are more than there are {what}: {all}")));
    }
    let of = |nth| {
        let own = part(all, nth, agents);
        Own { share: own as f64 / all as f64, meant: meant.map(|_| own) }
    };
    Ok((0..agents).map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::agent::load_args;
    use squall_load::{Generator, Recorder, Verdict};
    use squall_model::Stamp;
    use squall_traffic::Share;

    fn args(words: &[&str]) -> LoadArgs {
        let words = ["squall", "load", "http://front.shop/", "--on", "kubernetes"].iter().chain(words);
        load_args(&words.map(|word| (*word).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn what_cannot_be_done_elsewhere_is_refused() {
        for (words, option) in [
            (&["--rate", "5", "--calls", "x"][..], "--calls"),
            (&["--search-rate", "p99 < 5ms"], "--search-rate"),
            (&["--replay", "x"], "--replay"),
        ] {
            let failure = refuse(&args(words)).unwrap_err();
            assert_eq!(failure.exit(), Exit::Usage);
            assert!(
                failure.to_string().starts_with(&format!("{option} does not go with --on kubernetes")),
                "{failure}"
            );
        }
        assert!(refuse(&args(&["--rate", "5", "--agents", "4", "--data", "x"])).is_ok());
    }

    /// What is told of each agent's share is what its schedule has.
    #[test]
    fn shares_are_those_of_the_schedule() {
        for words in [
            &["--rate", "101", "--duration", "1s"][..],
            &["--rate", "10..200", "--duration", "2s"],
            &["--rate", "100", "--arrivals", "poisson", "--seed", "3"],
            &["--bursts", "7 every 300ms", "--duration", "1s"],
        ] {
            let args = args(&[words, &["--agents", "5"]].concat());
            let planned = Planned::for_others(&args).unwrap();
            let schedule = || planned.pace.shape.schedule().unwrap();
            let own = own(5, None, Some(schedule().count() as u64)).unwrap();
            let counts = |nth| schedule().share(Share { nth, of: 5 }).count() as u64;
            assert_eq!(
                own.iter().map(|own| own.meant).collect::<Vec<_>>(),
                (0..5).map(|nth| Some(counts(nth))).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn users_are_shared_and_their_calls_are_not_known() {
        let shares: Vec<Own> = own(4, Some(10), None).unwrap();
        assert_eq!(
            shares.iter().map(|own| (own.share, own.meant)).collect::<Vec<_>>(),
            [(0.3, None), (0.3, None), (0.2, None), (0.2, None)]
        );
        let message = own(4, Some(3), None).unwrap_err().to_string();
        assert_eq!(message, "4 agents are more than there are users: 3");
        assert!(own(4, None, Some(3)).is_err());
    }

    /// Whatever the others show: where an agent is lost nothing is decided, not even that something is broken.
    #[test]
    fn with_an_agent_lost_the_run_is_inconclusive() {
        let told = || {
            let mut calls = Recorder::new(Stamp(0));
            for k in 0..500 {
                let (at, end) = (Stamp(k * 1_000_000), squall_model::ClientEnd::Answered(503));
                let course = squall_model::Course::default();
                let done = Stamp(at.0 + 2_000_000);
                let call = squall_model::CallRecord {
                    seq: k,
                    line: 0,
                    caller: 1,
                    user: 0,
                    intended: at,
                    sent: at,
                    done,
                    end,
                    course,
                };
                calls.record(&call);
            }
            Part { calls, generator: Generator::default(), took: Duration::from_secs(1) }
        };
        let errors: Threshold = "errors > 0".parse().unwrap();
        let args = args(&["--rate", "1000", "--duration", "1s", "--agents", "2"]);
        let planned = Planned::for_others(&args).unwrap();
        let exit_of = |came: [Result<Part, String>; 2]| {
            let own = own(2, None, Some(1_000)).unwrap();
            let merged = Merged::of(own.into_iter().zip(came).collect(), false);
            let report = report(about(&args, &planned), "in pods".into(), &merged, std::slice::from_ref(&errors), None);
            (super::super::exit(&report).unwrap(), report.judged[0].verdict == Verdict::Broken)
        };
        assert_eq!(exit_of([Ok(told()), Ok(told())]), (Exit::Violated, true));
        assert_eq!(exit_of([Ok(told()), Err("it is gone".into())]), (Exit::Inconclusive, false));
        assert_eq!(exit_of([Err("it is gone".into()), Err("it is gone".into())]), (Exit::Inconclusive, false));
    }
}
