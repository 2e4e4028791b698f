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
/// Keeps an InferenceSet until its Workspaces are gone.
pub const INFERENCE_SET_FINALIZER: &str = "inferenceset.finalizer.kaito.sh";

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
    /// From a ControllerRevision to the InferenceSet it records.
    pub const INFERENCE_SET_REVISION_OF: &str = "inferenceset.kaito.io/name";
    /// Name of the InferenceSet, on its Workspaces and their pods.
    pub const CREATED_BY_INFERENCE_SET: &str = "inferenceset.kaito.sh/created-by";
    /// On nodes with a GPU, with the value `nvidia`.
    pub const ACCELERATOR: &str = "accelerator";
    /// Karpenter's node pool; `kaito` on NodeClaims that we make.
    pub const NODE_POOL: &str = "karpenter.sh/nodepool";
    /// Machine type of a node, as KAITO records it.
    pub const MACHINE_TYPE: &str = "kaito.sh/machine-type";
    /// Name of the Workspace, on its Karpenter NodePool and the nodes of that.
    pub const KARPENTER_WORKSPACE: &str = "karpenter.kaito.sh/workspace-name";
    /// Namespace of the Workspace, on its Karpenter NodePool and the nodes of that.
    pub const KARPENTER_WORKSPACE_NAMESPACE: &str = "karpenter.kaito.sh/workspace-namespace";
    /// Name of the InferenceSet that the Workspace of a Karpenter NodePool belongs to.
    pub const KARPENTER_INFERENCE_SET: &str = "karpenter.kaito.sh/inferenceset";
    /// Namespace of that InferenceSet.
    pub const KARPENTER_INFERENCE_SET_NAMESPACE: &str = "karpenter.kaito.sh/inferenceset-namespace";
    /// `kaito` on the NodePools and NodeClasses that we make.
    pub const KARPENTER_MANAGED_BY: &str = "karpenter.kaito.sh/managed-by";
    /// `true` on the NodeClass of Workspaces that name none.
    pub const KARPENTER_DEFAULT: &str = "karpenter.kaito.sh/default";
    /// Machine type of a node, as Kubernetes records it.
    pub const INSTANCE_TYPE: &str = "node.kubernetes.io/instance-type";

    /// Name of the MultiRoleInference that made a Workspace; on its pods, too.
    pub const MULTI_ROLE_INFERENCE: &str = "multiroleinference.kaito.sh/created-by";
    /// What a Workspace of a MultiRoleInference does: `prefill` or `decode`; on its pods, too.
    pub const INFERENCE_ROLE: &str = "kaito.sh/inference-role";

    /// Labels that we put on nodes ourselves. A user's selector may not ask for them: they are dropped from it.
    pub const RESERVED: [&str; 8] = [
        WORKSPACE,
        WORKSPACE_NAMESPACE,
        RAGENGINE,
        RAGENGINE_NAMESPACE,
        KARPENTER_WORKSPACE,
        KARPENTER_WORKSPACE_NAMESPACE,
        KARPENTER_INFERENCE_SET,
        KARPENTER_INFERENCE_SET_NAMESPACE,
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
    /// On a Workspace whose model is not in the catalogue: the ConfigMap of its namespace that says what has to be known
    /// of the model, see [`super::keys::MODEL_CONFIG`] and the keys after it.
    pub const MODEL_FACTS: &str = "kaito.sh/model-facts";
    /// Operating system of new nodes: `ubuntu` or `azurelinux`.
    pub const NODE_IMAGE_FAMILY: &str = "kaito.sh/node-image-family";
    /// Karpenter NodeClass of new nodes.
    pub const NODE_CLASS_NAME: &str = "kaito.sh/node-class-name";
    /// What vLLM optimises for: `balanced` (the default), `interactivity` or `throughput`.
    pub const PERFORMANCE_MODE: &str = "kaito.sh/performance-mode";
    /// `true`: weights are read from a directory of the node.
    pub const USE_LOCAL_WEIGHTS: &str = "kaito.sh/use-local-weights";
    /// `true`: the speed of a model is not measured before its pods are ready.
    pub const DISABLE_BENCHMARK: &str = "kaito.sh/disable-benchmark";
    /// Hash of a RAGEngine's spec, written by the controller.
    pub const RAGENGINE_HASH: &str = "ragengine.kaito.io/hash";
    /// Number of a RAGEngine's revision, written by the controller.
    pub const RAGENGINE_REVISION: &str = "ragengine.kaito.io/revision";
    /// Hash of a Workspace's fields, written by the controller.
    pub const WORKSPACE_HASH: &str = "workspace.kaito.io/hash";
    /// Number of a Workspace's revision, written by the controller.
    pub const WORKSPACE_REVISION: &str = "workspace.kaito.io/revision";
    /// Hash of an InferenceSet's spec, written by the controller.
    pub const INFERENCE_SET_HASH: &str = "inferenceset.kaito.io/hash";
    /// Number of an InferenceSet's revision, written by the controller.
    pub const INFERENCE_SET_REVISION: &str = "inferenceset.kaito.io/revision";
    /// On a Workspace of an InferenceSet: hash of the template that it was last made or changed by.
    pub const INFERENCE_SET_TEMPLATE: &str = "inferenceset.kaito.sh/template-hash";
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
    /// Key of the ConfigMap named by the annotation `kaito.sh/model-facts`: the model's config.json.
    pub const MODEL_CONFIG: &str = "config.json";
    /// Key of the same: size of the model's weight files together, such as `15.3Gi`.
    pub const MODEL_WEIGHTS: &str = "weights";
    /// Key of the same, instead of [`MODEL_WEIGHTS`]: the model's files, as JSON: a list of `{"path": ..., "size": bytes}`.
    pub const MODEL_FILES: &str = "files.json";
    /// Optional key of the same: `true` if the model can only be downloaded with a token.
    pub const MODEL_GATED: &str = "gated";
}

/// ConfigMap of the release namespace that holds the guardrails policy of engines that name none.
pub const DEFAULT_GUARDRAILS_CONFIG_MAP: &str = "ragengine-guardrails-policy-template";
/// ConfigMap with the options of LoRA tunings that name none: of the namespace of a Workspace, else of the release.
pub const LORA_CONFIG_MAP: &str = "lora-params-template";
/// The same of QLoRA tunings.
pub const QLORA_CONFIG_MAP: &str = "qlora-params-template";
