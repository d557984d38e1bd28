//! When calls are due: arithmetic, no clock, no protocol.
//!
//! An open line is a *profile*, a rate that changes over time, and a law of *arrivals* within it. A profile comes to a count
//! N(t) of the calls that are due until t; its inverse says when the x-th is due:
//!
//! - evenly: call k at N⁻¹(k);
//! - with jitter: call k somewhere in its own slot, at N⁻¹(k + u), u uniform in [0, 1);
//! - at random: at N⁻¹(Γ), Γ the moments of a Poisson process of rate 1 (the time change that makes any inhomogeneous Poisson
//!   process of it: Çinlar, *Introduction to Stochastic Processes*, 1975, section 4.7).
//!
//! Bursts and recorded moments are laws of their own. Every offset is computed from the origin and never from the offset before
//! it (the moments of the Poisson process are the exception, being drawn), so rounding does not add up and nothing that happens
//! while sending can move what follows.

use crate::line::Share;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::{sync::Arc, time::Duration};

/// How the calls of an open line are spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrivals {
    /// Evenly: call k (from 0) where k calls are due; at a constant rate at k / rate.
    Even,
    /// Evenly with jitter: one call in each slot of 1 / rate, somewhere in it, each place as likely. There are as many calls as
    /// evenly, but no other thing that happens at a steady rhythm can march in step with them.
    Jitter {
        /// The same seed gives the same moments.
        seed: u64,
    },
    /// At random moments: a Poisson process, whose gaps at a constant rate are exponential with mean 1 / rate, drawn from this seed.
    /// The number of calls is random too, with mean rate × length.
    Random {
        /// The same seed gives the same moments.
        seed: u64,
    },
}

/// A part of a profile: a rate that is constant or changes linearly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Piece {
    /// Calls per second at its beginning.
    pub from_hz: f64,
    /// Calls per second at its end.
    pub to_hz: f64,
    /// How long it takes.
    pub length: Duration,
}

impl Piece {
    /// A constant rate.
    #[must_use]
    pub fn level(hz: f64, length: Duration) -> Piece {
        Piece { from_hz: hz, to_hz: hz, length }
    }

    /// Calls that are due in it.
    #[must_use]
    pub fn calls(&self) -> f64 {
        // Multiplied first: half of a sum of whole rates by whole nanoseconds is exact where the product is.
        f64::midpoint(self.from_hz, self.to_hz) * nanos(self.length) as f64 / 1e9
    }

    /// Nanoseconds from its beginning until `x` calls are due; `None` where there are never so many.
    fn until(&self, x: f64) -> Option<f64> {
        if self.from_hz == self.to_hz {
            // Multiplied first: the product is exact for as many calls as a double counts, the quotient rounded once.
            return (self.from_hz > 0.0).then(|| x * 1e9 / self.from_hz);
        }
        if x == 0.0 && self.from_hz > 0.0 {
            return Some(0.0);
        }
        // With rate f + a·t, a = (g − f) / T, x = f·t + a·t²/2. The root in the form that stays exact when a is small.
        let slope = (self.to_hz - self.from_hz) / self.length.as_secs_f64();
        let root = (self.from_hz * self.from_hz + 2.0 * slope * x).sqrt();
        let by = self.from_hz + root;
        if by == 0.0 {
            return (x == 0.0).then_some(0.0);
        }
        (!root.is_nan()).then(|| 2.0 * x / by * 1e9)
    }
}

/// The offsets from the origin at which calls are due, ascending, all below the length.
#[derive(Debug, Clone)]
pub struct Schedule {
    law: Law,
    length: u64,
    /// Number of the next call.
    next: u64,
    /// Calls that are left out after each.
    between: u64,
}

#[derive(Debug, Clone)]
enum Law {
    Even(Profile),
    Jitter { profile: Profile, rng: Box<ChaCha8Rng> },
    Random { profile: Profile, rng: Box<ChaCha8Rng>, due: f64 },
    Bursts { size: u64, every: u64 },
    Replay(Arc<[Duration]>),
}

impl Schedule {
    /// A constant rate in calls per second.
    #[must_use]
    pub fn open(rate_hz: f64, length: Duration, arrivals: Arrivals) -> Schedule {
        Schedule::of(&[Piece::level(rate_hz, length)], arrivals)
    }

    /// A rate that changes linearly from one value to another over the length.
    #[must_use]
    pub fn ramp(from_hz: f64, to_hz: f64, length: Duration) -> Schedule {
        Schedule::of(&[Piece { from_hz, to_hz, length }], Arrivals::Even)
    }

