//! The environment of a container, from its specification and the objects that it refers to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Container, EnvFromSource, EnvVarSource, Pod};

use super::objects::{Complaint, Kind, Objects, Reference};

/// What is known of a pod besides its object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The pod's address as Kubernetes knows it.
    pub(super) pod_ip: IpAddr,
    /// The address that the pod's programs listen on.
    pub(super) address: IpAddr,
    /// The node's address.
    pub(super) host_ip: IpAddr,
}

pub(super) type Environment = BTreeMap<String, String>;

/// The Secrets and ConfigMaps that a container's environment refers to.
pub(super) fn references(container: &Container) -> BTreeSet<Reference> {
    let whole = container.env_from.iter().flatten().filter_map(source_of_all);
    let whole = whole.map(|(kind, name, _)| (kind, name.to_owned()));
    let sources = container.env.iter().flatten();
    let single = sources.filter_map(|variable| variable.value_from.as_ref().and_then(source_of_one));
    whole
        .chain(single.map(|source| (source.kind, source.name.to_owned())))
        .collect()
}

/// Names and values, as a kubelet would give them to the container.
///
/// # Errors
/// What is missing, in a kubelet's words.
pub(super) fn resolve(
    container: &Container,
    pod: &Pod,
    place: &Place,
    objects: &Objects,
) -> Result<Environment, Complaint> {
    let mut environment = Environment::new();
    for source in container.env_from.iter().flatten() {
        let prefix = source.prefix.as_deref().unwrap_or_default();
        let Some((kind, name, optional)) = source_of_all(source) else {
            continue;
        };
        for (key, value) in objects.data(kind, name, optional)?.into_iter().flatten() {
            environment.insert(format!("{prefix}{key}"), text(value));
        }
    }
    for variable in container.env.iter().flatten() {
        let value = match &variable.value_from {
            None => Some(expand(variable.value.as_deref().unwrap_or_default(), &environment)),
            Some(source) => from_source(source, pod, place, objects)?,
        };
        if let Some(value) = value {
            environment.insert(variable.name.clone(), value);
        }
    }
    Ok(environment)
}

/// Replaces `$(NAME)` by the variable's value if there is one, and `$$` by `$`.
pub(super) fn expand(text: &str, environment: &Environment) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = after;
            continue;
        }
        let reference = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        match reference.and_then(|(name, after)| Some((environment.get(name)?, after))) {
            Some((value, after)) => {
                expanded.push_str(value);
                rest = after;
            }
            None => expanded.push('$'),
        }
    }
    expanded + rest
}

struct KeySource<'a> {
    kind: Kind,
    name: &'a str,
    key: &'a str,
    optional: bool,
}

fn source_of_one(source: &EnvVarSource) -> Option<KeySource<'_>> {
    let secret = source.secret_key_ref.as_ref().map(|secret| KeySource {
        kind: Kind::Secret,
        name: &secret.name,
        key: &secret.key,
        optional: secret.optional.unwrap_or_default(),
    });
    secret.or_else(|| {
        let config_map = source.config_map_key_ref.as_ref()?;
        Some(KeySource {
            kind: Kind::ConfigMap,
            name: &config_map.name,
            key: &config_map.key,
            optional: config_map.optional.unwrap_or_default(),
        })
    })
}

fn source_of_all(source: &EnvFromSource) -> Option<(Kind, &str, bool)> {
    let secret = source.secret_ref.as_ref();
    let secret = secret.map(|secret| (Kind::Secret, secret.name.as_str(), secret.optional.unwrap_or_default()));
    secret.or_else(|| {
        let config_map = source.config_map_ref.as_ref()?;
        let optional = config_map.optional.unwrap_or_default();
        Some((Kind::ConfigMap, config_map.name.as_str(), optional))
    })
}

fn from_source(
    source: &EnvVarSource,
    pod: &Pod,
    place: &Place,
    objects: &Objects,
) -> Result<Option<String>, Complaint> {
    if let Some(KeySource {
        kind,
        name,
        key,
        optional,
    }) = source_of_one(source)
    {
        let value = objects.data(kind, name, optional)?.and_then(|data| data.get(key));
        if value.is_none() && !optional {
            let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
            return Err(format!("couldn't find key {key} in {kind} {namespace}/{name}"));
        }
        return Ok(value.map(|value| text(value)));
    }
    match &source.field_ref {
        Some(reference) => field(&reference.field_path, pod, place).map(Some),
        None => Err("the kubelet of the tests knows no such source of a variable".to_owned()),
    }
}

