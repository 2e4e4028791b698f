//! From what the derives make to what an API server should get.

use serde_json::{Map, Value, json};

/// Formats that the API server knows. Others, such as `double`, are only noise to it.
const FORMATS: [&str; 4] = ["int32", "int64", "date-time", "byte"];

/// Makes a schema what a Go program would have written:
///
/// * nothing is nullable: a null means that the field is missing, so the API server removes it;
/// * formats that it does not know are left out;
/// * a description's lines are joined, since `kubectl explain` wraps them itself.
pub(super) fn tidy(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    object.remove("nullable");
    object.remove("title");
    if object
        .get("format")
        .and_then(Value::as_str)
        .is_some_and(|format| !FORMATS.contains(&format))
    {
        object.remove("format");
    }
    if object.get("default").is_some_and(Value::is_null) {
        object.remove("default");
    }
    if let Some(Value::String(description)) = object.get_mut("description") {
        *description = joined(description);
    }
    for key in ["properties", "patternProperties"] {
        if let Some(properties) = object.get_mut(key).and_then(Value::as_object_mut) {
            properties.values_mut().for_each(tidy);
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = object.get_mut(key) {
            tidy(inner);
        }
    }
}

/// Lines of a paragraph become one line; paragraphs stay apart.
fn joined(description: &str) -> String {
    description
        .split("\n\n")
        .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// Adds what every object has, as KAITO's files do.
pub(super) fn complete_root(schema: &mut Value) {
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    let mut complete = Map::new();
    complete.insert(
        "apiVersion".to_owned(),
        json!({"type": "string", "description": "Group and version of the object, such as kaito.sh/v1beta1."}),
    );
    complete.insert(
        "kind".to_owned(),
        json!({"type": "string", "description": "Kind of the object."}),
    );
    complete.insert("metadata".to_owned(), json!({"type": "object"}));
    complete.append(properties);
    *properties = complete;
}
