//! The catalogues of models and machines, in the words of those who ask.

mod fit;
mod hub;
mod model_facts;

use std::collections::BTreeMap;

pub use fit::fit;
pub(crate) use hub::{ASK_AGAIN, Hub, Published};
pub use hub::{HubUrl, ParseHubUrl};
pub use model_facts::{ModelFactsError, model_from_config_map, model_from_facts};

use kaito_api::admission::{self, InstanceTypes, Preset, PresetFacts};
use kaito_presets::{Model, ModelCatalogue, Resolution};

use crate::options::Cloud;
use crate::settings::ServedModel;

/// What the rules have to know of the model that a Workspace names. Of a model that is only on the hub, little is known
/// before it is asked; vLLM may be able to serve it, and Transformers and tuning are for models of the catalogue.
#[must_use]
pub fn preset(name: &str) -> Preset {
    match ModelCatalogue::builtin().resolve(name) {
        Resolution::Known(model) => Preset::Known(facts(model)),
        Resolution::Deprecated => Preset::Deprecated,
        Resolution::HuggingFaceId(_) => Preset::Known(PresetFacts {
            download_at_runtime: true,
            needs_token: false,
            transformers: false,
            adapters: true,
            tunable: false,
            token_limit: None,
        }),
        Resolution::Unknown => Preset::Unknown,
    }
}

/// The model that a Workspace with this preset serves.
pub fn served_model(name: &str) -> Option<ServedModel> {
    match ModelCatalogue::builtin().resolve(name) {
        Resolution::Known(model) => Some(ServedModel {
            name: model.served_name(),
            window: Some(model.token_limit()),
        }),
        Resolution::HuggingFaceId(id) => Some(ServedModel {
            name: id.name().to_lowercase(),
            window: None,
        }),
        Resolution::Deprecated | Resolution::Unknown => None,
    }
}

/// The machine types of `cloud`.
#[must_use]
pub fn instance_types(cloud: Cloud) -> InstanceTypes {
    let names = catalogue(cloud).names();
    InstanceTypes {
        cloud: match cloud {
            Cloud::Azure => admission::Cloud::Azure,
            Cloud::Aws => admission::Cloud::Aws,
            Cloud::Arc => admission::Cloud::Arc,
        },
        names: names.map(str::to_owned).collect(),
    }
}

/// GPUs of each machine type of `cloud` that has NVIDIA's, by its name in lower case. Others have no nvidia.com/gpu.
pub fn gpus(cloud: Cloud) -> BTreeMap<String, u32> {
    let types = catalogue(cloud).types();
    types
        .iter()
        .filter(|machine| machine.has_nvidia_gpus())
        .map(|machine| (machine.name.to_lowercase(), machine.gpu_count.get()))
        .collect()
}

/// Everything that is known of the machine types of `cloud`.
pub(crate) fn catalogue(cloud: Cloud) -> &'static kaito_presets::InstanceTypes {
    kaito_presets::InstanceTypes::of(match cloud {
        Cloud::Azure => kaito_presets::Cloud::Azure,
        Cloud::Aws => kaito_presets::Cloud::Aws,
        Cloud::Arc => kaito_presets::Cloud::Arc,
    })
}

/// Whether machines of this type have a fast disk of their own.
pub(crate) fn has_nvme(cloud: Cloud, instance_type: &str) -> bool {
    catalogue(cloud).find(instance_type).is_some_and(|machine| machine.nvme)
}

fn facts(model: &Model) -> PresetFacts {
    PresetFacts {
        download_at_runtime: model.downloads_at_runtime(),
        needs_token: model.needs_token(),
        transformers: model.transformers().is_some(),
        adapters: model.allows_adapters(),
        tunable: model.tuning().is_some(),
        token_limit: Some(model.token_limit()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_known_deprecated_or_unknown() {
        assert_eq!(
            preset("phi-4-mini-instruct"),
            Preset::Known(PresetFacts {
                download_at_runtime: true,
                needs_token: false,
                transformers: false,
                adapters: true,
                tunable: true,
                token_limit: Some(131_072),
            })
        );
        let Preset::Known(llama) = preset("Llama-3.1-8B-Instruct") else {
            panic!("it is in the catalogue");
        };
        assert!(llama.needs_token && llama.transformers && !llama.tunable);
        let Preset::Known(other) = preset("somebody/something") else {
            panic!("it may be on the hub");
        };
        assert_eq!(other.token_limit, None);
        assert_eq!(preset("phi-2"), Preset::Deprecated);
        assert_eq!(preset("falcon-7b"), Preset::Unknown);
    }

    #[test]
    fn each_cloud_has_its_own_machines() {
        for (cloud, name) in [
            (Cloud::Azure, "Standard_NC24ads_A100_v4"),
            (Cloud::Aws, "p5.48xlarge"),
            (Cloud::Arc, "Standard_NC4_A2"),
        ] {
            let types = instance_types(cloud);
            assert!(types.names.contains(name), "{name}");
            assert!(types.allow(&name.to_lowercase()), "{name}");
            assert!(gpus(cloud).contains_key(&name.to_lowercase()), "{name}");
        }
    }
}
