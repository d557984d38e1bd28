//! What a fault was, against what it was meant to be.

use crate::{Edge, FaultId, Fraction, InstanceId, Unit};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a fault was, against what it was meant to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dose {
    /// As meant.
    Confirmed,
    /// Fewer were touched than chance allows.
    Weaker,
    /// More were touched than chance allows.
    Stronger,
    /// It touched nothing.
    Absent,
    /// It touched traffic that it was not aimed at.
    Leaked(Edge),
}

/// What was counted of a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoseCount {
    /// Which fault.
    pub fault: FaultId,
    /// What it was.
    pub dose: Dose,
    /// How many calls or tries it touched.
    pub touched: u64,
    /// Of how many that it could have touched.
    pub of: u64,
    /// What it was meant to touch of them; recordings that are older do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meant: Option<Meant>,
    /// The same for each proxy or instance that it was aimed at and that traffic came to; empty where it is not told apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<DosePart>,
    /// Why it touched nothing, or too little, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spared: Option<Spared>,
    /// What it touched beyond its target, by edge and proxy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaks: Vec<DoseLeak>,
}

/// What a fault is meant to touch of what it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meant {
    /// Each is drawn with this chance; the exact binomial interval of what was counted (Clopper & Pearson 1934).
    Share {
        /// The chance.
        of: Fraction,
        /// The lowest chance that the count allows.
        low: Fraction,
        /// The highest one.
        high: Fraction,
        /// Error rate of the interval, both sides together.
        error: Fraction,
    },
    /// Each of them: one that was spared is too many.
    Each,
    /// At least one of them.
    Some,
}

/// Why a fault touched nothing, or less than it was meant to, although it was in place and there was traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spared {
    /// It hits new connections, and none was made meanwhile: the tries went over so many that were open.
    NoNewConnection {
        /// So many.
        open: u64,
    },
    /// It hits connections that are open when it begins, and none was.
    NoneWasOpen,
    /// It is felt when a connection closes, and none of so many did.
    NoneClosed {
        /// So many.
        open: u64,
    },
    /// Each was drawn once, and none was taken.
    NoneDrawn {
        /// What was drawn for.
        unit: Unit,
        /// The chance of that, of a fault that is as meant.
        chance: Fraction,
    },
    /// Proxies of services of others ask the port about each try, and go on without its answer where that is late.
    PortMissed {
        /// Tries that their proxies did not ask about.
        unasked: u64,
        /// Tries that were struck, and whose proxies did not wait for it.
        unheeded: u64,
    },
}

/// What was counted of a fault at one proxy or instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DosePart {
    /// At whose proxy, or at which instance.
    pub at: InstanceId,
    /// What it was there.
    pub dose: Dose,
    /// How many it touched.
    pub touched: u64,
    /// Of how many.
    pub of: u64,
}

/// Touches where a fault was not aimed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoseLeak {
    /// On which calls.
    pub edge: Edge,
    /// At whose proxy; of a wire, whose proxy it leads to.
    pub at: InstanceId,
    /// How many.
    pub touched: u64,
}

impl DoseCount {
    /// A count that is not told apart by proxies.
    #[must_use]
    pub fn new(fault: FaultId, dose: Dose, touched: u64, of: u64) -> DoseCount {
        DoseCount { fault, dose, touched, of, meant: None, parts: Vec::new(), spared: None, leaks: Vec::new() }
    }

    /// With what it was meant to touch.
    #[must_use]
    pub fn meaning(self, meant: Meant) -> DoseCount {
        DoseCount { meant: Some(meant), ..self }
    }

    /// Is it weaker at some of its proxies or instances, and seen not to be at others?
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.parts.iter().any(DosePart::is_short) && self.parts.iter().any(|part| !part.is_short() && part.touched > 0)
    }
}

impl DosePart {
    /// It was there what it was meant to be, and that was seen: where it had hardly anything to touch, nothing is.
    #[must_use]
    pub fn is_as_meant(&self) -> bool {
        self.dose == Dose::Confirmed && self.touched > 0
    }

    /// It was less there than it was meant to be.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.dose.is_short()
    }
}

impl Dose {
    /// Less than was meant.
    #[must_use]
    pub fn is_short(&self) -> bool {
        matches!(self, Dose::Weaker | Dose::Absent)
    }

    /// One word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Dose::Confirmed => "confirmed",
            Dose::Weaker => "weaker",
            Dose::Stronger => "stronger",
            Dose::Absent => "absent",
            Dose::Leaked(_) => "leaked",
        }
    }
}

impl fmt::Display for Dose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dose::Confirmed => f.write_str("the fault was as meant"),
            Dose::Weaker => f.write_str("the fault touched less than was asked"),
            Dose::Stronger => f.write_str("the fault touched more than was asked"),
            Dose::Absent => f.write_str("the fault touched nothing"),
            Dose::Leaked(edge) => write!(f, "the fault leaked to {edge}"),
        }
    }
}
