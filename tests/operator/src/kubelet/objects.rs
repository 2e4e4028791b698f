//! The Secrets and ConfigMaps that a pod refers to, read when they are needed: a missing one is missing for certain.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client};

/// What a kubelet says of a pod that it cannot start yet, in a kubelet's words.
pub(super) type Complaint = String;

/// Keys and values of a Secret or a ConfigMap.
pub(super) type Data = BTreeMap<String, Vec<u8>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Secret,
    ConfigMap,
}

/// Kind and name; the namespace is the pod's.
pub(super) type Reference = (Kind, String);

/// What was found of the objects that were asked for.
#[derive(Debug, Default)]
pub(super) struct Objects(BTreeMap<Reference, Data>);

impl Objects {
    pub(super) async fn fetch(
        client: &Client,
        namespace: &str,
        references: BTreeSet<Reference>,
    ) -> Result<Self, kube::Error> {
        let mut found = BTreeMap::new();
        for (kind, name) in references {
            let data = match kind {
                Kind::Secret => {
                    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
                    secrets.get_opt(&name).await?.map(data_of_secret)
                }
                Kind::ConfigMap => {
                    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
                    config_maps.get_opt(&name).await?.map(data_of_config_map)
                }
            };
            if let Some(data) = data {
                found.insert((kind, name), data);
            }
        }
        Ok(Self(found))
    }

    /// `None` if an optional object is missing.
    pub(super) fn data(&self, kind: Kind, name: &str, optional: bool) -> Result<Option<&Data>, Complaint> {
        match self.0.get(&(kind, name.to_owned())) {
            None if !optional => Err(format!("{} {name:?} not found", kind.to_string().to_lowercase())),
            found => Ok(found),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
        })
    }
}

fn data_of_secret(secret: Secret) -> Data {
    let data = secret.data.unwrap_or_default();
    data.into_iter().map(|(key, value)| (key, value.0)).collect()
}

fn data_of_config_map(config_map: ConfigMap) -> Data {
    let text = config_map.data.unwrap_or_default().into_iter();
    let binary = config_map.binary_data.unwrap_or_default().into_iter();
    text.map(|(key, value)| (key, value.into_bytes()))
        .chain(binary.map(|(key, value)| (key, value.0)))
        .collect()
}

#[cfg(test)]
impl FromIterator<(Reference, Data)> for Objects {
    fn from_iter<T: IntoIterator<Item = (Reference, Data)>>(objects: T) -> Self {
        Self(objects.into_iter().collect())
    }
}
