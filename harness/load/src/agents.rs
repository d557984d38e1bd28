//! Several agents as one run, of which any may be lost: what they tell is merged without loss, and nothing is judged by a part of it.

use crate::{
    generator::Generator,
    recorder::Recorder,
    words::{count, digits},
};
use serde::{Deserialize, Serialize};
use squall_model::Stamp;
use std::time::Duration;

/// What comes to the `nth`, from 0, of so many that share a number of calls, users or connections: what is left over goes to the
/// first of them, one each.
#[must_use]
pub fn part(all: u64, nth: u32, of: u32) -> u64 {
    let (nth, of) = (u64::from(nth), u64::from(of.max(1)));
    all / of + u64::from(nth < all % of)
}

/// What an agent tells when it has sent its share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Its calls.
    pub calls: Recorder,
    /// How its engine did.
    pub generator: Generator,
    /// How long it sent.
    pub took: Duration,
}

/// What an agent is to send.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Own {
    /// What of the load that is, from 0 to 1.
    pub share: f64,
    /// How many calls; `None` where their number follows from the answers.
    pub meant: Option<u64>,
}

/// One of the agents of a run, and what became of its share.
#[derive(Debug, Clone, PartialEq)]
pub struct Agent {
    /// What it was to send.
    pub own: Own,
    /// What it sent; of one that is lost, why.
    pub came: Result<Sent, String>,
}

/// What an agent sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sent {
    /// Calls.
    pub calls: u64,
    /// Calls per second.
    pub rate: f64,
    /// Its generator did not keep its schedule, or was kept from its work.
    pub saturated: bool,
}

/// All agents of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Agents {
    /// Where they are, in words.
    pub place: String,
    /// In order.
    pub all: Vec<Agent>,
}

impl Agents {
    /// True where what became of every call is known.
    #[must_use]
    pub fn are_whole(&self) -> bool {
        self.all.iter().all(|agent| agent.came.is_ok())
    }

    /// Those that are lost, each with its part of the load and why.
    #[must_use]
    pub fn lost(&self) -> Vec<String> {
        let of = self.all.len();
        let lost = |(nth, agent): (usize, &Agent)| {
            agent.came.as_ref().err().map(|why| format!("{}; {why}", lost(nth, of, agent.own.share)))
        };
        self.all.iter().enumerate().filter_map(lost).collect()
    }

    /// What each of them sent, in a few words.
    pub(crate) fn words(&self) -> String {
        let sent: Vec<u64> =
            self.all.iter().filter_map(|agent| agent.came.as_ref().ok()).map(|sent| sent.calls).collect();
        let each = match (sent.iter().min(), sent.iter().max()) {
            (Some(least), Some(most)) if least == most => format!("{} calls each", count(*least)),
            (Some(least), Some(most)) => format!("{} to {} calls each", count(*least), count(*most)),
            _ => "none of them told anything".to_owned(),
        };
        let saturated: Vec<String> = (1..)
            .zip(&self.all)
            .filter(|(_, agent)| agent.came.as_ref().is_ok_and(|sent| sent.saturated))
            .map(|(nth, _)| nth.to_string())
            .collect();
        let saturated = match saturated.is_empty() {
            true => String::new(),
            false => format!("; saturated: {}", saturated.join(", ")),
        };
        format!("{} {}: {each}{saturated}", self.all.len(), self.place)
    }
}

/// That the `nth` of so many, from 0, was lost, and what of the load with it.
#[must_use]
pub fn lost(nth: usize, of: usize, share: f64) -> String {
    format!("agent {} of {of} was lost: {}% of the load", nth + 1, digits(100.0 * share))
}

/// What the parts of a run come to together.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// All calls that were told.
    pub calls: Recorder,
    /// How the generators did: as well as the worst of them.
    pub generator: Generator,
    /// How long was sent.
    pub took: Duration,
    /// Who sent what.
    pub agents: Vec<Agent>,
}

impl Merged {
    /// Merges what agents have told; of one that is lost it is known why. Who tells of another number of calls than it was to make is lost as
    /// well, unless the run was `stopped`.
    #[must_use]
    pub fn of(parts: Vec<(Own, Result<Part, String>)>, stopped: bool) -> Merged {
        let mut merged = Merged {
            calls: Recorder::new(Stamp::default()),
            generator: Generator::default(),
            took: Duration::ZERO,
            agents: Vec::new(),
        };
        let mut generators = Vec::new();
        for (own, part) in parts {
            let came = part.and_then(|part| if stopped { Ok(part) } else { whole(part, own.meant) }).map(|part| {
                merged.calls.join(&part.calls);
                merged.took = merged.took.max(part.took);
                let (calls, saturated) = (part.calls.counts().calls, part.generator.is_saturated());
                generators.push(part.generator);
                Sent { calls, rate: calls as f64 / part.took.as_secs_f64().max(1e-9), saturated }
            });
            merged.agents.push(Agent { own, came });
        }
        merged.generator = generators.into_iter().reduce(Generator::with).unwrap_or_default();
        merged
    }
}

