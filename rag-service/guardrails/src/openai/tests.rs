use std::sync::Arc;

use crate::policy::Policy;

mod responses;
mod streams;

/// A policy of these scanners that says `No.` to what it blocks.
pub(super) fn policy(scanners: &str) -> Arc<Policy> {
    let loaded = Policy::parse(format!("blockMessage: No.\nscanners: {scanners}").as_bytes()).unwrap();
    assert_eq!(loaded.diagnostics, [], "{scanners}");
    Arc::new(loaded.policy)
}
