//! The model that turns text into vectors.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// The embedding model: one in the engine's own pod, or one behind a URL. Exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.local) || has(self.remote)").message("Either remote embedding or local embedding must be specified, not neither: set embedding.local.modelID or embedding.remote.url"),
    validation = Rule::new("!(has(self.local) && has(self.remote))").message("Either remote embedding or local embedding must be specified, but not both: remove embedding.local or embedding.remote"),
)]
pub struct EmbeddingSpec {
    /// A model behind a URL. Every indexed text and every query is sent there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<RemoteEmbeddingSpec>,
    /// A model that runs in the engine's pod. Texts do not leave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<LocalEmbeddingSpec>,
}

/// An embedding model behind a URL.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemoteEmbeddingSpec {
    /// Where texts are sent. A path that ends in /embeddings speaks OpenAI's format, any other Hugging Face's.
    #[schemars(length(max = schema::LONG_TEXT))]
    #[x_kube(validation = Rule::new(format!("self != '' && ({})", schema::HTTP_URL)).message("url must be an http or https URL with a host, for example https://tei.example.com/v1/embeddings"))]
    pub url: String,
    /// Name of the Secret of this namespace with the bearer token for the URL. No token is sent without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::OBJECT_NAME))]
    pub access_secret: Option<String>,
}

/// An embedding model in the engine's pod.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.image) && self.image != '' || has(self.modelID) && self.modelID != ''").message("Either image or modelID must be specified, not neither: set modelID, for example BAAI/bge-small-en-v1.5"),
    validation = Rule::new("!(has(self.image) && self.image != '' && has(self.modelID) && self.modelID != '')").message("Either image or modelID must be specified, but not both: remove one of them"),
)]
pub struct LocalEmbeddingSpec {
    /// Container image with the model. Accepted for KAITO's sake but not run: the engine then uses its default model.
    /// Name the model with modelID instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::IMAGE))]
    #[x_kube(
        validation = Rule::new("self == '' || self.matches('^.+/[^:/]+:[^:/]+$')").message("image must name a registry path and a tag, for example registry.example.com/models/bge:1"),
        validation = Rule::new("self == '' || !self.matches('^.*/[^/]*[A-Z][^/]*:[^:/]*$')").message("the last part of the image's name must be in lower case"),
    )]
    pub image: Option<String>,
    /// Name of a Secret of this namespace for pulling the image. Accepted for KAITO's sake and not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::OBJECT_NAME))]
    pub image_pull_secret: Option<String>,
    /// Model to run, by its Hugging Face id. Changing it makes indexes that were built with another model unusable.
    #[serde(rename = "modelID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::LONG_TEXT))]
    pub model_id: Option<String>,
    /// Name of the Secret of this namespace whose key HF_TOKEN lets the model be downloaded. Needed for gated models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::OBJECT_NAME))]
    pub model_access_secret: Option<String>,
}