fn field(path: &str, pod: &Pod, place: &Place) -> Result<String, Complaint> {
    let metadata = &pod.metadata;
    let spec = pod.spec.as_ref();
    let value = match path {
        "metadata.name" => metadata.name.clone(),
        "metadata.namespace" => metadata.namespace.clone(),
        "metadata.uid" => metadata.uid.clone(),
        "spec.nodeName" => spec.and_then(|spec| spec.node_name.clone()),
        "spec.serviceAccountName" => spec.and_then(|spec| spec.service_account_name.clone()),
        "status.podIP" | "status.podIPs" => Some(place.pod_ip.to_string()),
        "status.hostIP" | "status.hostIPs" => Some(place.host_ip.to_string()),
        _ => {
            let of = |start, map: &Option<BTreeMap<String, String>>| {
                let key = path.strip_prefix(start)?.strip_suffix("']")?;
                Some(map.as_ref().and_then(|map| map.get(key)).cloned().unwrap_or_default())
            };
            return of("metadata.labels['", &metadata.labels)
                .or_else(|| of("metadata.annotations['", &metadata.annotations))
                .ok_or_else(|| format!("unsupported fieldPath: {path}"));
        }
    };
    Ok(value.unwrap_or_default())
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use serde_json::{Value, json};

    use super::super::objects::Data;
    use super::*;

    fn resolved(container: Value, objects: &Objects) -> Result<Environment, Complaint> {
        let pod = json!({
            "metadata": {"name": "rag-1", "namespace": "team", "uid": "u", "labels": {"app": "rag"}},
            "spec": {"nodeName": "node-1", "containers": []},
        });
        let place = Place {
            pod_ip: Ipv4Addr::new(10, 244, 0, 7).into(),
            address: Ipv4Addr::new(127, 1, 2, 3).into(),
            host_ip: Ipv4Addr::new(10, 0, 0, 1).into(),
        };
        let container = serde_json::from_value(container).unwrap();
        resolve(&container, &serde_json::from_value(pod).unwrap(), &place, objects)
    }

    fn objects() -> Objects {
        let data = |value: &str| Data::from([("key".to_owned(), value.as_bytes().to_vec())]);
        Objects::from_iter([
            ((Kind::Secret, "token".to_owned()), data("secret")),
            ((Kind::ConfigMap, "settings".to_owned()), data("set")),
        ])
    }

    #[test]
    fn references_to_variables_are_expanded_and_others_stay() {
        let environment = Environment::from([("HOST".to_owned(), "db".to_owned())]);
        for (text, expected) in [
            ("http://$(HOST):1", "http://db:1"),
            ("$(MISSING)", "$(MISSING)"),
            ("$$(HOST)", "$(HOST)"),
            ("a$b $(HOST", "a$b $(HOST"),
            ("$", "$"),
        ] {
            assert_eq!(expand(text, &environment), expected, "{text}");
        }
    }

    #[test]
    fn each_kind_of_source_gives_its_value() {
        let container = json!({"name": "c", "envFrom": [{"prefix": "P_", "configMapRef": {"name": "settings"}}], "env": [
            {"name": "PLAIN", "value": "1"},
            {"name": "TWICE", "value": "$(PLAIN)$(PLAIN) $(LATER) $(P_key)"},
            {"name": "LATER", "value": "x"},
            {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "token", "key": "key"}}},
            {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
            {"name": "NONE", "valueFrom": {"secretKeyRef": {"name": "token", "key": "no", "optional": true}}},
        ]});
        let environment = resolved(container, &objects()).unwrap();
        let expected = [
            ("IP", "10.244.0.7"),
            ("LABEL", "rag"),
            ("LATER", "x"),
            ("NAME", "rag-1"),
            ("PLAIN", "1"),
            ("P_key", "set"),
            ("SECRET", "secret"),
            ("TWICE", "11 $(LATER) set"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(environment, Environment::from(expected));
    }

    #[test]
    fn what_is_missing_is_said_in_a_kubelets_words() {
        for (reference, expected) in [
            (
                json!({"secretKeyRef": {"name": "gone", "key": "key"}}),
                "secret \"gone\" not found",
            ),
            (
                json!({"configMapKeyRef": {"name": "gone", "key": "key"}}),
                "configmap \"gone\" not found",
            ),
            (
                json!({"secretKeyRef": {"name": "token", "key": "no"}}),
                "couldn't find key no in Secret team/token",
            ),
        ] {
            let container = json!({"name": "c", "env": [{"name": "A", "valueFrom": reference}]});
            assert_eq!(resolved(container, &objects()), Err(expected.to_owned()));
        }
    }
}
