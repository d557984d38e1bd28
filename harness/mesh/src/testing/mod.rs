//! What every backend must do, as data; what checks it; and the smallest backend that does it.
//!
//! A [`Case`] is a plan, and what calls come to while it is played. [`check`] plays it on a [`Ground`]: a backend with proxies,
//! workloads and a client. [`check_trouble`] is about proxies that lag, refuse, lie or are dead: what the backend must say of
//! them. The [`Fake`] passes all of it, and with any [`Defect`] it does not: that is how the contract itself is tested.

mod case;
mod cases;
mod defect;
mod fake;
mod ground;
mod memory;
mod plane;
mod play;
mod state;
mod trouble;

pub use case::{Case, Expectation, Expected, Step};
pub use cases::cases;
pub use defect::Defect;
pub use fake::{Fake, FakeConfig};
pub use ground::{Call, Ground, Seen, Trouble};
pub use play::check;
pub use trouble::check_trouble;

#[cfg(test)]
mod tests;
