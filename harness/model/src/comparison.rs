//! *As good as* what, and by how much worse at most.

use crate::{Anchor, Fraction, Phase, duration_text_option};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What calls are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// The calls of the blocks in which the faults that stand are switched off ([`crate::Blocks`]).
    WithoutFault,
    /// Those before the fault was asked for.
    BeforeFault,
    /// Those before the change was asked for.
    BeforeChange,
}

impl Reference {
    /// The phases that are compared: of the calls that may be worse, and of those that they are measured by. None where the
    /// two come in blocks.
    #[must_use]
    pub fn phases(self) -> Option<(Phase, Phase)> {
        match self {
            Reference::WithoutFault => None,
            Reference::BeforeFault => Some((Phase::During(Anchor::Fault), Phase::Before(Anchor::Fault))),
            Reference::BeforeChange => Some((Phase::After(Anchor::Change), Phase::Before(Anchor::Change))),
        }
    }
}

/// By how much calls may be worse and still be as good. What is not said has a default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Margin {
    /// So many more of them, in points of a hundred, may fail, or be slow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<Fraction>,
    /// So much later may an answer come before it is slow.
    #[serde(default, with = "duration_text_option", skip_serializing_if = "Option::is_none")]
    pub later: Option<Duration>,
}

impl Margin {
    /// One point.
    pub const POINTS: Fraction = Fraction::percent(1);
    /// A quarter of what the pilot took, and no less than this.
    pub const LATER: Duration = Duration::from_millis(5);

    /// The margin in points, as a share from 0 to 1.
    #[must_use]
    pub fn share(self) -> f64 {
        self.points.unwrap_or(Margin::POINTS).as_f64()
    }

    /// How much later than the pilot's time an answer may come.
    #[must_use]
    pub fn later_than(self, pilot: Duration) -> Duration {
        self.later.unwrap_or((pilot / 4).max(Margin::LATER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_has_a_default() {
        let ms = Duration::from_millis;
        let later = |margin: Margin| [ms(4), ms(20), ms(100)].map(|pilot| margin.later_than(pilot));
        assert_eq!(later(Margin::default()), [ms(5), ms(5), ms(25)]);
        assert_eq!(later(Margin { later: Some(ms(1)), ..Margin::default() }), [ms(1); 3]);
        assert!((Margin::default().share() - 0.01).abs() < 1e-12);
    }
}
