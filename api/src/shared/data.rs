//! Where a Workspace reads data from and writes results to.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::RawObject;
use crate::schema;

/// Where data come from: an image, files behind URLs, or a volume.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataSource {
    /// Name of the source: a lower-case DNS name, unique among its neighbours. Files appear in a directory of this
    /// name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::OBJECT_NAME))]
    pub name: Option<String>,
    /// http or https URLs of files that are downloaded before the program starts. Addresses inside the cluster's own
    /// machines and networks (localhost, private and link-local addresses, metadata services) are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(max = schema::LONG_TEXT)))]
    pub urls: Option<Vec<String>>,
    /// A volume to mount, as in a pod: one member of Kubernetes' volume types, such as persistentVolumeClaim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::raw_object")]
    pub volume_source: Option<RawObject>,
    /// Container image that holds the files, for example registry.example.com/data/pets:1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::IMAGE))]
    #[x_kube(validation = Rule::new(schema::image_rule()).message("image must be an image reference such as registry.example.com/team/data:1, with its path in lower case"))]
    pub image: Option<String>,
    /// Names of Secrets of this namespace with which the image may be pulled. Type kubernetes.io/dockerconfigjson.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_secrets: Option<Vec<String>>,
}

/// Where results go: an image that is pushed, or a volume.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataDestination {
    /// A volume to write to, as in a pod: one member of Kubernetes' volume types, such as persistentVolumeClaim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::raw_object")]
    pub volume_source: Option<RawObject>,
    /// Container image that is built from the results and pushed. Needs imagePushSecret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::IMAGE))]
    #[x_kube(validation = Rule::new(schema::image_rule()).message("image must be an image reference such as registry.example.com/team/adapter:1, with its path in lower case"))]
    pub image: Option<String>,
    /// Name of the Secret of this namespace with which the image is pushed. Type kubernetes.io/dockerconfigjson.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::OBJECT_NAME))]
    pub image_push_secret: Option<String>,
}
