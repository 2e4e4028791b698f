//! The passages that an answer is based on.

use serde_json::Value;

use super::scan::Scan;
use super::{GuardReport, GuardedChoice};
use crate::policy::Policy;
use crate::stage::Scope;
use crate::verdict::Outcome;

/// Applies a policy to `source_nodes`: to the `text` of each and to every string, number and name of a field in its
/// `metadata`. What is blocked becomes the block message. In the report, a passage is a choice by its place in the list.
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
                scan.tree(Scope::Fragment, value);
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

    #[test]
    fn numbers_and_names_of_fields_are_scanned() {
        let policy =
            policy("[{type: sensitive, detectors: [credit_card]}, {type: ban_substrings, substrings: [plum]}]");
        let metadata = json!({
            "card": 4_111_111_111_111_111_u64,
            "float": 4_111_111_111_111_111.0,
            "page": 7, "ratio": 0.25, "negative": -3,
            "a [REDACTED]": 0, "a plum": 1, "other": {"plum": [4_111_111_111_111_111_u64]}, "a PLUM": 2
        });
        let mut nodes = [json!({"text": "a pear", "metadata": metadata})];
        let report = guard_sources(&policy, &mut nodes);
        let expected = json!({
            "card": "<CREDIT_CARD>",
            "float": "<CREDIT_CARD>",
            "page": 7, "ratio": 0.25, "negative": -3,
            "a [REDACTED]": 0, "a [REDACTED] 2": 1, "other": {"[REDACTED]": ["<CREDIT_CARD>"]}, "a [REDACTED] 3": 2
        });
        assert_eq!(
            nodes[0]["metadata"].to_string(),
            expected.to_string(),
            "and in their order"
        );
        assert_eq!(report.outcome(), Outcome::Redacted);
    }
}
