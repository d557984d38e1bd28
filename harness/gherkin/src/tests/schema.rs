//! The JSON Schema says of files what their reader says.

use super::experiments::{FLAKY, NOUNS};
use serde_json::Value;

/// Why a value does not fit a schema: a small check of the keywords that ours has.
fn misfit(root: &Value, schema: &Value, value: &Value) -> Option<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let there = name.trim_start_matches('#').split('/').skip(1).fold(root, |at, key| &at[key]);
        return misfit(root, there, value);
    }
    if let Some(all) = schema["anyOf"].as_array()
        && all.iter().all(|one| misfit(root, one, value).is_some())
    {
        return Some(format!(
            "{value} fits none of {}",
            all.iter().map(|s| misfit(root, s, value).unwrap_or_default()).collect::<Vec<_>>().join("; ")
        ));
    }
    if let Some(all) = schema["oneOf"].as_array()
        && all.iter().filter(|one| misfit(root, one, value).is_none()).count() != 1
    {
        return Some(format!("{value} does not fit exactly one of {}", schema["oneOf"]));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        return Some(format!("{value} is none of {allowed:?}"));
    }
    if schema.get("const").is_some_and(|only| only != value) {
        return Some(format!("{value} is not {}", schema["const"]));
    }
    wrong_type(schema, value)
        .or_else(|| wrong_number(schema, value))
        .or_else(|| wrong_text(schema, value))
        .or_else(|| wrong_items(root, schema, value))
        .or_else(|| wrong_fields(root, schema, value))
}

fn wrong_type(schema: &Value, value: &Value) -> Option<String> {
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(some) => some.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let fits = |kind: &&str| match *kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("a type that this check does not know: {other}"),
    };
    (!types.iter().any(fits)).then(|| format!("{value} is no {types:?}"))
}

fn wrong_number(schema: &Value, value: &Value) -> Option<String> {
    let number = value.as_f64()?;
    let low = schema["minimum"].as_f64().is_some_and(|least| number < least);
    let high = schema["maximum"].as_f64().is_some_and(|most| number > most);
    let between = schema["multipleOf"].as_f64().is_some_and(|step| number % step != 0.0);
    (low || high || between).then(|| format!("{value} is out of range"))
}

fn wrong_text(schema: &Value, value: &Value) -> Option<String> {
    let pattern = regex::Regex::new(schema["pattern"].as_str()?).unwrap();
    let text = value.as_str()?;
    (!pattern.is_match(text)).then(|| format!("{text} does not match {pattern}"))
}

fn wrong_items(root: &Value, schema: &Value, value: &Value) -> Option<String> {
    let items = value.as_array()?;
    if schema["minItems"].as_u64().is_some_and(|least| (items.len() as u64) < least) {
        return Some(format!("{value} has too few items"));
    }
    let first = schema["prefixItems"].as_array().map_or(&[][..], Vec::as_slice);
    items.iter().enumerate().find_map(|(n, item)| {
        let wanted = first.get(n).or(schema.get("items"))?;
        misfit(root, wanted, item)
    })
}

fn wrong_fields(root: &Value, schema: &Value, value: &Value) -> Option<String> {
    let fields = value.as_object()?;
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if let Some(missing) = required.into_iter().find(|name| !fields.contains_key(*name)) {
        return Some(format!("{value} has no {missing}"));
    }
    fields.iter().find_map(|(name, field)| match schema["properties"].get(name) {
        Some(wanted) => misfit(root, wanted, field).map(|why| format!("{name}: {why}")),
        None if schema["additionalProperties"] == Value::Bool(false) => Some(format!("unknown field {name}")),
        None => None,
    })
}

/// A YAML text as JSON.
fn json(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

fn check(text: &str) -> Option<String> {
    let schema = crate::schema();
    misfit(&schema, &schema, &json(text))
}

#[test]
fn every_file_in_scenarios_fits() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(check(&text), None, "{}", path.display());
        count += 1;
    }
    assert!(count >= 2);
}

#[test]
fn every_noun_fits_its_list() {
    for (list, item, _) in NOUNS {
        let text = format!("feature: F\nscenarios:\n  - name: S\n    {list}:\n      - {item}\n");
        assert_eq!(check(&text), None, "{item}");
    }
}

#[test]
fn what_the_reader_refuses_does_not_fit() {
    for (from, to) in [
        ("up_to", "upto"),
        ("retries:", "retrys:"),
        ("5xx", "6xx"),
        ("5 ms", "5 lightyears"),
        ("instances: 3", "instances: 0"),
        ("name: web", "name: we b"),
        ("{with: 503}", "{with: 99}"),
        ("within: 1 s", "within: soon"),
        ("becomes", "becomed"),
        ("of: {failure: 5}", "of: {failed: 5}"),
        ("tags: [smoke]", "tag: [smoke]"),
        ("from: 500 ms", "form: 500 ms"),
        ("feature:", "featur:"),
    ] {
        let text = FLAKY.replacen(from, to, 1);
        assert_ne!(text, FLAKY, "{from}");
        assert!(check(&text).is_some(), "{from} -> {to}");
        let source = crate::Source::new("x.yaml", text);
        let read = crate::experiment_from_yaml(&source, &crate::Defaults::default(), &crate::Selection::default());
        assert!(read.is_err(), "{from} -> {to}");
    }
}

#[test]
fn it_is_of_the_draft_that_editors_know() {
    let schema = crate::schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(schema["$defs"]["Experiment"]["description"].is_string(), "fields are explained");
}