/// A part, if it is one of so many calls.
fn whole(part: Part, meant: Option<u64>) -> Result<Part, String> {
    let told = part.calls.counts().calls;
    match meant {
        Some(meant) if meant != told => Err(format!("it told of {} of its {} calls", count(told), count(meant))),
        _ => Ok(part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::call;
    use proptest::prelude::*;
    use squall_model::{CallRecord, ClientEnd};

    fn of(calls: impl IntoIterator<Item = CallRecord>, t0: u64) -> Recorder {
        let mut recorder = Recorder::new(Stamp(t0));
        calls.into_iter().for_each(|mut call| {
            // Each agent has a clock of its own.
            for at in [&mut call.intended, &mut call.sent, &mut call.done] {
                at.0 += t0;
            }
            recorder.record(&call);
        });
        recorder
    }

    fn told(calls: Recorder) -> Part {
        let part = Part { calls, generator: Generator::default(), took: Duration::from_secs(2) };
        // As it comes over a log.
        serde_json::from_str(&serde_json::to_string(&part).unwrap()).unwrap()
    }

    fn own(meant: u64, nth: u32, of: u32) -> Own {
        let part = part(meant, nth, of);
        Own { share: part as f64 / meant as f64, meant: Some(part) }
    }

    fn calls() -> impl Strategy<Value = Vec<CallRecord>> {
        let end = prop_oneof![
            4 => Just(ClientEnd::Answered(200)),
            1 => (400u16..600).prop_map(ClientEnd::Answered),
            1 => Just(ClientEnd::Refused),
            1 => Just(ClientEnd::Deadline),
        ];
        let one = (0..20_000u64, 1u64..10_000_000, end).prop_map(|(at, us, end)| call(at, us, end));
        proptest::collection::vec(one, 1..200)
    }

    proptest! {
        /// Parts are all of it, none is two larger than another, and what is left over is with the first.
        #[test]
        fn parts_are_all_of_it(all in 0u64..1_000_000, of in 1u32..65) {
            let parts: Vec<u64> = (0..of).map(|nth| part(all, nth, of)).collect();
            prop_assert_eq!(parts.iter().sum::<u64>(), all);
            prop_assert!(parts.is_sorted_by(|a, b| a >= b));
            prop_assert!(parts[0] - parts[parts.len() - 1] <= 1);
            // They are what comes to whoever has every `of`-th call.
            let every = |nth: u32| (u64::from(nth)..all.min(5_000)).step_by(of as usize).count() as u64;
            prop_assert!(all > 5_000 || (0..of).all(|nth| parts[nth as usize] == every(nth)));
        }

        /// Whoever made which call, by whichever clock: together they are the histogram of all calls, to the last bucket of each second and
        /// outcome, and as many as the agents say.
        #[test]
        fn merged_is_what_one_would_have_counted(calls in calls(), agents in 1u32..9, clocks in proptest::array::uniform8(0u64..1 << 50)) {
            let meant = calls.len() as u64;
            let part = |nth: u32| calls.iter().skip(nth as usize).step_by(agents as usize).cloned();
            let parts = (0..agents).map(|nth| (own(meant, nth, agents), Ok(told(of(part(nth), clocks[nth as usize])))));
            let merged = Merged::of(parts.collect(), false);
            prop_assert_eq!(&merged.calls, &of(calls.iter().cloned(), 0));
            let sent: u64 = merged.agents.iter().map(|agent| agent.came.as_ref().unwrap().calls).sum();
            prop_assert_eq!(sent, meant);
            prop_assert!((merged.agents.iter().map(|agent| agent.own.share).sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }

    fn some(meant: u64) -> Recorder {
        of((0..meant).map(|k| call(k, 100, ClientEnd::Answered(200))), 0)
    }

    #[test]
    fn who_is_lost_is_named_with_its_share() {
        let gone = || Err("pod squall-load-1-abcde: it is gone".to_owned());
        let parts = vec![
            (own(10, 0, 4), Ok(told(some(3)))),
            (own(10, 1, 4), gone()),
            (own(10, 2, 4), Ok(told(some(1)))),
            (own(10, 3, 4), Ok(told(some(2)))),
        ];
        let merged = Merged::of(parts.clone(), false);
        assert_eq!(merged.calls.counts().calls, 5, "of what is not whole nothing is counted");
        let agents = Agents { place: "pods".into(), all: merged.agents };
        assert!(!agents.are_whole());
        assert_eq!(
            agents.lost(),
            [
                "agent 2 of 4 was lost: 30% of the load; pod squall-load-1-abcde: it is gone",
                "agent 3 of 4 was lost: 20% of the load; it told of 1 of its 2 calls",
            ]
        );
        assert_eq!(agents.words(), "4 pods: 2 to 3 calls each");
        // Who is told to stop makes fewer, and is not lost.
        assert_eq!(Merged::of(parts, true).calls.counts().calls, 6);
    }

    #[test]
    fn shares_are_told_as_people_say_them() {
        assert_eq!(lost(1, 4, 0.25), "agent 2 of 4 was lost: 25% of the load");
        assert_eq!(lost(0, 3, 1.0 / 3.0), "agent 1 of 3 was lost: 33.3% of the load");
        assert_eq!(lost(0, 1, 1.0), "agent 1 of 1 was lost: 100% of the load");
    }

    #[test]
    fn the_worst_of_them_is_how_they_did() {
        let ms = Duration::from_millis;
        let with = |late| Part {
            generator: Generator { late_p99: ms(late), bound: ms(10), ..Generator::default() },
            ..told(some(5))
        };
        let parts = (0..3).map(|nth| (own(15, nth, 3), Ok(with(if nth == 1 { 11 } else { 1 })))).collect();
        let merged = Merged::of(parts, false);
        assert_eq!((merged.generator.late_p99, merged.generator.is_saturated()), (ms(11), true));
        let agents = Agents { place: "pods".into(), all: merged.agents };
        assert!(agents.are_whole());
        assert_eq!(agents.words(), "3 pods: 5 calls each; saturated: 2");
    }

    #[test]
    fn of_nobody_nothing_is_known() {
        let merged = Merged::of(vec![(own(4, 0, 1), Err("it is gone".into()))], false);
        assert_eq!((merged.calls.counts().calls, merged.took), (0, Duration::ZERO));
        let agents = Agents { place: "pods".into(), all: merged.agents };
        assert_eq!(agents.words(), "1 pods: none of them told anything");
    }
}
