//! Policies as sentences.

use super::counted;
use squall_model::{
    Balancer, Calls, Destination, Fraction, InFlight, Level, PolicyKind, RetryOn, Stick, Traffic, duration,
};

/// A policy, without its time.
pub(crate) fn policy(says: &PolicyKind) -> String {
    match says {
        PolicyKind::Retries { of, up_to, on, elsewhere } => retries(of, *up_to, on, *elsewhere),
        PolicyKind::Timeout { of, after } => format!("{of} time out after {}", duration(*after)),
        PolicyKind::IdleTimeout { of, after } => format!("{of} time out when idle for {}", duration(*after)),
        PolicyKind::RetryBudget { of, share, at_least } => {
            format!("retries of calls{of} stay within {share} of the tries in flight, and at least {at_least}")
        }
        PolicyKind::InFlight { caller, at_most, unit, to } => {
            let unit = match unit {
                InFlight::Tries => "tries",
                InFlight::Retries => "retries",
            };
            format!("each instance of \"{caller}\" has at most {at_most} {unit} to \"{to}\" in flight")
        }
        PolicyKind::Connections { caller, at_most, waiting, to } => {
            let (connections, calls) = (counted(*at_most, "connection"), counted(*waiting, "call"));
            format!("each instance of \"{caller}\" has at most {connections} to \"{to}\" and {calls} waiting")
        }
        PolicyKind::Ejection { of, lasts, after, at_most } => {
            let limit =
                if *at_most == Fraction::ALL { String::new() } else { format!(", at most {at_most} at a time") };
            let lasts = duration(*lasts);
            format!("an instance of \"{of}\" is ejected for {lasts} after {after} failures in a row{limit}")
        }
        PolicyKind::Route { of, to } => route(of, to),
        PolicyKind::Check { of, every, by, out_after, back_after } => {
            let (out, back) = (counted(*out_after, "failure"), passes(*back_after));
            let every = duration(*every);
            format!("each instance of \"{of}\" is checked every {every} by {by}, out after {out}, back after {back}")
        }
        PolicyKind::Panic { of, below } => {
            format!("\"{of}\" is called on every instance when fewer than {below} are healthy")
        }
        PolicyKind::Prefer { of, places } => {
            let places: Vec<String> = places.iter().map(ToString::to_string).collect();
            format!("calls{of} prefer {}", places.join(", then "))
        }
        PolicyKind::Sticky { of, to, by } => {
            let to = match to {
                Stick::Version => "version",
                Stick::Instance => "instance",
            };
            format!("calls{of} stay on one {to} by {by}")
        }
        PolicyKind::WarmUp { of, over } => format!("an instance of \"{of}\" warms up for {}", duration(*over)),
        PolicyKind::KeepDeadline { of } => format!("calls{of} keep their deadline"),
        PolicyKind::Balance { of, by } => format!("calls{of} are balanced by \"{}\"", balancer(*by)),
    }
}

fn retries(of: &Calls, up_to: u32, on: &[RetryOn], elsewhere: bool) -> String {
    let on: Vec<String> = on.iter().map(ToString::to_string).collect();
    let elsewhere = if elsewhere { ", each on another instance" } else { "" };
    format!("calls{of} are retried up to {} on \"{}\"{elsewhere}", counted(up_to, "time"), on.join(", "))
}

fn route(of: &Calls, to: &[Destination]) -> String {
    let mut legs = to.iter();
    let first = legs.next().map_or_else(String::new, |leg| {
        let share = Traffic { share: leg.share, level: Level::Calls, of: of.clone() };
        format!("{share} go to {}", leg.target)
    });
    legs.fold(first, |all, leg| format!("{all} and {} to {}", leg.share, leg.target))
}

fn passes(number: u32) -> String {
    if number == 1 { "1 pass".to_owned() } else { format!("{number} passes") }
}

/// An algorithm, by its name in the language.
pub(crate) fn balancer(by: Balancer) -> &'static str {
    match by {
        Balancer::RoundRobin => "round robin",
        Balancer::LeastRequest => "least request",
        Balancer::Random => "random",
        Balancer::RingHash => "ring hash",
        Balancer::Maglev => "Maglev",
    }
}
