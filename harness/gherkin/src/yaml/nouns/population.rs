//! Sets of units of traffic, and parts of the time.

use super::calls::{FilterFields, with_calls};
use super::quantity::{Time, Word};
use super::selector::TargetForm;
use schemars::JsonSchema;
use serde::Deserialize;
use squall_model::{Anchor, Calls, Only, Phase, Population, ServiceName, Unit};

with_calls! {
    /// A set of units of traffic: which calls, and when.
    PopulationForm {
        /// What is counted; calls where nothing is written.
        #[serde(default)]
        unit: UnitForm,
        /// Only some of them.
        only: Option<OnlyForm>,
        /// In this part of the time; all of it where none is written.
        #[serde(default)]
        phase: PhaseForm,
    }
}

impl PopulationForm {
    pub(super) fn population(&self) -> Result<Population, String> {
        let unit = match self.unit {
            UnitForm::Call => Unit::Call,
            UnitForm::Try => Unit::Try,
            UnitForm::Retry => Unit::Retry,
            UnitForm::User => Unit::User,
        };
        let only = self.only.map(|only| match only {
            OnlyForm::Shed => Only::Shed,
            OnlyForm::Failed => Only::Failed,
        });
        Ok(Population { unit, only, calls: self.calls()?, phase: self.phase.into() })
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum UnitForm {
    #[default]
    Call,
    Try,
    Retry,
    User,
}

/// Only some.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum OnlyForm {
    /// Those that were shed.
    Shed,
    /// Those that failed.
    Failed,
}

/// A part of the time.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum PhaseForm {
    /// All of it.
    #[default]
    Whole,
    /// Before anything of this was asked for.
    Before(AnchorForm),
    /// While it was in place.
    During(AnchorForm),
    /// After it had ended.
    After(AnchorForm),
    /// By the clock of the stage.
    Clock {
        /// From.
        from: Time,
        /// To; the end where nothing is written.
        to: Option<Time>,
    },
}

/// What a phase is about.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum AnchorForm {
    /// The faults.
    Fault,
    /// The changes.
    Change,
}

impl From<PhaseForm> for Phase {
    fn from(form: PhaseForm) -> Phase {
        let anchor = |form| match form {
            AnchorForm::Fault => Anchor::Fault,
            AnchorForm::Change => Anchor::Change,
        };
        match form {
            PhaseForm::Whole => Phase::Whole,
            PhaseForm::Before(of) => Phase::Before(anchor(of)),
            PhaseForm::During(of) => Phase::During(anchor(of)),
            PhaseForm::After(of) => Phase::After(anchor(of)),
            PhaseForm::Clock { from, to } => Phase::Clock { from: from.0, to: to.map(|to| to.0) },
        }
    }
}
