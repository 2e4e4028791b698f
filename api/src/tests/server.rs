//! What an API server does with an object, as far as that is possible without one: defaults, the schema, rules in CEL.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube_cel::Validator;
use regex::Regex;
use serde_json::Value;

use crate::crds;

/// The definition of a kind.
pub(super) fn definition(kind: &str) -> CustomResourceDefinition {
    match kind {
        "RAGEngine" => crds::ragengine(),
        "Workspace" => crds::workspace(),
        "InferenceSet" => crds::inference_set(),
        other => panic!("there is no kind {other}"),
    }
}

/// The schema of one version of a kind.
pub(super) fn schema(kind: &str, version: &str) -> Value {
    let definition = definition(kind);
    let version = definition.spec.versions.iter().find(|one| one.name == version);
    let schema = version.and_then(|version| version.schema.as_ref());
    serde_json::to_value(schema.unwrap().open_api_v3_schema.as_ref().unwrap()).unwrap()
}

/// Messages with which `object` is refused; none if it is let in.
pub(super) fn refusals(schema: &Value, object: &Value, old: Option<&Value>) -> Vec<String> {
    let schema = evaluable(schema);
    let mut object = object.clone();
    // The server knows metadata without the schema, and takes nulls out first.
    remove_nulls(&mut object);
    let object = kube_cel::apply_defaults(&schema, &object);
    let mut errors = Vec::new();
    check(&schema, &object, "", &mut errors);
    if !errors.is_empty() {
        return errors;
    }
    let old = old.map(|old| kube_cel::apply_defaults(&schema, old));
    match Validator::new().validate(&schema, &object, old.as_ref()) {
        Ok(()) => Vec::new(),
        Err(errors) => errors
            .iter()
            .map(|error| format!("{}: {}", error.field_path, error.message))
            .collect(),
    }
}

/// kube-cel has no optional values: with `optionalOldSelf` it says null for "no old object".
fn evaluable(schema: &Value) -> Value {
    let text = schema.to_string().replace("oldSelf.hasValue()", "(oldSelf != null)");
    serde_json::from_str(&text).unwrap()
}

fn remove_nulls(value: &mut Value) {
    if let Some(object) = value.as_object_mut() {
        object.retain(|_, value| !value.is_null());
        object.values_mut().for_each(remove_nulls);
    }
}

/// The part of a structural schema that our definitions use. Unknown fields are errors, as with strict validation.
fn check(schema: &Value, value: &Value, path: &str, errors: &mut Vec<String>) {
    let mut refuse = |why: &str| errors.push(format!("{}: {why}", path.trim_start_matches('.')));
    if schema["x-kubernetes-int-or-string"] == true {
        if !value.is_i64() && !value.is_string() {
            refuse("must be an integer or a string");
        }
    } else {
        let right = match schema["type"].as_str() {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("integer") => value.is_i64(),
            Some("number") => value.is_number(),
            Some("boolean") => value.is_boolean(),
            other => panic!("{path} has type {other:?}"),
        };
        if !right {
            return refuse("has the wrong type");
        }
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        refuse("is not one of the supported values");
    }
    let bound = |name: &str| schema[name].as_f64();
    let size = match value {
        Value::String(text) => Some(("Length", text.chars().count())),
        Value::Array(items) => Some(("Items", items.len())),
        Value::Object(members) => Some(("Properties", members.len())),
        Value::Number(_) => {
            let number = value.as_f64().unwrap();
            if bound("minimum").is_some_and(|least| number < least)
                || bound("maximum").is_some_and(|most| number > most)
            {
                refuse("is out of bounds");
            }
            None
        }
        _ => None,
    };
    if let Some((unit, size)) = size {
        let limit = |name: &str| {
            schema[format!("{name}{unit}")]
                .as_u64()
                .map(|limit| usize::try_from(limit).unwrap())
        };
        if limit("max").is_some_and(|most| size > most) || limit("min").is_some_and(|least| size < least) {
            refuse("has the wrong size");
        }
    }
    if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str())
        && !Regex::new(pattern).unwrap().is_match(text)
    {
        refuse("has the wrong form");
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        if value.get(name).is_none() {
            errors.push(format!(
                "{}: is required",
                format!("{path}.{name}").trim_start_matches('.')
            ));
        }
    }
    check_inside(schema, value, path, errors);
}

fn check_inside(schema: &Value, value: &Value, path: &str, errors: &mut Vec<String>) {
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        check(&schema["items"], item, &format!("{path}[{index}]"), errors);
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        if path == ".metadata" {
            continue;
        }
        match (&schema["properties"][name], &schema["additionalProperties"]) {
            (Value::Null, Value::Null) if schema["x-kubernetes-preserve-unknown-fields"] == true => {}
            (Value::Null, Value::Null) => errors.push(format!("{}: unknown field", path.trim_start_matches('.'))),
            (Value::Null, inner) | (inner, _) => check(inner, member, &path, errors),
        }
    }
}
