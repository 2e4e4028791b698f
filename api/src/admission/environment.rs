//! Facts that rules depend on, and that no object says.

use std::collections::BTreeSet;

/// How the controller was started.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Machine types that can be used.
    pub instance_types: InstanceTypes,
    /// Whether machines are made when they are missing. Otherwise users bring their own.
    pub node_auto_provisioning: bool,
    /// Names of NodeClasses of which a Workspace may choose; `None` unless Karpenter makes the machines.
    pub node_classes: Option<BTreeSet<String>>,
    /// Whether vLLM serves models that do not ask for another program.
    pub vllm: bool,
    /// Whether GPUs may be divided into MIG slices.
    pub mig: bool,
    /// Whether some of a machine's GPUs may be used.
    pub accelerator: bool,
}

/// Clouds that machine types are known of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// Microsoft Azure.
    Azure,
    /// Amazon Web Services.
    Aws,
    /// Azure Arc.
    Arc,
}

/// Machine types that can be used.
#[derive(Clone, Debug)]
pub struct InstanceTypes {
    /// The cloud they are of.
    pub cloud: Cloud,
    /// Those that the catalogue describes.
    pub names: BTreeSet<String>,
}

impl InstanceTypes {
    /// Whether a machine of this type can be used. On Azure the whole GPU and general-purpose families pass, since new
    /// sizes appear faster than a catalogue follows.
    pub fn allow(&self, name: &str) -> bool {
        let family = |prefix: &str| {
            name.get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
            || self.cloud == Cloud::Azure && (family("Standard_N") || family("Standard_D"))
    }

    /// The names, for a message.
    pub fn list(&self) -> String {
        self.names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// What the catalogue says of the model that a Workspace names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preset {
    /// It can be used. Ids of Hugging Face are known, too.
    Known(PresetFacts),
    /// It could be used once.
    Deprecated,
    /// No such model.
    Unknown,
}

/// What rules depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresetFacts {
    /// Whether the weights come from Hugging Face when the pod starts.
    pub download_at_runtime: bool,
    /// Whether that needs a token.
    pub needs_token: bool,
    /// Whether the transformers runtime can serve it.
    pub transformers: bool,
    /// Whether adapters can be served beside it.
    pub adapters: bool,
    /// Whether it can be tuned.
    pub tunable: bool,
    /// Tokens that it can read, if known.
    pub token_limit: Option<u64>,
}

/// Whether `name` has the form of an id of Hugging Face: an owner and a name.
pub fn is_hugging_face_id(name: &str) -> bool {
    matches!(name.split_once('/'), Some((owner, name)) if !owner.is_empty() && !name.is_empty() && !name.contains('/'))
}
