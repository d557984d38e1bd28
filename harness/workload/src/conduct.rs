//! A behaviour that was checked: what the service does with the tries whose head is read from now on.

use crate::latency::Sampler;
use squall_model::{Answer, Behaviour, GrpcStatus, duration};
use std::time::Duration;
use thiserror::Error;

/// Why a behaviour cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BehaviourError {
    /// A uniform latency whose longest is shorter than its shortest.
    #[error("a uniform latency from {} to {} runs backwards", duration(*.from), duration(*.to))]
    Backwards {
        /// The shortest.
        from: Duration,
        /// The longest.
        to: Duration,
    },
    /// A log-normal latency that its two figures do not define.
    #[error(
        "a log-normal latency needs a median above 0 ms and a p99 above its median, not {} and {}",
        duration(*.median), duration(*.p99)
    )]
    NoTail {
        /// Half of the answers are faster.
        median: Duration,
        /// 99 of 100 answers are faster.
        p99: Duration,
    },
    /// A status that cannot end a try.
    #[error("{0} is no final status: use 200 to 599")]
    Status(u16),
    /// A capacity of nothing.
    #[error("a service without workers answers nobody: use at least 1")]
    NoWorkers,
}

/// The part of a behaviour that a try takes with it when its head is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Conduct {
    /// How long it is worked on.
    pub(crate) latency: Sampler,
    /// How it is answered.
    pub(crate) answer: Answer,
}

impl TryFrom<&Behaviour> for Conduct {
    type Error = BehaviourError;

    fn try_from(behaviour: &Behaviour) -> Result<Conduct, BehaviourError> {
        if behaviour.capacity.is_some_and(|c| c.workers == 0) {
            return Err(BehaviourError::NoWorkers);
        }
        match behaviour.answer {
            Answer::Status(status) if !(200..=599).contains(&status) => Err(BehaviourError::Status(status)),
            answer => Ok(Conduct { latency: behaviour.latency.try_into()?, answer }),
        }
    }
}

impl Conduct {
    /// Whether the service means to succeed, and so needs the services that it calls.
    pub(crate) fn succeeds(&self) -> bool {
        matches!(self.answer, Answer::Status(200..=399) | Answer::Grpc { status: GrpcStatus::Ok, .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::Capacity;

    #[test]
    fn behaviours_that_cannot_be_had_are_refused() {
        let plain = Behaviour::default();
        assert!(Conduct::try_from(&plain).unwrap().succeeds());
        let status = |code| Behaviour { answer: Answer::Status(code), ..plain.clone() };
        assert_eq!(Conduct::try_from(&status(100)), Err(BehaviourError::Status(100)));
        assert_eq!(Conduct::try_from(&status(600)), Err(BehaviourError::Status(600)));
        assert!(!Conduct::try_from(&status(503)).unwrap().succeeds());
        let grpc = |status| Behaviour { answer: Answer::Grpc { status, after: 1 }, ..plain.clone() };
        assert!(Conduct::try_from(&grpc(GrpcStatus::Ok)).unwrap().succeeds());
        assert!(!Conduct::try_from(&grpc(GrpcStatus::Unavailable)).unwrap().succeeds());
        let idle = Behaviour { capacity: Some(Capacity { workers: 0, queue: None }), ..plain };
        assert_eq!(Conduct::try_from(&idle), Err(BehaviourError::NoWorkers));
    }
}
