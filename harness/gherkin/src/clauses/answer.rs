//! `{answer}`, `{touch}`, `{event}`: how a try is answered, what is done to it, what happens to an instance.

use super::reader::Reader;
use crate::nearest;
use crate::source::Mistake;
use squall_model::{AnswerCode, Answers, Down, GrpcStatus, Touch};

/// Reads an answer: a status, or `None` for what this version cannot tell apart yet (noted as missing).
pub(crate) fn answer(r: &mut Reader<'_>) -> Option<AnswerCode> {
    let start = r.at();
    if r.eat("status ") {
        return r.status().map(|(status, _)| AnswerCode::Status(status));
    }
    if r.eat("grpc status ") {
        return grpc_status(r).map(AnswerCode::Grpc);
    }
    if r.eat("close code ") {
        r.number();
    } else {
        r.one_of(&[("header ", ()), ("body ", ())]);
        r.quoted();
    }
    let what = r.slice(r.since(start)).to_owned();
    r.lacks(r.since(start), format!("answers with {what}"));
    None
}

fn grpc_status(r: &mut Reader<'_>) -> Option<GrpcStatus> {
    let (name, span) = r.quoted()?;
    let status = name.parse::<GrpcStatus>();
    if let Err(unknown) = &status {
        let near = nearest::name(name, unknown.known.iter().copied());
        let hint = match near {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("write one of {}", unknown.known.join(", ")),
        };
        let mistake =
            Mistake::error("grpc-status", span, format!("gRPC has no status \"{name}\"")).label("unknown").hint(hint);
        r.tell(mistake);
    }
    status.ok()
}

/// Reads `aborted with status 503` or `delayed by 200 ms`.
pub(crate) fn touch(r: &mut Reader<'_>) -> Option<Touch> {
    if r.eat("delayed by ") {
        return r.some_time("delays nothing").map(|(time, _)| Touch::Delay(time));
    }
    r.eat("aborted with ");
    let start = r.at();
    let code = answer(r)?;
    if code.is_success() {
        let mistake = Mistake::warning("abort-success", r.since(start), format!("{code} counts as a success"))
            .label("an aborted call that succeeds")
            .hint("abort with a status from 400 on, or with a grpc status other than \"OK\"");
        r.tell(mistake);
    }
    Some(Touch::Abort(code))
}

/// What happens to a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Down(Down),
    Restarted,
    CutOff,
    ComesBack,
    Answers(Answers),
    /// Read, not run; or noted as missing already.
    Other,
}

/// Reads what happens.
pub(crate) fn event(r: &mut Reader<'_>) -> Event {
    let fixed = [
        ("is killed", Event::Down(Down::Killed)),
        ("is stopped", Event::Down(Down::Stopped)),
        ("is paused", Event::Down(Down::Paused)),
        ("is restarted", Event::Restarted),
        ("is cut off", Event::CutOff),
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
    if r.eat("answers with ") {
        return answers_with(r).map_or(Event::Other, Event::Answers);
    }
    Event::Other
}

/// `grpc status "UNAVAILABLE" after 1 message`: messages are gRPC's.
fn answers_with(r: &mut Reader<'_>) -> Option<Answers> {
    let code = answer(r);
    let start = r.at();
    if !r.eat(" after ") {
        return code.map(Answers::With);
    }
    let (messages, _) = r.at_least_one("before any message: leave out `after …`")?;
    let _ = r.eat(" messages") || r.eat(" message");
    match code? {
        AnswerCode::Grpc(status) => Some(Answers::After { status, messages }),
        AnswerCode::Status(_) => {
            let mistake =
                Mistake::error("messages", r.since(start + 1), "an answer of HTTP has its status first of all")
                    .label("nothing can come before it")
                    .hint("messages are gRPC's: `answers with grpc status \"UNAVAILABLE\" after 1 message`");
            r.tell(mistake);
            None
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    /// Any code that can be written.
    pub(crate) fn any_code() -> impl Strategy<Value = AnswerCode> {
        let grpc = prop::sample::select(GrpcStatus::WORDS).prop_map(|w| AnswerCode::Grpc(w.parse().unwrap()));
        prop_oneof![(200u16..600).prop_map(AnswerCode::Status), grpc]
    }

    fn any_answers() -> impl Strategy<Value = Answers> {
        let grpc = prop::sample::select(GrpcStatus::WORDS).prop_map(|w| w.parse::<GrpcStatus>().unwrap());
        prop_oneof![
            any_code().prop_map(Answers::With),
            (grpc, 1u32..9).prop_map(|(status, messages)| Answers::After { status, messages }),
            (0u64..100_000).prop_map(|ms| Answers::In(Duration::from_millis(ms))),
            Just(Answers::AtOnce),
            Just(Answers::AsBefore),
        ]
    }

    proptest! {
        #[test]
        fn codes_round_trip(wanted in any_code()) {
            let text = wanted.to_string();
            let mut r = Reader::whole(&text);
            prop_assert_eq!(answer(&mut r), Some(wanted));
            prop_assert!(r.is_done() && r.mistakes.is_empty());
        }

        #[test]
        fn answers_round_trip(wanted in any_answers()) {
            let text = wanted.to_string();
            let mut r = Reader::whole(&text);
            prop_assert_eq!(event(&mut r), Event::Answers(wanted));
            prop_assert!(r.is_done() && r.mistakes.is_empty() && r.missing.is_empty());
        }
    }

    #[test]
    fn ways_to_go_down_round_trip() {
        for how in [Down::Killed, Down::Stopped, Down::Paused] {
            let text = how.to_string();
            let mut r = Reader::whole(&text);
            assert_eq!((event(&mut r), r.is_done()), (Event::Down(how), true), "{text}");
        }
        for (text, wanted) in
            [("is restarted", Event::Restarted), ("is cut off", Event::CutOff), ("comes back", Event::ComesBack)]
        {
            let mut r = Reader::whole(text);
            assert_eq!((event(&mut r), r.is_done()), (wanted, true), "{text}");
        }
    }

    #[test]
    fn an_abort_needs_a_status_of_an_answer() {
        for (text, code) in [
            ("aborted with status 700", Some("status")),
            ("aborted with status 200", Some("abort-success")),
            ("aborted with grpc status \"OK\"", Some("abort-success")),
            ("aborted with grpc status \"UNAVAILBLE\"", Some("grpc-status")),
            ("aborted with status 503", None),
            ("aborted with grpc status \"UNAVAILABLE\"", None),
            ("delayed by 0 ms", Some("zero")),
        ] {
            let mut r = Reader::whole(text);
            touch(&mut r);
            assert_eq!(r.mistakes.first().map(|m| m.code), code, "{text}");
        }
    }

    #[test]
    fn messages_come_before_a_status_of_grpc_only() {
        for (text, code) in [
            ("answers with status 503 after 2 messages", Some("messages")),
            ("answers with grpc status \"INTERNAL\" after 0 messages", Some("zero")),
            ("answers with grpc status \"INTERNAL\" after 1 message", None),
        ] {
            let mut r = Reader::whole(text);
            event(&mut r);
            assert_eq!(r.mistakes.first().map(|m| m.code), code, "{text}");
        }
    }
}
