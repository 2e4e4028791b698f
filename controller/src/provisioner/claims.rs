//! What NodeClaims say of themselves.

use kube::ResourceExt;
use kube::core::DynamicObject;
use serde_json::Value;

use crate::conditions::{Finding, truncated};

/// Reasons that tell nothing of what went wrong.
pub(crate) const UNTOLD: [&str; 2] = ["NodeClaimNotReady", AWAITING];
const AWAITING: &str = "AwaitingReconciliation";

/// The stages of a NodeClaim, in their order.
const STAGES: [&str; 3] = ["Launched", "Registered", "Initialized"];

/// A condition of an object whose type is not known here.
pub(super) struct Told<'a> {
    pub(super) status: &'a str,
    pub(super) reason: &'a str,
    pub(super) message: &'a str,
}

/// The condition of one type.
pub(super) fn condition<'a>(object: &'a DynamicObject, type_: &str) -> Option<Told<'a>> {
    fn text<'a>(condition: &'a Value, field: &str) -> &'a str {
        condition.get(field).and_then(Value::as_str).unwrap_or_default()
    }
    let conditions = object.data.pointer("/status/conditions")?.as_array()?;
    let found = conditions.iter().find(|condition| text(condition, "type") == type_)?;
    Some(Told {
        status: text(found, "status"),
        reason: text(found, "reason"),
        message: text(found, "message"),
    })
}

/// Whether the object is not about to go.
pub(super) fn stays(object: &DynamicObject) -> bool {
    object.metadata.deletion_timestamp.is_none()
}

/// Whether a NodeClaim has become a node that works.
fn is_ready(claim: &DynamicObject) -> bool {
    let has_node = || {
        let name = claim.data.pointer("/status/nodeName").and_then(Value::as_str);
        name.is_some_and(|name| !name.is_empty())
    };
    stays(claim) && condition(claim, "Ready").map_or_else(has_node, |ready| ready.status == "True")
}

/// Whether a NodeClaim has no machine yet.
pub(super) fn is_waiting(claim: &DynamicObject) -> bool {
    condition(claim, "Launched").is_none_or(|launched| launched.status != "True") && !is_ready(claim)
}

/// How many NodeClaims have a machine.
pub(super) fn machines(claims: &[&DynamicObject]) -> usize {
    claims.iter().filter(|claim| stays(claim) && !is_waiting(claim)).count()
}

/// What a number of NodeClaims say.
pub(super) struct Said {
    /// The condition `NodeClaimReady`.
    pub(super) finding: Finding,
    /// Whether none of them has a machine, and none says why.
    pub(super) silent: bool,
}

/// Whether enough of `claims` are ready; if not, the first words of one that is not.
pub(super) fn say(claims: &[&DynamicObject], needed: usize) -> Said {
    let ready = claims.iter().filter(|claim| is_ready(claim)).count();
    if ready >= needed {
        return Said {
            finding: Finding::holds("NodeClaimsReady", "Enough NodeClaims are ready"),
            silent: false,
        };
    }
    let mut words: Vec<_> = claims
        .iter()
        .filter(|claim| stays(claim))
        .filter_map(|claim| Some((claim.name_any(), words(claim)?)))
        .collect();
    words.sort_by_key(|(name, told)| (told.reason == AWAITING, name.clone()));
    let finding = match words.first() {
        Some((_, told)) if !told.reason.is_empty() => Finding::fails(told.reason, truncated(told.message)),
        Some((_, told)) => Finding::fails("NodeClaimNotReady", truncated(told.message)),
        None => Finding::fails(
            "NodeClaimNotReady",
            format!("Ready NodeClaims are not enough: {ready} of {needed}"),
        ),
    };
    let silent = UNTOLD.contains(&finding.reason.as_str()) && claims.iter().all(|claim| is_waiting(claim));
    Said { finding, silent }
}

/// The first stage that a NodeClaim has not come to and says something about.
fn words(claim: &DynamicObject) -> Option<Told<'_>> {
    STAGES
        .iter()
        .filter_map(|stage| condition(claim, stage))
        .find(|told| told.status != "True" && !told.message.is_empty())
}
