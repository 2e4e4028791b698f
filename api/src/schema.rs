//! Schemas that a derive cannot say: Kubernetes' own types with the bounds that the API server needs to estimate what a
//! rule costs, and objects that are kept whatever is in them.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// Longest image reference that is accepted: a name of 255, a tag of 128 and a digest of SHA-512 fit.
pub(crate) const IMAGE: u32 = 544;
/// Longest URL or file path that is accepted.
pub(crate) const LONG_TEXT: u32 = 2048;
/// Longest name of a Kubernetes object.
pub(crate) const OBJECT_NAME: u32 = 253;

/// A docker image reference: optional registry with port, path in lower case, optional tag, optional digest. The
/// grammar is that of github.com/distribution/reference, so short names such as `busybox` are fine.
pub(crate) const IMAGE_REFERENCE: &str = concat!(
    r"^(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:[.][a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*",
    r"|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?/)?",
    r"[a-z0-9]+(?:(?:[.]|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[.]|_|__|-+)[a-z0-9]+)*)*",
    r"(?::[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127})?",
    r"(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,128})?$",
);

/// The rule that a string is empty or an image reference.
pub(crate) fn image_rule() -> String {
    format!("self == '' || self.matches('{IMAGE_REFERENCE}')")
}

/// What `self` must be to be an http or https URL with a host, or empty.
pub(crate) const HTTP_URL: &str = "self == '' || isURL(self) && self.matches('^[hH][tT][tT][pP][sS]?://[^/?#:]')";

/// An object that the API server stores as it comes, without looking inside.
pub(crate) fn raw_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// A label selector, bounded, and replaced as a whole when applied.
pub(crate) fn label_selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "matchLabels": {
                "description": "Labels that a node must have, with exactly these values.",
                "type": "object",
                "maxProperties": 64,
                "additionalProperties": {"type": "string", "maxLength": 63},
            },
            "matchExpressions": {
                "description": "Conditions in Kubernetes' longer form. Only operator In with one value is understood: \
                                it means the same as an entry of matchLabels.",
                "type": "array",
                "maxItems": 64,
                "items": {
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": {"description": "Name of the label.", "type": "string", "maxLength": 317},
                        "operator": {
                            "description": "How the label is compared. Must be In.", "type": "string", "maxLength": 16,
                        },
                        "values": {
                            "description": "Values of which the label must have one. Must be exactly one.",
                            "type": "array",
                            "maxItems": 64,
                            "items": {"type": "string", "maxLength": 63},
                        },
                    },
                },
            },
        },
    })
}

/// Labels and annotations of what is made from a template. Other metadata are let in, since tools write some.
pub(crate) fn template_metadata(_: &mut SchemaGenerator) -> Schema {
    let texts = |description: &str| {
        json!({
            "description": description, "type": "object", "maxProperties": 64, "additionalProperties": {"type": "string"},
        })
    };
    json_schema!({
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": true,
        "properties": {
            "labels": texts("Labels."),
            "annotations": texts("Annotations, also those that change how a Workspace runs, such as kaito.sh/runtime."),
        },
    })
}

/// A number of at least 1, or a share such as 25%.
pub(crate) fn count_or_share(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-int-or-string": true,
        "minimum": 1,
        "pattern": "^(100|[1-9][0-9]?)%$",
    })
}

/// The schema of `T` without the rules that compare with what was before: for a template, of which something new can be
/// made when it changes.
pub(crate) fn changeable<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    fn forget(value: &mut Value) {
        match value {
            Value::Object(members) => {
                if let Some(Value::Array(rules)) = members.get_mut("x-kubernetes-validations") {
                    let compares = |rule: &Value| rule["rule"].as_str().is_some_and(|rule| rule.contains("oldSelf"));
                    rules.retain(|rule| !compares(rule));
                    if rules.is_empty() {
                        members.remove("x-kubernetes-validations");
                    }
                }
                members.values_mut().for_each(forget);
            }
            Value::Array(values) => values.iter_mut().for_each(forget),
            _ => {}
        }
    }
    let mut schema = T::json_schema(generator).to_value();
    forget(&mut schema);
    Schema::try_from(schema).expect("a schema stays one")
}

/// Kubernetes' conditions, one of a type.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "type": {
                    "description": "What the condition is about, in CamelCase.",
                    "type": "string",
                    "maxLength": 316,
                    "pattern": "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
                },
                "status": {
                    "description": "Whether it holds.", "type": "string", "enum": ["True", "False", "Unknown"],
                },
                "reason": {
                    "description": "Why, as one word in CamelCase for programs.",
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                },
                "message": {
                    "description": "Why, in words for people.", "type": "string", "maxLength": 32768,
                },
                "observedGeneration": {
                    "description": "The metadata.generation that was looked at. An older one than the object's means \
                                    that the condition is out of date.",
                    "type": "integer",
                    "format": "int64",
                    "minimum": 0,
                },
                "lastTransitionTime": {
                    "description": "When the status last became another one.",
                    "type": "string",
                    "format": "date-time",
                },
            },
        },
    })
}

/// Amounts of resources by name, such as `cpu: 500m` or `memory: 2Gi`.
pub(crate) fn quantities(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "additionalProperties": {
            "x-kubernetes-int-or-string": true,
            "pattern": "^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$",
        },
    })
}
