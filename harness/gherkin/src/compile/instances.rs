//! Lines of kind P about the instances of a service: who is called no more, and who is called again.

use super::line::Args;
use crate::clauses::Reader;
use crate::clauses::check::check;
use crate::source::Mistake;
use squall_model::{Fraction, PolicyKind};

/// Reads ejection, check, panic or warm-up; `None` where it cannot be read (noted in the reader).
pub(crate) fn policy(number: u8, args: &mut Args<'_>) -> Option<PolicyKind> {
    match number {
        16 => ejection(args),
        17 => checked(args),
        18 => panic(args),
        39 => {
            let of = args.service()?;
            let (over, _) = args.take(|r| r.some_time("is no time to warm up in"))?;
            Some(PolicyKind::WarmUp { of, over })
        }
        _ => None,
    }
}

fn ejection(args: &mut Args<'_>) -> Option<PolicyKind> {
    let of = args.service()?;
    let (lasts, _) = args.take(|r| r.some_time("is no ejection"))?;
    let (after, _) = args.take(|r| r.at_least_one("nobody is ejected for no failure"))?;
    args.turn();
    let mut at_most = Fraction::ALL;
    if args.r.eat(", at most ") {
        let (share, span) = args.r.percent()?;
        if share == Fraction::ZERO {
            let mistake = Mistake::error("zero", span, "at most 0% at a time ejects nobody").label("more than 0%");
            args.tell(mistake);
        }
        at_most = share;
    }
    Some(PolicyKind::Ejection { of, lasts, after, at_most })
}

fn checked(args: &mut Args<'_>) -> Option<PolicyKind> {
    let of = args.service()?;
    let (every, _) = args.take(|r| r.some_time("would check without a pause"))?;
    let check = args.take(check)?;
    Some(PolicyKind::Check { of, every, by: check.by, out_after: check.out_after, back_after: check.back_after })
}

fn panic(args: &mut Args<'_>) -> Option<PolicyKind> {
    let of = args.service()?;
    let (below, span) = args.take(Reader::percent)?;
    if below == Fraction::ZERO {
        let mistake = Mistake::error("zero", span, "never are fewer than 0% healthy").label("more than 0%");
        args.tell(mistake);
    }
    Some(PolicyKind::Panic { of, below })
}
