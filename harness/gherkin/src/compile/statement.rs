//! From lines to statements: each sentence to its reader, and what cannot be run to a need.

use super::faults::fault;
use super::guards::guard;
use super::line::{Args, Line, Says, Statement};
use super::policies::policy;
use super::sink::Sink;
use super::then::expectation;
use super::traffic::traffic;
use crate::clauses::Missing;
use crate::clauses::answer::answer;
use crate::clauses::calls::{calls, traffic as some_traffic};
use crate::clauses::check::check;
use crate::clauses::claim::claim;
use crate::clauses::outcome::outcome;
use crate::clauses::place::{further, place};
use crate::clauses::shape::{shape, with};
use crate::clauses::subject::subject;
use crate::clauses::target::target;
use crate::clauses::time::{phase, when};
use crate::clauses::wire::wires;
use crate::matcher::Match;
use crate::sentences::{Kind, Sentence};
use crate::source::Defaults;
use crate::source::Mistake;
use gherkin::StepType;
use squall_model::{FaultKind, ServiceName, When};

/// Reads a line. Mistakes go to the sink; names are looked up later.
pub(crate) fn read(number: usize, line: &Line<'_>, env: &Defaults<'_>, sink: &mut Sink<'_>) -> Statement {
    let mut args = line.args();
    let sentence = line.is.sentence;
    let under_when = line.step.ty == StepType::When;
    let says = match sentence.supported {
        true => said(sentence, &mut args, env),
        false => {
            names_only(&mut args);
            // One reason is enough: the sentence as a whole.
            args.r.missing.clear();
            args.r.missing.push(Missing { span: line.whole(), what: line.text().to_owned() });
            None
        }
    };
    let when = match line.is.clauses.last() {
        Some(("when", span)) => {
            args.r.turn_to(span.clone());
            when(&mut args.r)
        }
        _ => When::Standing,
    };
    if let (Some(Says::Fault(FaultKind::Restarted { .. })), When::Span { from, .. }) = (&says, when) {
        let mistake = Mistake::error("moment", line.clause("when"), "a restart is over in a moment")
            .label("it has no end of its own")
            .hint(format!("write ` at {}`", squall_model::duration(from)));
        args.tell(mistake);
    }
    // The topology was read before, with its mistakes and what it lacks.
    if sentence.kind == Kind::Topology && sentence.supported {
        args.r.missing.clear();
        args.r.mistakes.clear();
    }
    let says = says.filter(|_| !args.r.is_wrong() && args.r.missing.is_empty()).unwrap_or(Says::Nothing);
    sink.all(line.step, std::mem::take(&mut args.r.mistakes));
    Statement {
        line: number,
        own: line.step.own,
        control: line.is.control,
        meanwhile: line.is.meanwhile,
        under_when,
        when,
        says,
        names: args.r.names,
        missing: args.r.missing,
    }
}

/// Whether this version can run what the line says, and nothing in it is wrong by itself.
pub(crate) fn runs(line: &str, is: &Match) -> bool {
    let mut args = Args::of(line, &is.clauses);
    if !is.sentence.supported {
        return false;
    }
    said(is.sentence, &mut args, &Defaults::default());
    args.r.missing.is_empty() && !args.r.is_wrong()
}

fn said(sentence: &Sentence, args: &mut Args<'_>, env: &Defaults<'_>) -> Option<Says> {
    let number = sentence.number;
    match sentence.kind {
        Kind::Topology => {
            names_only(args);
            // The service that a declaration names is known by it.
            if number == 3 {
                args.r.names.drain(..args.r.names.len().min(1));
            }
            None
        }
        Kind::Policy => policy(number, args),
        Kind::Guard => guard(args),
        Kind::Fault => fault(number, args),
        Kind::Traffic => traffic(number, args, env),
        Kind::Expectation => expectation(number, args),
    }
}

/// Reads every clause of a sentence for the names in it.
fn names_only(args: &mut Args<'_>) {
    let mut named: Option<ServiceName> = None;
    while let Some((clause, span)) = args.turn() {
        args.next_is_read(clause, span, &mut named);
    }
}

impl Args<'_> {
    fn next_is_read(&mut self, clause: &str, span: std::ops::Range<usize>, named: &mut Option<ServiceName>) {
        let r = &mut self.r;
        match clause {
            "service" => {
                r.turn_to(span);
                if let Some((name, inner)) = r.quoted() {
                    r.name(inner, crate::clauses::Name::Service(name.to_owned()));
                    named.get_or_insert(ServiceName::from(name));
                }
            }
            "target" => drop(target(r, named.as_ref())),
            "calls" => *named = calls(r).and_then(|c| c.to).map(|to| to.service).or_else(|| named.take()),
            "traffic" => *named = some_traffic(r).and_then(|t| t.of.to).map(|to| to.service).or_else(|| named.take()),
            "claim" => *named = claim(r).and_then(|c| c.calls.to).map(|to| to.service).or_else(|| named.take()),
            "outcome" => drop(outcome(r, named.as_ref())),
            "subject" => drop(subject(r, named.as_ref())),
            "place" => drop(place(r, None)),
            "shape" => drop(shape(r)),
            "with" => drop(with(r)),
            "answer" => drop(answer(r)),
            "phase" => drop(phase(r)),
            "percent" => drop(r.percent()),
            "n" => drop(r.number()),
            "time" => drop(r.time()),
            "further" => drop(further(r, None)),
            "check" => drop(check(r)),
            "wire" => drop(wires(r)),
            _ => {}
        }
    }
}
