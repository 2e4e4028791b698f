//! The machines that a Workspace or a RAGEngine runs on.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// Profiles of NVIDIA's multi-instance GPUs, from A30 to B200, as a list in CEL.
const MIG_PROFILES: &str = "['1g.6gb', '2g.12gb', '4g.24gb', \
    '1g.5gb', '2g.10gb', '3g.20gb', '4g.20gb', '7g.40gb', \
    '1g.10gb', '1g.20gb', '2g.20gb', '3g.40gb', '4g.40gb', '7g.80gb', \
    '1g.12gb', '1g.24gb', '2g.24gb', '3g.47gb', '4g.47gb', '7g.94gb', \
    '3g.48gb', '4g.48gb', '7g.96gb', \
    '1g.18gb', '1g.35gb', '2g.35gb', '3g.71gb', '4g.71gb', '7g.141gb', \
    '1g.23gb', '1g.45gb', '2g.45gb', '3g.90gb', '4g.90gb', '7g.180gb']";

/// The rule that a partition of mode mig names a profile that exists.
fn known_profile() -> String {
    format!("self.mode != 'mig' || has(self.profile) && self.profile in {MIG_PROFILES}")
}

pub(crate) const SINGLE_VALUES: &str = "!has(self.matchExpressions) || self.matchExpressions.all(e, \
    e.operator == 'In' && has(e.values) && e.values.size() == 1)";
pub(crate) const SINGLE_VALUES_MESSAGE: &str = "Only allow matchLabels or 'IN' matchExpression: each of matchExpressions \
    needs operator In and exactly one value";
pub(crate) const SELECTOR_IMMUTABLE_MESSAGE: &str =
    "labelSelector: field is immutable; delete the object and make a new one to run on other nodes";
pub(crate) const COUNT_IMMUTABLE_MESSAGE: &str =
    "count: field is immutable; delete the object and make a new one to run on more or fewer machines";
pub(crate) const INSTANCE_TYPE_KEPT: &str = "self == oldSelf || self == '' || oldSelf == ''";
pub(crate) const INSTANCE_TYPE_MESSAGE: &str = "instanceType cannot be changed once set when node auto-provisioning is \
    enabled, and only be emptied when it is disabled; delete the object and make a new one to use other machines";

/// Which machines to use, and whether to make them.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.partition) == has(oldSelf.partition) && (!has(self.partition) || self.partition == oldSelf.partition)").message("partition: field is immutable; delete the object and make a new one to partition GPUs differently"))]
pub struct ResourceSpec {
    /// Number of machines. Deprecated: a Workspace's number follows from its model, and a RAGEngine always uses one.
    #[serde(default = "one")]
    #[x_kube(validation = Rule::new("self == oldSelf").message(COUNT_IMMUTABLE_MESSAGE))]
    pub count: i64,
    /// Machine type in the cloud provider's words, for example Standard_NC24ads_A100_v4. A machine of this type is made
    /// when none is free. Leave it out when nodes are not provisioned automatically: pods then go to nodes that have
    /// the labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new(INSTANCE_TYPE_KEPT).message(INSTANCE_TYPE_MESSAGE))]
    pub instance_type: Option<String>,
    /// Labels that nodes must have; machines that are made get them. Labels that the controller itself puts on nodes
    /// (kaito.sh/workspace and the like) are ignored.
    #[schemars(schema_with = "schema::label_selector")]
    #[x_kube(
        validation = Rule::new(SINGLE_VALUES).message(SINGLE_VALUES_MESSAGE),
        validation = Rule::new("self == oldSelf").message(SELECTOR_IMMUTABLE_MESSAGE),
    )]
    pub label_selector: LabelSelector,
    /// Names of nodes of a Workspace to use before others, whatever their type. An engine does not read them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_nodes: Option<Vec<String>>,
    /// Use a part of a machine's GPUs. Only for nodes that are not provisioned automatically.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<PartitionSpec>,
}

impl ResourceSpec {
    /// The machine type, unless it is missing or empty.
    pub fn instance_type(&self) -> Option<&str> {
        self.instance_type.as_deref().filter(|name| !name.is_empty())
    }
}

pub(crate) fn one() -> i64 {
    1
}

/// A part of a machine's GPUs.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.mode != 'mig' || !has(self.count)").message("count must not be set when mode is mig: the profile says how much of a GPU is used"),
    validation = Rule::new(known_profile()).message("profile must name a MIG profile when mode is mig, for example 1g.10gb; see nvidia-smi mig -lgip"),
    validation = Rule::new("self.mode != 'accelerator' || has(self.count)").message("count is required when mode is accelerator: the number of whole GPUs to use"),
    validation = Rule::new("self.mode != 'accelerator' || !has(self.profile) || self.profile == ''").message("profile must not be set when mode is accelerator: it is for mode mig"),
)]
pub struct PartitionSpec {
    /// How GPUs are divided: mig for a slice of one GPU, accelerator for some of the machine's whole GPUs.
    pub mode: PartitionMode,
    /// MIG profile, for example 1g.10gb: one compute slice and 10 GB of memory. Only for mode mig.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub profile: Option<String>,
    /// Number of whole GPUs, at least 1. Only for mode accelerator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub count: Option<i64>,
}

/// How GPUs are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PartitionMode {
    /// A slice of one GPU.
    Mig,
    /// Some of the whole GPUs.
    Accelerator,
}
