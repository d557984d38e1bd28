//! Work on all cores whose result does not depend on how many there are.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

/// Runs of a simulation that share a stream of random numbers.
const BATCH: u64 = 250;

/// `of` each item, in their order.
pub(crate) fn each<T: Sync, R: Send>(items: &[T], of: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let work = || {
        while let Some((i, item)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, items.get(i)?))) {
            let result = of(item);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((i, result));
        }
    };
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 1..cores {
            scope.spawn(work);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}

/// The results of `runs` simulated runs.
pub(crate) fn simulate<R: Send>(runs: u64, seed: u64, run: impl Fn(&mut ChaCha8Rng) -> R + Sync) -> Vec<R> {
    let batches: Vec<(u64, u64)> =
        (0..runs.div_ceil(BATCH)).map(|batch| (batch, BATCH.min(runs - batch * BATCH))).collect();
    let results = each(&batches, |(batch, runs)| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(*batch);
        (0..*runs).map(|_| run(&mut random)).collect::<Vec<R>>()
    });
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    #[test]
    fn results_come_in_order_and_the_same_every_time() {
        assert_eq!(each(&[3, 1, 2], |i| i * 10), [30, 10, 20]);
        let draw = || simulate(1_001, 7, |random| random.random_range(0..1_000_000u32));
        let (one, other) = (draw(), draw());
        assert_eq!(one.len(), 1_001);
        assert_eq!(one, other);
        assert_ne!(one[..250], one[250..500], "each batch has random numbers of its own");
    }
}
