//! What was observed of one run of one plan, joined: the client's record of each call, its line at the caller's proxy, its
//! tries as their sender, the callee's proxy and the workload saw them.
//!
//! ```text
//! Observed ── join ──► Evidence ──► balances   do the observers agree?
//!                         │  └────► doses      was each fault what it was meant to be?
//!                         └───────► phases     which calls belong to which part of the time?
//! ```
//!
//! Pure: everything raw comes in as data ([`Observed`]), can be written to a file and joined again later, with the same result.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot unwrap should fail"))]

mod balance;
mod dose;
mod flags;
mod hold;
mod join;
mod observed;
mod outcome;
mod phase;
mod select;
mod sizes;
mod spell;
mod story;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use balance::{Balance, Books, LawId, Slack, balances, discords};
pub use dose::{doses, window_of};
pub use flags::{Flags, answer_of_callee, is_denial, shedder};
pub use hold::Hold;
pub use join::join;
pub use observed::{Happened, Health, LifeEnd, Observed, Planned, Process, StageTimes, Trouble, planned};
pub use outcome::CallOutcome;
pub use phase::{Border, Life, Membership, Window};
pub use select::{CallMatcher, Fit, known, targets};
pub use spell::{Spell, absences, spells, watchers};
pub use story::{CallStory, Evidence, Grade, Origin, Strays, TryStory, TryView};
