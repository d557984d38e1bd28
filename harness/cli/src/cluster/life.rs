//! How the runner in a cluster notices that nobody can end it any more: by the signs of life of the one who started it, which no longer
//! change, or by an API server that does not answer.

use super::{job::Job, manifest};
use serde_json::Value;
use squall_place::kubernetes::{Cluster, ClusterError};
use std::{convert::Infallible, time::Duration};
use tokio::time::{Instant, sleep_until};

/// How often signs are given, and looked for.
pub const BEAT: Duration = Duration::from_secs(3);

/// How long the one who started a run may be silent.
pub const LEASE: Duration = Duration::from_secs(9);

/// How long the API server may be away before a run is given up: it is not needed for everything, and the run goes on.
pub const AWAY: Duration = Duration::from_secs(60);

/// How long a sign may take to be given: two that come to nothing in a row are no silence yet.
const SIGN: Duration = Duration::from_millis(1_500);

/// How long they may stand still before somebody else removes the run: a runner that notices the same ends in order, and is let go first.
pub const SILENT: Duration = Duration::from_secs(LEASE.as_secs() + 4 * BEAT.as_secs());

/// Gives signs of life, each of another number. An API server that is away has nobody lose anything: the other side cannot look either.
pub async fn give(cluster: &Cluster, sign: impl Fn(u64) -> Value) -> Infallible {
    let mut number = 0;
    loop {
        number += 1;
        sleep_until(Instant::now() + BEAT).await;
        // One that takes long is not waited for: the next one is due.
        let _ = tokio::time::timeout(SIGN, cluster.apply(&sign(number))).await;
    }
}

/// Why nobody can end a run from outside any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alone {
    /// The signs have stood still for too long, as far as the API server answers.
    Starter,
    /// The API server has not answered for so long that whoever started the run has given it up, and lost the lease as well.
    ApiServer,
}

impl Alone {
    /// What the run is told to stop by.
    pub fn why(self) -> &'static str {
        match self {
            Alone::Starter => "whoever started the run is gone",
            Alone::ApiServer => "the API server has not answered the runner for too long",
        }
    }
}

/// Returns when nobody can end the run any more.
pub async fn alone(cluster: &Cluster, job: &Job) -> Alone {
    let mut ties = Ties::new(job.lease, Instant::now());
    loop {
        sleep_until(Instant::now() + BEAT).await;
        let sign = sign(cluster, &job.namespace).await;
        if let Some(alone) = ties.look(sign.ok(), Instant::now()) {
            return alone;
        }
    }
}

/// What ties a runner to those who could end it.
struct Ties {
    lease: Duration,
    starter: Silence,
    answered: Instant,
}

impl Ties {
    fn new(lease: Duration, now: Instant) -> Ties {
        Ties { lease, starter: Silence::default(), answered: now }
    }

    /// The API server answered this now: a sign, or that there is none; `None`: it did not answer.
    fn look(&mut self, answer: Option<Option<String>>, now: Instant) -> Option<Alone> {
        match answer {
            None => (now - self.answered >= AWAY + self.lease).then_some(Alone::ApiServer),
            Some(sign) => {
                self.answered = now;
                // Before the first sign nobody has been silent.
                if sign.is_some() {
                    self.starter.look(sign);
                }
                (self.starter.so_far >= self.lease).then_some(Alone::Starter)
            }
        }
    }
}

/// For how long somebody has given no other sign, as far as it was looked: once a beat.
#[derive(Debug, Default)]
pub struct Silence {
    /// `None`: nobody has looked yet.
    last: Option<Option<String>>,
    pub so_far: Duration,
}

impl Silence {
    /// The sign is this now; `None`: there is none.
    pub fn look(&mut self, sign: Option<String>) {
        let same = self.last.as_ref() == Some(&sign);
        self.so_far = if same { self.so_far + BEAT } else { Duration::ZERO };
        self.last = Some(sign);
    }
}

/// The last sign in this namespace; `None`: there was none.
pub async fn sign(cluster: &Cluster, namespace: &str) -> Result<Option<String>, ClusterError> {
    let lease = cluster.get(&manifest::lease(namespace)).await?;
    Ok(lease.and_then(|lease| lease["spec"]["holderIdentity"].as_str().map(str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks once a beat, and says after how many looks the runner knew that it was alone.
    fn alone(answers: impl Fn(u64) -> Option<Option<&'static str>>) -> Option<(u64, Alone)> {
        let began = Instant::now();
        let mut ties = Ties::new(LEASE, began);
        (1..100).find_map(|look| {
            let answer = answers(look).map(|sign| sign.map(str::to_owned));
            Some((look, ties.look(answer, began + BEAT * u32::try_from(look).ok()?)?))
        })
    }

    #[test]
    fn a_runner_is_alone_when_signs_stand_still_or_nobody_answers() {
        let other = |look: u64| Some(Some(if look.is_multiple_of(2) { "2" } else { "1" }));
        assert_eq!(alone(other), None);
        assert_eq!(alone(|look| if look < 10 { other(look) } else { Some(Some("3")) }), Some((13, Alone::Starter)));
        // A minute is waited for the API server, and then as long as for a starter.
        assert_eq!(alone(|look| if look < 10 { other(look) } else { None }), Some((32, Alone::ApiServer)));
        assert_eq!(alone(|_| None), Some((23, Alone::ApiServer)));
        // An answer now and then is one, and what was silent before goes on being so.
        assert_eq!(alone(|look| if look.is_multiple_of(20) { other(look / 20) } else { None }), None);
        let rarely = alone(|look| if look.is_multiple_of(20) { Some(Some("1")) } else { None });
        assert_eq!(rarely, Some((80, Alone::Starter)));
        assert_eq!(alone(|_| Some(None)), None, "nobody has given a sign yet");
    }
}
