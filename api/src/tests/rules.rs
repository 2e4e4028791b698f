//! Every rule lets in what it should and refuses what it should.

use std::collections::BTreeSet;

use super::server::{definition, refusals, schema};
use crate::cases::{Case, Guard, Verdict, all};

fn name(case: &Case) -> String {
    let Case {
        kind,
        version,
        rule,
        example,
        verdict,
        ..
    } = case;
    format!("{kind} {version} {rule} {verdict:?} {example}")
}

#[test]
fn every_case_is_decided_as_it_says() {
    let mut wrong = Vec::new();
    for case in all().unwrap() {
        let refusals = refusals(&schema(&case.kind, &case.version), &case.object, case.old.as_ref());
        let right = match (&case.verdict, case.guard) {
            (Verdict::Accept, _) | (_, Guard::Webhook) => refusals.is_empty(),
            (Verdict::Reject(message), _) => refusals.iter().any(|refusal| refusal.contains(message)),
        };
        if !right {
            wrong.push(format!("{}: {refusals:?}", name(&case)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_a_case_starts_from_is_let_in() {
    for case in all().unwrap() {
        if let Some(old) = &case.old {
            let refusals = refusals(&schema(&case.kind, &case.version), old, None);
            assert!(refusals.is_empty(), "{}: {refusals:?}", name(&case));
        }
    }
}

#[test]
fn every_cel_rule_has_a_case_that_it_refuses() {
    let cases = all().unwrap();
    for kind in ["RAGEngine", "Workspace", "InferenceSet"] {
        for version in definition(kind).spec.versions {
            let schema = schema(kind, &version.name);
            let mut rules = Vec::new();
            collect(&schema, "", &mut rules);
            let refused: Vec<_> = cases
                .iter()
                .filter(|case| {
                    (case.kind.as_str(), case.version.as_str()) == (kind, version.name.as_str())
                        && case.guard == Guard::Cel
                        && case.verdict != Verdict::Accept
                })
                .flat_map(|case| refusals(&schema, &case.object, case.old.as_ref()))
                .collect();
            for (path, message) in rules {
                let seen = refused.iter().any(|refusal| {
                    let (at, said) = refusal.split_once(": ").unwrap();
                    said == message && without_indexes(at) == path
                });
                assert!(seen, "{kind} {} {path}: no case for {message:?}", version.name);
            }
        }
    }
}

fn without_indexes(path: &str) -> String {
    regex::Regex::new(r"\[\d+\]")
        .unwrap()
        .replace_all(path, "[]")
        .into_owned()
}

fn collect(schema: &serde_json::Value, path: &str, rules: &mut Vec<(String, String)>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        rules.push((path.to_owned(), rule["message"].as_str().unwrap().to_owned()));
    }
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        collect(inner, &path, rules);
    }
    if schema["items"].is_object() {
        collect(&schema["items"], &format!("{path}[]"), rules);
    }
}

#[test]
fn names_of_rules_are_unique() {
    let mut seen = BTreeSet::new();
    for case in all().unwrap() {
        assert!(seen.insert(name(&case)), "{} is there twice", name(&case));
    }
}

#[test]
fn an_old_object_that_breaks_a_rule_of_creation_can_be_changed() {
    let old = serde_json::json!({
        "apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "metadata": {"name": "my.ws"},
        "resource": {"labelSelector": {}},
    });
    let mut new = old.clone();
    new["resource"]["preferredNodes"] = serde_json::json!(["n1"]);
    assert_eq!(
        refusals(&schema("Workspace", "v1beta1"), &new, Some(&old)),
        Vec::<String>::new()
    );
}
