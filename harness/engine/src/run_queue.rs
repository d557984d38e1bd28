//! For how long the processes of a run are ready to run and get no processor.
//!
//! On a machine with too much to do, proxies and workloads stand in its run queue, and whoever calls them waits: that is no
//! slowness of the mesh. The client's own lateness shows it only where the client is hit as well.

use crate::clock;
use squall_model::Stamp;
use squall_place::Keeper;
use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    time::Duration,
};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// So many looks back a thread's wait begins to count: a stall often comes in two pieces. What is spread over more than that is a
/// slow machine, and no stall.
const BACK: usize = 2;

/// The most that a thread of any process waited over [`BACK`] looks, of a time as long as they should take.
#[derive(Debug, Default)]
pub(crate) struct RunQueueWatch {
    /// The last looks, the oldest first.
    before: VecDeque<(Stamp, BTreeMap<u32, u64>)>,
    worst: Duration,
}

impl RunQueueWatch {
    /// Looks for ever; [`RunQueueWatch::worst`] says what was seen meanwhile.
    pub(crate) async fn watch(&mut self, keeper: &Keeper) -> Infallible {
        loop {
            self.look(clock::now(), keeper.waits());
            clock::until(clock::now() + LOOK).await;
        }
    }

    fn look(&mut self, now: Stamp, waits: BTreeMap<u32, u64>) {
        if let Some((then, _)) = self.before.front() {
            // A thread that was not there before has waited since its begin, and nobody called it then.
            let first = |thread: &u32| self.before.iter().find_map(|(_, before)| before.get(thread));
            let rise = |(thread, waited): (&u32, &u64)| Some(waited.saturating_sub(*first(thread)?));
            let worst = waits.iter().filter_map(rise).max().unwrap_or(0);
            // A look may come late, too.
            let due = LOOK * self.before.len() as u32;
            let longer = now.since(*then).as_secs_f64() / due.as_secs_f64();
            self.worst = self.worst.max(Duration::from_nanos(worst).div_f64(longer.max(1.0)));
        }
        self.before.push_back((now, waits));
        if self.before.len() > BACK {
            self.before.pop_front();
        }
    }

    pub(crate) fn worst(&self) -> Duration {
        self.worst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wait_over_two_looks_counts() {
        let mut watch = RunQueueWatch::default();
        let mut look = |ms: u64, waits: &[(u32, u64)]| {
            watch.look(Stamp(ms * 1_000_000), waits.iter().copied().collect());
            watch.worst().as_nanos()
        };
        assert_eq!(look(0, &[(1, 500), (2, 900)]), 0, "what was before the first look is nobody's");
        assert_eq!(look(100, &[(1, 530), (2, 910)]), 30);
        assert_eq!(look(200, &[(1, 540), (2, 920), (3, 700)]), 40, "30 and 10");
        assert_eq!(look(300, &[(1, 540), (3, 790)]), 90);
        assert_eq!(look(500, &[(1, 540), (3, 850)]), 100, "150 in three looks' time, 100 in that of two");
    }
}
