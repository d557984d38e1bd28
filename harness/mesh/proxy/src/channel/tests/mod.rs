//! The lease alone, without a socket and with a clock by hand.

mod lease;
mod proxy;
mod random;

use super::{Layer, RuntimeValue, Timing};
use squall_model::Fraction;
use std::time::Duration;

const TIMING: Timing = Timing { ttl: Duration::from_millis(3000), heartbeat: Duration::from_millis(500) };

fn layer(percent: u32) -> Layer {
    Layer::from([("f.abort.pct".into(), RuntimeValue::Fraction(Fraction::percent(percent)))])
}
