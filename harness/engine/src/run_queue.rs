//! For how long the processes of a run are ready to run and get no processor.
//!
//! On a machine with too much to do, proxies and workloads stand in its run queue, and whoever calls them waits: that is no
//! slowness of the mesh. The client's own lateness shows it only where the client is hit as well.

use crate::clock;
use squall_place::Keeper;
use std::{collections::BTreeMap, convert::Infallible, time::Duration};

/// Between two looks. What is spread over more than that is a slow machine, and no stall.
const LOOK: Duration = Duration::from_millis(100);

/// The most that a thread of any process waited from one look to the next.
#[derive(Debug, Default)]
pub(crate) struct RunQueueWatch {
    before: BTreeMap<u32, u64>,
    worst: Duration,
}

impl RunQueueWatch {
    /// Looks for ever; [`RunQueueWatch::worst`] says what was seen meanwhile.
    pub(crate) async fn watch(&mut self, keeper: &Keeper) -> Infallible {
        loop {
            self.look(keeper.waits());
            clock::until(clock::now() + LOOK).await;
        }
    }

    fn look(&mut self, now: BTreeMap<u32, u64>) {
        // A thread that was not there before has waited since its begin, and nobody called it then.
        let rise = |(thread, waited): (&u32, &u64)| Some(waited.saturating_sub(*self.before.get(thread)?));
        let worst = now.iter().filter_map(rise).max().unwrap_or(0);
        self.worst = self.worst.max(Duration::from_nanos(worst));
        self.before = now;
    }

    pub(crate) fn worst(&self) -> Duration {
        self.worst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wait_between_two_looks_counts() {
        let mut watch = RunQueueWatch::default();
        let mut look = |waits: &[(u32, u64)]| {
            watch.look(waits.iter().copied().collect());
            watch.worst().as_nanos()
        };
        assert_eq!(look(&[(1, 500), (2, 900)]), 0, "what was before the first look is nobody's");
        assert_eq!(look(&[(1, 530), (2, 910)]), 30);
        assert_eq!(look(&[(1, 540), (2, 920), (3, 700)]), 30);
        assert_eq!(look(&[(1, 540), (3, 790)]), 90);
    }
}
