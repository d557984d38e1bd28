//! Lines of kind L: who calls whom, how often.

use super::line::{Args, Says};
use super::policies::inner;
use crate::clauses::Reader;
use crate::clauses::shape::{With, with};
use crate::clauses::target::target;
use crate::source::{Defaults, Mistake};
use squall_model::{Arrivals, Rate, ServiceName, Shape, Target, TrafficLine};
use std::ops::Range;
use std::time::Duration;

/// Calls per second that two cores can carry at all; more is refused (they carry some 8,000, and 2,500 over all scenarios).
const MOST_PER_SECOND: u32 = 20_000;

/// Reads a traffic line; `None` where it cannot be read or run (noted in the reader).
pub(crate) fn traffic(number: u8, args: &mut Args<'_>, env: &Defaults<'_>) -> Option<Says> {
    let line = match number {
        48 => open(args),
        49 => serial(args),
        50 => decide(args, env),
        51 => closed(args),
        53 => ramp(args),
        _ => None,
    };
    line.map(Says::Traffic)
}

fn open(args: &mut Args<'_>) -> Option<TrafficLine> {
    let (caller, caller_at) = caller(args)?;
    let rate = args.take(rate)?;
    let (to, with) = callee(args, &caller, caller_at)?;
    let (length, _) = args.take(|r| r.some_time("sends nothing"))?;
    let arrivals = if with.random.is_some() { Arrivals::Random } else { Arrivals::Even };
    Some(line(caller, to, with, Shape::Open { rate, length, arrivals }))
}

fn serial(args: &mut Args<'_>) -> Option<TrafficLine> {
    let (caller, caller_at) = caller(args)?;
    let (calls, _) = args.take(|r| r.at_least_one("no calls at all"))?;
    let (to, with) = callee(args, &caller, caller_at)?;
    no_schedule(args, &with, "calls one after another come when the answer before has come");
    Some(line(caller, to, with, Shape::Serial { calls }))
}

fn decide(args: &mut Args<'_>, env: &Defaults<'_>) -> Option<TrafficLine> {
    let (caller, caller_at) = caller(args)?;
    let (to, with) = callee(args, &caller, caller_at)?;
    no_schedule(args, &with, "the calls of this line are evenly spaced");
    Some(line(caller, to, with, Shape::Decide { rate: env.decide_rate, cap: env.decide_cap }))
}

fn closed(args: &mut Args<'_>) -> Option<TrafficLine> {
    let (users, _) = args.take(|r| r.at_least_one("no users at all"))?;
    let (caller, caller_at) = caller(args)?;
    let (to, mut with) = callee(args, &caller, caller_at)?;
    no_schedule(args, &with, "users call when they have thought");
    if let Some(span) = with.users_at.take() {
        args.tell(
            Mistake::error("twice", span, "the line has said how many users")
                .label("once is enough")
                .hint("leave this out"),
        );
    }
    let (length, _) = args.take(|r| r.some_time("sends nothing"))?;
    let (thinking, _) = args.take(Reader::time)?;
    with.users = None;
    Some(line(caller, to, with, Shape::Closed { users, length, thinking }))
}

fn ramp(args: &mut Args<'_>) -> Option<TrafficLine> {
    let (caller, caller_at) = caller(args)?;
    let (to, with) = callee(args, &caller, caller_at)?;
    no_schedule(args, &with, "a ramp is evenly spaced");
    let (from, from_at) = args.take(Reader::number)?;
    let (up_to, to_at) = args.take(|r| r.at_least_one("no calls at all"))?;
    let not_too_fast =
        |args: &mut Args<'_>, number: u32, span: Range<usize>| too_fast(number, &span).map(|m| args.tell(m));
    not_too_fast(args, from, from_at.clone());
    not_too_fast(args, up_to, to_at.clone());
    if from >= up_to {
        let mistake =
            Mistake::error("backwards", from_at.start..to_at.end, format!("from {from} to {up_to} raises nothing"))
                .label("the first is the lower one");
        args.tell(mistake);
    }
    let (length, _) = args.take(|r| r.some_time("sends nothing"))?;
    Some(line(caller, to, with, Shape::Ramp { from, to: up_to, length }))
}

fn line(caller: ServiceName, to: Target, with: With, shape: Shape) -> TrafficLine {
    // The number is given when the stages are built.
    TrafficLine { number: 0, caller, to, with: with.filter, users: with.users, shape }
}

fn caller(args: &mut Args<'_>) -> Option<(ServiceName, Range<usize>)> {
    let caller = args.service()?;
    Some((caller, inner(&args.last())))
}

fn callee(args: &mut Args<'_>, caller: &ServiceName, caller_at: Range<usize>) -> Option<(Target, With)> {
    let to = args.take(|r| target(r, None))?;
    args.edge(caller_at, caller, &to.service);
    Some((to, args.take(with)))
}

/// `200 calls per second`.
fn rate(r: &mut Reader<'_>) -> Option<Rate> {
    let (count, span) = r.at_least_one("no calls at all")?;
    r.one_of(&[(" calls", ()), (" call", ())])?;
    let per = r.one_of(&[(" per second", Duration::from_secs(1)), (" per minute", Duration::from_secs(60))])?;
    if per == Duration::from_secs(1)
        && let Some(mistake) = too_fast(count, &span)
    {
        r.tell(mistake);
    }
    Some(Rate { count, per })
}

fn too_fast(count: u32, span: &Range<usize>) -> Option<Mistake> {
    let mistake = || {
        Mistake::error("too-fast", span.clone(), format!("no machine of ours sends {count} calls per second"))
            .label(format!("at most {MOST_PER_SECOND}"))
            .hint("two cores carry about 2,500 per second over all scenarios that run together")
    };
    (count > MOST_PER_SECOND).then(mistake)
}

fn no_schedule(args: &mut Args<'_>, with: &With, why: &str) {
    if let Some(span) = with.random.clone() {
        args.tell(
            Mistake::error("no-schedule", span, why).label("no moments to draw").hint("leave this out, or say a rate"),
        );
    }
}
