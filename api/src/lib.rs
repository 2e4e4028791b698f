//! KAITO's custom resources `RAGEngine`, `Workspace` and `InferenceSet` (group `kaito.sh`): their types, the rules that
//! the API server and the admission webhook check, and the conversion between the versions `v1alpha1` and `v1beta1`.
//!
//! Deliberately absent: a client, and anything that asks a cluster. Rules that CEL can say stand beside the fields and
//! are checked by the API server; the others are pure functions in [`admission`], which take the facts they need.
//! [`crds`] puts types and rules together, and the binary `crdgen` writes the result into the charts.

pub mod names;

mod schema;
#[expect(
    unreachable_pub,
    reason = "the derive KubeSchema repeats each struct inside a function"
)]
mod shared;
#[expect(
    unreachable_pub,
    reason = "the derive KubeSchema repeats each struct inside a function"
)]
pub mod v1alpha1;
#[expect(
    unreachable_pub,
    reason = "the derive KubeSchema repeats each struct inside a function"
)]
pub mod v1beta1;

pub mod admission;
pub mod conversion;
pub mod crds;

#[cfg(any(test, feature = "testing"))]
pub mod cases;

#[cfg(test)]
mod tests;
