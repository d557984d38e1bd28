//! What a load generator would have to say, by arithmetic and by what the server saw.

use std::time::Duration;

/// The percentile of the latencies, counted from when requests were due, of an even schedule of `hz` for `length` during which
/// the server stands still for `still`: of those that are due meanwhile each waits for the end of the standstill, all others for
/// nothing that would be seen beside it.
pub(crate) fn stalled(percentile: f64, hz: u32, length: Duration, still: Duration) -> Duration {
    let all = f64::from(hz) * length.as_secs_f64();
    let later = (1.0 - percentile) * all;
    still.saturating_sub(Duration::from_secs_f64(later / f64::from(hz)))
}

/// How late 99 of 100 requests came, in nanoseconds, by the moments at which they came: against the even schedule of that rate that none
/// of the first hundredth is early for. What tool and kernel take for every request is in none of it.
pub(crate) fn lateness(arrivals: &[u64], hz: u32) -> Option<u64> {
    let gap = 1e9 / f64::from(hz);
    let due = |k: usize| (k as f64 * gap) as i128;
    let mut late: Vec<i128> = arrivals.iter().enumerate().map(|(k, at)| i128::from(*at) - due(k)).collect();
    late.sort_unstable();
    // One that came early by chance of the clock should not make all others late.
    let origin = *late.get(late.len() / 100)?;
    let p99 = late.get(late.len() * 99 / 100)?;
    u64::try_from(p99 - origin).ok()
}

/// The middle one; of an even number the lower of the two.
pub(crate) fn median(mut all: Vec<f64>) -> Option<f64> {
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn of_a_second_in_fifteen_the_slowest_hundredth_waits_for_850_ms() {
        // 30,000 calls, 300 of them slower than the 99th percentile: those due in the first 150 ms of the second.
        assert_eq!(stalled(0.99, 2_000, 15 * SECOND, SECOND), Duration::from_millis(850));
        assert_eq!(stalled(0.5, 2_000, 15 * SECOND, SECOND), Duration::ZERO);
        assert_eq!(stalled(1.0, 2_000, 15 * SECOND, SECOND), SECOND);
    }

    #[test]
    fn an_even_schedule_is_late_by_nothing_whenever_it_begins() {
        let even: Vec<u64> = (0..1_000).map(|k| 77 + k * 500_000).collect();
        assert_eq!(lateness(&even, 2_000), Some(0));
    }

    #[test]
    fn groups_are_late_by_their_own_length() {
        // Four at once each 2 ms: the first of them is in time or early, the last by three gaps.
        let groups: Vec<u64> = (0..4_000).map(|k| k / 4 * 2_000_000).collect();
        assert_eq!(lateness(&groups, 2_000), Some(1_500_000));
        assert_eq!(lateness(&[], 2_000), None);
    }

    #[test]
    fn the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![2.0, 1.0]), Some(1.0));
        assert_eq!(median(Vec::new()), None);
    }
}
