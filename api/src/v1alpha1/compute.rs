//! The machines that a Workspace or a RAGEngine runs on.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::schema;
use crate::v1beta1::compute::{
    COUNT_IMMUTABLE_MESSAGE, INSTANCE_TYPE_KEPT, INSTANCE_TYPE_MESSAGE, SELECTOR_IMMUTABLE_MESSAGE, SINGLE_VALUES,
    SINGLE_VALUES_MESSAGE, one,
};

/// The machine type of who names none.
const DEFAULT_INSTANCE_TYPE: &str = "Standard_NC24ads_A100_v4";

/// Which machines to use, and whether to make them.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceSpec {
    /// Number of machines.
    #[serde(default = "one")]
    #[x_kube(validation = Rule::new("self == oldSelf").message(COUNT_IMMUTABLE_MESSAGE))]
    pub count: i64,
    /// Machine type in the cloud provider's words. A machine of this type is made when none is free. Set it to an empty
    /// text when nodes are not provisioned automatically: pods then go to nodes that have the labels.
    #[serde(default = "default_instance_type")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new(INSTANCE_TYPE_KEPT).message(INSTANCE_TYPE_MESSAGE))]
    pub instance_type: String,
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
}

fn default_instance_type() -> String {
    DEFAULT_INSTANCE_TYPE.to_owned()
}
