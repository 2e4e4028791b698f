//! Which nodes pods may run on.

use k8s_openapi::api::core::v1::Toleration;

use crate::scheduling;
use crate::workspace::workload::{Placement, Serving};

/// The taints of machines with GPUs, those of Azure's spot machines, and that of nodes whose GPUs are sliced.
pub(super) fn tolerations(placement: &Placement, serving: Option<&Serving>) -> Vec<Toleration> {
    let mut all = scheduling::gpu_tolerations();
    if placement.azure {
        all.push(scheduling::tolerate("kubernetes.azure.com/scalesetpriority", "spot"));
    }
    if let Some(profile) = serving.and_then(|serving| serving.mig_profile.as_ref()) {
        all.push(scheduling::tolerate_any(&mig_resource(profile)));
    }
    all
}

/// Name of the resource that a MIG slice is, and of the taint of nodes that have it.
pub(super) fn mig_resource(profile: &str) -> String {
    format!("nvidia.com/mig-{profile}")
}
