//! Guards must speak of calls that are made.

use super::populations::is_meant;
use super::view::View;
use crate::source::Mistake;

/// Looks at every guard.
pub(crate) fn check(view: &mut View<'_, '_, '_>) {
    if !view.plan().needs.is_empty() {
        // Traffic that cannot be run may be what they speak of.
        return;
    }
    for (guard, line) in view.plan().guards.clone().into_iter().zip(view.built.guard_lines.clone()) {
        if view.traffic().iter().any(|traffic| is_meant(&guard.says.of, traffic, &view.plan().topology)) {
            continue;
        }
        view.tell(Some(line), |line| {
            Mistake::error("no-such-calls", line.clause("claim"), "no traffic line makes such calls")
                .label("this guard guards nothing")
                .hint("a guard speaks of calls of the traffic lines, and not of those that services make for them")
        });
    }
}
