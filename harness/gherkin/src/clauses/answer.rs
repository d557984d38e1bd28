//! `{answer}`, `{touch}`, `{event}`: how a try is answered, what is done to it, what happens to an instance.

use super::reader::Reader;
use crate::source::Mistake;
use squall_model::{Answers, Touch};

/// Reads an answer: a status, or `None` for what this version cannot tell apart yet (noted as missing).
pub(crate) fn answer(r: &mut Reader<'_>) -> Option<u16> {
    let start = r.at();
    if r.eat("status ") {
        return r.status().map(|(status, _)| status);
    }
    if r.eat("close code ") {
        r.number();
    } else {
        r.one_of(&[("grpc status ", ()), ("header ", ()), ("body ", ())]);
        r.quoted();
    }
    let what = r.slice(r.since(start)).to_owned();
    r.lacks(r.since(start), format!("answers with {what}"));
    None
}

/// Reads `aborted with status 503` or `delayed by 200 ms`.
pub(crate) fn touch(r: &mut Reader<'_>) -> Option<Touch> {
    if r.eat("delayed by ") {
        return r.some_time("delays nothing").map(|(time, _)| Touch::Delay(time));
    }
    r.eat("aborted with ");
    let start = r.at();
    let status = answer(r)?;
    if status < 400 {
        let mistake = Mistake::warning("abort-success", r.since(start), format!("{status} counts as a success"))
            .label("an aborted call that succeeds")
            .hint("abort with a status from 400 on");
        r.tell(mistake);
    }
    Some(Touch::Abort(status))
}

/// What happens to a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Killed,
    Stopped,
    ComesBack,
    Answers(Answers),
    /// Read, not run; or noted as missing already.
    Other,
}

/// Reads what happens.
pub(crate) fn event(r: &mut Reader<'_>) -> Event {
    let fixed = [
        ("is killed", Event::Killed),
        ("is stopped", Event::Stopped),
        ("comes back", Event::ComesBack),
        ("answers at once", Event::Answers(Answers::AtOnce)),
        ("answers as before", Event::Answers(Answers::AsBefore)),
    ];
    if let Some(event) = r.one_of(&fixed) {
        return event;
    }
    if r.eat("answers in ") {
        return r.time().map_or(Event::Other, |(time, _)| Event::Answers(Answers::In(time)));
    }
    let start = r.at();
    if r.eat("answers with ") {
        let known = r.missing.len();
        let status = answer(r);
        if r.eat(" after ") {
            r.number();
            let _ = r.eat(" messages") || r.eat(" message");
            // The whole of it is one thing that is missing.
            r.missing.truncate(known);
            r.lacks(r.since(start), r.slice(r.since(start)).to_owned());
        }
        return status.map_or(Event::Other, |status| Event::Answers(Answers::Status(status)));
    }
    Event::Other
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn events_are_read() {
        for (text, wanted) in [
            ("is killed", Event::Killed),
            ("comes back", Event::ComesBack),
            ("answers with status 500", Event::Answers(Answers::Status(500))),
            ("answers in 1.5 s", Event::Answers(Answers::In(Duration::from_millis(1500)))),
            ("answers as before", Event::Answers(Answers::AsBefore)),
        ] {
            let mut r = Reader::whole(text);
            assert_eq!((event(&mut r), r.is_done()), (wanted, true), "{text}");
            assert!(r.missing.is_empty());
        }
        let mut r = Reader::whole("answers with status 503 after 2 messages");
        event(&mut r);
        assert_eq!(r.missing[0].what, "answers with status 503 after 2 messages");
    }

    #[test]
    fn an_abort_needs_a_status_of_an_answer() {
        for (text, code) in [
            ("aborted with status 700", Some("status")),
            ("aborted with status 200", Some("abort-success")),
            ("aborted with status 503", None),
            ("delayed by 0 ms", Some("zero")),
        ] {
            let mut r = Reader::whole(text);
            touch(&mut r);
            assert_eq!(r.mistakes.first().map(|m| m.code), code, "{text}");
        }
    }
}
