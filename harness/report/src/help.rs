//! What would decide a line that nothing decided.

use squall_model::{Verdict, Why};

/// Of the scenario itself.
pub(crate) fn of(verdict: &Verdict) -> Option<&'static str> {
    match cause(verdict)? {
        Why::Undecided { .. } => Some(
            "more calls (a longer line, or `makes enough calls … to decide`), or a bound that is further from what was measured",
        ),
        Why::Empty => Some("a line about calls that are made, and at a time at which they are"),
        Why::Border => {
            Some("less in flight at the borders of the phase: a longer phase, fewer calls at a time, shorter answers")
        }
        Why::HeldUp { .. } => Some(AGAIN),
        Why::Drifted { .. } => Some(STEADY),
        Why::NotOver => Some(LONGER),
        Why::Failing { .. } => Some(SOUND),
        // The fault, or the books, say what they lack themselves.
        Why::Dose { .. } | Why::Books(_) | Why::Environment(_) | Why::ControlUndecided | Why::Aborted(_) => None,
    }
}

/// Of a control run, in which it should be violated.
pub(crate) fn of_control(verdict: &Verdict) -> Option<&'static str> {
    match cause(verdict)? {
        Why::Undecided { .. } => Some(
            "more calls, or a stronger effect: a fault that hits more of them, or a bound that is further from what comes \
             without what is tested",
        ),
        Why::Dose { .. } => {
            Some("see that the fault is felt in the control run too: more traffic that it can hit, or more of it hit")
        }
        Why::Books(_) | Why::Environment(_) | Why::HeldUp { .. } => Some(AGAIN),
        Why::Drifted { .. } => Some(STEADY),
        Why::Failing { .. } => Some(SOUND),
        Why::NotOver => Some(LONGER),
        Why::Empty => Some("a line about calls that are there without what is tested, too"),
        Why::Border => Some(
            "a stronger effect, or less in flight at the borders: a longer phase, fewer calls at a time, shorter answers",
        ),
        Why::ControlUndecided | Why::Aborted(_) => None,
    }
}

const AGAIN: &str = "run it again, with less beside it on this machine";

const LONGER: &str = "traffic that goes on until it is over";

const STEADY: &str = "calls that take the same before anything is done to them: less beside them on this machine, or \
                      traffic that runs for a while first";

const SOUND: &str =
    "calls that succeed as long as nothing is done to them: see the path, the route and the policies that they meet";

fn cause(verdict: &Verdict) -> Option<&Why> {
    match verdict {
        Verdict::Inconclusive(why) => Some(why),
        _ => None,
    }
}
