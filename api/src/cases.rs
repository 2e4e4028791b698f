//! Objects that show each rule at work: what is let in and what is refused, with which message. The files are in
//! `api/cases`; the unit tests evaluate them as far as that is possible without an API server, and the cluster suite
//! asks a real one.

mod embedded;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

const FILES: [&str; 3] = [
    include_str!("../cases/inference_set.yaml"),
    include_str!("../cases/ragengine.yaml"),
    include_str!("../cases/workspace.yaml"),
];

/// Who refuses an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Guard {
    /// The schema: types, required members, enumerations, bounds.
    Schema,
    /// A rule in CEL.
    Cel,
    /// The admission webhook, in a controller that runs with the chart's defaults.
    Webhook,
}

/// What should happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The object is let in.
    Accept,
    /// It is refused, and the answer contains this.
    Reject(String),
}

/// One object and what should happen to it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The rule that it shows; with kind and version unique but for the number of examples.
    pub rule: String,
    /// Which of the rule's accepted or refused examples this is, from 0.
    pub example: usize,
    /// Who refuses.
    pub guard: Guard,
    /// `RAGEngine`, `Workspace` or `InferenceSet`.
    pub kind: String,
    /// `v1alpha1` or `v1beta1`.
    pub version: String,
    /// The object before the change; `None` for a creation.
    pub old: Option<Value>,
    /// The object, complete but for a namespace.
    pub object: Value,
    /// What should happen.
    pub verdict: Verdict,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    kind: String,
    bases: BTreeMap<String, Value>,
    cases: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    rule: String,
    by: Guard,
    #[serde(default = "both")]
    versions: Vec<String>,
    message: String,
    #[serde(default = "engine")]
    base: String,
    old: Option<Value>,
    accept: Vec<Value>,
    reject: Vec<Value>,
}

fn both() -> Vec<String> {
    vec!["v1alpha1".to_owned(), "v1beta1".to_owned()]
}

fn engine() -> String {
    "engine".to_owned()
}

/// All cases, in the order of the files, and those that follow from them.
///
/// # Errors
///
/// A file is not YAML of the expected form, or names a base that it does not have.
pub fn all() -> Result<Vec<Case>, String> {
    let mut cases = Vec::new();
    for text in FILES {
        let file: File = serde_yaml_ng::from_str(text).map_err(|error| error.to_string())?;
        for entry in &file.cases {
            let base = file
                .bases
                .get(&entry.base)
                .ok_or_else(|| format!("{}: there is no base {:?}", entry.rule, entry.base))?;
            for version in &entry.versions {
                cases.extend(entry.cases(&file.kind, version, base));
            }
        }
    }
    let embedded: Vec<_> = cases.iter().flat_map(embedded::of).collect();
    cases.extend(embedded);
    Ok(cases)
}

impl Entry {
    fn cases(&self, kind: &str, version: &str, base: &Value) -> Vec<Case> {
        let mut start = json!({
            "apiVersion": format!("kaito.sh/{version}"),
            "kind": kind,
            "metadata": {"name": "case"},
        });
        merge(&mut start, base);
        let old = self.old.as_ref().map(|patch| {
            let mut old = start.clone();
            merge(&mut old, patch);
            old
        });
        let start = old.clone().unwrap_or(start);
        let accepted = self.accept.iter().map(|patch| (patch, Verdict::Accept)).enumerate();
        let rejected = self
            .reject
            .iter()
            .map(|patch| (patch, Verdict::Reject(self.message.clone())))
            .enumerate();
        accepted
            .chain(rejected)
            .map(|(example, (patch, verdict))| {
                let mut object = start.clone();
                merge(&mut object, patch);
                Case {
                    rule: self.rule.clone(),
                    example,
                    guard: self.by,
                    kind: kind.to_owned(),
                    version: version.to_owned(),
                    old: old.clone(),
                    object,
                    verdict,
                }
            })
            .collect()
    }
}

/// JSON merge patch (RFC 7386).
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    if let Some(target) = target.as_object_mut() {
        for (name, value) in patch {
            if value.is_null() {
                target.remove(name);
            } else {
                merge(target.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
    }
}
