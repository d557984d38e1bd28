//! What a backend may get wrong, one thing at a time.

/// One way in which a backend may be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Defect {
    RetriesOnceMore,
    RetriesAnything,
    IgnoresFilters,
    IgnoresCallers,
    IgnoresInstances,
    IgnoresRoutes,
    IgnoresTimeouts,
    IgnoresBreakers,
    IgnoresEjection,
    LaterLineWins,
    FaultsStay,
    CallFaultsAreRetried,
    DelaysAreNotWaitedFor,
    LateComersAreSpared,
    BelievesAcknowledgements,
    BlamesEverybody,
    GivesNoReason,
    KeepsHalfOfWhatWasRejected,
    PoliciesStay,
    ForgetsWhatItWasToldWhenStopped,
    TellsThoughStopped,
    FaultsNeedControlPlane,
    TellsTheSevered,
    WaitsForTheSevered,
    SeversEverybody,
    ForgetsWhatTheSeveredMissed,
    RefusesNothing,
}

impl Defect {
    /// All of them.
    pub const ALL: &[Defect] = &[
        Defect::RetriesOnceMore,
        Defect::RetriesAnything,
        Defect::IgnoresFilters,
        Defect::IgnoresCallers,
        Defect::IgnoresInstances,
        Defect::IgnoresRoutes,
        Defect::IgnoresTimeouts,
        Defect::IgnoresBreakers,
        Defect::IgnoresEjection,
        Defect::LaterLineWins,
        Defect::FaultsStay,
        Defect::CallFaultsAreRetried,
        Defect::DelaysAreNotWaitedFor,
        Defect::LateComersAreSpared,
        Defect::BelievesAcknowledgements,
        Defect::BlamesEverybody,
        Defect::GivesNoReason,
        Defect::KeepsHalfOfWhatWasRejected,
        Defect::PoliciesStay,
        Defect::ForgetsWhatItWasToldWhenStopped,
        Defect::TellsThoughStopped,
        Defect::FaultsNeedControlPlane,
        Defect::TellsTheSevered,
        Defect::WaitsForTheSevered,
        Defect::SeversEverybody,
        Defect::ForgetsWhatTheSeveredMissed,
        Defect::RefusesNothing,
    ];
}
