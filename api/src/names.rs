//! Names that KAITO gave to things: the group, finalizers, labels, annotations, ports and keys of Secrets. Users,
//! dashboards and running clusters know them, so none may change.

/// API group of every resource here.
pub const GROUP: &str = "kaito.sh";
/// The version that is stored, and that every other one is converted to and from.
pub const STORED_VERSION: &str = "v1beta1";

/// Keeps a RAGEngine until its NodeClaims are gone.
pub const RAGENGINE_FINALIZER: &str = "ragengine.finalizer.kaito.sh";
/// Keeps a Workspace until its NodeClaims are gone.
pub const WORKSPACE_FINALIZER: &str = "workspace.finalizer.kaito.sh";

/// Labels.
pub mod labels {
    /// Name of the RAGEngine, on its pods and NodeClaims.
    pub const RAGENGINE: &str = "kaito.sh/ragengine";
    /// Namespace of the RAGEngine, on its NodeClaims, which have no namespace of their own.
    pub const RAGENGINE_NAMESPACE: &str = "kaito.sh/ragenginenamespace";
    /// Name of the Workspace, on its pods and NodeClaims.
    pub const WORKSPACE: &str = "kaito.sh/workspace";
    /// Namespace of the Workspace, on its NodeClaims.
    pub const WORKSPACE_NAMESPACE: &str = "kaito.sh/workspacenamespace";
    /// From a ControllerRevision to the RAGEngine it records.
    pub const RAGENGINE_REVISION_OF: &str = "ragengine.kaito.io/name";
    /// From a ControllerRevision to the Workspace it records.
    pub const WORKSPACE_REVISION_OF: &str = "workspace.kaito.io/name";
    /// On nodes with a GPU, with the value `nvidia`.
    pub const ACCELERATOR: &str = "accelerator";
    /// Karpenter's node pool; `kaito` on NodeClaims that we make.
    pub const NODE_POOL: &str = "karpenter.sh/nodepool";
    /// Machine type of a node, as KAITO records it.
    pub const MACHINE_TYPE: &str = "kaito.sh/machine-type";

    /// Labels that we put on nodes ourselves. A user's selector may not ask for them: they are dropped from it.
    pub const RESERVED: [&str; 8] = [
        WORKSPACE,
        WORKSPACE_NAMESPACE,
        RAGENGINE,
        RAGENGINE_NAMESPACE,
        "karpenter.kaito.sh/workspace-name",
        "karpenter.kaito.sh/workspace-namespace",
        "karpenter.kaito.sh/inferenceset",
        "karpenter.kaito.sh/inferenceset-namespace",
    ];
}

/// Annotations.
pub mod annotations {
    /// `True` makes the Service a load balancer. A RAGEngine's `spec.serviceType` says more and wins.
    pub const ENABLE_LOAD_BALANCER: &str = "kaito.sh/enablelb";
    /// Which program serves a Workspace's model: `vllm` (the default) or `transformers`.
    pub const RUNTIME: &str = "kaito.sh/runtime";
    /// Present, with any value: too little GPU memory is a warning and no error.
    pub const BYPASS_RESOURCE_CHECKS: &str = "kaito.sh/bypass-resource-checks";
    /// Operating system of new nodes: `ubuntu` or `azurelinux`.
    pub const NODE_IMAGE_FAMILY: &str = "kaito.sh/node-image-family";
    /// Karpenter NodeClass of new nodes.
    pub const NODE_CLASS_NAME: &str = "kaito.sh/node-class-name";
    /// What vLLM optimises for: `balanced` (the default), `interactivity` or `throughput`.
    pub const PERFORMANCE_MODE: &str = "kaito.sh/performance-mode";
    /// `true`: weights are read from a directory of the node.
    pub const USE_LOCAL_WEIGHTS: &str = "kaito.sh/use-local-weights";
    /// Hash of a RAGEngine's spec, written by the controller.
    pub const RAGENGINE_HASH: &str = "ragengine.kaito.io/hash";
    /// Number of a RAGEngine's revision, written by the controller.
    pub const RAGENGINE_REVISION: &str = "ragengine.kaito.io/revision";
    /// Hash of a Workspace's fields, written by the controller.
    pub const WORKSPACE_HASH: &str = "workspace.kaito.io/hash";
    /// Number of a Workspace's revision, written by the controller.
    pub const WORKSPACE_REVISION: &str = "workspace.kaito.io/revision";
    /// Keeps Karpenter from disrupting a node; `true` on NodeClaims that we make.
    pub const DO_NOT_DISRUPT: &str = "karpenter.sh/do-not-disrupt";
    /// On a Workspace: namespaces, separated by commas or `*` for all, whose RAGEngines may name it in `workspaceRef`.
    /// Its own namespace always may.
    pub const RAGENGINE_NAMESPACES: &str = "kaito.sh/allow-ragengine-namespaces";
    /// On an object shown as `v1alpha1`: what only `v1beta1` can say. Written and read by [`crate::conversion`].
    pub const V1BETA1_FIELDS: &str = "kaito.sh/v1beta1-fields";
    /// On an object shown as `v1beta1`: what only `v1alpha1` can say. Written and read by [`crate::conversion`].
    pub const V1ALPHA1_FIELDS: &str = "kaito.sh/v1alpha1-fields";
}

/// Keys inside the Secrets and ConfigMaps that users name.
pub mod keys {
    /// Key of `inferenceService.accessSecret`: the bearer token for the language model.
    pub const LLM_ACCESS_SECRET: &str = "LLM_ACCESS_SECRET";
    /// Key of `storage.vectorDB.accessSecret`: the API key of the vector database.
    pub const VECTOR_DB_ACCESS_SECRET: &str = "VECTOR_DB_ACCESS_SECRET";
    /// Key of every Secret that holds a Hugging Face token.
    pub const HUGGING_FACE_TOKEN: &str = "HF_TOKEN";
    /// Key of a guardrails ConfigMap: the policy, as YAML.
    pub const GUARDRAILS_POLICY: &str = "guardrails.yaml";
    /// Key of the ConfigMap named by a Workspace's `inference.config`.
    pub const INFERENCE_CONFIG: &str = "inference_config.yaml";
    /// Key of the ConfigMap named by a Workspace's `tuning.config`.
    pub const TRAINING_CONFIG: &str = "training_config.yaml";
}

/// ConfigMap of the release namespace that holds the guardrails policy of engines that name none.
pub const DEFAULT_GUARDRAILS_CONFIG_MAP: &str = "ragengine-guardrails-policy-template";
