//! Names that the controller itself gives to things.

/// Field manager of everything that is applied.
pub const FIELD_MANAGER: &str = "kaito-controller";
/// Field manager of the finalizer and the annotations that a controller puts on what it reconciles. Another one, because a
/// Workspace may be made by a controller, too: whoever applies anew takes away what the same manager does not say.
pub const MARKS_MANAGER: &str = "kaito-controller-marks";
/// Label on every object that is made, so that only these are watched.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Annotation with the digest of an object as it was last applied. An object whose digest and fields are as wanted is
/// not applied again; one whose digest differs is, so that fields that are not wanted any more are removed.
pub const APPLIED: &str = "kaito.sh/applied";
/// Annotation on pod templates with the digest of the Secrets and ConfigMaps that pods read only when they start.
pub const INPUTS: &str = "kaito.sh/inputs";
/// Prefix of the annotations on a Deployment that keep the digest of one such input, for the time it cannot be read.
pub const INPUT_PREFIX: &str = "inputs.kaito.sh/";

/// Longest name of a Workspace that serves: a label of its StatefulSet's pods is the name, a hyphen and ten digits.
pub(crate) const LONGEST_WORKSPACE_NAME: usize = 52;

/// Whether a Service may have this name: at most `longest` lower-case letters, digits and hyphens, a letter first and no
/// hyphen last.
pub(crate) fn is_service_name(name: &str, longest: usize) -> bool {
    let is_letter_or_digit = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    name.len() <= longest
        && name.starts_with(|character: char| character.is_ascii_lowercase())
        && name.ends_with(is_letter_or_digit)
        && name
            .chars()
            .all(|character| character == '-' || is_letter_or_digit(character))
}
