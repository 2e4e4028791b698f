//! The passages that an answer is based on.

use serde_json::Value;

use super::scan::Scan;
use super::{GuardReport, GuardedChoice};
use crate::policy::Policy;
use crate::stage::Scope;
use crate::verdict::Outcome;

/// Applies a policy to `source_nodes`: to the `text` of each and to every string in its `metadata`. A text that is
/// blocked becomes the block message. In the report, a passage is a choice by its place in the list.
pub fn guard_sources(policy: &Policy, nodes: &mut [Value]) -> GuardReport {
    let mut report = GuardReport::default();
    if policy.is_empty() {
        return report;
    }
    let mut scan = Scan::new(policy);
    for (index, node) in (0_u64..).zip(nodes.iter_mut()) {
        scan.outcome = Outcome::Allowed;
        scan.has_scanned = false;
        for field in ["text", "metadata"] {
            if let Some(value) = node.get_mut(field) {
                scan.leaves(Scope::Fragment, value);
            }
        }
        if scan.has_scanned {
            report.choices.push(GuardedChoice {
                index,
                outcome: scan.outcome,
            });
        }
    }
    report.hits = scan.hits;
    report
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::openai::tests::policy;
    use crate::verdict::{Action, ScannerHit, ScannerType};

    #[test]
    fn texts_and_metadata_are_redacted() {
        let policy = policy("[{type: ban_substrings, substrings: [plum]}]");
        let mut nodes = [
            json!({"node_id": "plum", "text": "a plum", "score": 0.5, "metadata": {"deep": [{"name": "plum"}], "n": 1}}),
            json!({"node_id": "2", "text": "a pear", "metadata": null}),
            json!("no object"),
        ];
        let report = guard_sources(&policy, &mut nodes);
        assert_eq!(
            nodes[0],
            json!({
                "node_id": "plum",
                "text": "a [REDACTED]",
                "score": 0.5,
                "metadata": {"deep": [{"name": "[REDACTED]"}], "n": 1}
            })
        );
        assert_eq!(nodes[1]["text"], "a pear");
        assert_eq!(
            report.choices.iter().map(|node| node.outcome).collect::<Vec<_>>(),
            [Outcome::Redacted, Outcome::Allowed]
        );
        assert_eq!(
            report.hits,
            [ScannerHit {
                scanner: ScannerType::BanSubstrings,
                action: Action::Redact,
                count: 2
            }]
        );
    }

    #[test]
    fn a_blocked_text_becomes_the_block_message() {
        let policy = policy("[{type: ban_substrings, substrings: [plum], action: block}]");
        let mut nodes = [json!({"text": "a plum", "metadata": {"name": "plum", "other": "pear"}})];
        let report = guard_sources(&policy, &mut nodes);
        assert_eq!(
            nodes[0],
            json!({"text": "No.", "metadata": {"name": "No.", "other": "pear"}})
        );
        assert_eq!(report.outcome(), Outcome::Blocked);
    }
}
