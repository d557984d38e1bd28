//! What has been heard of each agent, and what follows from it. Pure.

use crate::{
    load::Word,
    outcome::{Exit, Failure},
};
use squall_load::{Own, Part, lost};
use std::time::Duration;

/// How far the clocks of two agents may seem to be apart. How long a word is under way, a second at most as a rule, is in that.
const APART: Duration = Duration::from_secs(3);

/// What is heard of an agent.
pub enum News {
    /// It says something.
    Word(Word),
    /// There is nothing more to be heard of it.
    Gone(Failure),
}

/// All agents, in order.
pub struct Roll(Vec<Entry>);

struct Entry {
    own: Own,
    /// Where it has found the target.
    address: Option<String>,
    /// What its clock says more than ours at least, which counts from the beginning of the run: the longer a word was under way, the less.
    ahead: Option<Duration>,
    came: Option<Result<Part, String>>,
}

impl Roll {
    /// Nothing has been heard yet of these.
    pub fn of(agents: &[Own]) -> Roll {
        Roll(agents.iter().map(|own| Entry { own: *own, address: None, ahead: None, came: None }).collect())
    }

    /// Hears one before the start, by our own clock now: without all of them there is no run.
    pub fn prepare(&mut self, nth: usize, news: News, now: Duration) -> Result<(), Failure> {
        let of = self.0.len();
        let (name, entry) = (format!("agent {} of {of}", nth + 1), &mut self.0[nth]);
        match news {
            News::Word(Word::Ready { address, clock }) => {
                entry.address.get_or_insert(address);
                entry.ahead = entry.ahead.max(Some(Duration::from_nanos(clock).saturating_sub(now)));
                Ok(())
            }
            News::Word(Word::Failed { status, message }) if Exit::of_status(status) == Exit::Usage => {
                Err(Failure::usage(format!("{name}: {message}")))
            }
            News::Word(Word::Failed { message, .. }) => Err(Failure::environment(format!("{name}: {message}"))),
            News::Word(Word::Told { .. }) => Err(Failure::environment(format!("{name} speaks out of turn"))),
            News::Gone(why) => Err(why.help(format!("without {name} there is no run: nothing was sent"))),
        }
    }

    /// Hears one after the start; with what is to be told of it at once. A run that is to stop has nobody lost for stopping.
    pub fn hear(&mut self, nth: usize, news: News, is_to_stop: bool) -> Option<String> {
        let came = match news {
            _ if self.0[nth].came.is_some() => return None,
            News::Word(Word::Ready { .. }) => return None,
            News::Word(Word::Told { part, stopped: Some(why) }) if !is_to_stop => {
                Err(format!("it was stopped by {why} after {:.1} s", part.took.as_secs_f64()))
            }
            News::Word(Word::Told { part, .. }) => Ok(*part),
            News::Word(Word::Failed { message, .. }) => Err(first_line(&message)),
            News::Gone(why) => Err(first_line(&why.to_string())),
        };
        self.came(nth, came)
    }

    /// Those that have told nothing by now are lost; with what is to be told of them.
    pub fn give_up(&mut self, why: &str) -> Vec<String> {
        let silent = (0..self.0.len()).filter(|nth| self.0[*nth].came.is_none()).collect::<Vec<_>>();
        silent.into_iter().filter_map(|nth| self.came(nth, Err(why.to_owned()))).collect()
    }

    fn came(&mut self, nth: usize, came: Result<Part, String>) -> Option<String> {
        let of = self.0.len();
        let entry = &mut self.0[nth];
        let told = came.as_ref().err().map(|why| format!("{}; {why}", lost(nth, of, entry.own.share)));
        entry.came = Some(came);
        told
    }

    /// Why there is no start: who is not ready, in words. `None`: all are.
    pub fn unready(&self) -> Option<String> {
        let unready = (1..).zip(&self.0).filter(|(_, entry)| entry.ahead.is_none()).map(|(nth, _)| nth.to_string());
        let unready = unready.collect::<Vec<_>>().join(", ");
        (!unready.is_empty()).then(|| format!("of {} agents these are not ready: {unready}", self.0.len()))
    }

    /// True where nothing more is to come.
    pub fn is_complete(&self) -> bool {
        self.0.iter().all(|entry| entry.came.is_some())
    }

    /// What the clock that is furthest ahead says now, as far as it is known. Ours may be anybody's: that of a machine elsewhere.
    ///
    /// # Errors
    /// Exit 3 where their clocks do not agree: there is no moment then that is one for all.
    pub fn clock(&self, now: Duration) -> Result<Duration, Failure> {
        let all = || (1..).zip(&self.0).filter_map(|(nth, entry)| Some((entry.ahead?, nth)));
        let (first, last) = (all().min().unwrap_or_default(), all().max().unwrap_or_default());
        let apart = last.0 - first.0;
        if apart > APART {
            let message = format!(
                "the clocks of agents {} and {} are some {:.1} s apart: they could not begin at one moment",
                first.1,
                last.1,
                apart.as_secs_f64()
            );
            return Err(Failure::environment(message).help("have the cluster's machines keep time by NTP"));
        }
        Ok(last.0 + now)
    }

