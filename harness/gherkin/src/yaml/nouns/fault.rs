//! Faults and events as mappings.

use super::calls::TrafficForm;
use super::quantity::{Code, Share, Time, Word};
use super::selector::{MembersForm, TargetForm, WiresForm};
use super::{Noun, nouns};
use crate::words;
use schemars::JsonSchema;
use serde::Deserialize;
use squall_model::{AnswerCode, Answers, Damage, Down, FaultKind, Part, Touch};
use std::time::Duration;

nouns! {
    /// What is broken, what happens.
    Faults {
        "touch" => TouchForm,
        "answers" => AnswersForm,
        "down" => DownForm,
        "restarted" => Restarted,
        "wire" => WireForm,
        "control_plane_killed" => ControlPlaneKilled,
        "resized" => Resized,
    }
}

fn said(kind: &FaultKind) -> Result<String, String> {
    words::fault(kind).ok_or_else(|| "only a control run does this".to_owned())
}

/// A share of calls or tries is aborted or delayed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TouchForm {
    /// Which, and how many of them.
    on: TrafficForm,
    /// Answered by the proxy with this status: this or `delay`.
    abort: Option<Code>,
    /// Held for so long, then sent on: this or `abort`.
    delay: Option<Time>,
}

impl Noun for TouchForm {
    fn words(self) -> Result<String, String> {
        let touch = match (self.abort, self.delay) {
            (Some(code), None) => Touch::Abort(code.0),
            (None, Some(time)) => Touch::Delay(time.0),
            _ => return Err("a touch is either `abort` or `delay`".to_owned()),
        };
        said(&FaultKind::Touch { on: self.on.traffic()?, touch })
    }
}

/// Instances answer otherwise than before.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AnswersForm {
    /// Which instances.
    of: TargetForm,
    /// How.
    how: How,
}

/// How instances answer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum How {
    /// With this status.
    With(Code),
    /// With this status of gRPC, after so many messages of a good answer.
    After {
        /// Which.
        status: Code,
        /// How many.
        messages: u32,
    },
    /// After so long.
    In(Time),
    /// Without delay.
    AtOnce,
    /// As the topology says.
    AsBefore,
}

impl Noun for AnswersForm {
    fn words(self) -> Result<String, String> {
        let how = match self.how {
            How::With(code) => Answers::With(code.0),
            How::After { status: Code(AnswerCode::Grpc(status)), messages } => Answers::After { status, messages },
            How::After { .. } => return Err("messages come before a status of gRPC only".to_owned()),
            How::In(time) => Answers::In(time.0),
            How::AtOnce => Answers::AtOnce,
            How::AsBefore => Answers::AsBefore,
        };
        said(&FaultKind::Answers { of: self.of.0, how })
    }
}

/// Processes go down, and come back at the end.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DownForm {
    /// How.
    how: DownHow,
    /// Which of an instance's processes; both where nothing is written.
    #[serde(default)]
    part: PartForm,
    /// Of which instances.
    of: MembersForm,
}

/// How a process goes down.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum DownHow {
    /// At once.
    Killed,
    /// In order.
    Stopped,
    /// It stands still.
    Paused,
}

/// Which of an instance's processes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum PartForm {
    /// Workload and proxy.
    #[default]
    Instance,
    /// The workload alone.
    Workload,
    /// The proxy alone.
    Proxy,
}

impl From<PartForm> for Part {
    fn from(form: PartForm) -> Part {
        match form {
            PartForm::Instance => Part::Instance,
            PartForm::Workload => Part::Workload,
            PartForm::Proxy => Part::Proxy,
        }
    }
}

impl Noun for DownForm {
    fn words(self) -> Result<String, String> {
        let how = match self.how {
            DownHow::Killed => Down::Killed,
            DownHow::Stopped => Down::Stopped,
            DownHow::Paused => Down::Paused,
        };
        said(&FaultKind::Down { how, part: self.part.into(), of: self.of.0 })
    }
}

/// Processes are ended in order and started again at once: `at` a time, or before the traffic.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Restarted {
    /// Which of an instance's processes; both where nothing is written.
    #[serde(default)]
    part: PartForm,
    /// Of which instances.
    of: MembersForm,
}

impl Noun for Restarted {
    fn words(self) -> Result<String, String> {
        said(&FaultKind::Restarted { part: self.part.into(), of: self.of.0 })
    }
}

/// The wire between proxies is damaged.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WireForm {
    /// Which wires.
    of: WiresForm,
    /// How.
    damage: DamageForm,
}

/// What is done to a wire.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum DamageForm {
    /// Silence both ways.
    Cut,
    /// What the caller sends arrives; what comes back does not.
    SwallowAnswers,
    /// What the caller sends does not arrive.
    SwallowRequests,
    /// New connections are refused.
    Refuse,
    /// This share of the connections is reset when they next carry something.
    Reset(Share),
    /// What comes back arrives later.
    Slow {
        /// By how much.
        by: Time,
        /// Up to so much more or less.
        jitter: Option<Time>,
    },
    /// At most so many bytes a second each way: a multiple of 1000.
    Rate {
        /// Bytes per second.
        #[schemars(extend("multipleOf" = 1000, "minimum" = 1000))]
        bytes_per_second: u64,
    },
    /// The callee's end of every open connection is gone, and the caller is not told.
    HalfOpen,
    /// When one end closes, the other learns of it so much later.
    SlowClose(Time),
}

impl Noun for WireForm {
    fn words(self) -> Result<String, String> {
        let damage = match self.damage {
            DamageForm::Cut => Damage::Cut,
            DamageForm::SwallowAnswers => Damage::SwallowAnswers,
            DamageForm::SwallowRequests => Damage::SwallowRequests,
            DamageForm::Refuse => Damage::Refuse,
            DamageForm::Reset(share) => Damage::Reset(share.0),
            DamageForm::Slow { by, jitter } => {
                Damage::Slow { by: by.0, jitter: jitter.map_or(Duration::ZERO, |jitter| jitter.0) }
            }
            DamageForm::Rate { bytes_per_second } if bytes_per_second % 1000 == 0 => Damage::Rate { bytes_per_second },
            DamageForm::Rate { .. } => return Err("a rate is a multiple of 1000 bytes per second".to_owned()),
            DamageForm::HalfOpen => Damage::HalfOpen,
            DamageForm::SlowClose(time) => Damage::SlowClose(time.0),
        };
        said(&FaultKind::Wire { of: self.of.wires()?, damage })
    }
}

/// The control plane dies: no fields.
#[derive(Debug, Deserialize, JsonSchema)]
struct ControlPlaneKilled;

impl Noun for ControlPlaneKilled {
    fn words(self) -> Result<String, String> {
        said(&FaultKind::ControlPlaneKilled)
    }
}

/// The service has so many instances from now on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Resized {
    /// Which service.
    service: Word,
    /// To how many.
    to: u32,
}

impl Noun for Resized {
    fn words(self) -> Result<String, String> {
        said(&FaultKind::Resized { service: self.service.into(), to: self.to })
    }
}
