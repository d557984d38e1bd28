//! Which clusters a project's runs may go to, and when.

use super::Limits;

impl Limits {
    /// Why nothing may be run on a cluster of this context, or now; `None`: it may.
    pub fn refuse(&self, context: &str, now: &jiff::Zoned) -> Option<String> {
        if let Some(limit) = self.contexts.as_ref().filter(|limit| !limit.value.iter().any(|one| matches(one, context)))
        {
            return Some(format!("the context `{context}` is none of those that may be run on: {limit}"));
        }
        self.refuse_hour(now)
    }

    /// Why nothing may be run now.
    pub fn refuse_hour(&self, now: &jiff::Zoned) -> Option<String> {
        let utc = now.with_time_zone(jiff::tz::TimeZone::UTC);
        let limit = self.hours.as_ref().filter(|limit| !limit.value.has(utc.time()))?;
        Some(format!("it is {} UTC, and nothing may be run then: {limit}", utc.strftime("%H:%M")))
    }
}

/// Whether a context is meant: by its name, or by the beginning of it.
fn matches(pattern: &str, context: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => context.starts_with(beginning),
        None => pattern == context,
    }
}

/// Whether a context sounds as if users of somebody's hung on it: those have to be spelled out.
pub fn sounds_like_production(context: &str) -> bool {
    let words = context.split(|c: char| !c.is_ascii_alphabetic()).map(str::to_ascii_lowercase);
    words.into_iter().any(|word| matches!(word.as_str(), "prod" | "prd" | "production" | "live"))
}

#[cfg(test)]
mod tests {
    use super::{super::tests::limits, *};

    #[test]
    fn a_context_and_an_hour_are_refused_with_the_line_that_refuses_them() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().to_zoned(jiff::tz::TimeZone::UTC);
        let limits = limits("contexts = [\"kind-*\", \"staging\"]\nhours = \"08:00-18:00\"");
        let noon = at("2026-11-24T12:00:00Z");
        assert_eq!(limits.refuse("kind-squall", &noon), None);
        assert_eq!(limits.refuse("staging", &noon), None);
        let told = [limits.refuse("staging-2", &noon), limits.refuse("staging", &at("2026-11-24T18:00:00Z"))];
        insta::assert_snapshot!(told.map(Option::unwrap).join("\n"), @r#"
        the context `staging-2` is none of those that may be run on: `contexts = ["kind-*", "staging"]` (squall.toml:3)
        it is 18:00 UTC, and nothing may be run then: `hours = "08:00-18:00"` (squall.toml:4)
        "#);
        assert_eq!(Limits::default().refuse("anything", &noon), None);
    }

    #[test]
    fn what_sounds_like_production_is_heard() {
        for context in ["prod", "eu-prod-1", "arn:aws:eks:eu:1:cluster/Production", "shop_live"] {
            assert!(sounds_like_production(context), "{context}");
        }
        for context in ["kind-squall", "staging", "product-catalogue", "olive", "delivery"] {
            assert!(!sounds_like_production(context), "{context}");
        }
    }
}
