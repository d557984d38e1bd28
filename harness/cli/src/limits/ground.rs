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
    use super::{
        super::tests::{CALLS, limits, plan},
        *,
    };
    use crate::{
        args::ConfigArgs,
        cluster::runner,
        outcome::Exit,
        settings::{FILE, Settings},
    };
    use serde::Deserialize as _;
    use serde_json::{Value, json};
    use std::{collections::BTreeMap, path::Path};

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

    /// A pod has no kubeconfig, and so no context by the names that people have for theirs.
    #[test]
    fn the_nightly_recipe_may_run_in_its_pod_and_nowhere_else() {
        let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kind-config/nightly.yaml");
        let text = std::fs::read_to_string(recipe).unwrap();
        let objects = serde_yaml::Deserializer::from_str(&text).map(|one| Value::deserialize(one).unwrap());
        let objects: BTreeMap<String, Value> =
            objects.map(|one| (one["kind"].as_str().unwrap().to_owned(), one)).collect();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), objects["ConfigMap"]["data"][FILE].as_str().unwrap()).unwrap();
        let ours = Settings::read(folder.path()).unwrap().kubernetes;
        assert_eq!(ours.context(None), None);
        for hour in 0..24 {
            let now = format!("2026-11-24T{hour:02}:00:00Z").parse::<jiff::Timestamp>().unwrap();
            assert_eq!(ours.limits.refuse("in-cluster", &now.to_zoned(jiff::tz::TimeZone::UTC)), None);
        }
        assert!(ours.limits.refuse("kind-squall", &jiff::Zoned::now()).is_some());
        // It works where these settings are, and ends in order: runner, namespace.
        let pod = &objects["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        let is_there = |mount: &&Value| mount["mountPath"] == container["workingDir"];
        let mount = container["volumeMounts"].as_array().unwrap().iter().find(is_there).unwrap();
        let volume = pod["volumes"].as_array().unwrap().iter().find(|volume| volume["name"] == mount["name"]).unwrap();
        assert_eq!(volume["configMap"]["name"], objects["ConfigMap"]["metadata"]["name"]);
        assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() > 30 + 90);
    }

    /// Whatever the one who started it has let through: the plans are looked at where they are run, and the hour when they are.
    #[test]
    fn the_runner_looks_at_limits_once_more() {
        let refused = |lines: &str| {
            let job = json!({
                "work": {
                    "plans": [plan(CALLS)], "controls": false, "seed": 1, "run": "r", "early_stop": true, "folder": "/nonexistent",
                },
                "mesh_version": "istio", "namespace": "squall-r", "image": "squall", "istiod": "istiod:15012",
                "limits": limits(lines), "labels": {}, "lease": {"secs": 15, "nanos": 0},
            });
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), job.to_string()).unwrap();
            let failure = runner(&ConfigArgs { config: file.path().to_owned() }).unwrap_err();
            assert_eq!(failure.exit(), Exit::Usage, "{failure}");
            failure.to_string()
        };
        assert!(refused("rate = 99").contains("`rate = 99` (squall.toml:3)"));
        // No minute of the day.
        assert!(refused("hours = \"08:00-08:00\"").contains("nothing may be run then"));
    }
}
