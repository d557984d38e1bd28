//! Comparisons as mappings.

use super::Noun;
use super::calls::CallsForm;
use super::claim::said;
use super::quantity::{Share, Time};
use schemars::JsonSchema;
use serde::Deserialize;
use squall_model::{ClaimKind, Margin, Reference};

/// Calls fare no worse with the fault, or after the change, than without it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AsGoodAs {
    /// Which calls.
    of: CallsForm,
    /// As what.
    reference: ReferenceForm,
    /// By how much they may be worse: 1% of them, and the larger of a quarter of the time and 5 ms, where nothing is written.
    #[serde(default)]
    within: MarginForm,
}

/// What calls are compared with.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ReferenceForm {
    /// Those of the blocks in which the fault is switched off.
    WithoutFault,
    /// Those before the fault.
    BeforeFault,
    /// Those before the change.
    BeforeChange,
}

/// By how much calls may be worse.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MarginForm {
    /// So many more of a hundred may fail or be slow.
    points: Option<Share>,
    /// So much later is slow.
    later: Option<Time>,
}

impl Noun for AsGoodAs {
    fn words(self) -> Result<String, String> {
        let reference = match self.reference {
            ReferenceForm::WithoutFault => Reference::WithoutFault,
            ReferenceForm::BeforeFault => Reference::BeforeFault,
            ReferenceForm::BeforeChange => Reference::BeforeChange,
        };
        let margin = Margin { points: self.within.points.map(|p| p.0), later: self.within.later.map(|t| t.0) };
        said(&ClaimKind::Paired { calls: self.of.calls()?, reference, margin })
    }
}
