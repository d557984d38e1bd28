//! What all of Istio's objects have in common.

use serde::Serialize;
use serde_json::{Value, json};

/// One object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Object {
    /// What it is: `VirtualService`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Its labels, where it has any.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub labels: Value,
    /// What it says.
    pub spec: Value,
}

impl Object {
    pub(super) fn new(kind: &'static str, name: impl Into<String>, spec: Value) -> Object {
        Object { kind, name: name.into(), labels: Value::Null, spec }
    }

    /// As the API knows it, in this namespace.
    #[must_use]
    pub fn json(&self, namespace: &str) -> Value {
        let version = match self.kind {
            "EnvoyFilter" => "networking.istio.io/v1alpha3",
            "PeerAuthentication" => "security.istio.io/v1",
            _ => "networking.istio.io/v1",
        };
        let mut metadata = json!({"name": self.name, "namespace": namespace});
        if !self.labels.is_null() {
            metadata["labels"] = self.labels.clone();
        }
        json!({
            "apiVersion": version,
            "kind": self.kind,
            "metadata": metadata,
            "spec": self.spec,
        })
    }
}

/// A duration as protobuf's JSON has it: seconds, with as many digits as it takes.
pub(super) fn seconds(time: std::time::Duration) -> String {
    let nanos = format!("{:09}", time.subsec_nanos());
    let digits = nanos.trim_end_matches('0');
    match digits {
        "" => format!("{}s", time.as_secs()),
        digits => format!("{}.{digits}s", time.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn durations() {
        for (millis, text) in [(0, "0s"), (1_500, "1.5s"), (50, "0.05s"), (60_000, "60s")] {
            assert_eq!(seconds(Duration::from_millis(millis)), text);
        }
    }
}
