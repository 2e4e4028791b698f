//! What one version cannot say, in an annotation of the object.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Places of an object that may differ between versions. Nothing else is ever put back, so that an annotation made by
/// hand cannot change, say, who owns an object.
const PLACES: [&str; 5] = ["spec", "status", "resource", "inference", "tuning"];

/// What one version cannot say: values by place.
#[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(transparent)]
pub(super) struct Baggage(Vec<Item>);

/// One value, and what stands in its place where it cannot be said.
#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Item {
    /// JSON pointer to the place.
    path: String,
    /// What stands there without the baggage; `None` for nothing.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    instead: Option<Value>,
    /// What should stand there; `None` for nothing.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
}

/// A null is a value; only a missing member is `None`.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Baggage {
    /// What must be done to `from` to make `to` of it, in the places that may differ.
    pub(super) fn difference(from: &Value, to: &Value) -> Self {
        let mut items = Vec::new();
        for place in PLACES {
            compare(&format!("/{place}"), from.get(place), to.get(place), &mut items);
        }
        let (from, to) = (annotations(from), annotations(to));
        for name in reserved() {
            let path = format!("/metadata/annotations/{}", escape(name));
            compare(
                &path,
                from.and_then(|all| all.get(name)),
                to.and_then(|all| all.get(name)),
                &mut items,
            );
        }
        Self(items)
    }

    /// Takes the baggage out of `object`'s annotation. What is there but is no baggage is left where it is.
    pub(super) fn unpack(object: &mut Value, annotation: &str) -> Self {
        let baggage = annotations(object)
            .and_then(|all| all.get(annotation))
            .and_then(Value::as_str)
            .and_then(|text| serde_json::from_str::<Self>(text).ok())
            .filter(|baggage| !baggage.0.is_empty() && baggage.0.iter().all(Item::is_ours));
        let Some(baggage) = baggage else {
            return Self::default();
        };
        remove_annotation(object, annotation);
        baggage
    }

    /// Puts the baggage, if there is any, into an annotation of `object`.
    pub(super) fn pack(&self, object: &mut Value, annotation: &str) {
        if self.0.is_empty() {
            return;
        }
        let Some(object) = object.as_object_mut() else {
            return;
        };
        let text = serde_json::to_string(self).expect("JSON values are JSON");
        let metadata = object_member(object, "metadata");
        object_member(metadata, "annotations").insert(annotation.to_owned(), Value::from(text));
    }

    /// Puts values back. One whose place has changed, or whose surroundings are gone, is left behind.
    pub(super) fn restore(self, object: &mut Value) {
        for item in self.0 {
            item.restore(object);
        }
    }
}

impl Item {
    fn is_ours(&self) -> bool {
        let mut segments = self.path.split('/').skip(1);
        match segments.next() {
            Some("metadata") => reserved().any(|name| self.path == format!("/metadata/annotations/{}", escape(name))),
            Some(place) => PLACES.contains(&place),
            None => false,
        }
    }

    fn restore(self, object: &mut Value) {
        let Some((parent, member)) = self.path.rsplit_once('/') else {
            return;
        };
        if parent == "/metadata/annotations"
            && let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut)
        {
            object_member(metadata, "annotations");
        }
        let Some(parent) = object.pointer_mut(parent).and_then(Value::as_object_mut) else {
            return;
        };
        let member = unescape(member);
        if parent.get(&member) != self.instead.as_ref() {
            return;
        }
        match self.value {
            Some(value) => parent.insert(member, value),
            None => parent.remove(&member),
        };
    }
}

/// Removes an annotation, and the annotations if it was the last one.
pub(super) fn remove_annotation(object: &mut Value, name: &str) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) else {
        return;
    };
    if annotations.remove(name).is_some() && annotations.is_empty() {
        metadata.remove("annotations");
    }
}

/// The member `name`, which is made an object if it is none.
fn object_member<'a>(object: &'a mut Map<String, Value>, name: &str) -> &'a mut Map<String, Value> {
    let value = object.entry(name).or_insert(Value::Null);
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("it was made an object")
}

fn annotations(object: &Value) -> Option<&Map<String, Value>> {
    object.pointer("/metadata/annotations").and_then(Value::as_object)
}

fn reserved() -> impl Iterator<Item = &'static str> {
    [
        crate::names::annotations::V1ALPHA1_FIELDS,
        crate::names::annotations::V1BETA1_FIELDS,
    ]
    .into_iter()
}

fn compare(path: &str, from: Option<&Value>, to: Option<&Value>, items: &mut Vec<Item>) {
    if let (Some(Value::Object(from)), Some(Value::Object(to))) = (from, to) {
        let names = from.keys().chain(to.keys().filter(|name| !from.contains_key(*name)));
        for name in names {
            compare(&format!("{path}/{}", escape(name)), from.get(name), to.get(name), items);
        }
    } else if from != to {
        items.push(Item {
            path: path.to_owned(),
            instead: from.cloned(),
            value: to.cloned(),
        });
    }
}

/// A member's name as a segment of a JSON pointer (RFC 6901).
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unescape(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}
