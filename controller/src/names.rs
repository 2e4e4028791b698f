//! Names that the controller itself gives to things.

/// Field manager of everything that is applied.
pub const FIELD_MANAGER: &str = "kaito-controller";
/// Label on every object that is made, so that only these are watched.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Annotation with the digest of an object as it was last applied. An object whose digest and fields are as wanted is
/// not applied again; one whose digest differs is, so that fields that are not wanted any more are removed.
pub const APPLIED: &str = "kaito.sh/applied";
/// Annotation on pod templates with the digest of the Secrets and ConfigMaps that pods read only when they start.
pub const INPUTS: &str = "kaito.sh/inputs";
/// Prefix of the annotations on a Deployment that keep the digest of one such input, for the time it cannot be read.
pub const INPUT_PREFIX: &str = "inputs.kaito.sh/";
