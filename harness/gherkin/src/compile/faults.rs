//! Lines of kind F: what is broken, what happens.

use super::line::{Args, Restored, Says};
use crate::clauses::Name;
use crate::clauses::answer::{Event, event, touch};
use crate::clauses::calls::traffic_with_share;
use crate::clauses::subject::{Subject, subject};
use crate::clauses::wire::{damage, wires};
use crate::source::Mistake;
use squall_model::{Answers, Damage, Down, FaultKind, Fraction, Members, Part, Wires};
use std::ops::Range;

/// Reads a fault; `None` where it cannot be read or run (noted in the reader).
pub(crate) fn fault(number: u8, args: &mut Args<'_>) -> Option<Says> {
    match number {
        42 => touched(args).map(Says::Fault),
        43 => {
            let of = args.take(wires);
            let damage = args.take(damage)?;
            Some(Says::Fault(FaultKind::Wire { of: of?, damage }))
        }
        44 => happens(args),
        45 => {
            let service = args.service()?;
            let (to, span) = args.take(|r| r.at_least_one("no instance at all"))?;
            let grows = args.words_before_last().contains("grows");
            args.r.name(span, Name::Size { service: service.to_string(), to, grows });
            Some(Says::Fault(FaultKind::Resized { service, to: to.clamp(1, crate::clauses::shape::MOST_INSTANCES) }))
        }
        _ => None,
    }
}

fn touched(args: &mut Args<'_>) -> Option<FaultKind> {
    let (on, share) = args.take(traffic_with_share)?;
    if let Some(span) = share.filter(|_| on.share == Fraction::ZERO) {
        args.tell(Mistake::error("zero", span, "a fault on 0% touches nothing").label("more than 0%"));
    }
    let touch = args.take(touch)?;
    Some(FaultKind::Touch { on, touch })
}

fn happens(args: &mut Args<'_>) -> Option<Says> {
    let who = args.take(|r| subject(r, None))?;
    let subject_at = args.last();
    let what = args.take(event);
    let event_at = args.last();
    let says = match (who, what) {
        (Subject::Members(part, of), Event::Down(how)) => Says::Fault(FaultKind::Down { how, part, of }),
        (Subject::Members(part, of), Event::Restarted) => Says::Fault(FaultKind::Restarted { part, of }),
        (Subject::Members(part, of), Event::ComesBack) => Says::Restore(Restored::Members(part, of)),
        (Subject::Members(Part::Instance, Members::In(place)), Event::CutOff) => {
            Says::Fault(FaultKind::Wire { of: Wires::Of(place), damage: Damage::Cut })
        }
        (Subject::Members(Part::Instance, Members::Of(of)), Event::Answers(Answers::AsBefore)) => {
            Says::Restore(Restored::Answers(of))
        }
        (Subject::Members(Part::Instance, Members::Of(of)), Event::Answers(how)) => {
            Says::Fault(FaultKind::Answers { of, how })
        }
        (Subject::ControlPlane, Event::Down(Down::Killed | Down::Stopped)) => {
            Says::Fault(FaultKind::ControlPlaneKilled)
        }
        (Subject::ControlPlane, Event::ComesBack) => Says::Restore(Restored::ControlPlane),
        (Subject::ControlPlane | Subject::Members(..), Event::Answers(_)) => {
            answers_not(args, subject_at);
            return None;
        }
        _ => {
            let span = subject_at.start..event_at.end;
            if args.r.missing.is_empty() {
                let words = args.r.slice(span.clone()).to_owned();
                args.r.lacks(span, words);
            }
            return None;
        }
    };
    Some(says)
}

/// Places, processes and the control plane answer no calls.
fn answers_not(args: &mut Args<'_>, subject_at: Range<usize>) {
    let who = args.r.slice(subject_at.clone()).to_owned();
    let hint = match who.starts_with("the ") {
        true => "write `every instance of \"…\" answers …`".to_owned(),
        false => format!("write `every instance of \"…\" in {who} answers …`"),
    };
    let mistake = Mistake::error("who-answers", subject_at, format!("{who} answers no calls"))
        .label("instances answer")
        .hint(hint);
    args.tell(mistake);
}