    /// Where they have found the target: it may be at several places.
    pub fn address(&self) -> String {
        let mut all: Vec<&str> = self.0.iter().filter_map(|entry| entry.address.as_deref()).collect();
        all.sort_unstable();
        all.dedup();
        match all.as_slice() {
            [first, others @ ..] if !others.is_empty() => format!("{first} and {} other addresses", others.len()),
            all => all.concat(),
        }
    }

    /// What each has told.
    pub fn parts(self) -> Vec<Result<Part, String>> {
        self.0.into_iter().map(|entry| entry.came.unwrap_or_else(|| Err("it told nothing".to_owned()))).collect()
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_load::{Generator, Recorder};
    use squall_model::Stamp;

    fn roll() -> Roll {
        Roll::of(&[Own { share: 0.25, meant: Some(5) }; 4])
    }

    fn ready(clock_ms: u64) -> News {
        News::Word(Word::Ready { address: "10.0.0.7:80".into(), clock: clock_ms * 1_000_000 })
    }

    fn told(stopped: Option<&str>) -> News {
        let took = Duration::from_millis(3_140);
        let part = Part { calls: Recorder::new(Stamp(0)), generator: Generator::default(), took };
        News::Word(Word::Told { part: Box::new(part), stopped: stopped.map(str::to_owned) })
    }

    fn gone() -> News {
        News::Gone(Failure::environment("pod squall-load-1-abcde: it is gone").help("look"))
    }

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn the_start_is_by_the_clock_that_is_furthest_ahead() {
        let mut roll = roll();
        assert_eq!(roll.unready().unwrap(), "of 4 agents these are not ready: 1, 2, 3, 4");
        // Each word with what our own clock says when it comes. A word that was long under way says less than the next one.
        for (nth, clock, now) in [(0, 50_000, 1_000), (1, 50_900, 2_000), (2, 50_000, 3_000), (2, 51_950, 3_000)] {
            roll.prepare(nth, ready(clock), MS(now)).unwrap();
        }
        assert_eq!(roll.unready().unwrap(), "of 4 agents these are not ready: 4");
        roll.prepare(3, ready(52_900), MS(4_000)).unwrap();
        assert_eq!(roll.unready(), None);
        assert_eq!(roll.clock(MS(5_000)).unwrap(), MS(54_000));
        assert_eq!(roll.address(), "10.0.0.7:80");
        // One whose clock goes wrong.
        roll.prepare(1, ready(57_000), MS(5_000)).unwrap();
        let message = roll.clock(MS(5_000)).unwrap_err().to_string();
        assert!(message.contains("agents 4 and 2 are some 3.1 s apart"), "{message}");
    }

    #[test]
    fn before_the_start_whoever_fails_ends_the_run() {
        let failed = |status| News::Word(Word::Failed { status, message: "nobody answers at 10.0.0.7:80".into() });
        for (news, exit, words) in [
            (failed(3), Exit::Environment, "agent 2 of 4: nobody answers"),
            (failed(2), Exit::Usage, "agent 2 of 4: nobody answers"),
            (gone(), Exit::Environment, "without agent 2 of 4 there is no run"),
            (told(None), Exit::Environment, "out of turn"),
        ] {
            let failure = roll().prepare(1, news, MS(0)).unwrap_err();
            assert_eq!(failure.exit(), exit);
            assert!(failure.to_string().contains(words), "{failure}");
        }
    }

    #[test]
    fn who_is_lost_is_told_once_with_its_share() {
        let mut roll = roll();
        assert_eq!(roll.hear(0, told(None), false), None);
        assert_eq!(roll.hear(0, gone(), false), None, "it has told, and may go");
        let words = "agent 2 of 4 was lost: 25% of the load; pod squall-load-1-abcde: it is gone";
        assert_eq!(roll.hear(1, gone(), false).unwrap(), words);
        assert_eq!(roll.hear(1, told(None), false), None);
        assert_eq!(roll.hear(2, ready(1), false), None);
        let words = "agent 3 of 4 was lost: 25% of the load; it was stopped by SIGTERM after 3.1 s";
        assert_eq!(roll.hear(2, told(Some("SIGTERM")), false).unwrap(), words);
        let late = "it heard of the start 2.0 s after it, and sent nothing";
        assert!(!roll.is_complete());
        assert_eq!(roll.give_up(late), [format!("agent 4 of 4 was lost: 25% of the load; {late}")]);
        assert!(roll.is_complete());
        let lost: Vec<bool> = roll.parts().iter().map(Result::is_err).collect();
        assert_eq!(lost, [false, true, true, true]);
    }

    #[test]
    fn a_run_that_is_to_stop_loses_nobody_by_that() {
        let mut roll = roll();
        assert!((0..4).all(|nth| roll.hear(nth, told(Some("an order")), true).is_none()));
        assert!(roll.parts().iter().all(Result::is_ok));
    }
}
