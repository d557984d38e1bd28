//! Betting on the mean of values in `[0, 1]`: the engine under [`crate::mean`] and [`crate::paired`].
//!
//! Against "the mean is `at` or less" buy, for each value `x`, a ticket that pays `x / at`: on average no more than its
//! price of 1, if that is true. Who puts a constant fraction θ of a capital of 1 into each has `Π (1 - θ + θ x / at)`:
//! never negative, and on average never more than 1. So is any mixture over θ that was fixed beforehand, and by Ville's
//! inequality it ever exceeds `1/ε` with a chance of at most ε. Against "`at` or more" the ticket pays
//! `(1 - x) / (1 - at)`. Waudby-Smith & Ramdas, *Estimating means of bounded random variables by betting* (2024); the
//! mixture is Cover's universal portfolio (1991), as in Orabona & Jun, *Tight concentrations and confidence sequences
//! from the regret of universal portfolio* (2024).
//!
//! A mixture of constant bets, and not bets that follow the data (predictable plug-in, hedged capital): for values of 0
//! and 1 it is the likelihood-ratio mixture of [`crate::share`] itself; it does not depend on the order of the values,
//! so its errors and its plans can be computed exactly; a ticket pays the less the higher `at` is, so that what it
//! excludes is an interval by construction; and it holds every θ up to 1, by which means near 0 and 1 are decided.

mod boundary;
mod game;
mod stakes;

pub(crate) use boundary::{Boundary, Side};
pub(crate) use game::Game;
pub(crate) use stakes::Stakes;
