//! What caches leave out, since nobody reads it and it may be large.

use k8s_openapi::api::core::v1::Node;
use kube::core::PartialObjectMeta;

/// The images of a node.
pub(crate) fn slim_node(node: &mut Node) {
    if let Some(status) = &mut node.status {
        status.images = None;
        status.allocatable = None;
    }
}

/// Everything of an object but its name, its version and its labels.
pub(crate) fn metadata_alone<K>(object: &mut PartialObjectMeta<K>) {
    object.metadata.annotations = None;
}
