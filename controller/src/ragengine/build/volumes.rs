//! What is mounted into the pods, whose own file system cannot be written to.

use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, EmptyDirVolumeSource, KeyToPath, PersistentVolumeClaimVolumeSource, SecretVolumeSource,
    Volume, VolumeMount,
};
use kaito_api::names::keys;

use crate::ragengine::engine::{Engine, Guardrails};

/// Directory of the callers' API keys.
pub(super) const API_KEYS_PATH: &str = "/etc/ragengine/api-keys";
/// Directory of the guardrails policy. A directory and not one file, because only those are kept current.
const POLICY_PATH: &str = "/etc/ragengine/guardrails";
/// Name of the volume with the indexes; KAITO's.
const DATA: &str = "vector-db-storage";
/// Name of the volume with the guardrails policy; KAITO's.
const POLICY: &str = "guardrails-policy";

/// The engine's own directory on its volume, so that engines can share one.
pub(super) fn home(engine: &Engine) -> String {
    format!("{}/{}", engine.storage.mount_path, engine.name)
}

/// File of the guardrails policy.
pub(super) fn policy_file() -> String {
    format!("{POLICY_PATH}/{}", keys::GUARDRAILS_POLICY)
}

/// The volumes.
pub(super) fn volumes(engine: &Engine) -> Vec<Volume> {
    let empty = || Some(EmptyDirVolumeSource::default());
    let claim = engine.storage.volume_claim.as_ref();
    let mut all = vec![
        Volume {
            name: DATA.to_owned(),
            persistent_volume_claim: claim.map(|name| PersistentVolumeClaimVolumeSource {
                claim_name: name.clone(),
                read_only: None,
            }),
            empty_dir: if claim.is_none() { empty() } else { None },
            ..Volume::default()
        },
        Volume {
            name: "tmp".to_owned(),
            empty_dir: empty(),
            ..Volume::default()
        },
    ];
    if let Guardrails::By { config_map, .. } = &engine.guardrails {
        all.push(Volume {
            name: POLICY.to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name: config_map.clone(),
                items: Some(vec![KeyToPath {
                    key: keys::GUARDRAILS_POLICY.to_owned(),
                    path: keys::GUARDRAILS_POLICY.to_owned(),
                    mode: None,
                }]),
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        });
    }
    if let Some(secret) = &engine.api_keys {
        all.push(Volume {
            name: "api-keys".to_owned(),
            secret: Some(SecretVolumeSource {
                secret_name: Some(secret.clone()),
                ..SecretVolumeSource::default()
            }),
            ..Volume::default()
        });
    }
    all
}

/// Where they are mounted.
pub(super) fn mounts(engine: &Engine) -> Vec<VolumeMount> {
    let mount = |name: &str, path: &str, read_only: Option<bool>| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only,
        ..VolumeMount::default()
    };
    let mut all = vec![
        mount(DATA, &engine.storage.mount_path, None),
        mount("tmp", "/tmp", None),
    ];
    if matches!(engine.guardrails, Guardrails::By { .. }) {
        all.push(mount(POLICY, POLICY_PATH, Some(true)));
    }
    if engine.api_keys.is_some() {
        all.push(mount("api-keys", API_KEYS_PATH, Some(true)));
    }
    all
}
