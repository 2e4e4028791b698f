//! Facts about machines and models, out of the catalogues.

use std::collections::BTreeMap;

use crate::options::Cloud;
use crate::settings::ServedModel;

/// GPUs of each machine type.
pub fn gpus(_cloud: Cloud) -> BTreeMap<String, u32> {
    BTreeMap::new()
}

/// A model as it is served.
pub fn served_model(_name: &str) -> Option<ServedModel> {
    None
}
