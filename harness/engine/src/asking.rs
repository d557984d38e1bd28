//! Whether proxies of others ask about the tries that reach them, before anything hangs on it.

use squall_model::{AskedRecord, CallRecord, ClientEnd, ServiceName};
use std::collections::{BTreeMap, BTreeSet};

/// Who did not ask about calls that were answered; `None`: everybody did of whom it can be told. Whom only they call themselves is not called
/// here. `callees`: the service that each line calls, by its number; `settling`: how the ids of these calls begin.
pub(crate) fn silent(
    callees: &BTreeMap<u16, ServiceName>,
    asking: &BTreeSet<ServiceName>,
    calls: &[CallRecord],
    asked: &[AskedRecord],
    settling: &str,
) -> Option<String> {
    let asked: BTreeSet<&str> = asked.iter().map(|one| one.id.as_str()).collect();
    let is_answered = |call: &&CallRecord| matches!(call.end, ClientEnd::Answered(_) | ClientEnd::Grpc(_));
    asking.iter().find_map(|service| {
        let answered = calls.iter().filter(is_answered).filter(|call| callees.get(&call.line) == Some(service));
        let (heard, unheard): (Vec<_>, Vec<_>) =
            answered.partition(|call| asked.contains(format!("{settling}{}", call.seq).as_str()));
        (!unheard.is_empty()).then(|| not_asked(service, heard.len(), unheard.len()))
    })
}

fn not_asked(service: &ServiceName, heard: usize, unheard: usize) -> String {
    format!(
        "the proxies of \"{service}\" asked the fault port about {heard} of {} first calls that they answered: faults on tries would not be in place \
         (a policy of the network between them and the run, or an old connection)",
        heard + unheard
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::{Course, InstanceId, Stamp};

    fn call(seq: u64, line: u16, end: ClientEnd) -> CallRecord {
        let at = Stamp(seq);
        CallRecord { seq, line, caller: 1, user: 0, intended: at, sent: at, done: at, end, course: Course::default() }
    }

    fn asked(seq: u64) -> AskedRecord {
        let at = InstanceId { service: "shop".into(), number: 1 };
        let id = format!("settle.{seq}");
        AskedRecord {
            at,
            id,
            attempt: 1,
            caller: None,
            meant: Vec::new(),
            struck: Vec::new(),
            asked: Stamp(0),
            late: false,
        }
    }

    #[test]
    fn each_call_that_was_answered_was_asked_about() {
        let callees = BTreeMap::from([(0, "shop".into()), (1, "ours".into())]);
        let asking = BTreeSet::from(["shop".into()]);
        let ok = ClientEnd::Answered(200);
        let calls = [call(0, 0, ok), call(1, 0, ok), call(2, 0, ClientEnd::Reset), call(3, 1, ok)];
        let told = |those: &[AskedRecord]| silent(&callees, &asking, &calls, those, "settle.");
        assert_eq!(told(&[asked(0), asked(1)]), None, "nobody is to ask about the others");
        let why = told(&[asked(1), asked(2)]).unwrap();
        assert!(why.contains("\"shop\" asked the fault port about 1 of 2 first calls"), "{why}");
        assert_eq!(silent(&callees, &BTreeSet::new(), &calls, &[], "settle."), None);
    }
}
