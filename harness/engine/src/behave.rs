//! What each workload should be doing, given which faults are in place. Pure.

use squall_model::{Answer, AnswerCode, Answers, Behaviour, Fault, FaultId, FaultKind, InstanceId, Latency, Topology};
use std::{collections::BTreeMap, time::Duration};

/// The behaviour of every instance: as the topology says, then changed by each fault in the order of arming.
#[must_use]
pub(crate) fn behaviours(topology: &Topology, faults: &[Fault], armed: &[FaultId]) -> BTreeMap<InstanceId, Behaviour> {
    let mut all: BTreeMap<InstanceId, Behaviour> =
        topology.instances().map(|(id, ..)| (id.clone(), native(topology, &id))).collect();
    for fault in armed.iter().filter_map(|id| faults.iter().find(|f| f.id == *id)) {
        let FaultKind::Answers { of, how } = &fault.does else { continue };
        for id in of.instances(topology) {
            let Some(behaviour) = all.get_mut(&id) else { continue };
            match how {
                Answers::With(AnswerCode::Status(status)) => behaviour.answer = Answer::Status(*status),
                Answers::With(AnswerCode::Grpc(status)) => {
                    behaviour.answer = Answer::Grpc { status: *status, after: 0 };
                }
                Answers::After { status, messages } => {
                    behaviour.answer = Answer::Grpc { status: *status, after: *messages };
                }
                Answers::In(time) => behaviour.latency = Latency::Fixed(*time),
                Answers::AtOnce => behaviour.latency = Latency::Fixed(Duration::ZERO),
                Answers::AsBefore => *behaviour = native(topology, &id),
            }
        }
    }
    all
}

/// What the topology says of an instance.
fn native(topology: &Topology, id: &InstanceId) -> Behaviour {
    topology.service(&id.service).map_or_else(Behaviour::default, |service| Behaviour {
        latency: service.latency,
        answer: Answer::Status(200),
        capacity: service.capacity,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::{Instance, Service, ServiceName, Target, When, Which};

    fn topology() -> Topology {
        let mut reviews = Service::new("reviews".into());
        reviews.instances = vec![Instance::default(), Instance::default()];
        reviews.latency = Latency::Fixed(Duration::from_millis(5));
        Topology { services: vec![reviews], ..Topology::default() }
    }

    fn answers(id: u32, which: Which, how: Answers) -> Fault {
        let of = Target { service: "reviews".into(), which, place: None };
        Fault { id: FaultId(id), does: FaultKind::Answers { of, how }, when: When::Standing }
    }

    fn instance(number: u32) -> InstanceId {
        InstanceId { service: ServiceName::from("reviews"), number }
    }

    #[test]
    fn status_and_latency_are_two_aspects() {
        let faults = [
            answers(0, Which::Every, Answers::With(AnswerCode::Status(503))),
            answers(1, Which::Instance(2), Answers::In(Duration::from_secs(1))),
        ];
        let all = behaviours(&topology(), &faults, &[FaultId(0), FaultId(1)]);
        assert_eq!(all[&instance(1)].answer, Answer::Status(503));
        assert_eq!(all[&instance(1)].latency, Latency::Fixed(Duration::from_millis(5)));
        assert_eq!(all[&instance(2)].answer, Answer::Status(503));
        assert_eq!(all[&instance(2)].latency, Latency::Fixed(Duration::from_secs(1)));
    }

    #[test]
    fn the_order_of_arming_decides() {
        let faults = [
            answers(0, Which::Every, Answers::With(AnswerCode::Status(503))),
            answers(1, Which::Every, Answers::AsBefore),
        ];
        let restored = behaviours(&topology(), &faults, &[FaultId(0), FaultId(1)]);
        assert_eq!(restored[&instance(1)].answer, Answer::Status(200));
        let broken = behaviours(&topology(), &faults, &[FaultId(1), FaultId(0)]);
        assert_eq!(broken[&instance(1)].answer, Answer::Status(503));
    }
}
