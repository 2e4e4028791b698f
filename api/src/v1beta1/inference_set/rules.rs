//! Rules about a set, in CEL, the same in both versions.

/// Looked at once, so that a set of an older KAITO with such a name can still be changed and deleted.
pub(crate) const NAME: &str =
    "oldSelf.hasValue() || !self.metadata.name.contains('.') && self.metadata.name.size() <= 63";
pub(crate) const NAME_MESSAGE: &str = "metadata.name must be at most 63 characters and without dots (an RFC 1123 label): \
    it becomes a label of the Workspaces";

pub(crate) const PARTITION_KEPT: &str =
    "has(self.partition) == has(oldSelf.partition) && (!has(self.partition) || self.partition == oldSelf.partition)";
pub(crate) const PARTITION_KEPT_MESSAGE: &str =
    "partition: field is immutable; delete the InferenceSet and make a new one to partition GPUs differently";

/// Five fields as cron has them, or one of its descriptors.
pub(crate) fn schedule() -> String {
    let month = "(0?[1-9]|1[0-2]|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)";
    let fields = [
        "[0-5]?[0-9]",
        "([01]?[0-9]|2[0-3])",
        "(0?[1-9]|[12][0-9]|3[01])",
        month,
        "([0-6]|SUN|MON|TUE|WED|THU|FRI|SAT)",
    ];
    let fields = fields.map(|value| {
        let range = format!("([*?]|{value}(-{value})?)(/[1-9][0-9]*)?");
        format!("{range}(,{range})*")
    });
    let descriptor = "@(annually|yearly|monthly|weekly|daily|midnight|hourly)";
    format!("self.matches('^(?i)({descriptor}|{})$')", fields.join(" +"))
}
pub(crate) const SCHEDULE_MESSAGE: &str = "schedule must be a cron expression of five fields (minute, hour, day of month, \
    month, day of week), for example 0 2 * * 6, or a descriptor such as @daily";

pub(crate) const DURATION: &str = "self.matches('^([0-9]+([.][0-9]+)?(h|m|s|ms|us|ns))+$') && \
    duration(self) > duration('0s')";
pub(crate) const DURATION_MESSAGE: &str = "duration must be more than nothing, for example 4h or 90m";
