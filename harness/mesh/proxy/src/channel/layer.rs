//! The values of a runtime layer.

use envoy_types::pb::google::protobuf::{Struct, Value, value::Kind};
use squall_model::Fraction;
use std::collections::{BTreeMap, HashMap};

/// Runtime keys with their values.
pub type Layer = BTreeMap<String, RuntimeValue>;

/// One runtime value. There are no doubles: where a share is expected, Envoy reads `0.5` as 0 %, silently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuntimeValue {
    /// A share, sent as a `envoy.type.v3.FractionalPercent` of a million. An integer would mean per cent, whatever the
    /// denominator of the filter that reads it.
    Fraction(Fraction),
    /// A status, a number of milliseconds, an epoch.
    Integer(u32),
    /// On or off (`RuntimeFeatureFlag`).
    Flag(bool),
}

impl RuntimeValue {
    /// Whether `/runtime` shows this value as `text`.
    ///
    /// Envoy shows numbers with six digits, and messages as debug text with blanks at random.
    #[must_use]
    pub fn is_shown_as(self, text: &str) -> bool {
        match self {
            RuntimeValue::Fraction(share) => {
                let dense: String = text.chars().filter(|c| !c.is_whitespace()).collect();
                let numerator = format!("key:\"numerator\"value{{number_value:{}}}", share.ppm());
                dense.contains(&numerator) && dense.contains("key:\"denominator\"value{string_value:\"MILLION\"}")
            }
            RuntimeValue::Integer(number) => {
                let exact = f64::from(number);
                text.parse::<f64>().is_ok_and(|shown| (shown - exact).abs() <= exact * 5e-6)
            }
            RuntimeValue::Flag(on) => text == if on { "true" } else { "false" },
        }
    }

    fn wire(self) -> Value {
        let kind = match self {
            RuntimeValue::Fraction(share) => Kind::StructValue(Struct {
                fields: HashMap::from([
                    ("numerator".into(), number(share.ppm())),
                    ("denominator".into(), Value { kind: Some(Kind::StringValue("MILLION".into())) }),
                ]),
            }),
            RuntimeValue::Integer(value) => return number(value),
            RuntimeValue::Flag(on) => Kind::BoolValue(on),
        };
        Value { kind: Some(kind) }
    }
}

/// The layer as `envoy.service.runtime.v3.Runtime` carries it.
pub(super) fn wire(layer: &Layer) -> Struct {
    Struct { fields: layer.iter().map(|(key, value)| (key.clone(), value.wire())).collect() }
}

fn number(value: u32) -> Value {
    Value { kind: Some(Kind::NumberValue(value.into())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_share_is_a_fractional_percent_and_never_a_number() {
        let Some(Kind::StructValue(share)) = RuntimeValue::Fraction(Fraction::percent(30)).wire().kind else {
            panic!("a struct");
        };
        assert_eq!(share.fields["numerator"].kind, Some(Kind::NumberValue(300_000.0)));
        assert_eq!(share.fields["denominator"].kind, Some(Kind::StringValue("MILLION".into())));
        assert_eq!(share.fields.len(), 2);
    }

    #[test]
    fn what_runtime_shows() {
        let share = RuntimeValue::Fraction(Fraction::percent(30));
        let shown = "goo.gle/debugonly  \nfields {\n  key:  \"denominator\"\n  value {\n    string_value: \"MILLION\"\n  }\n}\n\
                     fields {\n  key: \"numerator\"\n  value {\n    number_value: 300000\n  }\n}\n";
        assert!(share.is_shown_as(shown));
        assert!(!share.is_shown_as(&shown.replace("300000", "3000001")));
        assert!(!share.is_shown_as(&shown.replace("300000", "30000")));
        assert!(!share.is_shown_as(&shown.replace("MILLION", "HUNDRED")));
        assert!(!share.is_shown_as("30"));
        assert!(RuntimeValue::Integer(1_234_567).is_shown_as("1.23457e+06"));
        assert!(!RuntimeValue::Integer(7).is_shown_as("8") && !RuntimeValue::Integer(0).is_shown_as(""));
        assert!(RuntimeValue::Flag(true).is_shown_as("true") && !RuntimeValue::Flag(false).is_shown_as("true"));
    }

    proptest! {
        #[test]
        fn small_integers_are_told_apart(a in 0u32..100_000, b in 0u32..100_000) {
            prop_assert_eq!(RuntimeValue::Integer(a).is_shown_as(&b.to_string()), a == b);
        }
    }
}
