use super::*;
use proptest::prelude::*;

fn time() -> impl Strategy<Value = Duration> {
    (0.0f64..13.0).prop_map(|e| Duration::from_nanos(10f64.powf(e) as u64 - 1))
}

fn ends() -> impl Strategy<Value = ClientEnd> {
    prop_oneof![
        (100u16..600).prop_map(ClientEnd::Answered),
        (0u64..17).prop_map(|code| ClientEnd::Grpc(GrpcStatus::from_number(code).unwrap())),
        (100u16..600).prop_map(ClientEnd::Cut),
        Just(ClientEnd::Refused),
        Just(ClientEnd::Reset),
        Just(ClientEnd::Garbled),
        Just(ClientEnd::Deadline),
        Just(ClientEnd::Unfinished),
        (0usize..FAULTS.len()).prop_map(|at| ClientEnd::Insecure(FAULTS[at])),
    ]
}

fn courses() -> impl Strategy<Value = (Course, Option<Duration>)> {
    let broken = prop_oneof![
        Just(None),
        Just(Some(Break::Closed)),
        Just(Some(Break::Reset)),
        any::<u32>().prop_map(|code| Some(Break::Stream(code))),
        any::<u32>().prop_map(|code| Some(Break::Goaway(code))),
        Just(Some(Break::Fewer)),
        Just(Some(Break::More)),
        any::<u16>().prop_map(|code| Some(Break::WebSocket(code))),
    ];
    let times = (proptest::option::of(time()), proptest::option::of(time()), proptest::option::of(time()));
    (any::<u16>(), 0usize..LEGS.len(), times, any::<u64>(), broken).prop_map(
        |(request, leg, (connect, tls, first), received, broken)| {
            (Course { request, leg: LEGS[leg], connect, tls, first_byte: None, received, broken, astray: None }, first)
        },
    )
}

fn calls() -> impl Strategy<Value = Vec<CallRecord>> {
    let call = (any::<u64>(), 0..u64::MAX >> 4, time(), time(), ends(), courses(), any::<(u16, u32, u32)>());
    let call = call.prop_map(|(seq, at, late, took, end, (course, first), (line, caller, user))| {
        let (intended, sent) = (Stamp(at), Stamp(at) + late);
        let astray = matches!(end, ClientEnd::Answered(_)).then(|| ASTRAY.get(line as usize % 9).copied()).flatten();
        let course = Course { first_byte: first.map(|after| sent + after), astray, ..course };
        CallRecord { seq, line, caller, user, intended, sent, done: sent + took, end, course }
    });
    proptest::collection::vec(call, 0..40)
}

fn written(calls: &[CallRecord]) -> Vec<u8> {
    let mut bytes = head("http://a", "5/s", Duration::from_secs(1_700_000_000));
    let mut writer = CallWriter::new(Stamp(0));
    calls.iter().for_each(|call| writer.write(call, &mut bytes));
    bytes
}

fn read(bytes: &[u8], piece: usize) -> (Vec<CallRecord>, bool) {
    let (mut reader, mut calls) = (CallReader::new(), Vec::new());
    bytes.chunks(piece).for_each(|piece| reader.read(piece, |call| calls.push(call)).unwrap());
    (calls, reader.is_cut_off())
}

proptest! {
    /// Whatever is written is read, in whatever pieces it comes.
    #[test]
    fn what_is_written_is_read(calls in calls(), piece in 1usize..200) {
        prop_assert_eq!(read(&written(&calls), piece), (calls, false));
    }

    /// A log that was cut off is good up to its last whole call.
    #[test]
    fn a_log_that_was_cut_off_has_what_was_whole(calls in calls(), cut in 1usize..60) {
        let bytes = written(&calls);
        let (kept, _) = read(&bytes[..bytes.len().saturating_sub(cut)], 64);
        prop_assert!(kept.len() <= calls.len());
        prop_assert_eq!(&kept[..], &calls[..kept.len()]);
    }

    /// No bytes at all make it panic.
    #[test]
    fn garbage_is_an_error_or_calls(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut reader = CallReader::new();
        let _ = reader.read(&[&head("a", "b", Duration::ZERO)[..], &bytes].concat(), |_| {});
    }
}

#[test]
fn an_ordinary_call_takes_few_bytes() {
    let calls: Vec<CallRecord> = (0..1_000)
        .map(|k| {
            let intended = Stamp(k * 200_000);
            let sent = Stamp(intended.0 + 30_000);
            let done = Stamp(sent.0 + 900_000);
            let course = Course { leg: Leg::Answering, first_byte: Some(done), received: 2, ..Course::default() };
            CallRecord {
                seq: k,
                line: 0,
                caller: 1,
                user: 0,
                intended,
                sent,
                done,
                end: ClientEnd::Answered(200),
                course,
            }
        })
        .collect();
    assert!(written(&calls).len() <= 1_000 * 28 + 200, "{}", written(&calls).len());
}

#[test]
fn what_is_no_log() {
    for (bytes, error) in [
        (&b"second,calls\n"[..], CallLogError::Head),
        (b"{\"squall_calls\":2}\n", CallLogError::Version(2)),
        (b"{}\n", CallLogError::Head),
    ] {
        assert_eq!(CallReader::new().read(bytes, |_| {}), Err(error));
    }
}
