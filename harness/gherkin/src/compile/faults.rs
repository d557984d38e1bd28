//! Lines of kind F: what is broken, what happens.

use super::line::{Args, Restored, Says};
use crate::clauses::answer::{Event, event, touch};
use crate::clauses::calls::traffic_with_share;
use crate::clauses::subject::{Subject, subject};
use crate::source::Mistake;
use squall_model::{Answers, FaultKind, Fraction};

/// Reads a fault; `None` where it cannot be read or run (noted in the reader).
pub(crate) fn fault(number: u8, args: &mut Args<'_>) -> Option<Says> {
    match number {
        42 => touched(args).map(Says::Fault),
        44 => happens(args),
        45 => {
            let service = args.service()?;
            let (to, _) = args.take(|r| r.at_least_one("no instance at all"))?;
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
        (Subject::Instances(of), Event::Killed) => Says::Fault(FaultKind::Killed { of }),
        (Subject::Instances(of), Event::ComesBack) => Says::Restore(Restored::Instances(of)),
        (Subject::Instances(of), Event::Answers(Answers::AsBefore)) => Says::Restore(Restored::Answers(of)),
        (Subject::Instances(of), Event::Answers(how)) => Says::Fault(FaultKind::Answers { of, how }),
        (Subject::Process(of), Event::Killed) => Says::Fault(FaultKind::ProcessKilled { of }),
        (Subject::Process(of), Event::ComesBack) => Says::Restore(Restored::Process(of)),
        (Subject::ControlPlane, Event::Killed | Event::Stopped) => Says::Fault(FaultKind::ControlPlaneKilled),
        (Subject::ControlPlane, Event::ComesBack) => Says::Restore(Restored::ControlPlane),
        (Subject::ControlPlane | Subject::Process(_), Event::Answers(_)) => {
            let who = args.r.slice(subject_at.clone()).to_owned();
            let mistake = Mistake::error("who-answers", subject_at, format!("{who} answers no calls"))
                .label("instances answer")
                .hint("write `every instance of \"…\" answers …`");
            args.tell(mistake);
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