    /// A rate that is one piece after another.
    #[must_use]
    pub fn of(pieces: &[Piece], arrivals: Arrivals) -> Schedule {
        let profile = Profile::new(pieces);
        let rng = |seed| Box::new(ChaCha8Rng::seed_from_u64(seed));
        let length = profile.length;
        let law = match arrivals {
            Arrivals::Even => Law::Even(profile),
            Arrivals::Jitter { seed } => Law::Jitter { profile, rng: rng(seed) },
            Arrivals::Random { seed } => Law::Random { profile, rng: rng(seed), due: 0.0 },
        };
        Schedule { law, length, next: 0, between: 0 }
    }

    /// So many calls at one moment, the first at the origin, again and again; no interval is no burst.
    #[must_use]
    pub fn bursts(size: u32, every: Duration, length: Duration) -> Schedule {
        Schedule {
            law: Law::Bursts { size: u64::from(size), every: nanos(every) },
            length: if every.is_zero() { 0 } else { nanos(length) },
            next: 0,
            between: 0,
        }
    }

    /// Moments that were recorded, ascending, as far as they are below the length.
    #[must_use]
    pub fn replay(offsets: Arc<[Duration]>, length: Duration) -> Schedule {
        Schedule { law: Law::Replay(offsets), length: nanos(length), next: 0, between: 0 }
    }

    /// Only those of its calls that are of this share. What the others are drawn at is drawn all the same.
    #[must_use]
    pub fn share(mut self, share: Share) -> Schedule {
        self.leave_out(u64::from(share.nth));
        self.between = u64::from(share.of).saturating_sub(1);
        self
    }

    fn leave_out(&mut self, calls: u64) {
        for _ in 0..calls {
            // A law that has no more calls has none later.
            if self.law.offset(self.next).is_none() {
                return;
            }
            self.next += 1;
        }
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let offset = self.law.offset(self.next)?;
        if offset >= self.length {
            return None;
        }
        self.next += 1;
        self.leave_out(self.between);
        Some(Duration::from_nanos(offset))
    }
}

impl Law {
    /// Nanoseconds from the origin to call `k`; `None` where the law has no such call. Asked for in order.
    fn offset(&mut self, k: u64) -> Option<u64> {
        match self {
            Law::Even(profile) => profile.at(k as f64),
            Law::Jitter { profile, rng } => {
                let first = k as f64;
                // There is a call where there is one evenly.
                let even = profile.at(first).filter(|at| *at < profile.length)?;
                // The end may cut the last slot off.
                let slot = (profile.calls - first).clamp(0.0, 1.0);
                let last = profile.length - 1;
                Some(profile.at(first + slot * rng.random::<f64>()).map_or(last, |at| at.clamp(even, last)))
            }
            Law::Random { profile, rng, due } => {
                // 1 − u is in (0, 1], so the logarithm is finite.
                *due -= (1.0 - rng.random::<f64>()).ln();
                profile.at(*due)
            }
            Law::Bursts { size, every } => k.checked_div(*size)?.checked_mul(*every),
            Law::Replay(offsets) => offsets.get(usize::try_from(k).ok()?).map(|at| nanos(*at)),
        }
    }
}

/// One piece after another, with what is due before each. Asked for moments that ascend.
#[derive(Debug, Clone)]
struct Profile {
    /// Each with its begin in nanoseconds and the calls due before it.
    pieces: Vec<(Piece, u64, f64)>,
    length: u64,
    /// Calls that are due until its end.
    calls: f64,
    /// The piece that the last moment was in.
    here: usize,
}

impl Profile {
    fn new(pieces: &[Piece]) -> Profile {
        let (mut length, mut calls) = (0u64, 0.0);
        let pieces = pieces
            .iter()
            .map(|piece| {
                let begun = (*piece, length, calls);
                length = length.saturating_add(nanos(piece.length));
                calls += piece.calls();
                begun
            })
            .collect();
        Profile { pieces, length, calls, here: 0 }
    }

    /// Nanoseconds until `x` calls are due: N⁻¹(x), from the right where nothing is due for a while.
    fn at(&mut self, x: f64) -> Option<u64> {
        while self.pieces.get(self.here + 1).is_some_and(|(_, _, before)| *before <= x) {
            self.here += 1;
        }
        let (piece, begin, before) = self.pieces.get(self.here)?;
        let offset = piece.until(x - before).map(|offset| offset as u64);
        // Rounding may not lead into the next piece; beyond the last one there is nothing.
        let is_last = self.here + 1 == self.pieces.len();
        let offset = if is_last { offset? } else { offset.unwrap_or(u64::MAX).min(nanos(piece.length)) };
        Some(begin.saturating_add(offset))
    }
}

fn nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
